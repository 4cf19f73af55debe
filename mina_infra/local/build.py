"""Builds Go programs into the cache: one at a time, atomically, with visible progress, cleanly interruptible."""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

from mina_infra.errors import ToolError
from mina_infra.local import programs
from mina_infra.local.programs import PROGRAMS, Version

Report = Callable[[str], None]
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Job:
    """One Go module: where its source is, where its programs go, and their versions by name."""

    source: Path
    folder: Path
    versions: Mapping[str, Version]

    def output(self, name: str) -> Path:
        return self.folder / name


@dataclass
class Progress:
    """Says what is built: one line for each program, and in between a live line."""

    report: Report
    live: Report | None
    first: int
    total: int

    def number(self, index: int) -> str:
        return f"{self.first + index} of {self.total}"


def build_missing(job: Job, names: Iterable[str], progress: Progress) -> None:
    """Build the programs that are not yet in the folder. Raises ToolError with the compiler's last lines."""
    names = list(names)
    if not names:
        return
    job.folder.mkdir(parents=True, exist_ok=True)
    with _lock(job.folder.parent / "lock", progress.report):
        _remove_leftovers(job.folder)
        for index, name in enumerate(names):
            if job.output(name).exists():  # built by the one we waited for
                progress.report(f"tool {progress.number(index)}  {name}: ready")
                continue
            _build(job, name, progress, progress.number(index))


def _build(job: Job, name: str, progress: Progress, number: str) -> None:
    version = job.versions[name]
    label = f"tool {number}  {name} {programs.text_of(version)}"
    partial = job.folder / f".{name}.{os.getpid()}.part"
    arguments = programs.build_arguments(PROGRAMS[name], version)
    command = ["go", *arguments[:-1], "-o", str(partial), arguments[-1]]
    started = time.monotonic()
    if progress.live is None:
        progress.report(f"{label}: building")
    try:
        _run(command, job.source, label, progress.live)
        partial.chmod(0o755)
        partial.replace(job.output(name))
    finally:
        partial.unlink(missing_ok=True)
    progress.report(f"{label}: built in {time.monotonic() - started:.0f} s")


def _run(command: list[str], source: Path, label: str, live: Report | None) -> None:
    """Run a build in a process group of its own, so that an interruption ends the compilers that it started too."""
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off", "GO111MODULE": "on"}
    environment.pop("GOFLAGS", None)  # somebody's -mod or -tags would build something else than what the key says
    child: subprocess.Popen[bytes] | None = None
    try:
        with _undisturbed():
            child = subprocess.Popen(
                command,
                cwd=source,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert child.stdout
        tail = _follow(child.stdout, label, live)
        code = child.wait()
    except BaseException as error:  # KeyboardInterrupt above all
        if child is not None:
            _kill_group(child)
        elif isinstance(error, OSError):
            raise ToolError(f"{label}: cannot run go ({error.strerror})") from error
        raise
    if code:
        lines = "\n  ".join(tail)
        raise ToolError(f"{label}: go build failed with exit code {code} in {source}\n  {lines}")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait for the end of the block: a process that is just being started is known to nobody yet."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread alone
        return
    late: list[int] = []
    before = {each: signal.signal(each, lambda number, _frame: late.append(number)) for each in _INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if late:
        signal.raise_signal(late[0])


def _follow(output: IO[bytes], label: str, live: Report | None) -> deque[str]:
    """Read until the end, keep the last lines, and show about once a second how far the compiler is."""
    started = time.monotonic()
    packages = 0
    tail: deque[str] = deque(maxlen=15)
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if selector.select(timeout=1.0):
                chunk = os.read(output.fileno(), 65536)
                if not chunk:
                    return tail
                *lines, pending = (pending + chunk).split(b"\n")
                packages += len(lines)
                tail.extend(line.decode(errors="replace") for line in lines)
            if live:
                live(f"{label}: {packages} packages, {time.monotonic() - started:.0f} s")


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextmanager
def _lock(path: Path, report: Report) -> Iterator[None]:
    """One builder at a time for each module; the lock ends with its holder, however that ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another build of the same tools is running; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_leftovers(folder: Path) -> None:
    """What a killed builder left behind (called with the lock held)."""
    for partial in folder.glob(".*.part"):
        partial.unlink(missing_ok=True)


def terminal_line(stream: TextIO) -> Report:
    """A live line: each call overwrites the last one; at most one screen line, cleared by the next ordinary print."""

    def show(text: str) -> None:
        stream.write(f"\r\x1b[K{text[:100]}\r")
        stream.flush()

    return show
