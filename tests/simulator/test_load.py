"""What blocks carry follows from what is offered and proved, on every branch, and nobody changes it by asking."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest

from mina_infra.daemon.replies import Block
from mina_infra.simulator import pools
from mina_infra.simulator.chain import COINBASE
from mina_infra.simulator.simulated import SimulatedNetwork, small_network

RATE = 5.0


@pytest.fixture
def network() -> SimulatedNetwork:
    network = SimulatedNetwork(3, small_network(whales=8, fish=4), commands_per_slot=RATE)
    network.run(slots=200)
    return network


def blocks(network: SimulatedNetwork, newest: int) -> tuple[Block, ...]:
    chain = network.best_chain("seed-1", newest)
    assert chain is not None
    return chain


def test_all_that_is_offered_is_on_the_chain_but_for_the_last_slots(network: SimulatedNetwork) -> None:
    carried = sum(block.commands for block in blocks(network, 290))
    offered = network.network.load.offered_at(network.now_ms)
    assert offered == pytest.approx(RATE * network.slot, rel=0.02)
    assert offered - 8 * RATE <= carried <= offered
    status = network.status("plain-1")
    assert status.metrics.transaction_pool_size == pytest.approx(offered - carried, abs=RATE)
    assert status.metrics.transaction_pool_diff_received == pytest.approx(offered, abs=RATE)


def test_each_block_has_its_coinbase_but_the_genesis(network: SimulatedNetwork) -> None:
    chain = blocks(network, 290)
    assert chain[0].height == 1
    assert [block.coinbase for block in chain] == [0] + [COINBASE] * (len(chain) - 1)


def test_work_is_bought_once_its_tree_and_the_next_two_are_full_and_ledger_proofs_come_out(
    network: SimulatedNetwork,
) -> None:
    """3 trees of 128 leaves (docs/facts.md: mina/scan-state); until then the work waits in the snark pool."""
    chain = network.network.nodes["seed-1"].chain(290)
    young = [block for block in chain if block.transactions_total <= 384]
    assert len(young) > 30
    assert not any(block.snark_jobs or block.proof for block in young)
    for parent, child in pairwise(chain[len(young) :]):
        assert child.work_total == child.transactions_total - 384
        assert child.snark_jobs == child.work_total - parent.work_total > 0
    assert sum(block.proof for block in chain) == chain[-1].work_total // 128 > 5
    assert network.status("plain-1").metrics.snark_pool_size == pytest.approx(384, abs=20)


def test_without_provers_blocks_run_out_of_room_and_fill_again_afterwards(network: SimulatedNetwork) -> None:
    """First for commands, in the end for the coinbase; pools and pending work grow meanwhile."""
    node = network.network.nodes["plain-1"]
    before = pools.pending_work(network.network, node)
    network.network.provers = False
    network.run(slots=110)
    starved = blocks(network, 5)
    assert all(block.commands == 0 and block.snark_jobs == 0 and block.coinbase == 0 for block in starved)
    assert pools.pool_size(network.network, node) > 20 * RATE
    assert pools.pending_work(network.network, node) > before + 100
    network.network.provers = True
    network.run(slots=30)
    assert sum(block.commands for block in blocks(network, 25)) > 20 * RATE
    assert blocks(network, 1)[0].coinbase == COINBASE
    assert pools.pool_size(network.network, node) < 8 * RATE


def test_provers_that_stop_are_missed_when_their_stock_is_used_up(network: SimulatedNetwork) -> None:
    network.network.provers = False
    network.run(slots=30)
    assert all(block.snark_jobs and block.commands for block in blocks(network, 10))
    network.run(slots=40)
    assert not any(block.snark_jobs for block in blocks(network, 5))
    network.run(slots=30)
    assert not any(block.commands or block.coinbase for block in blocks(network, 5))


def test_a_chain_without_a_coordinator_fills_its_scan_state_and_stops_carrying_anything() -> None:
    network = SimulatedNetwork(3, [spec for spec in small_network() if not spec.snark_coordinator])
    network.run(slots=120)
    chain = network.network.nodes["seed-1"].chain(290)
    assert all(block.snark_jobs == 0 for block in chain)
    assert chain[-1].transactions_total == 384 + 128
    assert chain[-1].coinbase == 0


def test_a_block_takes_no_more_than_fits(network: SimulatedNetwork) -> None:
    network.network.commands_per_slot = 1000
    network.run(slots=20)
    assert max(block.commands for block in blocks(network, 10)) == 126
    assert pools.pool_size(network.network, network.network.nodes["plain-1"]) > 5000


def test_asking_changes_nothing() -> None:
    quiet, asked = SimulatedNetwork(8), SimulatedNetwork(8)
    quiet.run(slots=40)
    for _ in range(400):
        asked.run(slots=0.1)
        for name in asked.names:
            asked.status(name)
    assert quiet.network.nodes["seed-1"].chain(100) == asked.network.nodes["seed-1"].chain(100)


def test_pools_of_a_network_that_carries_on_from_its_volumes_are_empty_and_not_negative() -> None:
    network = SimulatedNetwork(1, slot_ms=1000)
    network.run(slots=120)  # each block has to buy work
    before = network.tip()
    assert before.work_total == before.transactions_total - 384
    reborn = SimulatedNetwork(1, nodes=[], slot_ms=1000)
    reborn.network.now = network.now_ms
    for node in network.network.nodes.values():
        network.network.stop(node.spec.name)
        reborn.network.start(node.spec, node.store)
    assert reborn.network.commands_per_slot == RATE
    reborn.run(slots=20)
    newest = [block for block in blocks(reborn, 290) if block.height > before.height]
    assert len(newest) > 10
    assert all(block.coinbase == COINBASE and block.commands for block in newest[1:])
    assert newest[0].coinbase == COINBASE
    assert 0 < sum(block.commands for block in newest) < 30 * RATE
    assert all(block.snark_jobs for block in newest)


def test_a_flat_pool_hears_nothing_while_blocks_come(network: SimulatedNetwork) -> None:
    node = network.network.nodes["plain-1"]
    node.condition = replace(node.condition, pool_frozen_at=network.network.gossiped())
    first = network.status("plain-1").metrics
    network.run(slots=10)
    second, other = network.status("plain-1").metrics, network.status("fish-1").metrics
    assert second.transaction_pool_diff_received == first.transaction_pool_diff_received
    assert second.snark_pool_diff_received == first.snark_pool_diff_received
    assert other.transaction_pool_diff_received > first.transaction_pool_diff_received
    assert network.status("plain-1").blockchain_length == network.status("fish-1").blockchain_length


def test_a_node_that_comes_back_brings_no_transactions_along() -> None:
    """Those on the chain of its volume were offered and counted already."""
    network = SimulatedNetwork(1, small_network())
    network.run(slots=70)
    before = network.network.gossiped()[0]
    network.restart("plain-1")
    assert network.network.gossiped()[0] == before


def commands(network: SimulatedNetwork, field: str) -> list[dict[str, str]]:
    """What `seed-1` answers to a query with userCommands or pooledUserCommands."""
    text = f"{{ {field} }}".replace("PAYMENT", "{ hash nonce source { publicKey } amount kind __typename }")
    reply = network.answers.reply(network.network.nodes["seed-1"], msgspec.json.encode({"query": text}))
    data = msgspec.json.decode(reply)["data"]
    pooled: list[dict[str, str]] = data.get("pooledUserCommands", [])
    return pooled or [each for block in data["bestChain"] for each in block["transactions"]["userCommands"]]


def test_a_payment_is_in_the_pool_or_in_one_block_and_keeps_its_hash(network: SimulatedNetwork) -> None:
    carried = commands(network, "bestChain { transactions { userCommands PAYMENT } }")
    pooled = commands(network, "pooledUserCommands PAYMENT")
    status = network.status("seed-1")
    assert len(carried) == sum(block.commands for block in blocks(network, 290))
    assert len(pooled) == status.metrics.transaction_pool_size > 0
    assert [int(each["nonce"]) for each in carried + pooled] == list(range(len(carried) + len(pooled)))
    assert len({each["hash"] for each in carried + pooled}) == len(carried) + len(pooled)
    network.run(slots=8)
    later = commands(network, "bestChain { transactions { userCommands PAYMENT } }")
    assert [each for each in later if each in pooled] == pooled
