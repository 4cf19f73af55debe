"""The command that moves volumes to another type. (No postponed annotations: see options.)"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import confirm
from mina_infra.cli.options import HERE, Where, Yes
from mina_infra.cli.place import Place
from mina_infra.cli.snapshots import Nodes
from mina_infra.errors import EngineError

if TYPE_CHECKING:
    from mina_infra.engine.environment import EngineEnvironment
    from mina_infra.plan import TestnetPlan
    from mina_infra.spec.hold import Held


def migrate(
    *,
    where: Where = HERE,
    node: Nodes = None,
    batch: Annotated[
        int, Parameter(help="Stop and move so many nodes at a time, while the others run. Default: all at once.")
    ] = 0,
    dry_run: Annotated[bool, Parameter(name="--dry-run", negative="", help="Only say what would be moved.")] = False,
    delete_old: Annotated[
        bool,
        Parameter(
            name="--delete-old",
            negative="",
            help="Delete the volumes that moved data was left on, with their snapshots. Moves nothing.",
        ),
    ] = False,
    yes: Yes = False,
) -> int:
    """Move volumes to the type that the document says now: ssd to standard and back, with everything on them.

    Edit `type` in the document first; `up` refuses that change and names this command. For each wave of nodes: they are
    stopped, their volumes go into snapshots, and their claims, under the same names, start from these on the new type.
    Killed at any point, the same command completes it. The old volumes stay until --delete-old.
    """
    from mina_infra.persistence.migrate import run
    from mina_infra.persistence.moves import left_stopped, look, moves, table
    from mina_infra.spec.pause import refuse_unknown

    if batch < 0:
        raise EngineError(f"--batch {batch}: a number of nodes, or 0 for all at once")
    place = where.place()
    with Reporter() as reporter:
        environment = place.environment()
        plan = environment.plan
        if delete_old:
            return _delete_old(place, plan, yes=yes)
        refuse_unknown(plan.spec, frozenset(node or ()))
        scene = place.ask(lambda api: look(api, plan))
        found = moves(plan, scene, node or ())
        for line in table(plan.spec, scene, found):
            reporter.say("to move", line)
        if not found:
            reporter.say("to move", "nothing: every volume is of the class that the document says")
        stops, still = len({each.node for each in found}), place.ask(lambda api: left_stopped(api, plan))
        if found:
            size = batch or stops
            waves = "all at once" if size >= stops else f"{size} at a time"
            reporter.say("stops", f"{stops} nodes, {waves}, and starts them again")
        if still:
            reporter.say("starts", f"{len(still)} nodes that stand still: {', '.join(still[:5])}")
        if dry_run or not (found or still):
            return 0
        if place.embedded is None and not yes and not confirm(f"Move {len(found)} volumes of '{plan.spec.name}'?"):
            return 1
        run_up = partial(_run_up, place, environment, reporter)
        with reporter.stage("moving", f"{len(found)} volumes"):
            count = run(plan, place.ask, run_up, reporter, nodes=node or (), batch=batch)
        reporter.say("done", f"{count} volumes moved; the old ones stay: {place.command('migrate')} --delete-old")
    return 0


def _run_up(
    place: Place,
    environment: "EngineEnvironment",
    reporter: Reporter,
    *,
    paused: frozenset[str],
    held: "Held",
    allow: Sequence[str],
) -> None:
    from mina_infra.cli.stopping import run_up

    run_up(place, replace(environment, held=held), reporter, paused=paused, allow=allow)


def _delete_old(place: Place, plan: "TestnetPlan", *, yes: bool) -> int:
    from mina_infra.persistence.migrate import delete_old, old_volumes
    from mina_infra.persistence.moves import look
    from mina_infra.persistence.objects import annotation, gib, name_of
    from mina_infra.plan import labels

    scene = place.ask(lambda api: look(api, plan))
    found = old_volumes(plan, scene)
    for each in found:
        size = gib(each["spec"]["capacity"]["storage"])
        was = annotation(each, labels.MOVED_FROM).partition("/")[2]
        print(f"to be deleted: {name_of(each)}, {size} GiB, once of {was}")
    if not found:
        print("no old volumes; one stays as long as the claim that it was moved to is not bound")
        return 0
    if place.embedded is None and not yes and not confirm(f"Delete these {len(found)}? Their data is lost."):
        return 1
    for each in found:
        place.ask(partial(delete_old, spec=plan.spec, volume=each))
        print(f"deleted {name_of(each)}")
    return 0
