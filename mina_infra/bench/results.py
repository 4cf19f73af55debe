"""What was measured of a provider's disks, and which type suits which kind of volume. Pure.

What a volume needs is a choice (docs/facts.md: storage/benchmark-needs): figures of real nodes decide in the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mina_infra.bench.fio import Figures, Latency
from mina_infra.errors import EngineError


@dataclass(frozen=True)
class Row:
    """One type and size at one place. `usd` is a month's price, None where no list has it; `problem`: why it has gaps.

    `nominal_write_iops`: what the provider gives a disk of this size where that is known to be little.
    """

    provider: str
    region: str
    type: str
    product: str
    gib: int
    usd: float | None
    figures: tuple[Figures, ...] = ()
    problem: str = ""
    nominal_write_iops: float | None = None

    def of(self, profile: str) -> Figures | None:
        """The figures of one load."""
        return next((each for each in self.figures if each.profile == profile), None)


@dataclass(frozen=True)
class Report:
    """One benchmark. `measured` names what was really measured where that is not the provider's disks."""

    stack: str
    taken: str
    rows: tuple[Row, ...]
    measured: str = ""
    note: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Need:
    """What a kind of volume needs of one load: operations a second, MiB a second, ms within which 99 % are durable."""

    profile: str
    iops: float = 0.0
    mib_s: float = 0.0
    p99_ms: float = float("inf")


NEEDS = {
    "runtime-state": (Need("wal", iops=500, p99_ms=50.0), Need("point-reads", iops=1000), Need("bootstrap", mib_s=30)),
    "postgres-state": (Need("wal", iops=500, p99_ms=50.0), Need("point-reads", iops=500)),
    "genesis-ledger": (Need("bootstrap", mib_s=10),),
}
"""By kind of volume."""


def failing(row: Row, needs: Iterable[Need]) -> str | None:
    """Why a row does not suffice, or what of it is not known; None when it does."""
    for need in needs:
        found = row.of(need.profile)
        if found is None:
            return f"{need.profile} was not measured"
        if found.iops < need.iops:
            return f"{need.profile}: {found.iops:,.0f} IOPS, {need.iops:,.0f} needed"
        if found.mib_s < need.mib_s:
            return f"{need.profile}: {found.mib_s:,.0f} MiB/s, {need.mib_s:,.0f} needed"
        if need.p99_ms < float("inf") and (found.latency is None or found.latency.p99 > need.p99_ms):
            told = "no fsync times" if found.latency is None else f"fsync p99 {found.latency.p99:,.1f} ms"
            return f"{need.profile}: {told}, {need.p99_ms:,.0f} ms needed"
    return None


def recommendations(report: Report) -> list[str]:
    """One line for each kind of volume and place: the cheapest of what suffices, and why the cheaper ones do not."""
    if report.measured:
        return [f"no recommendation: {report.measured}"]
    places = list(dict.fromkeys((row.provider, row.region) for row in report.rows))
    return [
        _recommend(kind, [row for row in report.rows if (row.provider, row.region) == place])
        for place in places
        for kind in NEEDS
    ]


def _recommend(kind: str, rows: Sequence[Row]) -> str:
    where = f"{kind} at {rows[0].provider} {rows[0].region}"
    good = [row for row in rows if failing(row, NEEDS[kind]) is None]
    priced = sorted((row for row in good if row.usd is not None), key=lambda row: row.usd or 0.0)
    unpriced = [row for row in good if row.usd is None]
    reasons = [f"{_name(row)}: {failing(row, NEEDS[kind])}" for row in rows if row not in good]
    if not good:
        return f"{where}: none suffices. {'; '.join(reasons)}"
    if not priced:
        return f"{where}: {', '.join(map(_name, unpriced))} suffice; their prices are not known"
    best = priced[0]
    text = f"{where}: {_name(best)}, {best.usd:,.2f} USD/month"
    text += f"; price not known: {', '.join(map(_name, unpriced))}" if unpriced else ""
    return text + (f"; not {'; not '.join(reasons)}" if reasons else "")


def _name(row: Row) -> str:
    return f"{row.type} {row.gib} GiB"


_HEAD = ("region", "type", "GiB", "load", "fsync/op p50", "p99", "p99.9 ms", "IOPS", "MiB/s", "USD/month")


def table(report: Report) -> str:
    """All figures side by side, then what follows from them."""
    lines: list[tuple[str, ...]] = [_HEAD]
    for row in report.rows:
        usd = "unknown" if row.usd is None else f"{row.usd:,.2f}"
        start = (row.region, row.type, str(row.gib or "-"))
        for each in row.figures:
            times = [f"{value:,.2f}" for value in asdict(each.latency).values()] if each.latency else ["-"] * 3
            lines.append((*start, each.profile, *times, f"{each.iops:,.0f}", f"{each.mib_s:,.1f}", usd))
        if not row.figures:
            lines.append((*start, "nothing", "-", "-", "-", "-", "-", usd))
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    text = ["  ".join(_aligned(line, widths)).rstrip() for line in lines]
    text += [f"problem: {row.region} {_name(row)}: {row.problem}" for row in report.rows if row.problem]
    text += [
        f"note: {_name(row)} of {row.product} is given {row.nominal_write_iops:,.0f} write IOPS by its size: no place "
        "for a database"
        for row in report.rows
        if row.nominal_write_iops is not None and row.nominal_write_iops < 500
    ]
    return "\n".join([*text, *recommendations(report)])


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        text.ljust(width) if column in (0, 1, 3) else text.rjust(width)
        for column, (text, width) in enumerate(zip(line, widths, strict=True))
    ]


def to_json(report: Report) -> str:
    """For a file, or for another program."""
    return json.dumps({"version": 1, **asdict(report), "recommendations": recommendations(report)}, indent=2) + "\n"


def from_json(file: Path) -> Report:
    """A report of an earlier benchmark. Raises EngineError."""
    try:
        data = json.loads(file.read_text())
        rows = tuple(
            Row(**{**row, "figures": tuple(_figures(each) for each in row["figures"])}) for row in data["rows"]
        )
        return Report(data["stack"], data["taken"], rows, data["measured"], data["note"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{file} is no result of bench-storage ({error})") from error


def _figures(data: dict[str, Any]) -> Figures:
    latency = data.pop("latency")
    return Figures(**data, latency=Latency(**latency) if latency else None)
