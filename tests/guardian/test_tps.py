"""Transactions per second: four numbers, and each limit just below, at and above."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mina_infra.guardian.checks.tps import Pool, judge
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.load import Sender
from mina_infra.outputs import ChainOutput, OutputsDocument
from mina_infra.plan import load_stack, plan_testnet
from tests.guardian.blocks import chain_of
from tests.guardian.test_production import CRITERIA

# Goal 8 a slot of one second, so 6 are achievable with 3 of 4 slots filled; 32 fit into a block.
CAPACITY = ChainOutput(slot_ms=1000, k=290, transaction_capacity_log2=5, tps_goal=8.0)


def finding(
    commands: float, sent: float, *, count: int = 60, capacity: ChainOutput = CAPACITY, pool: Pool | None = None
) -> Finding:
    """`commands` in each block, one block a slot, `sent` payments per second."""
    whole = math.floor(commands)
    over = commands - whole

    def change(number: int) -> dict[str, Any]:
        return {"commands": whole + (math.floor(number * over) > math.floor((number - 1) * over))}

    load = [Sender(sent, 0)] if sent else []
    return judge(chain_of(count, change), load, capacity, pool, CRITERIA)


def test_the_four_numbers_stand_together() -> None:
    figures = finding(4, 4).figures
    assert (figures["goal_tps"], figures["achievable_tps"], figures["cap_tps"]) == (8.0, 6.0, 24.0)
    assert figures["measured_tps"] == pytest.approx(4)
    assert figures["sent_tps"] == pytest.approx(4)


@pytest.mark.parametrize(("commands", "state"), [(2.9, State.FAIL), (3.0, State.PASS), (3.1, State.PASS)])
def test_below_what_is_sent_by_more_than_chance_fails(commands: float, state: State) -> None:
    """4 a second over 40 slots: 4 - 3.3 sqrt(4 / 40) = 2.96."""
    found = finding(commands, 4.0)
    assert found.state is state
    assert found.problems == (("low-tps",) if state is State.FAIL else ())
    assert found.figures["bound_tps"] == pytest.approx(4 - 3.3 * math.sqrt(4 / 40))


@pytest.mark.parametrize(("commands", "state"), [(5.3, State.FAIL), (5.4, State.PASS), (5.5, State.PASS)])
def test_in_overload_nine_tenths_of_what_is_achievable_must_be_reached(commands: float, state: State) -> None:
    assert finding(commands, 20.0).state is state


@pytest.mark.parametrize(("commands", "state"), [(31, State.PASS), (32, State.PASS), (33, State.FAIL)])
def test_more_than_fits_is_an_error_of_ours(commands: int, state: State) -> None:
    found = finding(commands, 20.0)
    assert found.state is state
    assert found.problems == (("impossible-tps",) if state is State.FAIL else ())


def test_more_than_fits_is_told_even_when_nobody_sends() -> None:
    assert finding(33, 0.0).problems == ("impossible-tps",)


@pytest.mark.parametrize(("count", "asked"), [(20, False), (21, True), (22, True)])
def test_fewer_than_twenty_slots_are_never_judged(count: int, asked: bool) -> None:
    """Of 21 blocks the first one only begins the window."""
    found = finding(1, 4.0, count=count)
    assert found.asked is asked
    assert found.state is (State.FAIL if asked else State.UNKNOWN)


@pytest.mark.parametrize(("count", "asked"), [(36, False), (37, True)])
def test_the_goal_takes_longer_to_compare_with(count: int, asked: bool) -> None:
    assert finding(1, 20.0, count=count).asked is asked


@pytest.mark.parametrize(("sent", "asked"), [(0.0, False), (0.27, False), (0.28, True)])
def test_too_little_load_is_not_judged(sent: float, asked: bool) -> None:
    """3.3 squared is 10.9 payments, in 40 slots 0.272 a second."""
    assert finding(0.5, sent).asked is asked


def test_without_a_goal_nobody_asks() -> None:
    silent = CAPACITY.model_copy(update={"tps_goal": None})
    assert not finding(1, 4.0, capacity=silent).asked


def planned(stack: str) -> OutputsDocument:
    return plan_testnet(load_stack(Path(__file__).parents[2] / f"Pulumi.{stack}.yaml")).outputs


@pytest.mark.parametrize(("commands", "state"), [(33, State.PASS), (32, State.FAIL)])
def test_the_qa_net_declares_its_load_and_a_goal_to_judge_it_by(commands: int, state: State) -> None:
    """60 agents send 1 payment a second; the goal is Mina's 0.2, and 0.9 of 0.75 of that are 24.3 a slot of 180 s.

    30 blocks in 40 slots must then carry 32.4 each.
    """
    document = planned("qa")
    slot_ms = document.chain.slot_ms
    slots = [each + (each - 1) // 3 for each in range(1, 41)]
    chain = chain_of(40, lambda each: {"commands": commands, "date_ms": slots[each - 1] * slot_ms}, slots)
    load = [Sender(node.load_tps, 0) for node in document.nodes if node.load_tps]
    assert sum(each.tps for each in load) == pytest.approx(1.0)
    found = judge(chain, load, document.chain, None, replace(CRITERIA, slot_ms=slot_ms))
    assert (found.asked, found.state, found.figures["goal_tps"]) == (True, state, 0.2)


def test_a_public_net_has_room_in_its_blocks_though_nobody_is_deployed_to_fill_them() -> None:
    document = planned("release")
    assert (document.chain.tps_goal, document.chain.transaction_capacity_log2) == (0.2, 7)
    assert not any(node.load_tps for node in document.nodes)


def test_empty_blocks_are_the_matter_of_inclusion() -> None:
    chain = chain_of(60, lambda number: {"commands": 0} if number > 55 else {"commands": 1})
    found = judge(chain, [Sender(4.0, 0)], CAPACITY, None, CRITERIA)
    assert (found.state, found.asked, "inclusion" in found.summary) == (State.UNKNOWN, False, True)


@pytest.mark.parametrize(("growth", "words"), [(123, ()), (124, ("pool-grows",)), (125, ("pool-grows",))])
def test_a_pool_that_keeps_half_of_what_is_sent_is_told(growth: int, words: tuple[str, ...]) -> None:
    found = finding(
        4, 4.0, pool=Pool(growth, -40_000, 60_000)
    )  # in which 240 were sent, 4 since the last block but one
    assert (found.state, found.problems) == (State.PASS, words)
    assert finding(6, 20.0, pool=Pool(growth + 999, -40_000, 60_000)).problems == ()  # in overload it must grow


def test_what_came_since_the_last_block_waits_for_the_next_one() -> None:
    """240 sent in a minute, the last block but one 31 s ago: 124 of the pool are no wonder."""
    for growth, words in ((243, ()), (244, ("pool-grows",))):
        assert finding(4, 4.0, pool=Pool(growth, 30_000, 90_000)).problems == words
