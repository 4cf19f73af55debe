"""Producers against their stake: the arithmetic against a brute force, the limits, and a simulated silent whale."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from mina_infra.guardian.checks.producers import Producer, expected_blocks, judge
from mina_infra.guardian.findings import State
from mina_infra.simulator.simulated import small_network
from tests.guardian.fake_cluster import world
from tests.guardian.test_production import CRITERIA


def producer(expectation: float, blocks: int = 0, name: str = "whale-1", keys: tuple[str, ...] = ("B62",)) -> Producer:
    """With the number of slots that its stake of 10 % needs for that expectation, rounded up."""
    return Producer(name, 0.1, keys, math.ceil(expectation / expected_blocks(0.1, 1, CRITERIA)), blocks)


def test_the_expectation_is_that_of_a_draw() -> None:
    """Ten producers of unequal stake; in each slot one of the leaders wins."""
    stakes = [0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.04, 0.03, 0.02, 0.01]
    dice, won, slots = random.Random(3), [0] * len(stakes), 60_000
    chances = [1 - 0.25**stake for stake in stakes]
    for _ in range(slots):
        leaders = [number for number, chance in enumerate(chances) if dice.random() < chance]
        if leaders:
            won[dice.choice(leaders)] += 1
    for stake, count in zip(stakes, won, strict=True):
        assert expected_blocks(stake, slots, CRITERIA) == pytest.approx(count, rel=0.08)


def test_a_small_key_wins_54_percent_of_its_slots() -> None:
    assert expected_blocks(1e-6, 1, CRITERIA) / (1 - 0.25**1e-6) == pytest.approx(0.541, abs=1e-3)
    assert expected_blocks(1.0, 100, CRITERIA) == pytest.approx(75)


@pytest.mark.parametrize(("expectation", "asked"), [(6.8, False), (7.1, True), (8.0, True)])
def test_a_producer_is_judged_when_seven_blocks_are_expected_of_it(expectation: float, asked: bool) -> None:
    found = judge([producer(expectation)], CRITERIA)
    assert found.asked is asked
    assert found.state is (State.FAIL if asked else State.UNKNOWN)
    assert found.problems == (("silent-producer",) if asked else ())
    assert judge([producer(expectation, blocks=1)], CRITERIA).state is (State.PASS if asked else State.UNKNOWN)


@pytest.mark.parametrize(("expectation", "state"), [(9.0, State.UNKNOWN), (10.0, State.FAIL)])
def test_of_many_producers_each_may_err_more_rarely(expectation: float, state: State) -> None:
    """15 whales: ln(15 / 1e-3) = 9.6."""
    many = [producer(expectation, blocks=3, name=f"whale-{n}") for n in range(14)]
    assert judge([producer(expectation, name="whale-15"), *many], CRITERIA).state is state


def test_a_producer_without_a_key_fails_at_once() -> None:
    found = judge([producer(1.0, keys=()), producer(9.0, blocks=4, name="whale-2")], CRITERIA)
    assert (found.state, found.nodes, found.problems) == (State.FAIL, ["whale-1"], ("silent-producer",))


def test_fish_are_never_judged_in_a_short_run() -> None:
    found = judge([Producer("fish-1", 0.001, ("B62",), 400, 0)], CRITERIA)
    assert (found.state, found.asked) == (State.UNKNOWN, False)


def test_a_whale_that_wins_and_never_produces_is_named() -> None:
    here = world(slots=20)
    spec = here.network.network.nodes["whale-2"].spec
    here.network.network.nodes["whale-2"].spec = replace(spec, public_key="B62qnobodysstake")  # another key than staked
    here.network.run(slots=160)
    found = here.verify().finding("producers")
    assert (found.state, found.nodes) == (State.FAIL, ["whale-2"])


def test_a_healthy_network_has_no_silent_producer_at_any_length_of_history() -> None:
    here = world(seed=11, nodes=small_network(whales=6), slots=0)
    for _ in range(30):
        here.network.run(slots=15)
        assert here.verify().finding("producers").problems == ()
