"""Processes of this machine, by what they run: which are ours, and how to end exactly those.

A process id alone proves nothing: ids are used again after a reboot, and in a container without an init process the
dead stay in the table (kwokctl, which asks only `kill -0`, takes both for running components).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One live process. `command` is its whole command line, arguments separated by one blank.

    `started` tells it from a later process of the same id: the kernel's clock ticks, or the command where there is
    no /proc.
    """

    pid: int
    command: str
    started: str = ""


def running() -> list[Process]:
    """All live processes whose command line can be read; zombies and kernel threads are left out."""
    if _has_proc():
        found = (_read(entry) for entry in _PROC.iterdir() if entry.name.isdigit())
        return [process for process in found if process]
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,stat=,command="], capture_output=True, text=True, check=True)
    return _parse_ps(listing.stdout)


def _has_proc() -> bool:
    return (_PROC / "self" / "cmdline").exists()


def _read(entry: Path) -> Process | None:
    try:
        raw = (entry / "cmdline").read_bytes()
        status = _status(entry)
    except OSError:  # gone, or somebody else's
        return None
    command = raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    return Process(int(entry.name), command, status[_STARTED]) if command else None


# Fields of /proc/PID/stat after the name in parentheses, proc(5).
_STATE, _THREADS, _STARTED = 0, 17, 19


def _status(entry: Path) -> list[str]:
    return (entry / "stat").read_text().rsplit(")", 1)[1].split()


def _parse_ps(listing: str) -> list[Process]:
    """`ps` where there is no /proc (macOS)."""
    rows = (line.split(None, 2) for line in listing.splitlines())
    return [Process(int(row[0]), row[2], row[2]) for row in rows if len(row) == 3 and not row[1].startswith("Z")]


def is_alive(process: Process) -> bool:
    """Is it still there, with its memory or at least with its open sockets?

    A dying process loses its command line first and its sockets later, so that the command line is not asked.
    """
    if not _has_proc():
        return process in running()
    try:
        status = _status(_PROC / str(process.pid))
    except OSError:
        return False
    dead = status[_STATE] in "ZX" and status[_THREADS] in "01"
    return status[_STARTED] == process.started and not dead


def bury(processes: Iterable[Process]) -> list[Process]:
    """Those that will live on. Waits for the others, which have been killed and do not know it yet.

    `kill -9` returns at once; on a busy machine its victim is listed for many milliseconds more, with its command, its
    sockets and its locks, and would pass for one that runs.
    """
    found = list(processes)
    doomed = [process for process in found if _is_doomed(process)]
    end(doomed, grace_seconds=0)
    return [process for process in found if process not in doomed]


def _is_doomed(process: Process) -> bool:
    """Has it a SIGKILL pending? Only Linux tells."""
    try:
        lines = (_PROC / str(process.pid) / "status").read_text().splitlines()
    except OSError:
        return False
    pending = (int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:")))
    return any(mask >> (signal.SIGKILL - 1) & 1 for mask in pending)


def end(processes: Iterable[Process], *, grace_seconds: float = 5.0) -> None:
    """Ask the processes to stop, wait, then kill what is left. Returns when all are gone."""
    left = list(processes)
    if grace_seconds > 0:
        _signal(left, signal.SIGTERM)
        left = _wait(left, grace_seconds)
    _signal(left, signal.SIGKILL)
    left = _wait(left, 10.0)
    if left:
        raise RuntimeError(f"processes {[process.pid for process in left]} survive SIGKILL")


def _signal(processes: Iterable[Process], number: signal.Signals) -> None:
    for process in processes:
        if is_alive(process):
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue


def _wait(processes: list[Process], seconds: float) -> list[Process]:
    """Those that still live after `seconds`; returns as soon as there is none."""
    deadline = time.monotonic() + seconds
    left = [process for process in processes if is_alive(process)]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)  # the end of a process that is not our child can only be asked for
        left = [process for process in left if is_alive(process)]
    return left
