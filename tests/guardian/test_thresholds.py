"""Each threshold of sync and forks just below, at and above its value."""

from __future__ import annotations

import pytest

from mina_infra.daemon.replies import SyncStatus
from mina_infra.guardian.checks import forks, sync
from mina_infra.guardian.findings import State
from mina_infra.guardian.past import Counts, Look, Past
from tests.guardian.surveys import status, survey_of
from tests.guardian.test_forks import line
from tests.guardian.test_production import CRITERIA

MAIN = line(100)  # block of height h in slot h


def others(count: int = 9) -> dict[str, list]:
    return {f"n{i}": MAIN for i in range(count)}


@pytest.mark.parametrize(("behind", "state"), [(0, State.PASS), (2, State.PASS), (3, State.UNKNOWN)])
def test_a_tenth_of_ten_nodes_behind_by_more_than_two_blocks_is_within_the_share(behind: int, state: State) -> None:
    """Nine of ten is the share that suffices, eight is not enough."""
    survey = survey_of({**others(8), "a": MAIN[: 100 - behind], "b": MAIN[: 100 - behind]}, now_slot=101)
    assert sync.judge(survey, CRITERIA).state is state
    one = survey_of({**others(9), "a": MAIN[: 100 - behind]}, now_slot=101)
    assert sync.judge(one, CRITERIA).state is State.PASS


@pytest.mark.parametrize(("slots", "state"), [(4, State.UNKNOWN), (5, State.FAIL)])
def test_too_many_nodes_behind_fail_after_four_slots(slots: int, state: State) -> None:
    lagging = MAIN[:97]  # lacks blocks since slot 98
    survey = survey_of({**others(8), "a": lagging, "b": lagging}, now_slot=98 + slots)
    assert sync.judge(survey, CRITERIA).state is state


@pytest.mark.parametrize(("behind", "slots", "state"), [(5, 20, State.PASS), (6, 6, State.FAIL), (40, 45, State.FAIL)])
def test_one_node_far_behind_for_long_is_stuck(behind: int, slots: int, state: State) -> None:
    lagging = MAIN[: 100 - behind]
    survey = survey_of({**others(), "a": lagging}, now_slot=101 - behind + slots)
    finding = sync.judge(survey, CRITERIA)
    assert finding.state is state
    assert finding.nodes == ["a"]


@pytest.mark.parametrize(("up", "state"), [(4, State.UNKNOWN), (5, State.FAIL)])
def test_a_node_that_just_started_gets_four_slots_however_old_its_frontier_is(up: int, state: State) -> None:
    survey = survey_of({**others(), "a": MAIN[:50]}, 101, statuses={"a": status(101, uptime_slots=up)})
    assert sync.judge(survey, CRITERIA).state is state


def test_blocks_of_slots_after_the_answer_do_not_count_as_missing() -> None:
    """A sweep takes a while: the first node asked could not know what the last one told."""
    survey = survey_of({**others(1), "early": MAIN[:90]}, now_slot=100, statuses={"early": status(90)})
    assert sync.judge(survey, CRITERIA).state is State.PASS


def test_a_node_that_catches_up_gets_more_time_than_one_that_claims_to_be_synced() -> None:
    busy = {"a": status(101, SyncStatus.CATCHUP, uptime_slots=20)}
    chains = {**others(), "a": MAIN[:50]}
    assert sync.judge(survey_of(chains, 101, statuses=busy), CRITERIA).state is State.UNKNOWN
    busy = {"a": status(101, SyncStatus.CATCHUP, uptime_slots=25)}
    assert sync.judge(survey_of(chains, 101, statuses=busy), CRITERIA).state is State.FAIL


@pytest.mark.parametrize(("up", "state"), [(20, State.UNKNOWN), (21, State.FAIL)])
def test_a_bootstrap_may_take_twenty_slots(up: int, state: State) -> None:
    statuses = {"a": status(101, SyncStatus.BOOTSTRAP, uptime_slots=up)}
    assert sync.judge(survey_of({**others(), "a": []}, 101, statuses=statuses), CRITERIA).state is state


@pytest.mark.parametrize(("depth", "state"), [(1, State.PASS), (7, State.PASS), (8, State.FAIL), (9, State.FAIL)])
def test_the_depth_at_which_a_fork_fails(depth: int, state: State) -> None:
    branch = [*MAIN[: 100 - depth], *line(depth, 101 - depth, "x", f"m{100 - depth}")]
    finding = forks.judge(survey_of({**others(), "a": branch}, now_slot=101), CRITERIA)
    assert finding.state is state
    assert finding.figures["deepest"] == depth


@pytest.mark.parametrize(("slots", "state"), [(8, State.PASS), (9, State.FAIL)])
def test_a_fork_of_depth_two_on_two_nodes_fails_when_it_lasts(slots: int, state: State) -> None:
    branch = [*MAIN[:98], *line(2, 99, "x", "m98")]  # parted in slot 99
    survey = survey_of({**others(), "a": branch, "b": branch}, now_slot=99 + slots)
    assert forks.judge(survey, CRITERIA).state is state
    alone = survey_of({**others(), "a": branch}, now_slot=99 + slots)
    assert forks.judge(alone, CRITERIA).state is State.PASS
    assert forks.judge(alone, CRITERIA).warnings


def test_siblings_at_the_tip_are_the_normal_state() -> None:
    survey = survey_of({**others(), "a": [*MAIN[:99], *line(1, 100, "x", "m99")]}, now_slot=120)
    assert forks.judge(survey, CRITERIA).state is State.PASS
    assert not forks.judge(survey, CRITERIA).warnings


def test_the_network_clock_is_the_median_so_one_wrong_clock_moves_nothing() -> None:
    assert survey_of(others(4), 101, statuses={"n0": status(9_999_999)}).now_ms == 101_000


@pytest.mark.parametrize(("ago", "state"), [(20, State.UNKNOWN), (21, State.FAIL)])
def test_a_node_that_was_synced_a_while_ago_has_the_time_of_a_new_one(ago: int, state: State) -> None:
    """It may have run for months before it had to bootstrap again."""
    statuses = {"a": status(101, SyncStatus.BOOTSTRAP)}
    survey = survey_of({**others(), "a": []}, 101, statuses=statuses)
    assert sync.judge(survey, CRITERIA).state is State.FAIL
    assert sync.judge(survey, CRITERIA, Past(synced_ms={"a": (101 - ago) * 1000})).state is state


@pytest.mark.parametrize(("height", "state"), [(48, State.UNKNOWN), (49, State.FAIL), (50, State.FAIL)])
def test_a_node_that_catches_up_for_long_fails_only_when_it_does_not_get_on(height: int, state: State) -> None:
    """Now it has 50 of 100 blocks; a slot ago it had `height` of 99."""
    statuses = {"a": status(101, SyncStatus.CATCHUP)}
    survey = survey_of({**others(), "a": MAIN[:50]}, 101, statuses=statuses)
    counts = {"n0": Counts(99, 0, 0, 0), "a": Counts(height, 0, 0, 0)}
    assert sync.judge(survey, CRITERIA, Past((Look(100_000, counts),))).state is state


@pytest.mark.parametrize(
    ("nodes", "before", "sure"), [(1, [], False), (2, [], True), (1, ["s0"], True), (1, ["x"], False)]
)
def test_a_split_takes_two_witnesses_or_two_looks_to_be_sure(nodes: int, before: list[str], sure: bool) -> None:
    lost = line(100, 1, "x", "x0")
    survey = survey_of({**others(), **{f"s{n}": lost for n in range(nodes)}}, 101)
    found = forks.judge(survey, CRITERIA, {"s0": 4.0, "s1": 2.5}, frozenset(before))
    assert found.figures["split_confirmed"] is sure
    assert found.figures["stake_off"] == (4.0 if nodes == 1 else 6.5)
    assert found.problems == ("split",)
