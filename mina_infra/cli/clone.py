"""The command that brings one testnet's state into another one. (No postponed annotations: see options.)"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import confirm
from mina_infra.cli.options import DEFAULT_CLUSTER, ClusterName, Yes, assignments
from mina_infra.cli.place import Place, place_of
from mina_infra.cli.stopping import run_up

if TYPE_CHECKING:
    from mina_infra.cluster.api import KubeApi
    from mina_infra.engine.environment import EngineEnvironment
    from mina_infra.persistence.clone import ClonePlan

R = TypeVar("R")


def clone(
    *,
    source: Annotated[str, Parameter(name="--from", help="The stack whose state is copied. It goes on as it is.")],
    target: Annotated[str, Parameter(name="--to", help="The stack that starts from it; it must have no volumes yet.")],
    map: Annotated[
        list[str] | None,
        Parameter(name="--map", negative="", help="NODE=NODE of --from and --to; can be given several times."),
    ] = None,
    stop: Annotated[
        bool,
        Parameter(
            name="--stop",
            negative="",
            help="Stop the source while its snapshots are taken, so that all of them are of one moment.",
        ),
    ] = False,
    local: Annotated[bool, Parameter(name="--local", negative="", help="Both on the embedded cluster.")] = False,
    cluster: ClusterName = DEFAULT_CLUSTER,
    yes: Yes = False,
) -> int:
    """Start a testnet from the state of another one: same genesis and era, other name, new identities.

    Node i of a group starts from node i of the source's group of that name, else of its role; who is left starts empty.
    Volumes may be larger and of another type. Keys, peer ids and Secrets are never copied: the copy needs its own. The
    way: snapshots of the source, imported into the copy's namespace, `up` of the copy; then the snapshots are deleted.
    Prints its plan and asks; a killed command is completed by the same one.
    """
    from mina_infra.persistence.clone import clean, import_all, plan_clone, until_made
    from mina_infra.persistence.volumes import look

    places = (place_of(source, local=local, cluster=cluster), place_of(target, local=local, cluster=cluster))
    with Reporter() as reporter:
        environments = (places[0].environment(), places[1].environment())
        plans = (environments[0].plan, environments[1].plan)
        seen = places[0].ask(lambda api: look(api, plans[0]))
        there = places[1].ask(lambda api: look(api, plans[1]))
        todo = plan_clone(
            *plans, seen, there, assignments("--map", map, "NODE=NODE, of the source and of the copy", "whale-1=fish-3")
        )
        _tell(todo, reporter)
        names = (plans[0].spec.name, plans[1].spec.name)
        question = f"Copy {len(todo.copies)} volumes of '{names[0]}' and deploy '{names[1]}'?"
        if not (yes or (places[0].embedded and places[1].embedded)) and not confirm(question):
            return 1
        before = _stop_source(places[0], environments[0], reporter, stop=stop and bool(todo.wanted()))
        with reporter.stage("copying", f"{len(todo.copies)} volumes"):
            _both(environments, lambda one, other: import_all(one, other, plans, todo, reporter))
        if before is not None:
            run_up(places[0], environments[0], reporter, paused=before)
        run_up(places[1], environments[1], reporter)
        with reporter.stage("copying", "volumes are made"):
            places[1].ask(lambda api: until_made(api, todo, reporter))
            gone = _both(environments, lambda one, other: clean(one, other, todo))
        reporter.say("cloned", f"{len(todo.copies)} volumes; {gone} snapshots were taken for it and are deleted")
        reporter.say("next", places[1].command("verify"))
    return 0


def _tell(todo: "ClonePlan", reporter: Reporter) -> None:
    from mina_infra.engine.inventory import some

    for each in todo.copies:
        reporter.say("to copy", each.line())
    if todo.empty:
        reporter.say("empty", f"{some(todo.empty)}: nobody's state is for them")
    if todo.unused:
        reporter.say("unused", f"{some(todo.unused)}: nobody gets their state")


def _stop_source(place: Place, environment: "EngineEnvironment", reporter: Reporter, *, stop: bool) -> set[str] | None:
    """Stop the source; the nodes that were stopped before, to be left so. None where nothing is to be started again."""
    from mina_infra.persistence.paused import paused_nodes
    from mina_infra.spec.pause import ALL

    if not stop:
        return None
    spec = environment.plan.spec
    before = place.ask(lambda api: paused_nodes(api, spec))
    if before >= set(spec.node_names()):
        reporter.say("stopped", f"'{spec.name}' is stopped already and stays so; `mina-infra resume` starts it")
        return None
    run_up(place, environment, reporter, paused=ALL)
    return set(before)


def _both(
    environments: "tuple[EngineEnvironment, EngineEnvironment]",
    question: "Callable[[KubeApi, KubeApi], Awaitable[R]]",
) -> R:
    """Open both clusters, which may be one, for one question. Raises ClusterError."""
    from mina_infra.cluster.api import KubeApi

    async def session() -> R:
        one, other = environments
        async with (
            KubeApi.from_kubeconfig(one.kubeconfig, one.context) as source,
            KubeApi.from_kubeconfig(other.kubeconfig, other.context) as target,
        ):
            return await question(source, target)

    return asyncio.run(session())
