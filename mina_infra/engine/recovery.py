"""Before a run: is the cluster there, is everything that we would touch ours, and what did an interrupted run leave?

A killed `up` does not converge by running it again (facts: measured): objects that were made but not recorded fail
every later run with "already exists", and the obvious repair by import replaces claims. So: what is live, planned,
labelled as ours and not on record is adopted by one upserting run; what is not ours refuses the run, before anything
is changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from mina_infra.cluster.api import CLAIM, NAMESPACE, PERSISTENT_VOLUME, ApiStatusError, KubeApi
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.guard import refuse_lost_volumes
from mina_infra.engine.inventory import (
    Comparison,
    Live,
    compare,
    known_kind,
    listed,
    planned_keys,
    read_live,
    some,
)
from mina_infra.engine.report import Report
from mina_infra.engine.state import ObjectKey, Recorded, recorded
from mina_infra.errors import ClusterError, EngineError
from mina_infra.spec import Retention

GONE_DEADLINE_S = 180.0
"""Seconds to wait for a namespace that is being deleted, with all its pods."""


@dataclass(frozen=True)
class Situation:
    """What the next run has to deal with."""

    recorded: Recorded
    difference: Comparison

    @property
    def adopt(self) -> bool:
        """The provider must take over what already exists."""
        return bool(self.difference.adopt)

    @property
    def refresh(self) -> bool:
        """The record must be compared with the cluster first."""
        return bool(self.difference.lost)


async def before_up(env: EngineEnvironment, report: Report) -> Situation:
    """Look, refuse or say what will be repaired. Changes nothing. Raises ClusterError or EngineError."""
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        live = await examine(api, env)
        if _leaving(env, live):
            await wait_until_gone(api, env, report)
            live = await examine(api, env)
    known = recorded(env)
    difference = compare(planned_keys(env.plan), known, live, env.plan.spec.name)
    refuse_foreign(env, live, difference.foreign)
    refuse_lost_volumes(env.plan.objects(), live)
    _tell(report, difference)
    return Situation(known, difference)


async def before_refresh(env: EngineEnvironment) -> Situation:
    """Only look whether the cluster is there. Raises ClusterError."""
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        await examine(api, env)
    return Situation(recorded(env), Comparison())


async def examine(api: KubeApi, env: EngineEnvironment) -> Live:
    """The live objects. A cluster that does not answer or does not let us in is one clear ClusterError."""
    try:
        return await read_live(api, env.plan)
    except ApiStatusError as error:
        where = f"context {env.context!r} " if env.context else ""
        raise ClusterError(
            f"the cluster at {api.config.cluster.server} ({where}of {env.kubeconfig or 'your kubeconfig'}) refuses to "
            f"list the testnet's objects: {error}"
        ) from error


def refuse_foreign(env: EngineEnvironment, live: Live, foreign: Iterable[ObjectKey]) -> None:
    """Raise EngineError when something planned exists already and is not ours, the namespace above all."""
    keys = list(foreign)
    name = env.plan.spec.name
    namespace = next((key for key in keys if key.kind == "Namespace"), None)
    if namespace is not None:
        raise EngineError(
            f"the namespace '{name}' belongs to somebody else (made by {live[namespace].owner}); nothing was changed. "
            "Give the testnet another name, or remove that namespace."
        )
    if keys:
        raise EngineError(
            f"{len(keys)} objects of testnet '{name}' exist already and are not ours by label; nothing was changed.\n"
            f"{listed(keys)}\nRename or remove them, then try again."
        )


def _leaving(env: EngineEnvironment, live: Live) -> bool:
    """Is our namespace on its way out, deleted by a run that did not see the end of it?"""
    key = ObjectKey("", "Namespace", "", env.plan.spec.name)
    return key in live and live[key].leaving


async def wait_until_gone(api: KubeApi, env: EngineEnvironment, report: Report) -> None:
    """Wait until the testnet's namespace is gone. Raises ClusterError after GONE_DEADLINE_S."""
    name, began = env.plan.spec.name, time.monotonic()
    while await api.get(NAMESPACE, name) is not None:
        left = len(await api.objects(CLAIM, name))
        report.update(f"namespace {name} is being deleted ({left} claims left, {time.monotonic() - began:.0f} s)")
        if time.monotonic() - began > GONE_DEADLINE_S:
            raise ClusterError(
                f"namespace '{name}' is still being deleted after {GONE_DEADLINE_S:.0f} s; see its status.conditions"
            )
        await asyncio.sleep(0.5)


def _tell(report: Report, difference: Comparison) -> None:
    """Say what an interrupted run, or somebody's hand, left behind."""
    if difference.adopt:
        report.say("adopting", f"{len(difference.adopt)} objects of an interrupted run")
    if difference.lost:
        report.say("refreshing", f"{len(difference.lost)} recorded objects are gone from the cluster or were made anew")
    lost = [key.name for key in difference.lost if key.kind == CLAIM.kind]
    if lost:
        report.say("warning", f"claims are gone, and their volumes' state: {some(lost)}; new ones take their place")
    if difference.orphans:
        report.say("orphans", f"ours, but neither planned nor on record: {some(difference.orphans)}")


async def before_destroy(env: EngineEnvironment, *, exclude_protected: bool) -> Situation:
    """Refuse a destroy that would fail half-way on protected objects. Raises ClusterError or EngineError.

    Protected volumes go only when the document itself says `retention: delete`: two steps, both on purpose.
    """
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        live = await examine(api, env)
        known = recorded(env)
        difference = compare(planned_keys(env.plan), known, live, env.plan.spec.name)
        kept = set(known.protected) | _planned_protected(env) & set(difference.adopt)
        if kept and not exclude_protected and env.plan.spec.retention is Retention.RETAIN:
            claims = [key.name for key in sorted(kept) if key.kind == CLAIM.kind]
            raise EngineError(
                f"testnet '{env.plan.spec.name}' keeps its volumes (retention: retain): {some(claims)}. Nothing was "
                "changed.\nUse --exclude-protected to remove the rest, or set `retention: delete` and destroy again "
                "to delete the volumes as well."
            )
        if kept and not exclude_protected:
            await let_volumes_go(api, env.plan.spec.name)
    return Situation(known, difference)


async def let_volumes_go(api: KubeApi, namespace: str) -> None:
    """Let the volumes of a namespace's claims be deleted with their claims, whatever their class once said.

    Without this a volume of a Retain class stays behind, and with it a disk that somebody pays for.
    """
    for volume in await api.objects(PERSISTENT_VOLUME):
        claim, policy = volume["spec"].get("claimRef") or {}, volume["spec"].get("persistentVolumeReclaimPolicy")
        if claim.get("namespace") == namespace and policy == "Retain":
            patch = {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
            await api.patch(PERSISTENT_VOLUME, volume["metadata"]["name"], patch)


def _planned_protected(env: EngineEnvironment) -> set[ObjectKey]:
    return {ObjectKey.of(each.manifest) for each in env.plan.objects() if each.protect}


async def sweep(env: EngineEnvironment, report: Report) -> int:
    """After a destroy: delete what is ours and not on record, and wait until it is gone. Returns how many there were.

    Such objects are left by a run that was killed before it recorded them. What the plan protects, what is still on
    record and what either of them lives in stays.
    """
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        live = await examine(api, env)
        doomed = condemned(env, live, recorded(env))
        if doomed:
            report.update(f"removing {len(doomed)} unrecorded objects of an interrupted run")
            await asyncio.gather(*(_delete(api, key) for key in doomed))
        if _leaving(env, live) or any(key.kind == "Namespace" for key in doomed):
            await wait_until_gone(api, env, report)
    return len(doomed)


def condemned(env: EngineEnvironment, live: Live, known: Recorded) -> tuple[ObjectKey, ...]:
    """What a sweep deletes: ours by label, not on record, not protected by the plan. Pure."""
    name = env.plan.spec.name
    kept = set(known.objects) | (_planned_protected(env) & set(live))
    ours = {key for key, each in live.items() if each.testnet == name and not each.leaving} - kept
    namespace = ObjectKey("", "Namespace", "", name)
    if any(key.namespace == name for key in kept):
        return tuple(sorted(ours - {namespace}))
    # A namespace takes everything in it along; only what is outside is deleted one by one.
    return tuple(sorted(key for key in ours if not (key.namespace and namespace in ours)))


async def _delete(api: KubeApi, key: ObjectKey) -> None:
    kind = known_kind(key)
    assert kind is not None, f"read_live returned a {key.kind}"
    await api.delete(kind, key.name, key.namespace or None)
