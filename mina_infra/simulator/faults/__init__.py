"""Faults by name, with ground truth, for whoever tests a judge of networks.

    scene = stage("stuck-synced", seed=7, nodes=20)       # a network, the fault, the time it takes to show
    scene.cluster, scene.outputs, scene.injected.nodes    # what a guardian sees, and what is true
    found = inject(cluster, "node-deaf", Random(3))       # into a network that is there already
    found.heal()

The words of `Fault.problems` and `Fault.may` are the guardian's vocabulary (guardian/checks, a constant for each):

inventory   missing-node, extra-node                    pods        crash-loop, not-scheduled, not-ready, no-pod, image
claims      unbound, other-size, ...                    answers     refused, bad-reply, silent, road, other-chain
sync        behind, stuck, bootstrap-hangs, catchup-hangs           forks       fork, deep-fork, split,
                                                                    partition, isolated
production  halt, slow-production                       versions    other-commit, other-image, missing-flag
crashes     crash, crash-burst, oom, restart-unexplained            clocks      clock-skew, time-offset
inclusion   no-transactions, no-proofs, no-coinbase     gossip      no-gossip, slow-gossip, pool-flat
tps         low-tps, pool-grows                         provers     prover-failures, blocks-lost
producers   silent-producer                             disk        disk-full, disk-filling
seeds       seed-down, too-few-seeds, seed-unreachable, seed-address
watch       cannot-tell

Names that end in (watchdog ...) in their sentence are what Mina's own watchdog could not see.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mina_infra.outputs import OutputsDocument
from mina_infra.simulator.cluster import SimulatedCluster
from mina_infra.simulator.deployment import outputs_of
from mina_infra.simulator.faults.chain import CHAIN_FAULTS
from mina_infra.simulator.faults.fault import Fault, Injected, Setup, Weight
from mina_infra.simulator.faults.nodes import NODE_FAULTS
from mina_infra.simulator.faults.pods import POD_FAULTS
from mina_infra.simulator.faults.work import WORK_FAULTS
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import SimulatedNetwork, small_network

__all__ = ["FAULTS", "Fault", "Injected", "Scene", "Setup", "Weight", "inject", "population", "stage", "staged"]

FAULTS: dict[str, Fault] = {fault.name: fault for fault in (*CHAIN_FAULTS, *NODE_FAULTS, *POD_FAULTS, *WORK_FAULTS)}


@dataclass
class Scene:
    """A network as a guardian meets it, and what is wrong with it (None: nothing)."""

    network: SimulatedNetwork
    cluster: SimulatedCluster
    outputs: OutputsDocument
    fault: Fault | None = None
    injected: Injected | None = None


def inject(cluster: SimulatedCluster, name: str, rng: Random, severity: float = 0.5) -> Injected:
    """Bring a fault into a network; what it returns tells the nodes concerned and heals. Raises KeyError."""
    return FAULTS[name].inject(cluster, rng, severity)


def population(nodes: int) -> list[NodeSpec]:
    """So many nodes, at least 14: seeds, a coordinator, whales, fish and followers, about as a QA network has them."""
    if nodes < 14:
        raise ValueError("a network of fewer than 14 nodes has too few of each kind")
    seeds, whales, fish = (2 if nodes < 100 else 3), min(max(nodes // 4, 4), 15), nodes // 4
    return small_network(whales=whales, fish=fish, seeds=seeds, plain=nodes - seeds - whales - fish - 1)


def staged(seed: int, nodes: int = 20, setup: Setup | None = None) -> Scene:
    """A healthy network that has lived, and its deployment."""
    setup = setup or Setup()
    network = SimulatedNetwork(seed, population(nodes), k=setup.k, commands_per_slot=setup.commands_per_slot)
    network.run(slots=setup.slots_before)
    return Scene(network, SimulatedCluster(network), outputs_of(network))


def stage(name: str, seed: int, nodes: int = 20, severity: float = 0.5) -> Scene:
    """A network with that fault, when a look can know. Same arguments, same scene. Raises KeyError.

    What must be watched (`Fault.watched`) is as it was when the fault came: the time that it takes is left to whoever
    looks again and again.
    """
    fault = FAULTS[name]
    scene = staged(seed, nodes, fault.setup)
    scene.fault = fault
    scene.injected = fault.inject(scene.cluster, Random(f"{name} {seed}"), severity)
    if not fault.watched:
        scene.network.run(slots=fault.slots)
    return scene
