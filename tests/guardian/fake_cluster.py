"""A Cluster over a simulated network in virtual time, with faults that a test switches on by name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mina_infra.cluster.exec import ExecResult
from mina_infra.cluster.fanout import NoAnswerError
from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.objects import Claim, Container, Deployment, Event, Pod
from mina_infra.cluster.portforward import PortRefusedError
from mina_infra.errors import ClusterError
from mina_infra.guardian.verdict import Verdict
from mina_infra.guardian.verify import Progress, verify
from mina_infra.outputs import ChainOutput, ClaimOutput, NodeOutput, OutputsDocument, SeedOutput
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import SimulatedNetwork, small_network

GIB = 2**30
CLASS = "mina-local-ssd"


@dataclass
class SimulatedClock:
    """Waiting lets the network live on."""

    network: SimulatedNetwork

    def now(self) -> float:
        return self.network.now_ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.network.run(slots=seconds * 1000 / self.network.constants.slot_ms)


@dataclass
class FakeCluster:
    """Pods, claims and daemons of a simulated network. `strangers` are nodes that live in another network."""

    network: SimulatedNetwork
    namespace: str = "testnet"
    server: str = "https://127.0.0.1:6443"
    silent: set[str] = field(default_factory=set)
    babbling: dict[str, bytes] = field(default_factory=dict)
    road_closed: set[str] = field(default_factory=set)
    without_deployment: set[str] = field(default_factory=set)
    extra_deployments: set[str] = field(default_factory=set)
    pending_claims: set[str] = field(default_factory=set)
    strangers: dict[str, SimulatedNetwork] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    blind_to: set[str] = field(default_factory=set)
    labels: Mapping[str, str] | None = field(
        default_factory=lambda: {"app.kubernetes.io/managed-by": "mina-infra", "testnet": "testnet"}
    )

    async def namespace_labels(self) -> Mapping[str, str] | None:
        return self.labels

    async def pods(self) -> list[Pod]:
        self._see("pods")
        names = [name for name in self.network.names if name not in self.without_deployment | self.paused]
        return [self._pod(name) for name in names]

    def _pod(self, name: str) -> Pod:
        runs = name in self.network.running
        state = Container("mina", runs, 0 if runs else 3, None if runs else "CrashLoopBackOff", None, None)
        labels = {"app": name, "testnet": "testnet", "role": role_of(self.network.network.nodes[name].spec)}
        return Pod(
            f"{name}-0", f"uid-{name}", name, "Running", runs, False, datetime(2026, 1, 1, tzinfo=UTC), (state,),
            None, labels, {},
        )  # fmt: skip

    async def deployments(self) -> list[Deployment]:
        self._see("deployments")
        names = [name for name in self.network.names if name not in self.without_deployment]
        names += sorted(self.extra_deployments)
        return [Deployment(name, name, int(name not in self.paused), {"app": name}) for name in names]

    async def claims(self) -> list[Claim]:
        self._see("claims")
        return [
            Claim(
                claim_name(name), "Pending" if name in self.pending_claims else "Bound", CLASS, ("ReadWriteOncePod",),
                4 * GIB, None if name in self.pending_claims else 4 * GIB, f"pv-{name}", {},
            )
            for name in self.network.names
        ]  # fmt: skip

    def _see(self, what: str) -> None:
        if what in self.blind_to:
            raise ClusterError(f"{what}: the API server answers 503")

    async def graphql(
        self, pod: str, query: str, variables: Mapping[str, Any] | None = None, *, port: int = 3085
    ) -> bytes:
        name = pod.removesuffix("-0")
        if name in self.silent:
            raise NoAnswerError("no answer within 6 s")
        if name in self.road_closed:
            raise ClusterError("the tunnel is not there yet")
        if name in self.babbling:
            return self.babbling[name]
        network = self.strangers.get(name, self.network)
        if name not in network.running:
            raise PortRefusedError("dial tcp 127.0.0.1:3085: connect: connection refused")
        body = json.dumps({"query": query, "variables": dict(variables or {})}).encode()
        return network.answers.reply(network.network.nodes[name], body)

    async def events(self) -> list[Event]:
        return []

    async def read_log(self, pod: str, container: str, part: LogRange = LogRange()) -> bytes:  # noqa: B008
        return b""

    def follow_log(self, pod: str, container: str, part: LogRange = LogRange()) -> AsyncIterator[bytes]:  # noqa: B008
        raise NotImplementedError

    async def exec(self, pod: str, container: str, argv: Sequence[str], *, timeout: float = 30.0) -> ExecResult:
        raise NotImplementedError

    async def evict(self, pod: str, *, grace_seconds: int | None = None, dry_run: bool = False) -> None:
        raise NotImplementedError

    async def server_time(self) -> datetime:
        return datetime.fromtimestamp(self.network.now_ms / 1000, UTC)


def role_of(spec: NodeSpec) -> str:
    if spec.seed:
        return "seed"
    if spec.snark_coordinator:
        return "snark-coordinator"
    return "block-producer" if spec.stake else "plain"


def claim_name(node: str) -> str:
    return f"{node}-runtime-state-e1"


def outputs_of(network: SimulatedNetwork, **changes: Any) -> OutputsDocument:
    """The document that a deployment of exactly these nodes would have left."""
    specs = [node.spec for node in network.network.nodes.values()]
    total = sum(spec.stake for spec in specs)
    nodes = [
        NodeOutput(
            name=spec.name,
            role=role_of(spec),
            group=spec.name.rsplit("-", 1)[0],
            stake=100 * spec.stake / total if total else 0,
            ports={"graphql": 3085},
            peer_id=spec.identity if spec.seed else None,
        )
        for spec in specs
    ]
    seeds = [
        SeedOutput(
            name=spec.name,
            host=f"{spec.name}.testnet",
            port=spec.p2p_port,
            peer_id=spec.identity,
            multiaddress=f"/dns4/{spec.name}.testnet/tcp/{spec.p2p_port}/p2p/{spec.identity}",
        )
        for spec in specs
        if spec.seed
    ]
    claims = [
        ClaimOutput(
            name=claim_name(spec.name), kind="runtime-state", node=spec.name, size_gib=4, storage_class=CLASS,
            access_mode="ReadWriteOncePod", retention="delete",
        )
        for spec in specs
    ]  # fmt: skip
    constants = network.constants
    document = OutputsDocument(
        testnet="testnet",
        era=1,
        namespace="testnet",
        nodes=nodes,
        seeds=seeds,
        claims=claims,
        images={"daemon": "mina"},
        chain=ChainOutput(slot_ms=constants.slot_ms, k=constants.k, active_slots=constants.active_slots),
    )
    return document.model_copy(update=changes)


@dataclass
class World:
    """A network, the cluster it is seen through, and what was deployed."""

    network: SimulatedNetwork
    cluster: FakeCluster
    outputs: OutputsDocument
    progress: list[Progress] = field(default_factory=list)

    def verify(self, deadline_slots: float = 0) -> Verdict:
        """The verdict after at most so many slots of waiting."""
        deadline = deadline_slots * self.network.constants.slot_ms / 1000
        clock = SimulatedClock(self.network)
        return asyncio.run(verify(self.cluster, self.outputs, deadline, self.progress.append, clock=clock))


def world(seed: int = 1, nodes: list[NodeSpec] | None = None, *, slots: float = 40, k: int = 290) -> World:
    """A network of 11 nodes, or of those, that has lived for some slots."""
    network = SimulatedNetwork(seed, nodes or small_network(), k=k)
    network.run(slots=slots)
    return World(network, FakeCluster(network), outputs_of(network))
