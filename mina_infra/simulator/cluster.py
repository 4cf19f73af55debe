"""A Cluster over a simulated network: pods, claims, logs and daemons, with everything that may go wrong with them.

    network = SimulatedNetwork(seed=7, nodes=small_network())
    cluster = SimulatedCluster(network)
    virtual_time.run(verify(cluster, outputs_of(network), deadline_s=0, clock=cluster.clock))

Under `virtual_time.run` every wait is virtual: an answer takes `delays[node]` seconds, a silent node never answers, and
the network lives on meanwhile. On an ordinary event loop answers come at once and a silent node is a NoAnswerError.
What a node does wrong itself is set on the network (simulator.faults); here is what its surroundings do wrong.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.exec import ExecFailedError, ExecResult
from mina_infra.cluster.fanout import NoAnswerError
from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.objects import Claim, Deployment, Event, Pod
from mina_infra.cluster.replies import PortRefusedError
from mina_infra.cluster.roads import Door, Road
from mina_infra.errors import ClusterError
from mina_infra.simulator import cli_status, metrics, virtual_time
from mina_infra.simulator.containers import Life, PodRecord, log_text, moment
from mina_infra.simulator.deployment import CLAIM_GIB, CLASS, GIB, LABELS, claim_name, role_of
from mina_infra.simulator.pods import CONTAINER
from mina_infra.simulator.simulated import SimulatedNetwork
from mina_infra.simulator.view import CONFIG_DIR, View

_FOR_EVER = 1e9


@dataclass
class SimulatedClock:
    """The guardian's clock over a network. Waiting lets the network live on."""

    network: SimulatedNetwork
    _loop: virtual_time.VirtualLoop | None = None
    _origin_ms: float = 0.0

    def now(self) -> float:
        self.catch_up()
        return self.network.now_ms / 1000

    async def sleep(self, seconds: float) -> None:
        if virtual_time.current() is None:
            self.network.run(slots=seconds * 1000 / self.network.constants.slot_ms)
            return
        self.catch_up()  # first, so that the wait counts from the network's present
        await asyncio.sleep(seconds)
        self.catch_up()

    def catch_up(self) -> None:
        """Let the network live up to the moment of the virtual loop; one that is ahead of it moves the loop's zero."""
        loop = virtual_time.current()
        if loop is None:
            return
        present = self._origin_ms + loop.time() * 1000
        if loop is not self._loop or self.network.now_ms > present:
            self._loop, self._origin_ms = loop, self.network.now_ms - loop.time() * 1000
        elif present > self.network.now_ms:
            self.network.network.advance(present)


@dataclass
class SimulatedCluster:
    """Pods, claims and daemons of a simulated network. `strangers` are nodes that live in another network.

    All sets and mappings are by node name.
    """

    network: SimulatedNetwork
    namespace: str = "testnet"
    server: str = "https://127.0.0.1:6443"
    silent: set[str] = field(default_factory=set)
    delays: dict[str, float] = field(default_factory=dict)
    """Seconds that an answer takes, in virtual time."""
    babbling: dict[str, bytes] = field(default_factory=dict)
    refusing: set[str] = field(default_factory=set)
    """Whose port is closed though the pod runs."""
    road_closed: set[str] = field(default_factory=set)
    without_deployment: set[str] = field(default_factory=set)
    extra_deployments: set[str] = field(default_factory=set)
    pending_claims: set[str] = field(default_factory=set)
    strangers: dict[str, SimulatedNetwork] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    blind_to: set[str] = field(default_factory=set)
    """What the API server does not tell: pods, deployments, claims, events, logs, exec."""
    metrics_namespace: str = metrics.NAMESPACE
    """What the names of the daemons' metrics begin with."""
    disk: dict[str, float] = field(default_factory=dict)
    """Used share of a node's volume, 0..1; 0.2 where nothing is said."""
    protected: set[str] = field(default_factory=set)
    """Whose eviction a disruption budget forbids."""
    labels: Mapping[str, str] | None = field(default_factory=lambda: dict(LABELS))
    road: Road | None = Road.PORT_FORWARD
    road_notes: tuple[str, ...] = ()
    doors: list[Door] = field(default_factory=list)
    """Those that a road was last looked for with."""
    asked: list[str] = field(default_factory=list)
    """The pods whose daemons were asked, in order."""

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(self.network)
        self.records: dict[str, PodRecord] = {}
        self.told: list[Event] = []

    # --- what happens to pods -------------------------------------------------------------------------------------

    def record(self, name: str) -> PodRecord:
        """The pod of a node."""
        return self.records.setdefault(name, PodRecord(name))

    def end_container(
        self, name: str, exit_code: int = 1, reason: str = "Error", last_words: Sequence[str] = ()
    ) -> None:
        """The daemon's container ends with these last lines and is not started again by itself."""
        for words in last_words:
            self.network.write(name, words)
        node, record = self.network.network.nodes[name], self.record(name)
        log = tuple(self.network.logs.pop(name, ()))
        record.lives.append(Life(exit_code, reason, node.started_ms, self.network.now_ms, log))
        record.restarts += 1
        record.waiting = "CrashLoopBackOff"
        if node.running:
            self.network.crash(name)
        self.tell("Pod", record.name, "BackOff", "Back-off restarting failed container")

    def start_container(self, name: str, *, keep_volume: bool = True) -> None:
        """The kubelet starts it again."""
        self.record(name).waiting = None
        self.network.restart(name, keep_volume=keep_volume)

    def restart_container(
        self, name: str, exit_code: int = 1, reason: str = "Error", last_words: Sequence[str] = (),
        *, down_slots: float = 0.0, keep_volume: bool = True,
    ) -> None:  # fmt: skip
        """End and start again, after a while in which time passes."""
        self.end_container(name, exit_code, reason, last_words)
        self.network.run(down_slots)
        self.start_container(name, keep_volume=keep_volume)

    def replace_pod(self, name: str, *, keep_volume: bool = True) -> None:
        """The pod is deleted and its Deployment makes another: new name and uid, no previous log."""
        old = self.record(name)
        self.records[name] = PodRecord(name, old.number + 1, moment(self.network.now_ms), image=old.image)
        self.network.logs.pop(name, None)
        self.network.restart(name, keep_volume=keep_volume)
        self.tell("Pod", old.name, "Killing", "Stopping container mina", kind="Normal")

    def tell(self, about: str, name: str, reason: str, message: str, *, kind: str = "Warning") -> None:
        """An event of the namespace."""
        self.told.append(Event(f"{about}/{name}", kind, reason, message, 1, moment(self.network.now_ms)))

    # --- the API server -------------------------------------------------------------------------------------------

    async def namespace_labels(self) -> Mapping[str, str] | None:
        return self.labels

    async def pods(self) -> list[Pod]:
        self._see("pods")
        names = [name for name in self.network.names if name not in self.without_deployment | self.paused]
        return [self.record(name).pod(self.network, self._labels(name)) for name in names]

    def _labels(self, name: str) -> dict[str, str]:
        return {"app": name, "testnet": "testnet", "role": role_of(self.network.network.nodes[name].spec)}

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
                CLAIM_GIB * GIB, None if name in self.pending_claims else CLAIM_GIB * GIB, f"pv-{name}", {},
            )
            for name in self.network.names
        ]  # fmt: skip

    async def events(self) -> list[Event]:
        self._see("events")
        return list(self.told)

    async def server_time(self) -> datetime:
        self.clock.catch_up()
        return moment(self.network.now_ms)

    async def evict(self, pod: str, *, grace_seconds: int | None = None, dry_run: bool = False) -> None:
        name = self._node_of(pod)
        if name in self.protected:
            raise ApiStatusError(429, "TooManyRequests", "Cannot evict pod as it would violate the disruption budget.")
        if not dry_run:
            self.replace_pod(name)

    def _see(self, what: str) -> None:
        if what in self.blind_to:
            raise ClusterError(f"{what}: the API server answers 503")
        self.clock.catch_up()

    def _node_of(self, pod: str) -> str:
        name = pod.rpartition("-")[0]
        if name not in self.network.network.nodes or name in self.without_deployment or self.record(name).name != pod:
            raise ApiStatusError(404, "NotFound", f'pods "{pod}" not found')
        return name

    # --- daemons --------------------------------------------------------------------------------------------------

    async def find_road(self, doors: Sequence[Door]) -> None:
        self.doors = list(doors)

    async def graphql(
        self,
        pod: str,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        port: int = 3085,
        limited: int | None = None,
    ) -> bytes:
        self.asked.append(pod)
        name = self._node_of(pod)
        await self._reach(name)
        if name in self.babbling:
            return self.babbling[name]
        network = self.strangers.get(name, self.network)
        if not network.network.nodes[name].running or name in self.refusing:
            raise PortRefusedError(f"dial tcp 127.0.0.1:{port}: connect: connection refused")
        body = json.dumps({"query": query, "variables": dict(variables or {})}).encode()
        narrow = limited is not None and self.road is not None and self.road.limited
        return network.answers.reply(network.network.nodes[name], body, limited=narrow)

    async def metrics(self, pod: str, port: int) -> bytes:
        name = self._node_of(pod)
        await self._reach(name)
        if name not in self.network.running:
            raise PortRefusedError(f"dial tcp 127.0.0.1:{port}: connect: connection refused")
        view = View(self.network.network, self.network.network.nodes[name])
        return metrics.text(view, self.metrics_namespace).encode()

    async def _reach(self, name: str) -> None:
        """As long as the way and the answer take. Raises ClusterError."""
        if name in self.road_closed:
            raise ClusterError("the tunnel is not there yet")
        virtual = virtual_time.current() is not None
        if name in self.silent:
            if virtual:
                await asyncio.sleep(_FOR_EVER)
            raise NoAnswerError("no answer within 5 s")
        if virtual and (delay := self.delays.get(name, 0.0)) > 0:
            await asyncio.sleep(delay)
        self.clock.catch_up()
        if name in self.strangers:
            stranger = self.strangers[name]
            stranger.network.advance(self.network.now_ms)

    async def read_log(self, pod: str, container: str, part: LogRange = LogRange()) -> bytes:  # noqa: B008
        self._see("logs")
        name = self._node_of(pod)
        record = self.record(name)
        if container != CONTAINER:
            raise ApiStatusError(400, "BadRequest", f"container {container} is not valid for pod {pod}")
        if not part.previous:
            return log_text(self.network, tuple(self.network.logs.get(name, ())), part)
        if not record.lives:
            raise ApiStatusError(
                400, "BadRequest", f'previous terminated container "{container}" in pod "{pod}" not found'
            )
        return log_text(self.network, record.lives[-1].log, part)

    async def follow_log(self, pod: str, container: str, part: LogRange = LogRange()) -> AsyncIterator[bytes]:  # noqa: B008
        """Until the pod or its container is another one."""
        lives, since = len(self.record(self._node_of(pod)).lives), part
        seen = 0
        while len(self.record(self._node_of(pod)).lives) == lives:
            lines = (await self.read_log(pod, container, since)).splitlines()
            for line in lines[seen:]:
                yield line
            seen = max(seen, len(lines))
            await self.clock.sleep(self.network.constants.slot_ms / 6000)

    async def exec(self, pod: str, container: str, argv: Sequence[str], *, timeout: float = 30.0) -> ExecResult:
        self._see("exec")
        name = self._node_of(pod)
        if self.record(name).waiting or name not in self.network.running:
            raise ExecFailedError(f'container not found ("{container}")')
        try:
            async with asyncio.timeout(timeout):
                return await self._run(name, list(argv))
        except TimeoutError as error:
            raise NoAnswerError(f"{argv[0]!r} in {pod} did not end within {timeout:g} s") from error

    async def _run(self, name: str, argv: list[str]) -> ExecResult:
        if argv[:1] == ["df"]:
            return ExecResult(self._df(name).encode(), b"", 0)
        if argv[:1] != ["mina"]:
            return ExecResult(b"", f"{argv[0]}: command not found\n".encode(), 127)
        await self._reach(name)
        code, text = cli_status.run(View(self.network.network, self.network.network.nodes[name]), argv[1:])
        return ExecResult(text.encode(), b"", code)

    def _df(self, name: str) -> str:
        """`df -P` in blocks of 1024 bytes, whatever the options are."""
        size = CLAIM_GIB * GIB // 1024
        used = round(size * self.disk.get(name, 0.2))
        return (
            "Filesystem     1024-blocks    Used Available Capacity Mounted on\n"
            f"/dev/sdb {size} {used} {size - used} {-(-100 * used // size)}% {CONFIG_DIR}\n"
        )
