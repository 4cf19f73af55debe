"""The simulator is what verdicts are tested against, so it is tested itself, against probability."""

import itertools
import math

import pytest

from mina_infra.simulator.chain import Lottery
from mina_infra.simulator.simulated import SimulatedNetwork, small_network

SLOTS = 2000
# Two-sided bound of a standard normal that one run in a million leaves.
ONE_IN_A_MILLION = 4.892


@pytest.fixture(scope="module")
def long_run() -> SimulatedNetwork:
    network = SimulatedNetwork(seed=11, nodes=small_network(whales=15, fish=10))
    network.run(slots=2)
    network.truth.slots = network.truth.filled = network.truth.tied = network.truth.blocks = 0
    network.run(slots=SLOTS)
    return network


def test_three_of_four_slots_have_a_leader(long_run: SimulatedNetwork) -> None:
    """P(some leader) = 1 - (1-f)^1 = 0.75 at full stake, however the stake is split."""
    spread = math.sqrt(SLOTS * 0.75 * 0.25)
    assert abs(long_run.truth.filled - 0.75 * SLOTS) < ONE_IN_A_MILLION * spread


def test_half_of_the_filled_slots_have_several_leaders(long_run: SimulatedNetwork) -> None:
    """Exact for this split of stake: P(>=2) = 1 - P(0) - P(1), near 0.54 of the filled slots."""
    lottery = long_run.network.lottery
    none, one = 1.0, 0.0
    for key in lottery.stakes:
        chance = lottery.chance(key)
        one, none = one * (1 - chance) + none * chance, none * (1 - chance)
    share = (1 - none - one) / (1 - none)
    assert share == pytest.approx(0.54, abs=0.03)
    spread = math.sqrt(long_run.truth.filled * share * (1 - share))
    assert abs(long_run.truth.tied - share * long_run.truth.filled) < ONE_IN_A_MILLION * spread


def test_a_healthy_network_never_forks_deeper_than_one_block(long_run: SimulatedNetwork) -> None:
    assert long_run.truth.deepest_reorganisation == 1
    assert max(long_run.fork_depth(name) for name in long_run.names) <= 1


def test_every_filled_slot_extends_the_canonical_chain_by_one_block(long_run: SimulatedNetwork) -> None:
    chain = long_run.best_chain("seed-1", 200)
    assert chain is not None
    assert [block.height for block in chain] == list(range(chain[0].height, chain[0].height + 200))
    assert all(child.parent_hash == parent.state_hash for parent, child in itertools.pairwise(chain))
    assert all(child.slot > parent.slot for parent, child in itertools.pairwise(chain))
    assert long_run.tip().height == pytest.approx(long_run.truth.filled, abs=4)


def test_a_stake_that_is_down_does_not_go_to_the_others() -> None:
    lottery = Lottery("chain", stakes={"online": 1.0, "offline": 1.0})
    assert lottery.chance("online") == pytest.approx(1 - 0.25**0.5)


def test_leaders_are_drawn_independently_of_faults() -> None:
    quiet, disturbed = SimulatedNetwork(seed=3), SimulatedNetwork(seed=3)
    quiet.run(slots=30)
    disturbed.run(slots=10)
    disturbed.restart("plain-1", keep_volume=False)
    disturbed.run(slots=20)
    assert quiet.tip() == disturbed.tip()


def test_memory_is_bounded() -> None:
    network = SimulatedNetwork(seed=5, nodes=small_network(whales=2, fish=1, plain=0), k=20)
    network.run(slots=3000)
    assert max(len(node.known) for node in network.network.nodes.values()) <= 2 * 20 + 65
    assert len(network.network._events) < 200
