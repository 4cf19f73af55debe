"""What `benchmarks/verify.py` prints: the real command on simulated daemons, and the arithmetic of the comparison."""

from __future__ import annotations

from dataclasses import replace

import verify as benchmark
from per_pod import Course, PodCost
from verify import Verdict

GOOD = Verdict(
    nodes=200, silent=20, seconds=8.0, cpu=2.0, server_cpu=1.0, peak_mib=80.0, exit_code=2, answered=180,
    named_silent=20, failed=(),
)  # fmt: skip


def test_a_look_at_daemons_of_which_one_in_ten_is_silent() -> None:
    """The command, TLS, lists, the proxy road: all the silent are named, nobody is accused."""
    with benchmark.served(30) as (folder, server):
        seen = benchmark.verdict(folder, server, 30)
    assert (seen.exit_code, seen.silent, seen.named_silent, seen.answered, seen.failed) == (2, 3, 3, 27, ())
    assert seen.wrong() == []


def test_aims_that_are_missed_are_told() -> None:
    assert GOOD.wrong() == []
    assert "10.1 s" in replace(GOOD, seconds=10.1).wrong()[0]
    assert "301 MiB" in replace(GOOD, peak_mib=301).wrong()[0]
    assert "wrong verdict" in replace(GOOD, answered=179).wrong()[0]
    assert "wrong verdict" in replace(GOOD, named_silent=19).wrong()[0]
    assert "false alarm of forks" in replace(GOOD, failed=("forks",)).wrong()[0]


def test_a_slow_start_is_told() -> None:
    assert benchmark.slow_starts({benchmark.HELP: 0.3, benchmark.LOADING: 0.9}) == []
    assert "0.31 s, may take 0.3 s" in benchmark.slow_starts({benchmark.HELP: 0.31, benchmark.LOADING: 0.4})[0]


def test_the_present_way_is_extrapolated_from_the_time_of_each_kind_of_pod() -> None:
    course = Course(3, 50.0, (PodCost(5.0, True), PodCost(7.0, True), PodCost(46.0, False)))
    assert (course.each(True), course.each(False)) == (6.0, 46.0)
    assert course.extrapolated(180, 20) == (180 * 6 + 20 * 46) / 12
