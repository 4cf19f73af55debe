"""What fio says (`--output-format=json`), as figures. Pure.

Latencies are in nanoseconds, bandwidth in bytes a second; `sync` is there for loads that make their writes durable
(docs/facts.md: storage/fio-output). Text before and after the JSON (warnings of fio itself) is skipped.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mina_infra.errors import MinaInfraError

BEGIN, END = "bench-storage begin ", "bench-storage end"


class UnreadableResultError(MinaInfraError):
    """What was measured cannot be read; nothing is known of this load."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds that 50, 99 and 99.9 percent of the operations took at most."""

    p50: float
    p99: float
    p999: float


@dataclass(frozen=True)
class Figures:
    """One load on one volume. `latency` is that of the fsyncs for a durable load, else of the slower direction."""

    profile: str
    iops: float
    mib_s: float
    latency: Latency | None


def figures(profile: str, text: str) -> Figures:
    """The figures of one fio run. Raises UnreadableResultError."""
    try:
        document, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
        (job,) = document["jobs"]
        if job.get("error"):
            raise UnreadableResultError(f"{profile}: fio ended with error {job['error']}")
        sides = [job[name] for name in ("read", "write") if job[name]["total_ios"]]
        if not sides:
            raise UnreadableResultError(f"{profile}: fio did no input or output at all")
        iops = sum(float(side["iops"]) for side in sides)
        mib_s = sum(_bandwidth(side) for side in sides) / 2**20
        return Figures(profile, iops, mib_s, _latency(job, sides))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableResultError(f"{profile}: no result of fio ({type(error).__name__}: {error})") from error


def _bandwidth(side: Mapping[str, Any]) -> float:
    """Bytes a second; releases before 3.6 say only KiB."""
    return float(side["bw_bytes"]) if "bw_bytes" in side else float(side["bw"]) * 1024


def _latency(job: Mapping[str, Any], sides: Iterable[Mapping[str, Any]]) -> Latency | None:
    sync = (job.get("sync") or {}).get("lat_ns") or {}
    if (job.get("sync") or {}).get("total_ios") and sync.get("percentile"):
        return _percentiles(sync["percentile"])
    found = [_percentiles(side["clat_ns"]["percentile"]) for side in sides if side.get("clat_ns", {}).get("percentile")]
    return max(found, key=lambda each: each.p99, default=None)


def _percentiles(values: Mapping[str, Any]) -> Latency:
    p50, p99, p999 = (float(values[key]) / 1e6 for key in ("50.000000", "99.000000", "99.900000"))
    return Latency(p50, p99, p999)


def read_log(log: str) -> tuple[list[Figures], list[str]]:
    """The figures of a Job's log, one for each run of each load, and what could not be read."""
    found: list[Figures] = []
    problems: list[str] = []
    for part in log.split(BEGIN)[1:]:
        profile, _, rest = part.partition("\n")
        text, ended, _ = rest.partition(END)
        if not ended:
            problems.append(f"{profile.strip()}: its log was cut off")
            continue
        try:
            found.append(figures(profile.strip(), text))
        except UnreadableResultError as error:
            problems.append(str(error))
    return found, problems


def medians(runs: Iterable[Figures]) -> list[Figures]:
    """One for each load: the medians of its runs, so that a single hiccup of a neighbour does not decide."""
    by_profile: dict[str, list[Figures]] = {}
    for each in runs:
        by_profile.setdefault(each.profile, []).append(each)
    return [_median(profile, members) for profile, members in by_profile.items()]


def _median(profile: str, runs: list[Figures]) -> Figures:
    latencies = [each.latency for each in runs if each.latency]
    latency = None
    if latencies:
        latency = Latency(
            statistics.median(each.p50 for each in latencies),
            statistics.median(each.p99 for each in latencies),
            statistics.median(each.p999 for each in latencies),
        )
    return Figures(
        profile, statistics.median(each.iops for each in runs), statistics.median(each.mib_s for each in runs), latency
    )
