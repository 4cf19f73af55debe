"""The loads of a daemon's databases, as fio's options (docs/facts.md: storage/benchmark-profiles). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mina_infra.spec.benchmark import Benchmark, ProfileName


@dataclass(frozen=True)
class Profile:
    """One load. `durable`: the time of its fsyncs is what counts. `file`: loads of one name share a file."""

    name: ProfileName
    what: str
    options: Mapping[str, str]
    durable: bool = False


PROFILES: Mapping[ProfileName, Profile] = {
    "wal": Profile(
        "wal", "4 KiB writes, each made durable", {"rw": "write", "bs": "4k", "iodepth": "1", "fdatasync": "1"}, True
    ),
    "point-reads": Profile(
        "point-reads", "random 4 KiB reads", {"rw": "randread", "bs": "4k", "iodepth": "16", "numjobs": "4"}
    ),
    "compaction": Profile(
        "compaction", "256 KiB, half reads half writes",
        {"rw": "rw", "rwmixread": "50", "bs": "256k", "iodepth": "8"},
    ),
    "bootstrap": Profile("bootstrap", "1 MiB writes", {"rw": "write", "bs": "1m", "iodepth": "8"}),
}  # fmt: skip


def fio_options(profile: Profile, benchmark: Benchmark, size_gib: int) -> list[str]:
    """The command line of one measurement: past the page cache, over half of the volume, for a fixed time."""
    common = {
        "name": profile.name,
        "filename": "/volume/fio.data",
        "size": f"{max(size_gib * 512, 256)}m",
        "direct": "1",
        "ioengine": "libaio",
        "runtime": str(benchmark.duration.seconds),
        "ramp_time": str(benchmark.warm_up.seconds),
    }
    flags = ["--time_based", "--group_reporting", "--output-format=json"]
    return [*(f"--{key}={value}" for key, value in {**common, **profile.options}.items()), *flags]


def seconds(benchmark: Benchmark) -> int:
    """How long one volume is measured, laying out its file not counted."""
    each = benchmark.duration.seconds + benchmark.warm_up.seconds
    return each * benchmark.runs * len(benchmark.profiles)
