"""What is noticed of a cluster that is disturbed: how high the chain on each volume is, how often nodes bootstrap."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.simulator import log_lines
from mina_infra.simulator.chain import Header
from mina_infra.simulator.store import StoredFrontier

WRITTEN_S = 3.0
"""Seconds after which the simulator has written every log and volume; it goes round in two."""

LOOK_EVERY_S = 0.2

_HEADER = msgspec.json.Decoder(Header)
_FRONTIER = msgspec.json.Decoder(StoredFrontier)


@dataclass
class Sight:
    """What the witness has seen so far."""

    heights: dict[str, int]
    """Height on each volume, by the volume's name."""
    falls: list[str]
    bootstraps: int
    """How often any node has begun to bootstrap."""


class Witness:
    """Looks at the volumes and logs of an embedded cluster several times a second, whatever is killed meanwhile.

    Log files are kept by hard links: they are deleted with their pods.
    """

    def __init__(self, cluster: EmbeddedCluster, evidence: Path) -> None:
        self._paths, self._evidence = cluster.paths, evidence
        self._heights: dict[str, int] = {}
        self._read: dict[Path, tuple[object, ...]] = {}
        self._linked: set[int] = set()
        self._falls: list[str] = []
        self._lock, self._done = threading.Lock(), threading.Event()
        evidence.mkdir(parents=True)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._done.set()
        self._thread.join()

    def look(self) -> Sight:
        with self._lock:
            self._keep_logs()
            self._see_volumes()
            words = log_lines.BOOTSTRAP.message
            bootstraps = sum(file.read_text().count(words) for file in self._evidence.iterdir())
            return Sight(dict(self._heights), list(self._falls), bootstraps)

    def rested(self) -> Sight:
        """A sight of all that was said until now: logs are written a little later."""
        self._done.wait(WRITTEN_S)
        return self.look()

    def _run(self) -> None:
        while not self._done.wait(LOOK_EVERY_S):
            with self._lock:
                self._keep_logs()
                self._see_volumes()

    def _keep_logs(self) -> None:
        for file in self._paths.logs.glob("*/*.log"):
            try:
                inode = file.stat().st_ino
                if inode not in self._linked:
                    (self._evidence / f"{file.stem}-{inode}").hardlink_to(file)
                    self._linked.add(inode)
            except FileNotFoundError:
                continue

    def _see_volumes(self) -> None:
        for volume in self._paths.volumes.glob("[!.]*"):  # hidden: on its way to be whole, or to be gone
            state = tuple(_state_of(volume / "frontier" / name) for name in ("journal.jsonl", "frontier.json"))
            if self._read.get(volume) == state:
                continue
            self._read[volume] = state
            height = height_on(volume)
            before = self._heights.get(volume.name, 0)
            if height < before and volume.exists():
                self._falls.append(f"{volume.name}: {before} to {height}")
            if height:
                self._heights[volume.name] = height


def _state_of(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def height_on(volume: Path) -> int:
    """Height of the best block that a node has written to its volume; 0 when there is none.

    The journal is read before the snapshot that replaces it, so that no block is missed between the two.
    """
    try:
        journal = (volume / "frontier" / "journal.jsonl").read_bytes().splitlines()
        snapshot = (volume / "frontier" / "frontier.json").read_bytes()
    except FileNotFoundError:
        return 0
    heights = [block.height for block in _FRONTIER.decode(snapshot).blocks]
    for line in journal:
        try:
            heights.append(_HEADER.decode(line).height)
        except msgspec.DecodeError:
            break
    return max(heights, default=0)
