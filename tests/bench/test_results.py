"""What follows from figures: the cheapest type that suffices, for each kind of volume."""

from __future__ import annotations

from pathlib import Path

import pytest

from mina_infra.bench.fio import Figures, Latency
from mina_infra.bench.results import Report, Row, from_json, recommendations, table, to_json
from mina_infra.errors import EngineError


def row(disk: str, wal_iops: float, usd: float | None, *, p99: float = 5.0, **more: object) -> Row:
    figures = (
        Figures("wal", wal_iops, wal_iops / 256, Latency(p99 / 2, p99, p99 * 2)),
        Figures("point-reads", 3000.0, 12.0, Latency(1.0, 2.0, 3.0)),
        Figures("bootstrap", 120.0, 120.0, None),
    )
    values = {"provider": "gke", "region": "us-central1", "type": disk, "product": f"pd-{disk}", "gib": 4, "usd": usd}
    return Row(**{**values, "figures": figures, **more})  # type: ignore[arg-type]


SSD, BALANCED = row("ssd", 4000, 0.68), row("balanced", 2000, 0.40)
STANDARD = row("standard", 6, 0.16, nominal_write_iops=6.0)


def advice(*rows: Row) -> dict[str, str]:
    found = recommendations(Report("qa", "2026-02-21T19:33:20Z", rows))
    return {line.split(" at ")[0]: line for line in found}


def test_the_cheapest_that_suffices_is_recommended_and_the_cheaper_ones_are_told_why_not() -> None:
    """Balanced, not standard, is the cheaper tier for a small database (docs/facts.md: storage/slow-disks)."""
    found = advice(SSD, BALANCED, STANDARD)
    assert "balanced 4 GiB, 0.40 USD/month" in found["runtime-state"]
    assert "not standard 4 GiB: wal: 6 IOPS, 500 needed" in found["runtime-state"]
    assert "standard 4 GiB, 0.16 USD/month" in found["genesis-ledger"], "written once, in one go"


def test_fsync_times_count_beside_operations() -> None:
    assert "fsync p99 80.0 ms, 50 ms needed" in advice(row("balanced", 2000, 0.4, p99=80.0))["runtime-state"]


def test_a_type_without_a_price_is_never_the_cheapest() -> None:
    found = advice(SSD, row("balanced", 2000, None))
    assert "ssd 4 GiB, 0.68 USD/month; price not known: balanced 4 GiB" in found["runtime-state"]
    assert "prices are not known" in advice(row("balanced", 2000, None))["runtime-state"]


def test_what_was_not_measured_is_not_recommended() -> None:
    found = advice(row("ssd", 0, 0.68, figures=(), problem="BackoffLimitExceeded: failed"))
    assert found["runtime-state"].endswith("none suffices. ssd 4 GiB: wal was not measured")


def test_each_region_has_its_own() -> None:
    there = row("ssd", 4000, 0.82, region="us-west2")
    lines = recommendations(Report("qa", "2026-02-21T19:33:20Z", (SSD, there)))
    assert len([line for line in lines if "us-west2" in line]) == len(lines) / 2


def test_the_embedded_cluster_recommends_nothing() -> None:
    report = Report("local", "2026-02-21T19:33:20Z", (SSD,), "all types are one directory")
    assert recommendations(report) == ["no recommendation: all types are one directory"]


def test_the_table_puts_all_side_by_side() -> None:
    text = table(Report("qa", "2026-02-21T19:33:20Z", (SSD, STANDARD, row("balanced", 1, None, problem="no pod"))))
    (line,) = [line for line in text.splitlines() if line.startswith("us-central1  standard") and " wal " in line]
    assert line.split() == ["us-central1", "standard", "4", "wal", "2.50", "5.00", "10.00", "6", "0.0", "0.16"]
    assert "unknown" in text
    assert "problem: us-central1 balanced 4 GiB: no pod" in text
    assert "note: standard 4 GiB of pd-standard is given 6 write IOPS by its size" in text


def test_a_result_is_read_back(tmp_path: Path) -> None:
    report = Report("qa", "2026-02-21T19:33:20Z", (SSD, STANDARD))
    file = tmp_path / "result.json"
    file.write_text(to_json(report))
    assert from_json(file) == report


@pytest.mark.parametrize("text", ["", "{}", '{"rows": [{}]}'])
def test_what_is_no_result_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(EngineError, match="no result of bench-storage"):
        from_json(tmp_path / "result.json")
