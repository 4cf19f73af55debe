"""Gossip: blocks that are due, tips that agree, pools that rise; each limit just below, at and above."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mina_infra.daemon.replies import Block, DaemonMetrics, DaemonStatus
from mina_infra.guardian.checks.gossip import judge
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.past import Counts, Look, Past
from mina_infra.guardian.survey import Survey
from tests.guardian.surveys import status, survey_of
from tests.guardian.test_forks import line
from tests.guardian.test_production import CRITERIA

MAIN = line(100)  # block of height h in slot h
NOW = 102


def changed(base: DaemonStatus, **changes: Any) -> DaemonStatus:
    return type(base)(**{**{name: getattr(base, name) for name in base.__struct_fields__}, **changes})


def survey(lacking: dict[str, int], of: int = 20, pools: dict[str, tuple[int, int]] | None = None) -> Survey:
    """`of` nodes at slot 102, whose newest block is two slots old; `lacking` says who lacks how many blocks."""
    names = [f"n{number}" for number in range(of)]
    chains: dict[str, Sequence[Block]] = {name: MAIN[: 100 - lacking.get(name, 0)] for name in names}
    statuses = {}
    for name in names:
        transactions, snarks = (pools or {}).get(name, (0, 0))
        metrics = DaemonMetrics(transaction_pool_diff_received=transactions, snark_pool_diff_received=snarks)
        height = 100 - lacking.get(name, 0)
        statuses[name] = changed(
            status(NOW), highest_block_length_received=height, metrics=metrics,
        )  # fmt: skip
    return survey_of(chains, NOW, statuses=statuses)


def finding(seen: Survey, past: Past | None = None) -> Finding:
    return judge(seen, Chain(MAIN, True), past or Past(), CRITERIA)


def deaf(count: int, blocks: int) -> dict[str, int]:
    return {f"n{number}": blocks for number in range(count)}


@pytest.mark.parametrize(("nodes", "state"), [(1, State.PASS), (2, State.PASS), (3, State.FAIL)])
def test_more_than_a_tenth_of_the_nodes_without_three_blocks_fail(nodes: int, state: State) -> None:
    found = finding(survey(deaf(nodes, 3)))
    assert found.state is state
    assert found.problems == ("no-gossip",)  # a warning where it passes
    assert set(found.nodes) >= ({"n0", "n1", "n2"} if state is State.FAIL else set())


@pytest.mark.parametrize(("blocks", "state"), [(2, State.PASS), (3, State.FAIL), (4, State.FAIL)])
def test_three_due_blocks_must_be_missing(blocks: int, state: State) -> None:
    assert finding(survey(deaf(5, blocks))).state is state


def test_one_node_that_hears_nothing_is_that_nodes_trouble() -> None:
    found = finding(survey(deaf(1, 30), of=5))
    assert (found.state, bool(found.warnings)) == (State.PASS, True)


def test_a_block_is_due_one_slot_after_its_own() -> None:
    """At slot 102 the block of slot 100 is due; at 101 it is not."""
    seen = survey(deaf(10, 1))
    assert finding(seen).figures["late"] == 1
    early = survey_of(
        {name: seen.chains[name].blocks for name in seen.chains},
        101,
        statuses={name: changed(answer.status, consensus_time_now=status(101).consensus_time_now)
                  for name, answer in seen.answers.items()},
    )  # fmt: skip
    assert finding(early).figures["late"] == 0


def past_of(*looks: tuple[float, dict[str, Any]]) -> Past:
    """Looks so many slots before slot 102."""
    return Past(tuple(Look(int((NOW - ago) * 1000), **{"nodes": {}, **changes}) for ago, changes in looks))


@pytest.mark.parametrize(("before", "state"), [(1, State.PASS), (2, State.FAIL), (3, State.FAIL)])
def test_blocks_that_came_late_in_earlier_looks_count_as_slow_gossip(before: int, state: State) -> None:
    past = past_of((2, {"late": frozenset(f"x{n}" for n in range(before))}))
    found = finding(survey(deaf(10, 1)), past)
    assert found.state is state
    assert found.problems == (("slow-gossip",) if state is State.FAIL else ())


@pytest.mark.parametrize(("agreed", "state"), [(25, State.PASS), (24, State.PASS), (23, State.FAIL)])
def test_tips_that_agree_in_less_than_half_of_the_looks_are_slow_gossip(agreed: int, state: State) -> None:
    """47 looks in 8 slots and this one, in which half the nodes lack the newest block."""
    past = past_of(
        (9, {}), *((ago, {"looks": 6, "agreed": 0}) for ago in range(7, 1, -1)), (1, {"looks": 11, "agreed": agreed})
    )
    found = finding(survey(deaf(10, 1)), past)
    assert found.state is state
    assert found.problems == (("slow-gossip",) if state is State.FAIL else ())


@pytest.mark.parametrize(("slots", "looks", "state"), [(7, 6, State.PASS), (8, 6, State.FAIL), (9, 1, State.PASS)])
def test_agreement_takes_eight_slots_and_two_looks_in_each(slots: int, looks: int, state: State) -> None:
    past = past_of(*((ago, {"looks": looks, "agreed": 0}) for ago in range(slots, 0, -1)))
    assert finding(survey(deaf(10, 1)), past).state is state


def pools(flat: int, risen: int, of: int = 20, pool: int = 0) -> dict[str, tuple[int, int]]:
    """The counters of all nodes, of which the first `flat` have not moved from 100."""
    counts = {f"n{number}": [200, 200] for number in range(of)}
    for number in range(of):
        counts[f"n{number}"][pool] = 100 if number < flat else 100 + risen
    return {name: (pair[0], pair[1]) for name, pair in counts.items()}


BEFORE = {"nodes": {f"n{number}": Counts(100, 100, 100, 0) for number in range(20)}}


@pytest.mark.parametrize(("flat", "state"), [(1, State.PASS), (3, State.PASS), (4, State.FAIL), (5, State.FAIL)])
@pytest.mark.parametrize("pool", [0, 1])
def test_a_pool_that_stands_still_on_a_fifth_of_the_nodes_fails(flat: int, state: State, pool: int) -> None:
    found = finding(survey({}, pools=pools(flat, 20, pool=pool)), past_of((4, BEFORE)))
    assert found.state is state
    assert found.problems == (("pool-flat",) if state is State.FAIL else ())


@pytest.mark.parametrize(("risen", "state"), [(11, State.PASS), (12, State.FAIL), (13, State.FAIL)])
def test_few_messages_prove_nothing(risen: int, state: State) -> None:
    assert finding(survey({}, pools=pools(5, risen)), past_of((4, BEFORE))).state is state


@pytest.mark.parametrize(("slots", "state"), [(3, State.PASS), (4, State.FAIL), (5, State.FAIL)])
def test_pools_are_compared_over_four_slots(slots: int, state: State) -> None:
    assert finding(survey({}, pools=pools(5, 20)), past_of((slots, BEFORE))).state is state


def test_alone_nobody_hears_anything() -> None:
    assert not finding(survey({}, of=1)).asked
