"""Child processes of a run: started so that none outlives us, found again when one did.

Each child carries `MINA_INFRA_ENGINE=<lock file of the stack>:<our process id>` in its environment, and so do its own
children (language hosts, provider plugins, which go into process groups of their own). That mark, and not a name, says
what is ours.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from mina_infra.errors import EngineError

MARK = "MINA_INFRA_ENGINE"
GRACE_S = 8.0
"""Seconds that an engine whose run was killed gets to finish what it has begun and write its state."""

OnLine = Callable[[str], object]

# Runs a program that gets SIGINT when we die, whatever we die of: the engine then ends cleanly and writes its state.
# A program of its own because `preexec_fn` is not safe beside gRPC's threads. 1 is PR_SET_PDEATHSIG.
_TETHER = (
    "import ctypes,os,signal,sys\n"
    "ctypes.CDLL(None).prctl(1, signal.SIGINT)\n"
    "os.getppid() == int(sys.argv[1]) or sys.exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


@dataclass(frozen=True)
class Finished:
    """How a command ended: exit code (negative: killed by that signal) and what it printed."""

    code: int
    stdout: str
    stderr: str


def tethered(command: Sequence[str]) -> list[str]:
    """The command, so started that it is interrupted when this process dies. As it is where the kernel is not Linux."""
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-ISE", "-c", _TETHER, str(os.getpid()), *command]


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    on_output: OnLine | None = None,
    on_error: OnLine | None = None,
) -> Finished:
    """Run to the end in a process group of its own.

    Ctrl-C (or SIGTERM) is passed on once and waited for; a second one kills. Raises KeyboardInterrupt afterwards.
    """
    child = subprocess.Popen(
        tethered(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=dict(env),
        encoding="utf-8",
        errors="replace",
        process_group=0,
    )
    with child, interrupts(child) as interrupted:
        readers = [_Reader(child.stdout, on_output), _Reader(child.stderr, on_error)]
        code = child.wait()
        for reader in readers:
            reader.join()
    if interrupted:
        raise KeyboardInterrupt
    return Finished(code, readers[0].text(), readers[1].text())


class _Reader(threading.Thread):
    """Collects the lines of one stream, so that no pipe fills up."""

    def __init__(self, stream: Iterator[str] | None, on_line: OnLine | None) -> None:
        super().__init__(daemon=True)
        assert stream is not None
        self._stream = stream
        self._on_line = on_line
        self._lines: list[str] = []
        self.start()

    def run(self) -> None:
        for line in self._stream:
            self._lines.append(line.rstrip())
            if self._on_line:
                self._on_line(line.rstrip())

    def text(self) -> str:
        return "\n".join(self._lines)


@contextmanager
def interrupts(process: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Passes SIGINT and SIGTERM on to the child: the first as SIGINT, the second as SIGKILL to its whole group.

    Yields the list of signals that came. Only the main thread can do this; elsewhere signals are left as they are.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def pass_on(number: int, frame: FrameType | None) -> None:
        came.append(number)
        try:
            if len(came) == 1:
                process.send_signal(signal.SIGINT)
            else:
                os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold the stack's lock; the kernel gives it back however we end. Raises EngineError when another run holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise EngineError(
                f"another run is at work on this stack (process {holder}); wait for it, or end it, then try again"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def mark_of(lock: Path) -> str:
    """What the children of this process carry, so that they can be told from those of others."""
    return f"{lock}:{os.getpid()}"


def leftovers(lock: Path) -> dict[int, str]:
    """Live processes of the stack that nobody waits for: started by a run that is dead, or by this very process.

    By id, with their command line. Those of another live run (a preview in another terminal) are not among them.
    """
    marked = _marked_in_proc(f"{lock}:") if Path("/proc/self/environ").exists() else _marked_by_ps(f"{lock}:")
    own = _ancestors()
    return {
        pid: command
        for pid, (owner, command) in marked.items()
        if pid not in own and (owner == os.getpid() or not is_alive(owner))
    }


def end_leftovers(lock: Path, *, grace_s: float = GRACE_S) -> dict[int, str]:
    """End every leftover process of the stack: SIGINT, a grace time, then SIGKILL. Returns those that were there."""
    found = leftovers(lock)
    for number, seconds in ((signal.SIGINT, grace_s), (signal.SIGKILL, 5.0)):
        left = leftovers(lock) if found else {}
        for pid in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            time.sleep(0.05)  # the end of a process that is not our child can only be asked for
            left = leftovers(lock)
        if not left:
            break
    return found


def is_alive(pid: int) -> bool:
    """Is there a process of this id that is not just waiting to be buried?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def _marked_in_proc(prefix: str) -> dict[int, tuple[int, str]]:
    wanted = f"{MARK}={prefix}".encode()
    found: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            marks = [each for each in (entry / "environ").read_bytes().split(b"\0") if each.startswith(wanted)]
            if marks and is_alive(int(entry.name)):
                command = (entry / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
                found[int(entry.name)] = (int(marks[0][len(wanted) :]), command.decode(errors="replace"))
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return found


def _marked_by_ps(prefix: str) -> dict[int, tuple[int, str]]:
    """Where there is no /proc (macOS): `ps -E` prints the environment behind the command."""
    listing = subprocess.run(["ps", "-axwwE", "-o", "pid=,command="], capture_output=True, text=True, check=False)
    row = re.compile(rf"\s*(\d+)\s+(.*?)\s{MARK}={re.escape(prefix)}(\d+)(?:\s|$)")
    matches = (row.match(line) for line in listing.stdout.splitlines())
    return {int(match[1]): (int(match[3]), match[2]) for match in matches if match}


def _ancestors() -> set[int]:
    own, pid = {os.getpid()}, os.getppid()
    while pid > 1 and pid not in own:
        own.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return own
