"""What fio 3.33 prints with `--output-format=json`, shortened to the keys around those that are read."""

from __future__ import annotations

import json
from typing import Any


def percentiles(p50_ns: int, p99_ns: int, p999_ns: int) -> dict[str, int]:
    return {
        "1.000000": p50_ns // 2, "50.000000": p50_ns, "90.000000": p99_ns, "99.000000": p99_ns,
        "99.900000": p999_ns, "99.990000": p999_ns * 2,
    }  # fmt: skip


def side(
    ios: int = 0, iops: float = 0.0, bw_bytes: int = 0, clat: tuple[int, int, int] | None = None
) -> dict[str, Any]:
    """`read` or `write` of a job; a direction without any operation has no percentiles."""
    latency: dict[str, Any] = {"min": 0, "max": 0, "mean": 0.0, "stddev": 0.0, "N": ios}
    if clat:
        latency["percentile"] = percentiles(*clat)
    return {
        "io_bytes": bw_bytes * 120, "io_kbytes": bw_bytes * 120 // 1024, "bw_bytes": bw_bytes, "bw": bw_bytes // 1024,
        "iops": iops, "runtime": 120001, "total_ios": ios, "short_ios": 0, "drop_ios": 0,
        "slat_ns": {"min": 0, "max": 0, "mean": 0.0, "stddev": 0.0, "N": 0},
        "clat_ns": latency, "bw_min": 0, "bw_max": 0, "bw_agg": 100.0, "iops_samples": 240,
    }  # fmt: skip


def output(
    name: str,
    read: dict[str, Any] | None = None,
    write: dict[str, Any] | None = None,
    sync: tuple[int, int, int] | None = None,
    error: int = 0,
) -> str:
    """The whole document of one run with `--group_reporting`."""
    syncs = {"lat_ns": {"min": 0, "max": 0, "mean": 0.0, "stddev": 0.0, "N": 0}, "total_ios": 0}
    if sync:
        syncs = {"lat_ns": {**syncs["lat_ns"], "N": 9000, "percentile": percentiles(*sync)}, "total_ios": 9000}  # type: ignore[dict-item]
    job = {
        "jobname": name, "groupid": 0, "error": error, "eta": 0, "elapsed": 136, "job options": {"rw": "write"},
        "read": read or side(), "write": write or side(), "trim": side(), "sync": syncs,
        "job_runtime": 120000, "usr_cpu": 0.4, "sys_cpu": 1.2, "ctx": 27000, "majf": 0, "minf": 13,
    }  # fmt: skip
    document = {
        "fio version": "fio-3.33", "timestamp": 1771700000, "time": "Sat Feb 21 19:33:20 2026",
        "global options": {}, "jobs": [job],
        "disk_util": [{"name": "sdb", "read_ios": 0, "write_ios": 18000, "util": 99.1}],
    }  # fmt: skip
    return json.dumps(document, indent=2)


WAL = output(
    "wal", write=side(9000, 75.5, 309248, (20_000, 90_000, 200_000)), sync=(12_910_592, 25_821_184, 40_108_032)
)
READS = output("point-reads", read=side(360000, 2999.5, 12_285_952, (21_000_000, 38_000_000, 51_000_000)))
MIX = output(
    "compaction",
    read=side(30000, 250.0, 65_536_000, (10_000_000, 30_000_000, 50_000_000)),
    write=side(30000, 250.0, 65_536_000, (20_000_000, 60_000_000, 90_000_000)),
)


def log(*runs: tuple[str, str]) -> str:
    """A Job's log: each run's JSON between its two lines."""
    return "".join(f"bench-storage begin {name}\n{text}\nbench-storage end 1\n" for name, text in runs)
