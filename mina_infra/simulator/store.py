"""Where a node keeps its frontier: a directory in its volume, or memory for tests.

Layout of a volume (mounted at /root/.mina-config in the pod):

    mina.version               the daemon that wrote it last
    frontier/frontier.json     snapshot: {"chainId", "blocks": [header, ...]} from root to tip, written atomically
    frontier/journal.jsonl     blocks since the snapshot, one JSON array a line, only ever appended to
    frontier.<digest8>/        the frontier of another genesis, set aside, never overwritten or loaded

Heights must not fall over a restart, not even after `kill -9` of the simulator, and one file write for each of 200
nodes and each block would be most of its work. So blocks go to the journal in batches, and **nothing is told before it
is written**: whoever reports a tip (status, best chain, metrics, a log line) first has the node's pending blocks
flushed. What a kill can lose was therefore never seen by anybody. An append survives the process; no fsync, since only
the machine's own crash would need it. A torn last line is ignored, and every start writes a new snapshot, so that
nothing is ever appended to it. A snapshot replaces the file before the journal is cut, so a kill between the two leaves
blocks twice, which is harmless.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from mina_infra.simulator.chain import Header

_SNAPSHOT = "frontier.json"
_JOURNAL = "journal.jsonl"


class StoredFrontier(msgspec.Struct, frozen=True, rename="camel"):
    """What a volume holds: the chain it belongs to and blocks, parents before children."""

    chain_id: str
    blocks: tuple[Header, ...]


class FrontierStore(Protocol):
    """One node's volume. Every method may raise OSError when the volume is gone or full."""

    def load(self) -> StoredFrontier | None:
        """What is stored, None when the volume is empty or its snapshot unreadable."""
        ...

    def replace(self, frontier: StoredFrontier) -> None:
        """Write a new snapshot; the journal starts anew."""
        ...

    def append(self, blocks: Sequence[Header]) -> None:
        """Add blocks to the journal."""
        ...

    def set_aside(self, chain_id: str) -> None:
        """Keep the frontier of another chain out of the way, under its first eight digits."""
        ...


@dataclass
class MemoryStore:
    """A volume for virtual time; it outlives its node like a claim outlives its pod."""

    frontier: StoredFrontier | None = None

    def load(self) -> StoredFrontier | None:
        return self.frontier

    def replace(self, frontier: StoredFrontier) -> None:
        self.frontier = frontier

    def append(self, blocks: Sequence[Header]) -> None:
        if self.frontier is not None:
            self.frontier = StoredFrontier(self.frontier.chain_id, (*self.frontier.blocks, *blocks))

    def set_aside(self, chain_id: str) -> None:
        self.frontier = None


class DirectoryStore:
    """The directory behind a PersistentVolume. Nothing but `frontier*` is ever touched."""

    def __init__(self, volume: Path) -> None:
        self.volume = volume
        self.folder = volume / "frontier"

    def load(self) -> StoredFrontier | None:
        try:
            frontier = _DECODER.decode((self.folder / _SNAPSHOT).read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return StoredFrontier(frontier.chain_id, (*frontier.blocks, *self._journal()))

    def _journal(self) -> Iterable[Header]:
        try:
            lines = (self.folder / _JOURNAL).read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield _LINE.decode(line)
            except msgspec.DecodeError:
                return  # torn by a kill; whatever follows would be without its parent

    def replace(self, frontier: StoredFrontier) -> None:
        self.folder.mkdir(exist_ok=True)
        temporary = self.folder / f".{_SNAPSHOT}.new"
        temporary.write_bytes(msgspec.json.encode(frontier))
        temporary.replace(self.folder / _SNAPSHOT)
        (self.folder / _JOURNAL).write_bytes(b"")

    def append(self, blocks: Sequence[Header]) -> None:
        data = b"".join(msgspec.json.encode(block) + b"\n" for block in blocks)
        # Never create the file: were the volume's content removed under a running node, a journal without its
        # snapshot would look like a chain.
        handle = os.open(self.folder / _JOURNAL, os.O_WRONLY | os.O_APPEND)
        try:
            if os.write(handle, data) < len(data):
                raise OSError(errno.ENOSPC, "the volume is full", str(self.folder))
        finally:
            os.close(handle)

    def set_aside(self, chain_id: str) -> None:
        target = self.volume / f"frontier.{chain_id[:8]}"
        number = 1
        while target.exists():
            number += 1
            target = self.volume / f"frontier.{chain_id[:8]}-{number}"
        self.folder.rename(target)


_DECODER = msgspec.json.Decoder(StoredFrontier)
_LINE = msgspec.json.Decoder(Header)
