"""Copies of directories that somebody may be writing to: as they were at one moment, whole or not there at all.

A disk's snapshot is of one moment (crash-consistent); a copy file by file is not, and a journal that is newer than the
state it continues is a chain with a hole. So a copy counts only if nothing changed from its beginning to its end.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

_TRIES = 100

Signature = frozenset[tuple[str, int, int, int]]


class UnsettledError(OSError):
    """The directory changed during every try."""


def copy(source: Path, target: Path) -> None:
    """Copy `source` to `target`, a path in a folder that exists. Raises UnsettledError, or OSError for a lost source.

    What a kill leaves of an unfinished copy is hidden: `.` and the target's name.
    """
    partial = hidden(target)
    for number in range(_TRIES):
        shutil.rmtree(partial, ignore_errors=True)
        before = signature(source)
        try:
            shutil.copytree(source, partial, symlinks=True)
        except (shutil.Error, FileNotFoundError):
            if not source.is_dir():
                raise
        else:
            if signature(source) == before:
                partial.rename(target)
                return
        time.sleep(min(0.002 * number, 0.1))  # writers write seldom: whoever waits a little meets a pause
    shutil.rmtree(partial, ignore_errors=True)
    raise UnsettledError(f"{source} was written to during each of {_TRIES} copies")


def signature(folder: Path) -> Signature:
    """Everything below a directory with what a change leaves traces in. Raises FileNotFoundError for a lost one."""
    found = set()
    for root, folders, files in os.walk(folder, onerror=_raise_for(folder)):
        for name in (*folders, *files):
            path = os.path.join(root, name)
            try:
                state = os.lstat(path)
            except FileNotFoundError:
                continue  # it is not in the other signature either, or it makes them differ
            found.add((path, state.st_ino, state.st_size, state.st_mtime_ns))
    return frozenset(found)


def _raise_for(top: Path) -> Callable[[OSError], None]:
    def raise_for(error: OSError) -> None:
        if error.filename == str(top):
            raise error

    return raise_for


def hidden(path: Path) -> Path:
    """Where a copy is made and a deletion ends; whoever sweeps removes it."""
    return path.with_name(f".{path.name}")


def remove(path: Path) -> None:
    """Out of sight first: a writer that has not yet heard that its pod is gone must not fill what is being deleted."""
    if path.exists():
        shutil.rmtree(hidden(path), ignore_errors=True)
        path.rename(hidden(path))
    shutil.rmtree(hidden(path), ignore_errors=True)


def sweep(folder: Path) -> None:
    """Finish deletions and forget copies that a kill interrupted. Only while nobody else works in the folder."""
    for leftover in folder.glob(".*"):
        shutil.rmtree(leftover, ignore_errors=True)
