"""up, preview and destroy of a stack without a testnet: the storage classes that the testnets of its cluster share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mina_infra.cluster.api import KubeApi
from mina_infra.engine import classes
from mina_infra.engine.classes import ClusterClasses
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.inventory import known_kind, some
from mina_infra.engine.report import Report, Silent
from mina_infra.engine.run import EngineRun, Preview, RunResult, changing, digest_of, finishing
from mina_infra.engine.state import ObjectKey, Recorded, recorded
from mina_infra.engine.told import adopting, guarded
from mina_infra.errors import EngineError


@dataclass(frozen=True)
class Situation:
    """What the next run has to deal with."""

    recorded: Recorded
    there: ClusterClasses
    adopt: tuple[ObjectKey, ...]


def up(env: EngineEnvironment, report: Report | None = None) -> RunResult:
    """Make the cluster's classes what the stack file says. Raises SpecError, ClusterError or EngineError.

    Classes that left the stack file stay in the cluster and are told.
    """
    report = report or Silent()
    with changing(env, report):
        situation = look(env, report)
        with guarded(), adopting(bool(situation.adopt)):
            run = EngineRun(env, report, len(env.classes))
            with finishing(env, run):
                run.go(lambda stack, **common: stack.up(**common))
    _tell(report, situation.there, classes.left_over(env, situation.there))
    return RunResult(run.progress.changes, run.seconds, adopted=len(situation.adopt))


def preview(env: EngineEnvironment, report: Report | None = None) -> Preview:
    """What `up` would do, as data. Raises EngineError for what it would refuse."""
    report = report or Silent()
    look(env, report)
    return digest_of(env, report, len(env.classes))


def destroy(env: EngineEnvironment, report: Report | None = None) -> RunResult:
    """Take away the classes that nothing refers to; the others stay and are told.

    Raises EngineError, before anything is changed, while a class under a fixed name is in use: the engine would
    delete it.
    """
    report = report or Silent()
    with changing(env, report):
        there = asyncio.run(_read(env))
        problems = list(classes.cluster_problems(env.stack, (), there))
        if problems:
            raise EngineError("\n".join(["nothing was changed; storage classes of the cluster:", *problems]))
        known = recorded(env)
        run = EngineRun(env, report, len(known.objects))
        if known.resources:
            run.go(lambda stack, **common: stack.destroy(**common))
        there = asyncio.run(_read(env))
        left = classes.left_over(env, there, all_of_them=True)
        idle = [key for key in left if not there.users.get(key.name)]
        asyncio.run(_delete(env, idle))
    _tell(report, there, [key for key in left if key not in idle])
    changes = dict(run.progress.changes)
    # The engine lets go of most classes; what is really gone is what counts.
    gone = [key for key in known.objects if key not in left]
    return RunResult({**changes, "delete": len(gone) + len(idle)}, run.seconds)


def look(env: EngineEnvironment, report: Report) -> Situation:
    """The classes of the cluster against those that the stack declares. Raises ClusterError or EngineError."""
    there = asyncio.run(_read(env))
    classes.refuse_for_cluster(env, there)
    known = recorded(env)
    adopt = classes.unrecorded(env, there, known)
    if adopt:
        report.say("adopting", f"{len(adopt)} storage classes that are there and not on record")
    return Situation(known, there, adopt)


async def _read(env: EngineEnvironment) -> ClusterClasses:
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        return await classes.read(api, users=True)


async def _delete(env: EngineEnvironment, keys: Sequence[ObjectKey]) -> None:
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        for key in keys:
            kind = known_kind(key)
            assert kind is not None, f"classes.read returned a {key.kind}"
            await api.delete(kind, key.name)


def _tell(report: Report, there: ClusterClasses, left: Sequence[ObjectKey]) -> None:
    for key in left:
        users = there.users.get(key.name, ())
        why = f"in use: {some(users, classes.USED)}" if users else "nothing refers to it; destroy takes it away"
        report.say("kept", f"{key.name}, which the stack does not declare any more ({why})")
