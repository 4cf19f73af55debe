"""The simulator of an embedded cluster: one simulated node for each daemon pod, in one process.

All that it knows lies in the API server and in the volumes: it may be killed at any moment and carries on from there.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mina_infra.cluster.api import POD, Kind, KubeApi, Manifest
from mina_infra.errors import ClusterError
from mina_infra.simulator import genesis, kwok, ledger_job, live_faults, log_lines, program, restarts
from mina_infra.simulator.chain import ChainConstants, chain_id
from mina_infra.simulator.check_pods import CheckPods, is_check
from mina_infra.simulator.flags import Flags, Refusal
from mina_infra.simulator.hosting import Daemon, HostedNetwork, Start, entrance, ledger_by_hash, wall_clock
from mina_infra.simulator.kwok import Kwok
from mina_infra.simulator.log_files import LogFile
from mina_infra.simulator.networks import Networks
from mina_infra.simulator.pods import (
    JOB_LABEL,
    USER_AGENT,
    DaemonPod,
    daemon_pod,
    is_running,
    user_agents,
)
from mina_infra.simulator.store import DirectoryStore
from mina_infra.simulator.volumes import NotThere, Volumes

LABELS = "app.kubernetes.io/managed-by=mina-infra"
_TICK_SECONDS = 0.05
_FLUSH_SECONDS = 2.0
"""How long a block may wait before it is written to a volume, if nobody asks earlier."""


async def run_simulator(api: KubeApi, state: Path) -> None:
    """Serve every daemon pod of the cluster until cancelled; then write what is pending and stop listening.

    Files: `state`/bin/mina for exec, `state`/logs/NAMESPACE/POD.log, and each node's state in its own volume.
    """
    program.install(state / "bin")
    world = World(api, state)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(world.watch_pods())
            tasks.create_task(world.networks.watch_stakes(api, LABELS))
            tasks.create_task(world.run_clock())
            tasks.create_task(world.doors.remind())
    finally:
        world.close()


class World:
    """The pods that are there, the networks that they form."""

    def __init__(self, api: KubeApi, state: Path) -> None:
        self.api = api
        self.state = state
        self.volumes = Volumes(api, state)
        self.doors = Kwok(api)
        self.daemons: dict[str, Daemon] = {}
        """By the pod's uid."""
        self.others: dict[str, tuple[str, LogFile, int]] = {}
        """Pods that run no daemon, by uid: namespace, log, number of user agents."""
        self.jobs: set[str] = set()
        self.checks = CheckPods(api, self.volumes, self.doors)
        self.networks = Networks()
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Semaphore(16)

    def close(self) -> None:
        """Write everything that is pending, stop listening."""
        for task in list(self._tasks):
            task.cancel()
        for daemon in list(self.daemons.values()):
            daemon.leave(clean=True)
            daemon.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """A mistake over one pod must not stop the others, but it must be seen."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            traceback.print_exception(error, file=sys.stderr)

    # --- watching -------------------------------------------------------------------------------------------------

    async def watch_pods(self) -> None:
        """Start, stop and forget nodes as their pods come and go."""
        async for event in self.api.watch(POD, labels=LABELS):
            if event.type == "SYNCED":
                items = event.object["items"]
                for uid in self._known() - {item["metadata"]["uid"] for item in items}:
                    self._gone(uid)
                for item in items:
                    self._seen(item)
                self._sweep(items)
            elif event.type == "DELETED":
                self._gone(event.object["metadata"]["uid"])
            else:
                self._seen(event.object)

    def _known(self) -> set[str]:
        return self.daemons.keys() | self.others.keys() | self.jobs

    def _seen(self, pod: Manifest) -> None:
        uid, labels = pod["metadata"]["uid"], pod["metadata"].get("labels") or {}
        if JOB_LABEL in labels:
            if uid not in self.jobs and pod.get("status", {}).get("phase") in ("Running", "Succeeded"):
                self.jobs.add(uid)
                self._spawn(
                    self.checks.play(pod, self._log(pod))
                    if is_check(labels)
                    else ledger_job.play(pod, self.volumes, self.jobs)
                )
            return
        if not is_running(pod):
            self._gone(uid)
            return
        if uid in self.daemons or uid in self.others:
            self._afflict(uid, pod)
            return
        if (described := daemon_pod(pod)) is not None:
            daemon = Daemon(described, self._log(pod), self._crashed)
            self.daemons[uid] = daemon
            daemon.suffer(live_faults.names_of(pod["metadata"].get("annotations")))
            self._spawn(self._run(daemon))
        else:
            self.others[uid] = (pod["metadata"]["namespace"], self._log(pod), user_agents(pod))
            self._spawn(self._play_other(pod, self.others[uid][1]))

    def _afflict(self, uid: str, pod: Manifest) -> None:
        """Obey the pod's annotation."""
        faults, daemon = live_faults.names_of(pod["metadata"].get("annotations")), self.daemons.get(uid)
        if daemon is not None and (end := restarts.obey(daemon, faults)) is not None:
            self._end(daemon)
            self._spawn(restarts.tell(self.api, daemon, end))

    def _gone(self, uid: str) -> None:
        self.jobs.discard(uid)
        self.checks.gone(uid)
        if (other := self.others.pop(uid, None)) is not None:
            other[1].delete()
        daemon = self.daemons.pop(uid, None)
        if daemon is not None:
            daemon.gone = True
            daemon.leave(clean=True)
            daemon.close()
            daemon.log.delete()
            self.volumes.drop_ephemeral(uid)
            self.networks.drop_empty()

    def _sweep(self, pods: Iterable[Manifest]) -> None:
        """Delete what pods left behind that went while nobody looked."""
        kept = {self._log_path(pod) for pod in pods}
        for file in (self.state / "logs").glob("*/*.log"):
            if file not in kept:
                file.unlink(missing_ok=True)
        for folder in self.volumes.ephemeral.glob("*"):
            if folder.name not in self.daemons:
                self.volumes.drop_ephemeral(folder.name)

    def _log_path(self, pod: Manifest) -> Path:
        return self.state.joinpath("logs", pod["metadata"]["namespace"], f"{pod['metadata']['name']}.log")

    def _log(self, pod: Manifest) -> LogFile:
        return LogFile(self._log_path(pod))

    # --- one daemon -----------------------------------------------------------------------------------------------

    async def _run(self, daemon: Daemon) -> None:
        """Bring a daemon up, however long it takes until its volumes are there; the end of a bad command line."""
        try:
            flags = daemon.pod.flags()
            daemon.take_flags(flags)
            await self._until_up(daemon, flags)
        except (Refusal, genesis.AnotherGenesis, ValueError, TypeError) as error:
            # The container would end and be restarted for ever: there is a log to read and nobody answers.
            daemon.log.add(wall_clock(), str(error))
            daemon.log.add(wall_clock(), "Mina process exited with status code 1")
            daemon.log.flush()
            await self._connect_kwok(daemon, [3085])
            daemon.close()

    async def _until_up(self, daemon: Daemon, flags: Flags) -> None:
        """Try again every second: without a volume the kubelet would wait, with a locked one the container restarts."""
        complained, connected = "", False
        while not daemon.gone:
            try:
                async with self._starting:
                    up = await self._bring_up(daemon, flags)
            except (NotThere, ClusterError):
                up = False
            except OSError as error:
                up = False
                if str(error) != complained:
                    complained = str(error)
                    daemon.write(log_lines.FATAL, {"exn": complained})
                    daemon.log.flush()
            if daemon.node is not None and not connected:
                await self._connect_kwok(daemon, daemon.pod.ports(flags), daemon.pod.limited_port(flags))
                connected = True
            if up:
                return
            await asyncio.sleep(1.0)

    async def _bring_up(self, daemon: Daemon, flags: Flags) -> bool:
        """Start the node. False while it can only wait in BOOTSTRAP: no genesis ledger, or no configuration at all.

        Raises Refusal, AnotherGenesis, ValueError, NotThere, ClusterError, OSError.
        """
        pod = daemon.pod
        if daemon.start is None:
            daemon.start = await self._look_up(pod, flags)
        start = daemon.start
        if any(other.directory == start.directory for other in self.daemons.values() if other is not daemon):
            raise OSError(f"{start.directory.name}/.mina-lock is held by another daemon")
        if daemon.gone:
            return False
        daemon.directory = start.directory
        if pod.guard is not None:
            genesis.guard(start.directory, pod.guard)
        if pod.owner is not None:
            genesis.own(start.directory, pod.owner)
        marker = genesis.read_marker(start.ledger) if start.ledger else None
        complete = start.complete and (start.ledger is None or marker is not None)
        if daemon.node is not None and not complete:
            return False
        daemon.leave(clean=True)
        constants = ChainConstants.from_runtime_config(start.config, marker.digest if marker else "")
        self._join(daemon, flags, start, constants, hold=not complete)
        return complete

    async def _look_up(self, pod: DaemonPod, flags: Flags) -> Start:
        """What is looked up once in the life of a pod, because a pod keeps its volumes. Raises NotThere, ValueError."""
        path = flags.one("config-file")
        config = await self.volumes.runtime_config(pod, path) if path else {"proof": {"compiled-in": True}}
        directory = await self.volumes.config_directory(pod, flags)
        shared = pod.genesis_mount
        ledger = await self.volumes.directory(pod.namespace, shared) if shared else None
        return Start(directory, ledger, config, complete=bool(path), size=self.volumes.size(directory))

    def _join(self, daemon: Daemon, flags: Flags, start: Start, constants: ChainConstants, *, hold: bool) -> None:
        pod = daemon.pod
        if hold:  # a chain of its own, which never begins
            constants = replace(constants, chain_id=chain_id({"genesis": pod.uid}))
        spec = pod.node_spec(flags)
        assert daemon.directory
        if hosted := entrance(self.networks, pod.namespace, start, spec):
            spec = replace(spec, name=f"{pod.namespace}.{spec.name}")
        else:
            constants = constants if hold else ledger_by_hash(self.networks, start, constants)
            hosted = self.networks.of(pod.namespace, constants)
            hosted.config = hosted.config or start.config
        hosted.advance()
        if spec.name in hosted.daemons:  # a second pod of one node, on another volume
            spec = replace(spec, name=pod.name)
        if hold:
            spec = replace(spec, hold=True, seed=True, stake=0.0)
        (daemon.directory / "mina.version").write_text(spec.commit_id)
        genesis.remember_peer(daemon.directory, spec.identity)
        hosted.daemons[spec.name] = daemon
        node = hosted.network.start(spec, DirectoryStore(daemon.directory))
        daemon.join(hosted, node)
        if hold:
            daemon.write(log_lines.ERROR, {"error": "Could not find a genesis ledger; waiting for it"})
        self.networks.drop_empty()

    async def _connect_kwok(self, daemon: Daemon, ports: list[int], limited: int | None = None) -> None:
        """Lead port-forward, logs and exec of the pod here; as often as it takes."""
        port = daemon.server.port or await daemon.server.start()
        targets = {port: ports}
        if limited is not None:
            targets[daemon.limited.port or await daemon.limited.start()] = [limited]
        pod = daemon.pod
        meta, names = kwok.metadata(pod.namespace, pod.name, pod.uid), list(pod.containers)
        objects = (
            (kwok.PORT_FORWARD, kwok.port_forward(meta, targets)),
            (kwok.LOGS, kwok.logs(meta, daemon.log.path, names, daemon.log.previous)),
            (kwok.EXEC, kwok.execs(meta, daemon.log.path.parent, port, names)),
        )
        for kind, manifest in objects:
            await self._put(pod.uid, kind, manifest)

    async def _put(self, uid: str, kind: Kind, manifest: Manifest) -> None:
        while uid in self.daemons or uid in self.others:
            try:
                async with self._starting:
                    await self.doors.put(kind, manifest)
                return
            except ClusterError:
                await asyncio.sleep(1.0)

    def _crashed(self, daemon: Daemon, error: OSError) -> None:
        """Its volume cannot be written: the program dies and its container is started again."""
        daemon.write(log_lines.FATAL, {"exn": str(error)})
        self._end(daemon)

    def _end(self, daemon: Daemon) -> None:
        """Like `kill -9`, and then the kubelet's restart."""
        daemon.leave(clean=False)
        daemon.close()
        daemon.directory = None
        if not daemon.gone:
            self._spawn(self._again(daemon))

    async def _again(self, daemon: Daemon) -> None:
        await asyncio.sleep(_FLUSH_SECONDS)
        if not daemon.gone and daemon.node is None:
            await self._run(daemon)

    # --- other pods -----------------------------------------------------------------------------------------------

    async def _play_other(self, pod: Manifest, log: LogFile) -> None:
        """Workers, databases and bots only have a log."""
        meta, names = pod["metadata"], [container["name"] for container in pod["spec"]["containers"]]
        log.add(wall_clock(), f"{' and '.join(names)} started")
        log.flush()
        manifest = kwok.logs(kwok.metadata(meta["namespace"], meta["name"], meta["uid"]), log.path, names)
        await self._put(meta["uid"], kwok.LOGS, manifest)

    # --- time -----------------------------------------------------------------------------------------------------

    async def run_clock(self) -> None:
        """Let time pass in every network, and write a share of the volumes and logs at each tick."""
        waiting: list[Daemon] = []
        while True:
            for hosted in self.networks:
                hosted.network.commands_per_slot = self._commands_per_slot(hosted)
                hosted.advance()
            waiting = waiting or list(self.daemons.values())
            share = -(-len(self.daemons) * _TICK_SECONDS // _FLUSH_SECONDS)
            for _ in range(min(int(share), len(waiting))):
                waiting.pop().flush()
            await asyncio.sleep(_TICK_SECONDS)

    def _commands_per_slot(self, hosted: HostedNetwork) -> float:
        """A user agent sends one payment a minute, wherever it runs in the namespace."""
        agents = sum(count for place, _, count in self.others.values() if place == hosted.namespace)
        agents += sum(daemon.pod.containers.count(USER_AGENT) for daemon in hosted.daemons.values())
        return agents * hosted.network.constants.slot_ms / 60_000
