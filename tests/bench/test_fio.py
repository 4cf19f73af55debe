"""Reading fio's results."""

from __future__ import annotations

import pytest

from mina_infra.bench.fio import Figures, Latency, UnreadableResultError, figures, medians, read_log
from tests.bench.fio_output import MIX, READS, WAL, log, output


def test_a_durable_load_is_told_by_its_fsyncs() -> None:
    found = figures("wal", WAL)
    assert found.iops == 75.5
    assert found.mib_s == pytest.approx(0.295, abs=0.001)
    assert found.latency == Latency(12.910592, 25.821184, 40.108032)


def test_reads_are_told_by_their_completion() -> None:
    found = figures("point-reads", READS)
    assert (found.iops, found.latency) == (2999.5, Latency(21.0, 38.0, 51.0))


def test_both_directions_count_and_the_slower_one_is_the_latency() -> None:
    found = figures("compaction", MIX)
    assert (found.iops, found.mib_s, found.latency) == (500.0, 125.0, Latency(20.0, 60.0, 90.0))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no result"),
        ("fio: command not found", "no result"),
        (WAL[: len(WAL) // 2], "no result"),
        ('{"jobs": []}', "no result"),
        ("[]", "no result"),
        (output("wal", error=28), "error 28"),
        (output("wal"), "no input or output"),
    ],
)
def test_what_is_no_result_is_refused(text: str, says: str) -> None:
    with pytest.raises(UnreadableResultError, match=says):
        figures("wal", text)


def test_a_jobs_log_with_notes_of_fio_around_the_json() -> None:
    text = "a line of the shell\n" + log(
        ("wal", f"note: both iodepth >= 1 and synchronous\n{WAL}"), ("compaction", MIX)
    )
    found, problems = read_log(text)
    assert [each.profile for each in found] == ["wal", "compaction"]
    assert problems == []


def test_what_is_cut_off_or_broken_is_told_and_the_rest_is_read() -> None:
    text = log(("wal", WAL), ("point-reads", "Killed")) + "bench-storage begin compaction\n{"
    found, problems = read_log(text)
    assert [each.profile for each in found] == ["wal"]
    assert [problem.split(":")[0] for problem in problems] == ["point-reads", "compaction"]


def test_a_single_hiccup_does_not_decide() -> None:
    runs = [Figures("wal", iops, 1.0, Latency(iops, iops, iops)) for iops in (100.0, 1.0, 90.0)]
    assert medians(runs) == [Figures("wal", 90.0, 1.0, Latency(90.0, 90.0, 90.0))]
