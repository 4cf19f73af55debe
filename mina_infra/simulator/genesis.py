"""Plays the container of the genesis ledger's Job: fills the shared claim once, and never over another ledger."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mina_infra.simulator.pods import ERA_LABEL
from mina_infra.simulator.volumes import LEDGER, MARKER, Marker, read_marker

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class AnotherGenesis(Exception):
    """The volume holds another ledger: both digests are named, nothing is written."""


def wanted_digest(pod: Mapping[str, Any]) -> str:
    """The digest that the Job was given in its environment or command line; empty when it computes its own."""
    container = pod["spec"]["containers"][0]
    texts = [str(item.get("value", "")) for item in container.get("env") or []]
    texts += [*(container.get("command") or []), *(container.get("args") or [])]
    return next((match.group() for text in texts if (match := _DIGEST.search(text))), "")


def fill(folder: Path, pod: Mapping[str, Any]) -> Marker:
    """Write ledger and marker unless they are there. Idempotent. Raises AnotherGenesis, OSError."""
    era = int((pod["metadata"].get("labels") or {}).get(ERA_LABEL, "1"))
    ledger = json.dumps({"name": pod["metadata"]["namespace"], "num_accounts": 1000, "accounts": [], "era": era})
    digest = wanted_digest(pod) or "sha256:" + hashlib.sha256(ledger.encode()).hexdigest()
    found = read_marker(folder)
    if found is not None:
        if found.digest != digest:
            raise AnotherGenesis(f"the volume holds the genesis {found.digest}, this Job brings {digest}")
        return found
    _write(folder / LEDGER, ledger.encode())
    marker = Marker(digest, era)
    _write(folder / MARKER, msgspec.json.encode(marker))  # last: it says that the ledger is whole
    return marker


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    temporary.replace(path)
