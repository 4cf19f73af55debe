"""Markers: which genesis a volume holds, and whose it is. Plays the steps that look at them, since kwok runs no init
container.

The ledger's Job fills the shared claim once, and never over another ledger. A daemon's start guard marks an empty
volume and stops before one of another genesis.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec

MARKER = ".mina-infra-genesis"
LEDGER = "genesis_ledger.json"
OWNER = ".mina-infra-owner"
IDENTITY = ("mina_net2", "coda_net2", "trust", "wallets")
PEER_STORE = "mina_net2/libp2p-peerstore-v0"
"""Where a daemon's libp2p keeps its peers and its own key; a file here."""


class Owner(msgspec.Struct, frozen=True):
    """The content of an owner file."""

    testnet: str
    node: str


class Marker(msgspec.Struct, frozen=True):
    """The content of a marker file."""

    digest: str
    era: int = 1


class AnotherGenesis(Exception):
    """The volume holds another genesis: both are named, nothing is written."""


def read_marker(folder: Path) -> Marker | None:
    """The genesis that a volume holds, None when it does not say."""
    try:
        return msgspec.json.decode((folder / MARKER).read_bytes(), type=Marker)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def fill(folder: Path, wanted: Marker) -> None:
    """The Job: ledger first, then the marker, which says that the ledger is whole. Idempotent.

    Raises AnotherGenesis, OSError.
    """
    found = read_marker(folder)
    if found is None:
        ledger = {"name": "genesis", "num_accounts": 1000, "accounts": [], "era": wanted.era}
        _write(folder / LEDGER, ledger)
        _write(folder / MARKER, {"digest": wanted.digest, "era": wanted.era})
    elif found != wanted:
        raise AnotherGenesis(_difference(folder, found, wanted))


def guard(folder: Path, wanted: Marker) -> None:
    """The start guard of a daemon. Raises AnotherGenesis, OSError."""
    found = read_marker(folder)
    if found is None:
        if any(entry.name != "lost+found" for entry in folder.iterdir()):
            raise AnotherGenesis(f"{folder.name} is not empty and does not say which genesis it holds")
        _write(folder / MARKER, {"digest": wanted.digest, "era": wanted.era})
    elif found != wanted:
        raise AnotherGenesis(_difference(folder, found, wanted))


def own(folder: Path, owner: Owner) -> bool:
    """The start guard's other half: a volume that was another node's loses who that was. Whether it was. May raise
    OSError."""
    try:
        found = msgspec.json.decode((folder / OWNER).read_bytes(), type=Owner)
    except (FileNotFoundError, msgspec.DecodeError):
        found = None
    if found == owner:
        return False
    if found is not None:
        for each in IDENTITY:
            shutil.rmtree(folder / each, ignore_errors=True)
    _write(folder / OWNER, {"testnet": owner.testnet, "node": owner.node})
    return found is not None


def remember_peer(folder: Path, peer_id: str) -> None:
    """The daemon's libp2p keeps who it is in its peer store, a line for each life here. May raise OSError."""
    store = folder / PEER_STORE
    store.parent.mkdir(exist_ok=True)
    with store.open("a", encoding="utf-8") as lines:
        lines.write(f"{peer_id}\n")


def _difference(folder: Path, found: Marker, wanted: Marker) -> str:
    return (
        f"{folder.name} holds another genesis. "
        f"found {found.digest} (era {found.era}), wanted {wanted.digest} (era {wanted.era})"
    )


def _write(path: Path, value: object) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)
