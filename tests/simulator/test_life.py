"""Starting, stopping, losing and keeping volumes, being cut off: what a node says through each of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mina_infra.daemon.replies import SyncStatus
from mina_infra.simulator.joining import Happening
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import NodeDown, SimulatedNetwork, small_network
from mina_infra.simulator.store import MemoryStore


@pytest.fixture
def network() -> SimulatedNetwork:
    network = SimulatedNetwork(seed=1, slot_ms=1000)
    network.run(slots=30)
    return network


def statuses_of(network: SimulatedNetwork, name: str, slots: float) -> list[SyncStatus]:
    seen: list[SyncStatus] = []
    for _ in range(int(slots * 50)):
        network.run(slots=0.02)
        status = network.status(name).sync_status
        if not seen or seen[-1] != status:
            seen.append(status)
    return seen


def test_a_new_network_bootstraps_from_the_genesis_block() -> None:
    network = SimulatedNetwork(seed=1, slot_ms=1000)
    seen = statuses_of(network, "whale-1", slots=3)
    assert seen == [SyncStatus.CONNECTING, SyncStatus.BOOTSTRAP, SyncStatus.CATCHUP, SyncStatus.SYNCED]


def test_a_node_with_its_volume_catches_up_and_never_bootstraps(network: SimulatedNetwork) -> None:
    before = network.tip("whale-1").height
    network.restart("whale-1", down_slots=6)
    assert network.tip("whale-1").height == before
    assert statuses_of(network, "whale-1", slots=2) == [SyncStatus.CONNECTING, SyncStatus.CATCHUP, SyncStatus.SYNCED]
    assert network.tip("whale-1").height >= network.tip("seed-1").height - 1


def test_a_node_without_its_volume_bootstraps(network: SimulatedNetwork) -> None:
    network.restart("whale-1", keep_volume=False)
    assert SyncStatus.BOOTSTRAP in statuses_of(network, "whale-1", slots=2)
    assert network.status("whale-1").blockchain_length == network.tip().height


def test_a_bootstrapping_node_has_no_best_chain(network: SimulatedNetwork) -> None:
    network.restart("whale-1", keep_volume=False)
    network.run(slots=0.2)
    assert network.status("whale-1").sync_status is SyncStatus.BOOTSTRAP
    assert network.best_chain("whale-1") is None
    assert network.status("whale-1").blockchain_length is None


def test_a_node_that_was_down_for_more_than_k_blocks_bootstraps() -> None:
    network = SimulatedNetwork(seed=1, k=10)
    network.run(slots=30)
    network.restart("plain-1", down_slots=40)
    assert SyncStatus.BOOTSTRAP in statuses_of(network, "plain-1", slots=2)


def test_the_whole_network_carries_on_from_the_volumes_alone(network: SimulatedNetwork) -> None:
    top, volumes = network.tip().height, dict(network._volumes)
    for name in network.names:
        network.network.stop(name)
    reborn = SimulatedNetwork(seed=1, nodes=[], slot_ms=1000)
    reborn.network.now = network.now_ms
    for node in network.network.nodes.values():
        reborn.network.start(node.spec, volumes[node.spec.name])
    reborn.run(slots=10)
    assert reborn.tip().height > top
    assert {reborn.status(name).sync_status for name in reborn.names} == {SyncStatus.SYNCED}
    assert all(node.counters.bootstraps == 0 for node in reborn.network.nodes.values())


def test_a_network_that_lost_all_volumes_begins_again(network: SimulatedNetwork) -> None:
    for name in network.names:
        network.crash(name)
    for name in network.names:
        network.restart(name, keep_volume=False)
    network.run(slots=2)
    assert network.tip().height < 5


def test_the_frontier_of_another_genesis_is_set_aside(network: SimulatedNetwork) -> None:
    other = SimulatedNetwork(seed=2, slot_ms=1000)
    other.run(slots=20)
    network.network.start(NodeSpec("stranger"), other._volumes["whale-1"])
    network.run(slots=3)
    assert network.network.nodes["stranger"].counters.bootstraps == 1
    assert network.fork_depth("stranger") == 0


def test_a_node_without_a_contact_stays_alone() -> None:
    network = SimulatedNetwork(seed=1)
    network.add(NodeSpec("lost", contacts=("12D3KooW" + "x" * 44,)))
    network.run(slots=5)
    assert network.status("lost").sync_status is SyncStatus.CONNECTING
    assert network.status("lost").peers == ()


def test_a_short_partition_heals_and_a_fork_is_seen_meanwhile(network: SimulatedNetwork) -> None:
    network.partition(["whale-1", "seed-1"])
    network.run(slots=20)
    assert network.fork_depth("whale-1") >= 2
    network.heal()
    network.run(slots=5)
    assert {network.fork_depth(name) for name in network.names} == {0}


def test_a_fork_deeper_than_k_never_heals() -> None:
    network = SimulatedNetwork(seed=1, nodes=small_network(whales=2), k=6)
    network.run(slots=20)
    network.partition(["whale-1", "seed-1"])
    network.run(slots=40)
    network.heal()
    network.run(slots=10)
    counters = [node.counters for node in network.network.nodes.values()]
    assert any(count.no_common_ancestor or count.bootstraps > 1 for count in counters)


def test_a_dead_node_does_not_answer(network: SimulatedNetwork) -> None:
    network.crash("fish-1")
    with pytest.raises(NodeDown):
        network.status("fish-1")


def test_nothing_is_told_before_it_is_in_the_volume() -> None:
    """So a kill at any moment cannot make a height fall that somebody has seen."""
    network = SimulatedNetwork(seed=9)
    for _ in range(40):
        network.run(slots=1)
        told = network.status("whale-2").blockchain_length or 0
        stored = network._volumes["whale-2"].load()
        assert told == 0 or (stored is not None and max(block.height for block in stored.blocks) >= told)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["whale-1", "fish-1", "seed-2"]), st.booleans(), st.floats(0, 6)), max_size=8)
)
def test_a_reported_height_never_falls_while_the_volume_stays(faults: list[tuple[str, bool, float]]) -> None:
    network = SimulatedNetwork(seed=4)
    network.run(slots=10)
    highest: dict[str, int] = {}
    for name, killed, slots in faults:
        if killed:
            network.crash(name)
        network.restart(name)
        network.run(slots)
        for other in network.names:
            height = network.status(other).blockchain_length
            if height is not None:
                assert height >= highest.get(other, 0)
                highest[other] = height


def test_what_happens_is_told_to_the_observer() -> None:
    told: list[Happening] = []
    network = SimulatedNetwork(seed=1, observer=told.append)
    network.run(slots=5)
    assert {"started", "connected", "bootstrap", "catchup", "synced", "produced", "received"} <= {
        it.kind for it in told
    }


def test_a_suspended_machine_does_not_make_up_blocks() -> None:
    network = SimulatedNetwork(seed=1)
    network.run(slots=20)
    before = network.tip().height
    network.network.advance(network.now_ms + 5000 * 180_000, skip_stale_slots=True)
    assert network.tip().height <= before + 4


def test_a_start_on_a_used_memory_volume_is_a_restart() -> None:
    store = MemoryStore()
    first = SimulatedNetwork(seed=1, nodes=[])
    first.network.start(NodeSpec("seed-1", seed=True, stake=1), store)
    first.run(slots=10)
    first.network.stop("seed-1")
    assert store.frontier is not None
    assert len(store.frontier.blocks) > 3


def test_a_restart_offers_nothing_twice() -> None:
    """The pool of a network in which one node started again is that of the same network without."""
    network = SimulatedNetwork(seed=5)
    network.run(slots=60)
    before = network.network.load.offered_at(network.now_ms)
    network.restart("plain-1")
    assert network.network.load.offered_at(network.now_ms) == before
