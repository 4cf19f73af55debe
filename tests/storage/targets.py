"""One target of each provider and kind of disk, and a small testnet there."""

from __future__ import annotations

from typing import Any

from mina_infra.plan import parse_document
from mina_infra.spec import TestnetSpec
from tests.plan.testnets import ROOT, zoo

TARGETS: list[dict[str, Any]] = [
    {"provider": "gke", "region": "us-central1"},
    {"provider": "gke", "region": "us-central1", "replication": "regional"},
    {"provider": "gke", "region": "us-central1", "diskFamily": "hyperdisk"},
    {"provider": "gke", "region": "us-central1", "diskFamily": "hyperdisk", "replication": "regional"},
    {"provider": "eks", "region": "us-east-1", "fileSystem": "fs-0123456789abcdef0"},
    {"provider": "aks", "region": "eastus"},
    {"provider": "aks", "region": "eastus", "replication": "regional"},
    {"provider": "local", "region": "local"},
]


def spec_for(target: dict[str, Any], **changes: Any) -> TestnetSpec:
    """A small testnet there; addresses that not every provider can give are left out."""
    document = zoo(target=target, volumes={"runtime-state": {"size": "4Gi"}}, **changes)
    for identity in document["nodes"][0]["identities"]:
        identity.pop("address", None)
        identity.pop("ip", None)
    return parse_document(document, base=ROOT)
