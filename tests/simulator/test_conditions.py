"""What is wrong with a node or a link has exactly that effect, and what it says of itself follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mina_infra.daemon.logs import Level, parse_line
from mina_infra.daemon.replies import SyncStatus
from mina_infra.simulator import log_lines
from mina_infra.simulator.condition import Link
from mina_infra.simulator.joining import Happening
from mina_infra.simulator.simulated import SimulatedNetwork, small_network

SLOT_MS = 180_000


@pytest.fixture
def network() -> SimulatedNetwork:
    network = SimulatedNetwork(2, small_network(whales=6))
    network.run(slots=40)
    return network


def make(network: SimulatedNetwork, name: str, **illness: Any) -> None:
    node = network.network.nodes[name]
    node.condition = replace(node.condition, **illness)


def lag(network: SimulatedNetwork, name: str) -> int:
    return network.tip().height - network.tip(name).height


def test_who_is_frozen_stands_still_and_says_that_it_is_synced(network: SimulatedNetwork) -> None:
    make(network, "plain-1", frozen=True)
    before = network.tip("plain-1")
    network.run(slots=20)
    assert network.tip("plain-1") == before
    assert network.status("plain-1").sync_status is SyncStatus.SYNCED
    assert network.status("plain-1").highest_unvalidated_block_length_received > before.height  # gossip arrives


def test_who_is_deaf_hears_nothing(network: SimulatedNetwork) -> None:
    make(network, "plain-1", deaf=True)
    seen = network.status("plain-1").highest_unvalidated_block_length_received
    network.run(slots=20)
    assert network.status("plain-1").highest_unvalidated_block_length_received == seen


def test_who_is_mute_makes_blocks_that_nobody_has(network: SimulatedNetwork) -> None:
    make(network, "whale-1", mute=True)
    before, key = network.slot, network.network.nodes["whale-1"].spec.key
    made = network.network.nodes["whale-1"].counters.blocks_produced
    network.run(slots=80)
    assert network.network.nodes["whale-1"].counters.blocks_produced > made
    chain = network.network.nodes["seed-1"].chain(290)
    assert not [block for block in chain if block.creator == key and block.slot > before + 1]


@pytest.mark.parametrize("blocks", [1, 3, 6])
def test_who_lags_is_so_many_blocks_behind(network: SimulatedNetwork, blocks: int) -> None:
    make(network, "plain-1", lag_blocks=blocks)
    network.run(slots=30)
    assert lag(network, "plain-1") in (blocks, blocks + 1)


def test_lost_gossip_is_made_up_by_fetching(network: SimulatedNetwork) -> None:
    make(network, "plain-1", loss=0.5)
    received = network.network.nodes["plain-1"].counters.blocks_received
    other = network.network.nodes["fish-1"].counters.blocks_received
    network.run(slots=100)
    got = network.network.nodes["plain-1"].counters.blocks_received - received
    assert 0.3 < got / (network.network.nodes["fish-1"].counters.blocks_received - other) < 0.7
    assert lag(network, "plain-1") <= 6


def test_a_link_may_be_slow_or_lossy_in_one_direction(network: SimulatedNetwork) -> None:
    """Blocks of one whale reach one node late; those of others do not."""
    told: list[tuple[float, Happening]] = []
    network.observer = lambda happening: told.append((network.now_ms, happening))
    network.network.links[("whale-1", "plain-1")] = Link(factor=100.0)
    network.network.links[("whale-2", "plain-1")] = Link(loss=1.0)
    network.run(slots=60)

    def delays(sender: str, receiver: str) -> list[float]:
        made = {each.block: at for at, each in told if each.kind == "produced" and each.node.spec.name == sender}
        return [
            at - made[each.block]
            for at, each in told
            if each.kind == "received" and each.node.spec.name == receiver and each.block in made
        ]

    assert min(delays("whale-1", "plain-1"), default=1e9) > 20_000  # or fetched before it came
    assert max(delays("whale-3", "plain-1")) < 30_000
    assert max(delays("whale-1", "fish-1")) < 30_000
    assert not delays("whale-2", "plain-1")
    assert delays("whale-2", "fish-1")


@pytest.mark.parametrize("slots", [-3.2, -0.9, 0.9, 2.6])
def test_a_wrong_clock_is_told_and_its_owner_leads_in_its_own_time(network: SimulatedNetwork, slots: float) -> None:
    make(network, "whale-1", skew_ms=slots * SLOT_MS)
    told: list[tuple[float, Happening]] = []
    network.observer = lambda happening: told.append((network.now_ms, happening))
    network.run(slots=40)
    now = network.status("whale-1").consensus_time_now
    assert now.global_slot == network.constants.slot_at(network.now_ms + slots * SLOT_MS)
    for at, each in told:
        if each.kind == "produced" and each.node.spec.name == "whale-1":
            assert each.block is not None
            begun = at + slots * SLOT_MS - each.block.date_ms
            assert SLOT_MS / 6 <= begun <= SLOT_MS / 3 + 1


def test_blocks_from_the_future_are_refused_and_counted(network: SimulatedNetwork) -> None:
    make(network, "plain-1", skew_ms=-3.2 * SLOT_MS)
    network.run(slots=20)
    assert network.network.nodes["plain-1"].counters.received_early > 5
    assert lag(network, "plain-1") > 5


def test_a_time_offset_is_told_and_moves_the_clock(network: SimulatedNetwork) -> None:
    make(network, "plain-1", time_offset_s=360)
    assert b'"timeOffset":360' in network.answers.reply(
        network.network.nodes["plain-1"], b'{"query": "{ timeOffset }"}'
    )
    assert network.status("plain-1").consensus_time_now.global_slot == network.slot - 2


def test_a_prover_that_fails_says_so_and_makes_no_block(network: SimulatedNetwork) -> None:
    make(network, "whale-1", prover_fails=1.0)
    counters = network.network.nodes["whale-1"].counters
    won, made = counters.slots_won, counters.blocks_produced
    network.run(slots=40)
    assert counters.blocks_produced <= made + 1
    assert counters.prover_failures >= counters.slots_won - won - 1 > 3
    happening = next(
        entry for _, entry in network.logs["whale-1"] if isinstance(entry, Happening) and entry.kind == "prover-failed"
    )
    ((template, metadata),) = log_lines.lines_of(happening, None)
    line = parse_line(log_lines.line(template, network.now_ms, happening.node, metadata, as_json=True))
    assert (line.level, line.source.module) == (Level.ERROR, "Block_producer")
    assert line.message.startswith("Prover failed to prove")


def test_who_withholds_wins_and_who_is_dormant_does_not(network: SimulatedNetwork) -> None:
    make(network, "whale-1", withholds=1.0)
    make(network, "whale-2", dormant=True)
    network.run(slots=1)
    first, second = (network.network.nodes[name].counters for name in ("whale-1", "whale-2"))
    before = (first.slots_won, first.blocks_produced, second.slots_won)
    network.run(slots=60)
    assert first.slots_won > before[0] + 3
    assert first.blocks_produced == before[1]
    assert second.slots_won == before[2]


def test_a_flapper_is_in_order(network: SimulatedNetwork) -> None:
    make(network, "plain-1", flaps=True)
    said = set()
    for _ in range(12):
        network.run(slots=1)
        said.add(network.status("plain-1").sync_status)
        assert lag(network, "plain-1") <= 1
    assert said == {SyncStatus.SYNCED, SyncStatus.CATCHUP}
