"""Plays the built-in setup and verification Jobs: really writes and really looks, in the volume's directory.

The same files and lines as the scripts of `plan/check_scripts.py`, in Python: no script of a pod ever runs on this
machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

FOLDER = ".mina-infra-check"
FILES = ("run", "height", "tree/one", "tree/a/two", "tree/a/b/three")
BUILT_IN_LABEL = "mina-infra/check"
PHASES = ("setup", "verify")
LOST = 42
_BYTES = 65536


def play(phase: str, volumes: Mapping[str, Path], run: str, height: str) -> tuple[int, list[str]]:
    """The exit code and the log lines of a Job over its volumes by kind. Raises OSError."""
    if phase == "setup":
        return 0, [
            _line(kind, "written", run, height, _set_up(folder / FOLDER, run, height))
            for kind, folder in volumes.items()
        ]
    found = [_look(kind, folder / FOLDER, run) for kind, folder in volumes.items()]
    return (0 if all(good for good, _ in found) else LOST), [line for _, line in found]


def _set_up(folder: Path, run: str, height: str) -> str:
    """Write the tree unless this run's is there and whole; the digest of its checksums."""
    if _read(folder / "run") != run or not is_whole(folder):
        fresh = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        (fresh / "tree" / "a" / "b").mkdir(parents=True)
        for name in FILES[2:]:
            (fresh / name).write_bytes(os.urandom(_BYTES))
        (fresh / "run").write_text(f"{run}\n")
        (fresh / "height").write_text(f"{height}\n")
        sums = "".join(f"{hashlib.sha256((fresh / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES)
        (fresh / "sums").write_text(sums)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    return _digest(folder)


def _look(kind: str, folder: Path, run: str) -> tuple[bool, str]:
    found = re.sub("[^0-9a-f]", "", _read(folder / "run"))
    marker = "kept"
    if not found:
        marker = "lost"
    elif not is_whole(folder):
        marker = "damaged"
    elif found != run:
        marker = "older"
    height = re.sub("[^0-9]", "", _read(folder / "height"))
    return marker == "kept", _line(kind, marker, found, height, _digest(folder))


def is_whole(folder: Path) -> bool:
    """Whether every file has the checksum that `sums` says, as `sha256sum -c` looks."""
    try:
        lines = (folder / "sums").read_text().splitlines()
        pairs = [line.split(None, 1) for line in lines]
        return bool(pairs) and all(
            hashlib.sha256((folder / name.strip()).read_bytes()).hexdigest() == digest for digest, name in pairs
        )
    except (OSError, ValueError):
        return False


def _digest(folder: Path) -> str:
    try:
        return hashlib.sha256((folder / "sums").read_bytes()).hexdigest()
    except OSError:
        return ""


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def _line(kind: str, marker: str, run: str, height: str, digest: str) -> str:
    values = {"volume": kind, "marker": marker, "run": run, "height": height, "digest": digest}
    return f"check-state {json.dumps(values)}"
