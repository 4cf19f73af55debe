"""Before a run: is the cluster there, is everything that we would touch ours, and what did an interrupted run leave?

A killed `up` does not converge by running it again (docs/facts.md: measured/killed-up): objects that were made but not
recorded fail every later run with "already exists", and the obvious repair by import replaces claims. So: what is live,
planned, labelled as ours and not on record is adopted by one upserting run; what is not ours refuses the run, before
anything is changed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from mina_infra.cluster.api import CLAIM, PERSISTENT_VOLUME, ApiStatusError, KubeApi
from mina_infra.engine import classes
from mina_infra.engine.classes import refuse_for_testnet
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.existing import examine_existing
from mina_infra.engine.guard import VolumesInDangerError, examine_volumes
from mina_infra.engine.half_moved import refuse_half_moved
from mina_infra.engine.inventory import (
    Comparison,
    Live,
    compare,
    describe,
    known_kind,
    listed,
    planned_keys,
    read_live,
    some,
)
from mina_infra.engine.report import Report
from mina_infra.engine.state import ObjectKey, Recorded, recorded
from mina_infra.errors import ClusterError, EngineError
from mina_infra.plan.losses import ALLOW, Verdict, patterns

GONE_DEADLINE_S = 180.0
"""Seconds to wait for what is being deleted; a namespace of 200 nodes takes about 20, a cloud's disk longer."""


@dataclass(frozen=True)
class Situation:
    """What the next run has to deal with."""

    recorded: Recorded
    difference: Comparison
    volumes: Verdict = field(default_factory=Verdict)

    @property
    def adopt(self) -> bool:
        """The provider must take over what already exists."""
        return bool(self.difference.adopt)

    @property
    def refresh(self) -> bool:
        """The record must be compared with the cluster first."""
        return bool(self.difference.lost)


async def before_up(env: EngineEnvironment, report: Report, allow: Sequence[str] = ()) -> Situation:
    """Look, refuse or say what will be repaired. Changes nothing. Raises ClusterError or EngineError.

    `allow`: patterns of the claims that this run may lose, beside those of the variable.
    """
    situation = await look(env, report, allow)
    if situation.volumes.refused:
        raise VolumesInDangerError(situation.volumes.refused)
    return situation


async def look(env: EngineEnvironment, report: Report, allow: Sequence[str] = ()) -> Situation:
    """What `before_up` sees, with the volumes in danger as data. Raises ClusterError or EngineError."""
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        # Whatever is still on its way out looks like an unchanged object now and would be missing afterwards.
        live = await wait_until_gone(api, env, planned_keys(env.plan), report)
        await refuse_half_moved(api, env, live)
        known = recorded(env)
        refuse_another_record(env, known)
        claims = await _claims_elsewhere(api, env, known)
        allow = (*allow, *patterns(os.environ.get(ALLOW, "")))
        await examine_existing(api, env.plan, live, allow)
        declared = await _declared_classes(api, env, known)
        await refuse_for_testnet(api, env, live)
    difference = compare(planned_keys(env.plan), known, live, env.plan.spec.name)
    difference = replace(difference, adopt=tuple(sorted((*difference.adopt, *declared))))
    refuse_foreign(env, live, difference.foreign)
    verdict = examine_volumes(env.plan, known, {**live, **claims}, allow, moved(env, known))
    tell(report, difference, verdict, live)
    return Situation(known, difference, verdict)


async def _declared_classes(api: KubeApi, env: EngineEnvironment, known: Recorded) -> tuple[ObjectKey, ...]:
    """Classes to adopt, of those that a testnet's stack declares for its cluster as well. Raises EngineError."""
    if not env.classes:
        return ()
    there = await classes.read(api, users=True)
    classes.refuse_for_cluster(env, there)
    return classes.unrecorded(env, there, known)


def refuse_another_record(env: EngineEnvironment, known: Recorded) -> None:
    """Raise EngineError when the record in place is that of another stack: the engine would delete what it names."""
    others = sorted(known.stacks - {env.stack})
    if others:
        raise EngineError(
            f"the engine's record of stack '{env.stack}' is that of stack '{others[0]}'; nothing was changed. Put its "
            f"own back, or run `mina-infra recover -s {env.stack}`, which starts from what is in the cluster."
        )


def is_of_another(env: EngineEnvironment, known: Recorded) -> str | None:
    """Whose record it is, if not this stack's: another name in it, or nothing of this testnet's namespace."""
    stacks = sorted(known.stacks - {env.stack})
    if stacks:
        return f"stack '{stacks[0]}'"
    namespaces = {key.name for key in known.objects if key.kind == "Namespace"}
    if namespaces and env.plan.spec.namespace not in namespaces:
        return f"testnet '{min(namespaces)}'"
    return None


def refuse_another_testnet(env: EngineEnvironment, known: Recorded) -> None:
    """Raise EngineError when what is on record is not the document's testnet: a destroy would take that one away."""
    refuse_another_record(env, known)
    if another := is_of_another(env, known):
        raise EngineError(
            f"the engine's record of stack '{env.stack}' is that of {another}, the document's name is "
            f"'{env.plan.spec.name}'; nothing was changed. Write the name that it was deployed with, or, if it is the "
            f"record that is wrong, run `mina-infra recover -s {env.stack}`."
        )


def moved(env: EngineEnvironment, known: Recorded) -> tuple[str, str] | None:
    """The cluster's identifier on record and in the stack file, where they differ: the engine then replaces it all."""
    if known.cluster is None or known.cluster == env.identifier:
        return None
    return known.cluster, env.identifier


async def _claims_elsewhere(api: KubeApi, env: EngineEnvironment, known: Recorded) -> Live:
    """The claims in namespaces that the engine has on record and the plan has not: the testnet was renamed."""
    namespaces = {key.namespace or key.name for key in known.objects if key.namespace or key.kind == "Namespace"}
    lists = [await api.objects(CLAIM, each) for each in sorted(namespaces - {env.plan.spec.namespace})]
    return {ObjectKey.of(item): describe(item) for items in lists for item in items}


async def before_refresh(env: EngineEnvironment) -> Situation:
    """Only look whether the cluster is there. Raises ClusterError."""
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        await examine(api, env)
    known = recorded(env)
    refuse_another_record(env, known)
    return Situation(known, Comparison())


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


async def wait_until_gone(api: KubeApi, env: EngineEnvironment, keys: Iterable[ObjectKey], report: Report) -> Live:
    """Wait until none of these objects is being deleted; the live objects then.

    Raises ClusterError after GONE_DEADLINE_S, naming what is left.
    """
    wanted, began = set(keys), time.monotonic()
    while True:
        live = await examine(api, env)
        leaving = sorted(key for key in wanted if key in live and live[key].leaving)
        if not leaving:
            return live
        await _wait_for(leaving, began, report)


async def wait_for_volumes(api: KubeApi, namespace: str, report: Report) -> None:
    """Wait until the volumes of deleted claims are gone too. Raises ClusterError after GONE_DEADLINE_S."""
    began = time.monotonic()
    while True:
        volumes = await api.objects(PERSISTENT_VOLUME)
        claims = await api.objects(CLAIM, namespace)
        kept = {claim["metadata"]["uid"] for claim in claims}
        left = [
            f"PersistentVolume of {reference['name']}"
            for volume in volumes
            if (reference := volume["spec"].get("claimRef") or {}).get("namespace") == namespace
            and reference.get("uid") not in kept
            and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        ]
        if not left:
            return
        await _wait_for(left, began, report)


async def _wait_for(left: Sequence[object], began: float, report: Report) -> None:
    """Half a second; ClusterError when it has been too long."""
    waited = time.monotonic() - began
    if waited > GONE_DEADLINE_S:
        raise ClusterError(
            f"still being deleted after {GONE_DEADLINE_S:.0f} s: {some(left)}. Something uses them or has to let them "
            "go first; see their metadata.finalizers"
        )
    report.update(f"being deleted: {some(left)} ({waited:.0f} s)")
    await asyncio.sleep(0.5)


def tell(report: Report, difference: Comparison, volumes: Verdict, live: Live) -> None:
    """Say what an interrupted run, or somebody's hand, left behind, and which volumes go on purpose."""
    if volumes.allowed:
        names = sorted({each.claim for each in volumes.allowed})
        report.say("volumes", f"lost on purpose, as named for this run: {', '.join(names)}")
    for pattern in volumes.idle:
        report.say("volumes", f"'{pattern}' of the allow list matches no volume in danger")
    if difference.adopt:
        report.say("adopting", f"{len(difference.adopt)} objects that are there, ours by label, and not on record")
    if difference.lost:
        report.say("refreshing", f"{len(difference.lost)} recorded objects are gone from the cluster or were made anew")
    claims = [key for key in difference.lost if key.kind == CLAIM.kind]
    gone = [key.name for key in claims if key not in live or live[key].leaving]
    if gone:
        report.say("warning", f"claims are gone, and their volumes' state: {some(gone)}; new ones take their place")
    anew = [key.name for key in claims if key.name not in gone]
    if anew:  # by `migrate` or `rebind`, with their data, or by somebody's hand
        report.say("refreshing", f"claims that were made anew are taken as they are: {some(anew)}")
    if difference.orphans:
        report.say("orphans", f"ours, but neither planned nor on record: {some(difference.orphans)}")


async def before_destroy(env: EngineEnvironment, *, exclude_protected: bool) -> Situation:
    """Refuse a destroy that would fail half-way on protected objects. Raises ClusterError or EngineError.

    Protected volumes go only when the document itself says `retention: delete`: two steps, both on purpose.
    """
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        live = await examine(api, env)
        known = recorded(env)
        refuse_another_testnet(env, known)
        difference = compare(planned_keys(env.plan), known, live, env.plan.spec.name)
        kept = set(known.protected) | _planned_protected(env) & set(difference.adopt)
        _refuse_unprotected(env, known, live)
        if kept and not exclude_protected and env.plan.keeps:
            claims = [key.name for key in sorted(kept) if key.kind == CLAIM.kind]
            raise EngineError(
                f"testnet '{env.plan.spec.name}' keeps its volumes (retention: retain): {some(claims)}. Nothing was "
                "changed.\nUse --exclude-protected to remove the rest, or set `retention: delete` and destroy again "
                "to delete the volumes as well."
            )
        if kept and not exclude_protected:
            await let_volumes_go(api, env.plan.spec.name)
    return Situation(known, difference)


def _refuse_unprotected(env: EngineEnvironment, known: Recorded, live: Live) -> None:
    """Raise EngineError when the document keeps volumes that the last run did not protect: they would be deleted."""
    wanted = {key for key in _planned_protected(env) if key.kind == CLAIM.kind and key in live}
    bare = sorted(key.name for key in wanted & set(known.objects) - set(known.protected))
    if bare:
        raise EngineError(
            f"testnet '{env.plan.spec.name}' keeps its volumes from now on (retention: retain), but they were deployed "
            f"before that was written: {some(bare)}. Nothing was changed.\nRun `up` first, which protects them, or set "
            "`retention: delete` to delete them."
        )


async def hold_volumes(env: EngineEnvironment) -> int:
    """Let the volumes of kept claims outlive them, whatever their class says; how many did not. Raises ClusterError.

    Only a testnet whose retention was switched on later has such volumes (docs/facts.md: rule/24).
    """
    if env.plan.spec.class_retention is None:
        return 0
    namespace, held = env.plan.spec.namespace, 0
    kept = {key.name for key in _planned_protected(env) if key.kind == CLAIM.kind}
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        for volume in await api.objects(PERSISTENT_VOLUME):
            claim, spec = volume["spec"].get("claimRef") or {}, volume["spec"]
            deletes = spec.get("persistentVolumeReclaimPolicy") == "Delete"
            if deletes and claim.get("namespace") == namespace and claim.get("name") in kept:
                patch = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}
                await api.patch(PERSISTENT_VOLUME, volume["metadata"]["name"], patch)
                held += 1
    return held


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
        await wait_until_gone(api, env, {*live, *doomed}, report)
        await wait_for_volumes(api, env.plan.spec.name, report)
    return len(doomed)


def condemned(env: EngineEnvironment, live: Live, known: Recorded) -> tuple[ObjectKey, ...]:
    """What a sweep deletes: ours by label, not on record, not protected by the plan. Pure."""
    name = env.plan.spec.name
    kept = set(known.objects) | (_planned_protected(env) & set(live)) | _unplanned_claims(env, live)
    ours = {key for key, each in live.items() if each.testnet == name and not each.leaving} - kept
    namespace = ObjectKey("", "Namespace", "", name)
    if any(key.namespace == name for key in kept):
        return tuple(sorted(ours - {namespace}))
    # A namespace takes everything in it along; only what is outside is deleted one by one.
    return tuple(sorted(key for key in ours if not (key.namespace and namespace in ours)))


def _unplanned_claims(env: EngineEnvironment, live: Live) -> set[ObjectKey]:
    """Claims that a sweep leaves though no plan and no record has them: those that the document's nodes mount, and,
    where volumes are kept, all of them. `mina-infra orphans` shows what nobody needs."""
    objects = env.plan.objects()
    pods = [each.manifest.get("spec", {}).get("template", {}).get("spec", {}) for each in objects]
    mounts = [mount.get("persistentVolumeClaim") or {} for pod in pods for mount in pod.get("volumes", ())]
    mounted, keeps = {mount.get("claimName") for mount in mounts}, any(each.protect for each in objects)
    claims = {key for key in live if key.kind == CLAIM.kind} - {ObjectKey.of(each.manifest) for each in objects}
    return {key for key in claims if keeps or key.name in mounted}


async def _delete(api: KubeApi, key: ObjectKey) -> None:
    kind = known_kind(key)
    assert kind is not None, f"read_live returned a {key.kind}"
    await api.delete(kind, key.name, key.namespace or None)
