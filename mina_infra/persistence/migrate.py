"""Moving volumes to another class through snapshots, in waves; killed at any point, the same again completes it.

For each wave: its nodes are stopped by the engine, their volumes go into snapshots, each claim is deleted and made
again with the planned class and the snapshot as its source, and the next run of the engine finds it as planned and
starts the node. The old volume is told to stay (reclaim policy Retain) before its claim goes, and is marked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from mina_infra.cluster.api import (
    CLAIM,
    PERSISTENT_VOLUME,
    SNAPSHOTS,
    VOLUME_SNAPSHOT,
    ApiStatusError,
    KubeApi,
)
from mina_infra.errors import ClusterError, MinaInfraError
from mina_infra.persistence import objects, snapshots
from mina_infra.persistence.moves import Move, Scene, held, left_behind, look, moves, occasion_of
from mina_infra.persistence.objects import Manifest, name_of
from mina_infra.persistence.report import Report
from mina_infra.persistence.snapshots import Wanted
from mina_infra.persistence.waiting import until_none
from mina_infra.plan import TestnetPlan, labels
from mina_infra.spec import TestnetSpec
from mina_infra.spec.hold import Held

R = TypeVar("R")

GONE_S = 180.0
"""Seconds to wait for a claim or a snapshot that is being deleted; a claim waits for its pod."""


class Ask(Protocol):
    """Opens the cluster for one question."""

    def __call__(self, question: Callable[[KubeApi], Awaitable[R]]) -> R: ...


class RunUp(Protocol):
    """One run of the engine: these nodes stopped, these volumes left as they are; until the others run."""

    def __call__(self, *, paused: frozenset[str], held: Held, allow: Sequence[str]) -> None: ...


def run(
    plan: TestnetPlan, ask: Ask, run_up: RunUp, report: Report, *, nodes: Sequence[str] = (), batch: int = 0
) -> int:
    """Move every volume of these nodes that is not as planned; how many. `batch`: nodes at a time, 0 for all at once.

    Raises MinaInfraError for what cannot be moved, before anything is changed.
    """
    ask(lambda api: _mark_what_was_done(api, plan))
    everything = _all(plan, ask, ())  # also of nodes that were not named: they stay as they are, too
    begun = [each for each in everything if each.begun]
    if begun:
        report.say("going on", f"with {len(begun)} volumes that an earlier run has begun to move")
        ask(lambda api: _restore(api, plan.spec, begun, report))
    todo = [each for each in everything if not each.begun and (not nodes or each.node in nodes)]
    order = list(dict.fromkeys(each.node for each in todo))
    size = batch or max(1, len(order))
    for start in range(0, len(order), size):
        wave = frozenset(order[start : start + size])
        remaining = _all(plan, ask, ())
        mine = [each for each in remaining if each.node in wave]
        ask(partial(_forget_snapshots, spec=plan.spec, mine=mine))
        _go(plan, run_up, wave, remaining)
        ask(partial(_carry, spec=plan.spec, mine=mine, report=report))
        report.say("moved", f"{len(mine)} volumes of {', '.join(sorted(wave)[:5])}{', ...' * (len(wave) > 5)}")
    _go(plan, run_up, frozenset(), _all(plan, ask, ()))
    return len(begun) + len(todo)


def _all(plan: TestnetPlan, ask: Ask, nodes: Sequence[str]) -> list[Move]:
    async def found(api: KubeApi) -> list[Move]:
        return moves(plan, await look(api, plan), nodes)

    return ask(found)


def _go(plan: TestnetPlan, run_up: RunUp, paused: frozenset[str], waiting: Sequence[Move]) -> None:
    kept = held(plan.spec, waiting)
    # Volumes that are held by the name of their class alone: that class may leave the plan before they do.
    by_name = [each.name for each in waiting if "storageClass" in kept.get(each.node, {}).get(each.kind.value, {})]
    run_up(paused=paused, held=kept, allow=by_name)


# One wave


async def _forget_snapshots(api: KubeApi, spec: TestnetSpec, mine: Sequence[Move]) -> None:
    """A snapshot of a run that was killed before its claim went may be older than what the node has done since."""
    there = {name_of(each): each for each in await objects.snapshots_of(api, spec.name, spec.namespace)}
    old = [there[each.snapshot] for each in mine if each.snapshot in there]
    for each in old:
        await snapshots.delete(api, each)
    names = {name_of(each) for each in old}

    async def left() -> list[str]:
        now = await objects.snapshots_of(api, spec.name, spec.namespace) if names else []
        return sorted(names & {name_of(each) for each in now})

    await until_none(left, GONE_S, partial(_not_gone, "snapshot"))


async def _carry(api: KubeApi, spec: TestnetSpec, mine: Sequence[Move], report: Report) -> None:
    """The volumes of stopped nodes: into snapshots, and out of them again as planned."""
    wanted = [Wanted(each.claim, each.occasion) for each in mine if each.claim is not None]
    await snapshots.take(api, spec, wanted, report)
    for each in mine:
        report.update(f"{each.name}: its old volume is kept, its claim is made again")
        await _keep(api, spec, each)
        await _remove_claim(api, spec, each)
    await _restore(api, spec, mine, report)


async def _keep(api: KubeApi, spec: TestnetSpec, move: Move) -> None:
    """The old volume stays when its claim goes, and says what it was."""
    patch = {
        "metadata": {
            "labels": labels.of_testnet(spec) | {labels.MOVED: labels.BEGUN},
            "annotations": {labels.MOVED_FROM: f"{spec.namespace}/{move.name}"},
        },
        "spec": {"persistentVolumeReclaimPolicy": "Retain"},
    }
    kept = await api.patch(PERSISTENT_VOLUME, name_of(move.volume), patch)
    if kept["spec"].get("persistentVolumeReclaimPolicy") != "Retain":
        raise ClusterError(f"volume {name_of(move.volume)} of claim '{move.name}' cannot be kept; nothing was deleted")


async def _remove_claim(api: KubeApi, spec: TestnetSpec, move: Move) -> None:
    """Exactly this one: never a claim that was made since."""
    assert move.claim is not None, "only claims that are there are carried"
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": move.claim["metadata"]["uid"]},
    }
    try:
        await api.request("DELETE", CLAIM.path(spec.namespace, move.name), body=options)
    except ApiStatusError as error:
        if error.code not in (404, 409):  # gone, or another one already
            raise


async def _restore(api: KubeApi, spec: TestnetSpec, mine: Sequence[Move], report: Report) -> None:
    """Make each claim again from its snapshot, as soon as the old one is gone."""
    going = {each.name: each.volume["spec"]["claimRef"]["uid"] for each in mine}

    async def left() -> list[str]:
        there = await api.objects(CLAIM, spec.namespace, labels=labels.selector(spec.name))
        found = [name_of(each) for each in there if going.get(name_of(each)) == each["metadata"]["uid"]]
        report.update(f"waiting for {len(found)} old claims to go" if found else f"making {len(mine)} claims again")
        return found

    await until_none(left, GONE_S, partial(_not_gone, "claim"))
    for each in mine:
        taken = await api.get(VOLUME_SNAPSHOT, each.snapshot, spec.namespace)
        if not snapshots.is_ready(taken):
            raise MinaInfraError(
                f"claim '{each.name}' is gone and its snapshot '{each.snapshot}' is not ready. Its data is on volume "
                f"{name_of(each.volume)}, which is kept: `mina-infra rebind` gives it back."
            )
        await objects.create_once(api, _claim(each))
        await _mark_done(api, each.volume)


async def _mark_done(api: KubeApi, volume: Manifest) -> None:
    await api.patch(PERSISTENT_VOLUME, name_of(volume), {"metadata": {"labels": {labels.MOVED: labels.DONE}}})


async def _mark_what_was_done(api: KubeApi, plan: TestnetPlan) -> None:
    """What a kill kept from being marked: the claim has been made again, so the move is done."""
    scene = await look(api, plan)
    for volume in left_behind(plan.spec, scene.volumes.values()):
        claim = scene.claims.get(objects.annotation(volume, labels.MOVED_FROM).partition("/")[2])
        again = claim is not None and claim["metadata"]["uid"] != volume["spec"]["claimRef"].get("uid")
        if again and objects.label(volume, labels.MOVED) == labels.BEGUN:
            await _mark_done(api, volume)


def _claim(move: Move) -> Manifest:
    """The planned claim, starting from the snapshot.

    Created, not applied: the engine, which applies, then never owns the source and never takes it away.
    """
    source = {"apiGroup": SNAPSHOTS, "kind": VOLUME_SNAPSHOT.kind, "name": move.snapshot}
    return {**move.planned, "spec": {**move.planned["spec"], "dataSource": source}}


def _not_gone(what: str, names: Sequence[str]) -> str:
    return f"{what} '{names[0]}' is not gone after {GONE_S:.0f} s. The same command goes on."


# What stays behind


def old_volumes(plan: TestnetPlan, scene: Scene) -> list[Manifest]:
    """Volumes that are not needed any more: the claim whose data they hold is bound to another one.

    The last copy of a claim's data is never among them.
    """
    return [
        each
        for each in left_behind(plan.spec, scene.volumes.values())
        if (claim := scene.claims.get(objects.annotation(each, labels.MOVED_FROM).partition("/")[2])) is not None
        and objects.is_bound(claim)
        and claim["spec"]["volumeName"] != name_of(each)
    ]


async def delete_old(api: KubeApi, spec: TestnetSpec, volume: Manifest) -> None:
    """Delete an old volume with its disk, and the snapshot that it was moved through."""
    claim = objects.annotation(volume, labels.MOVED_FROM).partition("/")[2]
    taken = await api.get(VOLUME_SNAPSHOT, snapshots.name_for(claim, occasion_of(volume)), spec.namespace)
    if taken is not None:
        await snapshots.delete(api, taken)
    await objects.let_go(api, volume)
    await api.delete(PERSISTENT_VOLUME, name_of(volume))
