"""The digest by which one genesis is told from another: written into volumes, compared before a daemon starts."""

from __future__ import annotations

import hashlib
import json

from mina_infra.spec import TestnetSpec

CHAIN_SECTIONS = ("genesis", "proof", "ledger", "epoch_data")
"""Sections of the runtime config that make the chain; the section `daemon` holds settings that may change."""


def digest(spec: TestnetSpec) -> str:
    """`sha256:...` over what makes the chain: the runtime config's chain sections and the ledger's source."""
    config = spec.genesis.config()
    ledger = spec.genesis.ledger
    source = ledger.digest or (ledger.image or "").rpartition("@")[2] if ledger.source != "config-map" else ""
    identity = {"config": {name: config.get(name) for name in CHAIN_SECTIONS}, "ledger": source}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
