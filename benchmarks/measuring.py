"""Runs a command and measures it: what it printed when, its processor time, the memory of its processes.

Memory and the processor time of processes that are not ours come from /proc; where there is none they are missing, and
so they are in the table.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO

from mina_infra.errors import MinaInfraError

_PROC = Path("/proc")
_SAMPLE_S = 0.2

ENGINE, PROVIDER, COMMAND = "engine", "provider", "command"


class StepFailedError(MinaInfraError):
    """A step of the benchmark did not do what it is measured for."""


@dataclass(frozen=True)
class Line:
    """One line of output and the seconds since the start at which it came."""

    at: float
    text: str


@dataclass(frozen=True)
class Measured:
    """What one command did. `cpu` are processor seconds of it and all it waited for; `peaks` MiB by part."""

    began: float
    seconds: float
    cpu: float
    lines: tuple[Line, ...] = ()
    peaks: Mapping[str, float] = field(default_factory=dict)

    @property
    def ended(self) -> float:
        return self.began + self.seconds

    @property
    def silence(self) -> float:
        """The longest time without a line, in seconds."""
        times = [0.0, *(line.at for line in self.lines), self.seconds]
        return max(later - earlier for earlier, later in pairwise(times))

    def line(self, pattern: str) -> Line:
        """The first line that matches. Raises StepFailedError when there is none."""
        for line in self.lines:
            if re.search(pattern, line.text):
                return line
        raise StepFailedError(f"no line like {pattern!r} in:\n{self.text()}")

    def text(self) -> str:
        """The end of the output."""
        return "\n".join(line.text for line in self.lines[-30:])


def run(command: Sequence[str | Path], cwd: Path) -> Measured:
    """Run to the end. Raises StepFailedError, with what it printed, when the exit code is not 0."""
    began, clock, cpu = time.time(), time.monotonic(), _cpu_of_children()
    lines: list[Line] = []
    with subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as child:
        sampler = _Sampler(child.pid)
        try:
            assert child.stdout is not None
            for text in child.stdout:
                lines.append(Line(time.monotonic() - clock, text.rstrip()))
            code = child.wait()
        except BaseException:
            child.terminate()
            raise
        finally:
            sampler.stop()
    measured = Measured(began, time.monotonic() - clock, _cpu_of_children() - cpu, tuple(lines), dict(sampler.peaks))
    if code != 0:
        raise StepFailedError(f"{' '.join(map(str, command))} ended with {code}:\n{measured.text()}")
    return measured


@dataclass(frozen=True)
class Used:
    """What one command used: seconds of wall time and of processor time, MiB of memory at most, its exit code."""

    seconds: float
    cpu: float
    peak_mib: float
    exit_code: int


def alone(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str], out: IO[str], err: IO[str] | None) -> Used:
    """Run to the end; nothing of this process counts to the command's memory (benchmarks/alone.py says why)."""
    with tempfile.TemporaryDirectory() as folder:
        usage = Path(folder, "usage.json")
        small = [sys.executable, "-I", "-S", str(Path(__file__).with_name("alone.py")), str(usage)]
        subprocess.run([*small, *map(str, command)], cwd=cwd, env=env, stdout=out, stderr=err, check=True)
        return Used(**json.loads(usage.read_text()))


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Sampler(threading.Thread):
    """Notes the peak memory of a process and its descendants, by part, until stopped."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.peaks: dict[str, float] = {}
        self._family = {root}
        self._done = threading.Event()
        if _PROC.joinpath("self/stat").exists():
            self.start()

    def stop(self) -> None:
        self._done.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        while not self._done.wait(_SAMPLE_S):
            for entry in _PROC.iterdir():
                if entry.name.isdigit():
                    self._look(int(entry.name))

    def _look(self, pid: int) -> None:
        try:
            if pid not in self._family:
                if int(_status_fields(pid)[1]) not in self._family:
                    return
                self._family.add(pid)
            part = _part(_PROC.joinpath(str(pid), "cmdline").read_bytes().split(b"\0"))
            self.peaks[part] = max(self.peaks.get(part, 0.0), peak_mib(pid))
        except OSError:  # gone meanwhile
            return


def _part(words: Sequence[bytes]) -> str:
    if b"mina_infra.local.provider" in words or words[0].endswith(b"pulumi-resource-kubernetes"):
        return PROVIDER
    return ENGINE if Path(os.fsdecode(words[0])).name == "pulumi" else COMMAND


def _status_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name in parentheses, proc(5): state, parent, ..."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def peak_mib(pid: int) -> float:
    """The largest resident size that the process has had. Raises OSError when it is gone."""
    found = re.search(r"VmHWM:\s+(\d+) kB", (_PROC / str(pid) / "status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time that these processes have used so far; 0 where there is no /proc."""
    total = 0
    for pid in pids:
        try:
            fields = _status_fields(pid)
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")
