"""The simulator is what verdicts are tested against, so it is tested itself, against probability."""

import itertools
import math
from dataclasses import replace

import pytest

from mina_infra.simulator.chain import Lottery
from mina_infra.simulator.faults import population
from mina_infra.simulator.simulated import SimulatedNetwork, small_network
from mina_infra.simulator.timing import Timing

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


@pytest.mark.parametrize(
    ("proving_s", "gossip_s", "agree", "fill", "deepest"),
    [
        ((30, 60), 2.0, (0.88, 0.97), (0.68, 0.82), (1, 1)),
        ((60, 200), 2.0, (0.85, 0.97), (0.63, 0.80), (1, 3)),
        ((150, 260), 2.0, (0.85, 0.97), (0.44, 0.62), (1, 5)),
        ((30, 60), 10.0, (0.45, 0.70), (0.68, 0.82), (1, 1)),
    ],
)
def test_a_day_of_200_nodes_looks_as_the_sources_say(
    proving_s: tuple[float, float],
    gossip_s: float,
    agree: tuple[float, float],
    fill: tuple[float, float],
    deepest: tuple[int, int],
) -> None:
    """Shares of looks at which all tips agree and of canonical slots, the deepest fork: 0.92, 0.92, 0.93, 0.58 and
    0.75, 0.74, 0.53, 0.75 there (docs/facts.md: guardian/healthy-network)."""
    timing = replace(
        Timing.for_slot(180_000), gossip=gossip_s * 1000, proving=(proving_s[0] * 1000, proving_s[1] * 1000)
    )
    network = SimulatedNetwork(1, population(200), timing=timing)
    network.run(slots=2)
    equal, forks, looks = 0, 0, 480
    for _ in range(looks):
        network.run(slots=0.97)  # not in step with the slots
        tips = {node.tip.state_hash for node in network.network.nodes.values() if node.tip}
        equal += len(tips) == 1
        forks = max(forks, network.deepest_fork())
    chain = network.network.nodes["seed-1"].chain(290)
    assert agree[0] <= equal / looks <= agree[1]
    assert fill[0] <= (len(chain) - 1) / (chain[-1].slot - chain[0].slot) <= fill[1]
    assert deepest[0] <= forks <= deepest[1]


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
