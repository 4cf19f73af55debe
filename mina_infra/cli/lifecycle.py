"""Commands that stop a testnet's nodes and start them again. (No postponed annotations: see options.)"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import confirm, print_preview
from mina_infra.cli.options import HERE, Where, Yes
from mina_infra.cli.place import Place
from mina_infra.cli.steps import Session
from mina_infra.errors import EngineError
from mina_infra.spec import TestnetSpec

Nodes = Annotated[
    list[str] | None, Parameter(name="--node", negative="", help="This node; can be given several times.")
]
Groups = Annotated[
    list[str] | None,
    Parameter(name="--group", negative="", help="All nodes of this group; can be given several times."),
]


@dataclass(frozen=True)
class _Scene:
    """What a command works on: `live` are the nodes that are paused now, `chosen` those that it is about."""

    place: Place
    spec: TestnetSpec
    live: frozenset[str]
    chosen: frozenset[str]

    @property
    def everyone(self) -> frozenset[str]:
        return frozenset(self.spec.node_names())


def pause(*, where: Where = HERE, node: Nodes = None, group: Groups = None, yes: Yes = False) -> int:
    """Stop nodes and keep everything else: volumes, Services, identities, Secrets. Without names: all nodes.

    Nodes that are paused already stay so. It lasts until `mina-infra resume` or the next plain `up`, which does what
    the document says: to keep nodes paused, write `paused: true` there (testnet, group, or a node's overrides).
    Running it again completes an interrupted one. Returns when the pods are gone.
    """
    with Reporter() as reporter:
        scene = _look(where.place(), node or (), group or ())
        stopping = scene.chosen - scene.live
        reporter.say(
            scene.place.stack,
            f"{_some(stopping) if stopping else 'no further node'} to be stopped, {len(scene.live)} paused already, of "
            f"{len(scene.everyone)}; volumes, Services and identities stay",
        )
        wanted = scene.chosen | scene.live
        if not _run(scene, wanted, reporter, yes=yes, question=f"Stop {len(stopping)} nodes?"):
            return 1
        _tell_how_to_keep(scene, wanted, reporter)
    return 0


def resume(*, where: Where = HERE, node: Nodes = None, group: Groups = None, yes: Yes = False) -> int:
    """Start nodes that `pause` stopped, on the volumes that they had. Without names: all that the document lets run.

    A node that the document itself pauses is started by changing the document, then `up`. Running it again completes
    an interrupted one. Returns when the pods run; `mina-infra verify` tells whether the network is healthy.
    """
    with Reporter() as reporter:
        scene = _look(where.place(), node or (), group or ())
        written = scene.spec.paused_nodes()
        if (node or group) and scene.chosen & written:
            raise EngineError(
                f"the document itself pauses {_some(scene.chosen & written)}; nothing was changed. Take `paused: true` "
                f"out of {scene.place.stack_file.name}, then: {scene.place.command('up')}"
            )
        starting = (scene.chosen & scene.live) - written
        reporter.say(scene.place.stack, f"{_some(starting) if starting else 'no node'} to be started")
        if written:
            reporter.say("paused", f"{_some(written)}: the document says so, and they stay")
        left = scene.live - scene.chosen
        if not _run(scene, left, reporter, yes=yes, question=f"Start {len(starting)} nodes?"):
            return 1
        _tell_how_to_keep(scene, left, reporter)
    return 0


def _look(place: Place, nodes: Sequence[str], groups: Sequence[str]) -> _Scene:
    """The deployed testnet. Raises EngineError when there is none, SpecError or EngineError for unknown names."""
    from mina_infra.persistence.paused import chosen_nodes, paused_nodes
    from mina_infra.spec.pause import refuse_unknown

    spec = place.environment().plan.spec
    known = [group.name for group in spec.nodes]
    unknown = [name for name in groups if name not in known]
    if unknown:
        raise EngineError(f"testnet '{spec.name}' has no group '{unknown[0]}'. Its groups: {', '.join(known)}")
    refuse_unknown(spec, set(nodes))
    place.outputs()
    return _Scene(place, spec, place.ask(partial(paused_nodes, spec=spec)), chosen_nodes(spec, nodes, groups))


def _run(scene: _Scene, paused: Set[str], reporter: Reporter, *, yes: bool, question: str) -> bool:
    """One `up` with these nodes paused, and waiting for it; False when the user does not want it."""
    from mina_infra.engine.progress import summary
    from mina_infra.engine.run import preview, up
    from mina_infra.spec.pause import ALL

    wanted: Set[str] = ALL if paused >= scene.everyone else paused
    environment = scene.place.environment()
    if scene.place.embedded is None and not yes:
        with reporter.stage("previewing", "starting the engine"):
            found = preview(environment, reporter, paused=wanted)
        print_preview(found.digest)
        if found.failed or not confirm(question):
            return False
    with reporter.stage("deploying", "starting the engine"):
        result = up(environment, reporter, paused=wanted)
    reporter.say("deployed", f"{summary(dict(result.changes)) or 'no changes'} in {result.seconds:.0f} s")
    Session(scene.place, result.outputs, reporter).settle()
    return True


def _tell_how_to_keep(scene: _Scene, paused: Set[str], reporter: Reporter) -> None:
    """What a plain `up` would undo, and the words that make it last."""
    from mina_infra.persistence.paused import how_to_write

    if paused <= scene.spec.paused_nodes():
        return
    reporter.say("note", f"the document does not say so: the next plain `{scene.place.command('up')}` starts them")
    for line in how_to_write(scene.spec, paused | scene.spec.paused_nodes()):
        reporter.say("to keep", f"{scene.place.stack_file.name}: {line}")


def _some(names: Set[str]) -> str:
    from mina_infra.engine.inventory import some

    return some(sorted(names))
