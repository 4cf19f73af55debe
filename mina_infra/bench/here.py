"""The embedded cluster's volumes are directories of this machine: a few seconds of real input and output in one.

Not fio: plain system calls, one at a time. Reads ask the kernel to forget the file first; where it keeps it all the
same, they come from memory.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mina_infra.bench.fio import Figures, Latency
from mina_infra.spec.benchmark import ProfileName

FILE_BYTES = 64 * 2**20


def measure(folder: Path, profiles: Iterable[ProfileName], seconds: float = 1.0) -> list[Figures]:
    """Each load for some seconds on a file in `folder`, which is gone afterwards. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=folder) as place:
        file = Path(place) / "data"
        _fill(file)
        handle = os.open(file, os.O_RDWR)
        try:
            return [_measure(handle, profile, seconds) for profile in profiles]
        finally:
            os.close(handle)


def _fill(file: Path) -> None:
    block = os.urandom(2**20)
    with file.open("wb") as output:
        for _ in range(FILE_BYTES // len(block)):
            output.write(block)
        output.flush()
        os.fsync(output.fileno())


def _measure(handle: int, profile: ProfileName, seconds: float) -> Figures:
    size, step = _STEPS[profile]
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    times: list[float] = []
    began = time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        step(handle, random.randrange(FILE_BYTES // size) * size)
        times.append(time.perf_counter() - now)
    os.fdatasync(handle)  # what was only promised counts, too
    elapsed = time.perf_counter() - began
    return Figures(profile, len(times) / elapsed, len(times) * size / elapsed / 2**20, percentiles(times))


def percentiles(times: list[float]) -> Latency:
    """Of some durations in seconds, at least one: each is a duration that was seen."""
    ordered = sorted(times)
    p50, p99, p999 = (ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 for share in (0.5, 0.99, 0.999))
    return Latency(p50, p99, p999)


def _append(handle: int, place: int) -> None:
    os.pwrite(handle, _SMALL, place)
    os.fdatasync(handle)


def _read(handle: int, place: int) -> None:
    os.pread(handle, 4096, place)


def _mix(handle: int, place: int) -> None:
    if random.random() < 0.5:
        os.pread(handle, len(_MIDDLE), place)
    else:
        os.pwrite(handle, _MIDDLE, place)


def _write(handle: int, place: int) -> None:
    os.pwrite(handle, _LARGE, place)


_SMALL, _MIDDLE, _LARGE = b"m" * 4096, b"i" * (256 * 1024), b"n" * 2**20
_STEPS: dict[ProfileName, tuple[int, Callable[[int, int], None]]] = {
    "wal": (4096, _append),
    "point-reads": (4096, _read),
    "compaction": (len(_MIDDLE), _mix),
    "bootstrap": (len(_LARGE), _write),
}
