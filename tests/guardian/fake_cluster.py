"""A simulated testnet as the guardian meets it: network, cluster and outputs, judged in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field

from mina_infra.guardian.verdict import Verdict
from mina_infra.guardian.verify import Progress, verify
from mina_infra.outputs import OutputsDocument
from mina_infra.simulator import virtual_time
from mina_infra.simulator.cluster import SimulatedClock, SimulatedCluster
from mina_infra.simulator.deployment import CLASS, GIB, claim_name, outputs_of, role_of
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import SimulatedNetwork, small_network

FakeCluster = SimulatedCluster

__all__ = ["CLASS", "GIB", "FakeCluster", "SimulatedClock", "World", "claim_name", "outputs_of", "role_of", "world"]


@dataclass
class World:
    """A network, the cluster it is seen through, and what was deployed."""

    network: SimulatedNetwork
    cluster: SimulatedCluster
    outputs: OutputsDocument
    progress: list[Progress] = field(default_factory=list)

    def verify(self, deadline_slots: float = 0) -> Verdict:
        """The verdict after at most so many slots of waiting."""
        deadline = deadline_slots * self.network.constants.slot_ms / 1000
        judging = verify(self.cluster, self.outputs, deadline, self.progress.append, clock=self.cluster.clock)
        return virtual_time.run(judging)


def world(seed: int = 1, nodes: list[NodeSpec] | None = None, *, slots: float = 40, k: int = 290) -> World:
    """A network of 11 nodes, or of those, that has lived for some slots."""
    network = SimulatedNetwork(seed, nodes or small_network(), k=k)
    network.run(slots=slots)
    return World(network, SimulatedCluster(network), outputs_of(network))
