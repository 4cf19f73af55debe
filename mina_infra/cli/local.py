"""The embedded world on this machine: a real Kubernetes control plane and simulated Mina nodes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from mina_infra.cli import cluster_stack
from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import deploy
from mina_infra.cli.options import DEFAULT_CLUSTER, DEFAULT_STACK, AllowVolume, ClusterName, Stack
from mina_infra.cli.place import place_of
from mina_infra.errors import EngineError

if TYPE_CHECKING:
    from mina_infra.local.tools import Tools

app = App(
    name="local",
    group_commands="Commands",
    help="A cluster of its own on this machine, without any cloud, container engine or root.",
)


@app.command
def up(
    *,
    stack: Stack = DEFAULT_STACK,
    cluster: ClusterName = DEFAULT_CLUSTER,
    out: Annotated[Path | None, Parameter(help="Folder to publish to. Default: out/STACK.")] = None,
    allow_volume: AllowVolume = None,
) -> int:
    """Start the embedded cluster, deploy a stack there, check it and publish its seeds.

    Any stack can run here, also one that is meant for a cloud: it gets local storage classes and slots of one second.
    Running it again repairs what was killed and changes only what differs.
    """
    from mina_infra.local.control_plane import Outcome, start
    from mina_infra.local.nodes import count_for
    from mina_infra.local.world import start_world
    from mina_infra.plan import load_stack

    place = replace(place_of(stack, local=True, cluster=cluster), embedded=cluster)
    with Reporter() as reporter:
        shared = cluster_stack.is_one(place)
        nodes = count_for(0 if shared else sum(group.count for group in load_stack(place.stack_file).nodes))
        found = _tools(reporter)
        with reporter.stage("cluster", "starting the control plane"):
            running = start(cluster, found, lambda line: reporter.say("cluster", line), nodes=nodes)
            start_world(running)
        if running.outcome is not Outcome.RUNNING:
            reporter.say("cluster", f"{running.outcome.value}: {cluster} at {running.server}")
        if shared:
            return cluster_stack.up(place, reporter)
        deployed = deploy(place, reporter, out, allow_volume or ())
        reporter.say("look", f"kubectl --kubeconfig {running.kubeconfig} get pods -n {_namespace(place.stack_file)}")
        if deployed.page:
            reporter.say("page", str(deployed.page.absolute()))
        reporter.say("stop", f"mina-infra local down{_named(cluster)}   (or: make down)")
    return deployed.code


@app.command
def down(*, cluster: ClusterName = DEFAULT_CLUSTER) -> int:
    """Take the embedded cluster away: processes, volumes, the engine's record. Nothing of it is left."""
    from mina_infra.local.control_plane import stop

    with Reporter() as reporter:
        with reporter.stage("cluster", f"stopping {cluster}"):
            existed = stop(cluster, lambda line: reporter.say("cluster", line))
        reporter.say("cluster", f"{cluster} is gone" if existed else f"{cluster} was not there")
    return 0


@app.command
def status(*, cluster: ClusterName = DEFAULT_CLUSTER) -> int:
    """Show whether the embedded cluster runs, and where. Exit code 1 when it does not."""
    from mina_infra.local.control_plane import find
    from mina_infra.local.world import world_processes

    found = find(cluster)
    if found is None:
        print(f"{cluster} is not there; start it with: mina-infra local up{_named(cluster)}")
        return 1
    print(f"cluster     {cluster} at {found.server}")
    print(f"kubeconfig  {found.kubeconfig}")
    print(f"state       {found.state}")
    alive = bool(world_processes(found.paths))
    print(f"nodes       {'simulated' if alive else 'the simulator is dead; mina-infra local up starts it again'}")
    return 0 if alive else 1


@app.command
def fault(
    *names: Annotated[str, Parameter(help="Names of faults; without any and without --node, those that there are.")],
    node: Annotated[list[str] | None, Parameter(negative="", help="Node that is to have them. Repeatable.")] = None,
    heal: Annotated[bool, Parameter(negative="", help="Take them away; without names, all.")] = False,
    stack: Stack = DEFAULT_STACK,
    cluster: ClusterName = DEFAULT_CLUSTER,
) -> int:
    """Let simulated nodes of the embedded cluster fall ill, to see what `verify` and `watch` say of it.

    A node that is stuck, silent, deaf, slow at proving, or that crashes with the words of a real daemon: the names are
    those by which the guardian itself is tested.
    """
    from mina_infra.simulator import live_faults
    from mina_infra.simulator.faults import FAULTS

    if not node and (names or heal):
        raise EngineError("say which nodes: --node whale-1; repeatable. `mina-infra outputs` names them")
    if not node:
        for name in live_faults.NAMES:
            print(f"{name:<26}{FAULTS[name].sentence}")
        return 0
    place = replace(place_of(stack, local=True, cluster=cluster), embedded=cluster)
    namespace = _namespace(place.stack_file)
    found = place.ask(lambda api: live_faults.annotate(api, namespace, node, names, heal=heal))
    for name, faults in found.items():
        print(f"{name}: {', '.join(faults) or 'well'}")
    return 0


@app.command
def tools() -> int:
    """Find or build the programs of the embedded world (once, about 15 minutes on two cores)."""
    with Reporter() as reporter:
        found = _tools(reporter)
    print(f"pulumi   {found.pulumi}\nkwokctl  {found.kwokctl}")
    return 0


def _tools(reporter: Reporter) -> Tools:
    from mina_infra.local.tools import ensure_tools

    with reporter.stage("tools"):
        live = reporter.update if sys.stderr.isatty() else None
        return ensure_tools(lambda line: reporter.say("tools", line), live)


def _namespace(stack_file: Path) -> str:
    from mina_infra.plan import load_stack

    return load_stack(stack_file).namespace


def _named(cluster: str) -> str:
    return "" if cluster == DEFAULT_CLUSTER else f" --cluster {cluster}"
