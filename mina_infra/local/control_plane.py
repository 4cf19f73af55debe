"""Starts, repairs and removes the embedded cluster: etcd, API server, controller manager, scheduler and kwok.

`start` may be called at any time and in any state: after a kill of anything at any point, a reboot, a cleared cache.
It looks at what is there, decides what to do (`decide`, pure), does it, and says which.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import httpx2

from mina_infra.cluster.api import NODE, ApiStatusError, KubeApi, load_config
from mina_infra.errors import ClusterError
from mina_infra.local import kwokctl, processes, snapshot_kinds
from mina_infra.local.nodes import DEFAULT_COUNT, node_manifests
from mina_infra.local.paths import ClusterPaths
from mina_infra.local.processes import Process
from mina_infra.local.tools import Tools

Report = Callable[[str], None]

_READY_SECONDS = 60.0


class Outcome(Enum):
    """What `start` did."""

    RUNNING = "running"  # nothing: it ran already
    CREATED = "created"
    REPAIRED = "repaired"  # started again over its own data: all objects are kept
    RECREATED = "recreated"  # made anew: objects, volumes and the engine's state of the old one are gone


@dataclass(frozen=True)
class EmbeddedCluster:
    """A running embedded cluster."""

    name: str
    state: Path
    kubeconfig: Path
    context: str
    server: str  # https://127.0.0.1:PORT
    outcome: Outcome = Outcome.RUNNING

    @property
    def paths(self) -> ClusterPaths:
        return ClusterPaths(self.name, self.state.parent)

    def api(self, *, part: str = "") -> KubeApi:
        """A new client; use it as an asynchronous context manager."""
        return KubeApi.from_kubeconfig(self.kubeconfig, self.context, part=part)


class Step(Enum):
    """What to do with what was found."""

    KEEP = "keep"
    START = "start"  # start what does not run, as it was
    REBUILD = "rebuild"  # new ports, links and kubeconfig over the old data
    CREATE = "create"
    RECREATE = "recreate"


@dataclass(frozen=True)
class Seen:
    """What is there of a cluster before a start."""

    folder: bool  # anything at all
    complete: bool  # an earlier start came to its end
    configured: bool  # kwokctl's file is whole
    data: bool  # etcd's data and the certificates
    programs: bool  # the links to the components' programs lead somewhere
    alive: frozenset[str] = frozenset()  # components with exactly one process (a second one is as wrong as none)
    ready: bool = False  # the API server answers
    taken: tuple[int, ...] = ()  # ports of components that do not run, held by somebody else


def decide(seen: Seen) -> tuple[Step, str]:
    """What to do, and why in words for the user (empty for an ordinary start)."""
    if not seen.folder:
        return Step.CREATE, ""
    if not seen.complete or not seen.data:
        return Step.RECREATE, "an earlier start was stopped before it was done"
    if not seen.configured:
        return Step.REBUILD, "kwokctl's file was not written to its end"
    if seen.taken:
        ports = ", ".join(str(port) for port in seen.taken)
        return Step.REBUILD, f"port {ports} now belongs to another program; the cluster moves to free ones"
    if not seen.programs:
        return Step.REBUILD, "the programs it ran are gone"
    missing = [name for name in kwokctl.COMPONENTS if name not in seen.alive]
    if missing:
        which = "nothing of it" if len(missing) == len(kwokctl.COMPONENTS) else f"{', '.join(missing)} not"
        return Step.START, f"{which} running"
    if not seen.ready:
        return Step.REBUILD, "its processes run but the API server does not answer"
    return Step.KEEP, ""


def escalate(step: Step, *, data_unreadable: bool) -> Step | None:
    """What to try when a step failed; None when it is time to tell the user. Data is given up only when it is lost."""
    if step is Step.CREATE:
        return Step.RECREATE
    if step is Step.START:
        return Step.REBUILD
    if step is Step.REBUILD and data_unreadable:
        return Step.RECREATE
    return None


_OUTCOMES = {
    Step.KEEP: Outcome.RUNNING,
    Step.START: Outcome.REPAIRED,
    Step.REBUILD: Outcome.REPAIRED,
    Step.CREATE: Outcome.CREATED,
    Step.RECREATE: Outcome.RECREATED,
}


def start(name: str, tools: Tools, report: Report, *, nodes: int = DEFAULT_COUNT) -> EmbeddedCluster:
    """Make sure that the cluster runs with at least so many nodes, and return it. Idempotent; takes 5 to 10 s.

    Blocks, and runs an event loop of its own: from a coroutine, call it with `asyncio.to_thread`.
    Raises ClusterError with the last words of the component that would not run.
    """
    paths = ClusterPaths(name)
    with _locked(paths, report):
        processes.end(kwokctl.orphans(paths), grace_seconds=0)
        processes.bury(own_processes(paths))
        step, why = decide(observe(paths))
        if why:
            report(f"cluster {name}: {why}")
        step = _carry_out(paths, tools, step, report)
        asyncio.run(_furnish(paths, nodes))
        paths.complete.touch()
    return _describe(paths, _OUTCOMES[step])


def stop(name: str, report: Report | None = None) -> bool:
    """End every process of the cluster and delete its state folder. False when there was nothing."""
    paths = ClusterPaths(name)
    if not paths.state.exists() and not own_processes(paths):
        return False
    with _locked(paths, report or (lambda _line: None)):
        _wipe(paths)
    return True


def find(name: str) -> EmbeddedCluster | None:
    """The cluster if it has been started here and has an address; says nothing about whether it still answers."""
    paths = ClusterPaths(name)
    return _describe(paths, Outcome.RUNNING) if paths.complete.exists() and paths.kubeconfig.exists() else None


def observe(paths: ClusterPaths) -> Seen:
    """Look at files, processes, ports and the API server."""
    found = kwokctl.component_processes(paths)
    alive = frozenset(name for name, members in found.items() if len(members) == 1)
    ports = kwokctl.ports_of(paths.kwok_config)
    idle = [
        (ports or {}).get(option) for name, group in kwokctl.PORT_OPTIONS.items() if not found[name] for option in group
    ]
    links = paths.kwok_cluster / "bin"
    return Seen(
        folder=paths.kwok.exists(),
        complete=paths.complete.exists(),
        configured=ports is not None,
        data=all((paths.kwok_cluster / part).exists() for part in ("etcd/member", "pki/ca.crt", "pki/admin.key")),
        programs=all((links / name).exists() for name in kwokctl.COMPONENTS),
        alive=alive,
        ready=len(alive) == len(kwokctl.COMPONENTS) and _answers(paths),
        taken=tuple(port for port in idle if port and not kwokctl.is_free(port)),
    )


def own_processes(paths: ClusterPaths) -> list[Process]:
    """The components of this cluster, what starts them, and our background processes for it; nobody else's."""
    components = [process for members in kwokctl.component_processes(paths).values() for process in members]
    return components + kwokctl.orphans(paths) + background_processes(paths)


def background_processes(paths: ClusterPaths) -> list[Process]:
    """Python processes of this package that were started with this cluster's state folder or kubeconfig."""
    marks = (f" {paths.state} ", f" {paths.kubeconfig} ")
    return [
        process
        for process in processes.running()
        if " -m mina_infra.local." in process.command and any(mark in f"{process.command} " for mark in marks)
    ]


def _carry_out(paths: ClusterPaths, tools: Tools, step: Step, report: Report) -> Step:
    """Do the step, or the next harder one when it fails. Returns the one that worked."""
    while True:
        try:
            _do(paths, tools, step)
            return step
        except ClusterError as error:
            harder = escalate(step, data_unreadable=_data_unreadable(paths))
            if harder is None:
                logs = paths.kwok_cluster / "logs"
                hint = f"Its logs are in {logs}; `mina-infra local down` removes it with all its data."
                raise ClusterError(f"the cluster '{paths.name}' does not start. {error}\n{hint}") from error
            report(f"cluster {paths.name}: {_first_line(error)}; trying again from further back ({harder.value})")
            step = harder


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0].rstrip(":;")


def _do(paths: ClusterPaths, tools: Tools, step: Step) -> None:
    if step is Step.KEEP:
        kwokctl.correct_pid_files(paths, kwokctl.component_processes(paths))
        _write_kubeconfig(paths)
        return
    if step in (Step.CREATE, Step.RECREATE):
        _wipe(paths)  # also before a first start: processes outlive a state folder that somebody deleted
    elif step is Step.REBUILD:
        _end_components(paths)
        for file in (paths.kwok_config, paths.kwok_cluster / "kubeconfig.yaml"):
            file.unlink(missing_ok=True)
        shutil.rmtree(paths.kwok_cluster / "bin", ignore_errors=True)
    else:
        _end_doubles(paths)
        if step is Step.START:
            kwokctl.link_programs(paths, tools)
    _bring_up(paths, tools, kwokctl.write_configuration(paths))


def _bring_up(paths: ClusterPaths, tools: Tools, config: Path) -> None:
    """Until all components run and answer; those that gave up before the API server was there are started again."""
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        kwokctl.correct_pid_files(paths, kwokctl.component_processes(paths))
        kwokctl.bring_up(paths, tools, config)
        _write_kubeconfig(paths)
        dead = _settle(paths, deadline)
        if not dead:
            return
        if time.monotonic() > deadline:
            raise ClusterError(kwokctl.describe_failure(paths, dead))


def _settle(paths: ClusterPaths, deadline: float) -> list[str]:
    """Wait until the API server and kwok are ready; returns at once the components that ended."""
    while True:
        if dead := kwokctl.dead_components(paths):
            return dead
        if _answers(paths) and _kwok_answers(paths):
            return kwokctl.dead_components(paths)
        if time.monotonic() > deadline:
            log = kwokctl.tail(paths.kwok / "kwokctl.log")
            raise ClusterError(f"the API server is not ready after {_READY_SECONDS:.0f} s; kwokctl said:\n{log}")
        time.sleep(0.1)


def _answers(paths: ClusterPaths) -> bool:
    """Is the API server ready, kwok's own kinds included?"""

    async def ask() -> bool:
        async with _api(paths) as api:
            # Not through request(): /readyz answers plain text.
            if (await api.http.get("/readyz", timeout=5.0)).status_code != 200:
                return False
            served = await api.request("GET", "/apis/kwok.x-k8s.io/v1alpha1", timeout=5.0)
            return set(kwokctl.CRDS) <= {resource["kind"] for resource in served.get("resources", [])}

    try:
        return asyncio.run(ask())
    except (ClusterError, httpx2.HTTPError, OSError):
        return False


def _kwok_answers(paths: ClusterPaths) -> bool:
    port = (kwokctl.ports_of(paths.kwok_config) or {}).get("kwokControllerPort")
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=2.0, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False


def _api(paths: ClusterPaths) -> KubeApi:
    return KubeApi.from_kubeconfig(paths.kwok_cluster / "kubeconfig.yaml", paths.context)


async def _furnish(paths: ClusterPaths, nodes: int) -> None:
    """What every cloud's cluster has: the snapshot kinds (also put into an older cluster of ours), and nodes."""
    async with _api(paths) as api:
        await snapshot_kinds.install(api)
        await _add_nodes(paths, api, nodes)


async def _add_nodes(paths: ClusterPaths, api: KubeApi, count: int) -> None:
    """Create the nodes that are missing and wait until kwok has made all of them ready (which shows that it works)."""
    known = {node["metadata"]["name"] for node in await api.objects(NODE)}
    for manifest in node_manifests(count):
        if manifest["metadata"]["name"] not in known:
            await _create(api, manifest)
    deadline = time.monotonic() + _READY_SECONDS
    while waiting := [node for node in await api.objects(NODE) if not _is_ready(node)]:
        if time.monotonic() > deadline:
            names = ", ".join(node["metadata"]["name"] for node in waiting)
            log = kwokctl.tail(kwokctl.component_log(paths, "kwok-controller"))
            raise ClusterError(f"kwok does not make these nodes ready: {names}\n{log}")
        await asyncio.sleep(0.1)


async def _create(api: KubeApi, manifest: dict[str, Any]) -> None:
    try:
        await api.create(manifest)
    except ApiStatusError as error:
        if error.code != 409:  # somebody was faster
            raise


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _describe(paths: ClusterPaths, outcome: Outcome) -> EmbeddedCluster:
    server = load_config(paths.kubeconfig, paths.context).cluster.server
    return EmbeddedCluster(paths.name, paths.state, paths.kubeconfig, paths.context, server, outcome)


def _write_kubeconfig(paths: ClusterPaths) -> None:
    """Our copy of kwokctl's, put in place in one go (others may be reading it)."""
    text = (paths.kwok_cluster / "kubeconfig.yaml").read_bytes()
    partial = paths.kubeconfig.with_suffix(".part")
    partial.write_bytes(text)
    partial.chmod(0o600)
    partial.replace(paths.kubeconfig)


def _end_doubles(paths: ClusterPaths) -> None:
    """Two of a kind come from a kill between the start of a component and the note of its id: end both."""
    for members in kwokctl.component_processes(paths).values():
        if len(members) > 1:
            processes.end(members)


def _end_components(paths: ClusterPaths, *, grace_seconds: float = 5.0) -> None:
    """End all components; etcd last and politely, the others hold nothing."""
    found = kwokctl.component_processes(paths)
    etcd = found.pop("etcd")
    processes.end([process for members in found.values() for process in members], grace_seconds=0)
    processes.end(etcd, grace_seconds=grace_seconds)


def _wipe(paths: ClusterPaths) -> None:
    """End all processes of the cluster and forget everything about it."""
    processes.end(background_processes(paths))
    processes.end(own_processes(paths), grace_seconds=0)
    shutil.rmtree(paths.state, ignore_errors=True)
    if paths.state.exists():  # something was written meanwhile
        shutil.rmtree(paths.state)


def _data_unreadable(paths: ClusterPaths) -> bool:
    """Did etcd run and end by itself, for another reason than a port in use?"""
    last_words = kwokctl.tail(kwokctl.component_log(paths, "etcd"), 20)
    return "etcd" in kwokctl.dead_components(paths) and "address already in use" not in last_words


@contextmanager
def _locked(paths: ClusterPaths, report: Report) -> Iterator[None]:
    """One start or stop at a time for each cluster; the lock ends with its holder, however that ends."""
    paths.lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"cluster {paths.name}: another command is starting or stopping it; waiting")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
