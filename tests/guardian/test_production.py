"""The statistics of block production: the published tables, the laws, and how often they really err."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.guardian.checks.production import History, history_of, judge
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.findings import State
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.production import (
    Sequential,
    active_stake,
    binomial_at_most,
    fails_at,
    sequential_test,
    silence_limit,
    silent_slots,
)
from tests.guardian.test_forks import block

CRITERIA = Criteria(
    slot_ms=1000, k=290, active_slots=0.75, online_stake=1.0, behind_blocks=2, synced_share=0.9, fork_depth=8,
    production_window=20, production_error=1e-3,
)  # fmt: skip


@pytest.mark.parametrize(
    ("slots", "bound"), [(10, 2), (20, 8), (30, 14), (40, 20), (60, 33), (77, 44), (120, 74), (290, 193)]
)
def test_the_table_of_failures_at_full_stake(slots: int, bound: int) -> None:
    assert fails_at(slots, 0.75, 1e-3) == bound


@pytest.mark.parametrize(("stake", "slots"), [(1.0, 7), (0.9, 8), (0.8, 9), (0.5, 14)])
def test_the_table_of_silences(stake: float, slots: int) -> None:
    assert silent_slots(1 - 0.25**stake, 1e-4) == slots


@given(slots=st.integers(1, 60), numerator=st.integers(1, 99), data=st.data())
def test_the_binomial_sum_is_exact(slots: int, numerator: int, data: st.DataObject) -> None:
    filled = data.draw(st.integers(0, slots))
    p = Fraction(numerator, 100)
    exact = sum(math.comb(slots, i) * p**i * (1 - p) ** (slots - i) for i in range(filled + 1))
    assert binomial_at_most(filled, slots, float(p)) == pytest.approx(float(exact), rel=1e-9)


@given(slots=st.integers(1, 300), p=st.floats(0.01, 0.99), error=st.floats(1e-6, 0.1))
def test_the_bound_is_the_last_count_that_cannot_be_chance(slots: int, p: float, error: float) -> None:
    bound = fails_at(slots, p, error)
    assert bound < 0 or binomial_at_most(bound, slots, p) < error
    assert bound == slots - 1 or binomial_at_most(bound + 1, slots, p) >= error


def test_active_stake_inverts_the_fill() -> None:
    assert active_stake(1 - 0.25**0.6, 0.75) == pytest.approx(0.6)
    assert active_stake(0.9, 0.75) == 1.0
    assert active_stake(0.0, 0.75) == 0.0


def slots(rate: float, count: int, dice: random.Random) -> list[bool]:
    return [dice.random() < rate for _ in range(count)]


def test_the_sequential_test_keeps_its_errors_and_its_patience() -> None:
    """Wald's bounds hold up to overshoot: at most the promised errors, decided in about 16 slots when healthy."""
    dice = random.Random(5)
    outcomes = [sequential_test(slots(0.75, 200, dice), 0.75, false_alarm=1e-3, missed=1e-2) for _ in range(4000)]
    assert outcomes.count(Sequential.SLOW) <= 12
    halved = [sequential_test(slots(0.375, 400, dice), 0.75, false_alarm=1e-3, missed=1e-2) for _ in range(4000)]
    assert halved.count(Sequential.HEALTHY) <= 60
    healthy_at = [
        next(n for n in range(1, 200) if sequential_test(run[:n], 0.75, false_alarm=1e-3, missed=1e-2) != "undecided")
        for run in (slots(0.75, 200, dice) for _ in range(200))
    ]
    assert 12 <= sum(healthy_at) / 200 <= 20


def test_a_total_halt_is_decided_in_eight_slots() -> None:
    for count, outcome in ((7, Sequential.UNDECIDED), (8, Sequential.SLOW)):
        assert sequential_test([False] * count, 0.75, false_alarm=1e-3, missed=1e-2) is outcome


@pytest.mark.parametrize(("filled", "state"), [(7, State.FAIL), (8, State.FAIL), (9, State.PASS)])
def test_the_window_judges_just_below_at_and_above_its_bound(filled: int, state: State) -> None:
    history = History([False] * (20 - filled) + [True] * filled, True, 0, False)
    assert judge(history, CRITERIA).state is state


@pytest.mark.parametrize(("silent", "state"), [(10, State.PASS), (11, State.FAIL), (12, State.FAIL)])
def test_a_silence_beyond_chance_is_a_halt_however_well_the_window_began(silent: int, state: State) -> None:
    finding = judge(History([True] * 40 + [False] * silent, True, 0, False), CRITERIA)
    assert finding.state is state or finding.figures["filled"] == 8  # at 12 the window agrees
    assert finding.problems == (("halt",) if state is State.FAIL else ())


def test_few_blocks_are_slow_production_and_none_lately_a_halt() -> None:
    slow = judge(History([True, False, False] * 7, True, 0, False), CRITERIA)
    assert (slow.state, slow.problems) == (State.FAIL, ("slow-production",))
    assert judge(History((), False, 9, False), CRITERIA).problems == ("halt",)


@pytest.mark.parametrize(("stake", "month", "day"), [(1.0, 11, 8), (0.9, 12, 9), (0.8, 13, 10), (0.5, 20, 15)])
def test_the_table_of_silences_for_those_who_watch(stake: float, month: int, day: int) -> None:
    """1 % in 30 days and in a day, at 480 slots a day."""
    p = 1 - 0.25**stake
    assert (silence_limit(p, 1e-2, 14_400), silence_limit(p, 1e-2, 480)) == (month, day)


@given(p=st.floats(0.05, 0.95), error=st.floats(1e-6, 0.5), horizon=st.integers(1, 100_000))
def test_the_silence_limit_is_the_first_run_that_chance_does_not_explain(p: float, error: float, horizon: int) -> None:
    limit = silence_limit(p, error, horizon)
    assert horizon * p * (1 - p) ** limit <= error * (1 + 1e-9)
    assert limit == 1 or horizon * p * (1 - p) ** (limit - 1) > error * (1 - 1e-9)


def test_with_so_little_stake_that_nothing_is_strange_an_empty_window_is_unknown() -> None:
    little = Criteria(**{**CRITERIA.__dict__, "online_stake": 0.1})
    assert judge(History([False] * 20, True, 0, False), little).state is State.UNKNOWN
    assert judge(History([True] + [False] * 19, True, 0, False), little).state is State.PASS


@pytest.mark.parametrize(("empty", "state"), [(4, State.UNKNOWN), (5, State.FAIL)])
def test_no_block_at_all_fails_when_that_cannot_be_chance(empty: int, state: State) -> None:
    assert judge(History((), False, empty, False), CRITERIA).state is state


def chain_at(filled: Sequence[int]) -> Chain:
    """A chain with genesis in slot 0 and blocks in these slots."""
    blocks = [block("g", "none", 1, 0)]
    for slot in filled:
        blocks.append(block(f"s{slot}", blocks[-1].state_hash, blocks[-1].height + 1, slot))
    return Chain(blocks, to_root=True)


def test_slots_before_the_first_block_and_the_newest_two_do_not_count() -> None:
    history = history_of(chain_at([50, 52, 53]), now_ms=57_000, up_slots=57, criteria=CRITERIA)
    assert history.filled == [False, True, True, False, False]  # 51 to 55
    assert history.began


def test_slots_before_the_producers_ran_do_not_count() -> None:
    history = history_of(chain_at([1, 2, 3, 60, 61]), now_ms=65_000, up_slots=8, criteria=CRITERIA)
    assert history.filled == [True, False, False]  # 61 to 63; the gap from 4 to 59 is a pause


def test_a_chain_with_only_its_genesis_has_not_begun() -> None:
    history = history_of(chain_at([]), now_ms=30_000, up_slots=12, criteria=CRITERIA)
    assert not history.began
    assert history.empty == 12 - CRITERIA.in_flight_slots - CRITERIA.warm_up_slots


def test_slot_numbers_that_go_on_after_a_hard_fork_are_not_mistaken_for_time() -> None:
    blocks = [block("g", "none", 500, 0), block("a", "g", 501, 3), block("b", "a", 502, 4)]
    shifted = [
        type(each)(**{**{name: getattr(each, name) for name in each.__struct_fields__}, "slot": each.slot + 7000})
        for each in blocks
    ]
    chain = Chain(shifted, to_root=True)
    assert history_of(chain, now_ms=8_000, up_slots=8, criteria=CRITERIA).filled == [True, False, False]
