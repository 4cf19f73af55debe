"""Log files in the form that kwok reads (CRI): `2026-11-21T23:33:54.120000000Z stdout F the line`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

_LIMIT = 512 * 1024
"""Bytes at which a file is cut to its newer half: a kubelet rotates, too, and 200 nodes may run for days."""


class LogFile:
    """The log of one pod. Lines are collected and written by `flush`; a broken disk never stops the node."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[str] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()  # kwok answers an error for a file that is not there
        self._size = path.stat().st_size

    def add(self, now_ms: float, text: str) -> None:
        """A message of several lines becomes several lines."""
        moment = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="microseconds")[:26]
        self._waiting += [f"{moment}000Z stdout F {part}\n" for part in text.split("\n")]

    def flush(self) -> None:
        """Append what waits; cut the file when it has become too long."""
        if not self._waiting:
            return
        data, self._waiting = "".join(self._waiting).encode(), []
        try:
            with self.path.open("ab") as file:
                file.write(data)
            self._size += len(data)
            if self._size > _LIMIT:
                self._cut()
        except OSError:
            return

    def _cut(self) -> None:
        kept = self.path.read_bytes()[-_LIMIT // 2 :].partition(b"\n")[2]
        temporary = self.path.with_suffix(".new")
        temporary.write_bytes(kept)
        temporary.replace(self.path)
        self._size = len(kept)

    @property
    def previous(self) -> Path:
        """The log of the container before its last restart."""
        return self.path.with_suffix(".previous")

    def begin_anew(self) -> None:
        """The container ended: what it wrote is the previous log now."""
        self.flush()
        try:
            self.previous.write_bytes(self.path.read_bytes())
            self.path.write_bytes(b"")  # the same file, because kwok may be following it
        except OSError:
            return
        self._size = 0

    def delete(self) -> None:
        """The pod is gone; so is its folder when it was the last of its namespace."""
        self.path.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)
        try:
            self.path.parent.rmdir()
        except OSError:
            return
