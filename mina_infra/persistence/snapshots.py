"""Snapshots of a testnet's volumes: taken on demand or as the document's schedule wants, listed, deleted.

A snapshot is called after its claim and the occasion, `whale-1-runtime-state-e1-before-upgrade`, so that taking it
again under the same name finds it. Those of the schedule are labelled, and only those are ever deleted by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mina_infra.cluster.api import (
    CLAIM,
    NAMESPACE,
    PERSISTENT_VOLUME,
    SNAPSHOT_CLASS,
    SNAPSHOT_CONTENT,
    VOLUME_SNAPSHOT,
    KubeApi,
)
from mina_infra.errors import ClusterError, MinaInfraError
from mina_infra.persistence import objects
from mina_infra.persistence.objects import Manifest, name_of
from mina_infra.persistence.report import Report
from mina_infra.persistence.waiting import until_none
from mina_infra.plan import genesis_digest, labels
from mina_infra.spec import TestnetSpec, VolumeKind
from mina_infra.spec.snapshots import Snapshots
from mina_infra.storage import snapshots as storage
from mina_infra.storage.snapshots import DRIVERS

READY_S = 1800.0
"""Seconds to wait for snapshots: a cloud's first one of a disk is a whole copy."""

_AT_ONCE = 16

DEFAULT_KINDS = (VolumeKind.RUNTIME_STATE, VolumeKind.POSTGRES_STATE)


def name_for(claim: str, occasion: str) -> str:
    """What the snapshot of a claim is called; taken again for the same occasion it is found."""
    return f"{claim}-{occasion}"


@dataclass(frozen=True)
class Wanted:
    """One snapshot to be taken: of which claim, and what the object is called."""

    claim: Manifest
    occasion: str
    scheduled: bool = False

    @property
    def name(self) -> str:
        return name_for(name_of(self.claim), self.occasion)

    @property
    def node(self) -> str:
        return objects.label(self.claim, "app")


# Which claims


async def claims_of(
    api: KubeApi, spec: TestnetSpec, nodes: Sequence[str] = (), kinds: Sequence[VolumeKind] = DEFAULT_KINDS
) -> list[Manifest]:
    """The live claims of nodes (all, or those named) and kinds, by name. Raises MinaInfraError where there is none."""
    found = [
        claim
        for claim in await api.objects(CLAIM, spec.namespace, labels=labels.selector(spec.name))
        if objects.label(claim, labels.VOLUME) in kinds
        and (not nodes or objects.label(claim, "app") in nodes)
        and "deletionTimestamp" not in claim["metadata"]
    ]
    missing = sorted(set(nodes) - {objects.label(claim, "app") for claim in found})
    if missing or not found:
        whose = f"node '{missing[0]}'" if missing else f"testnet '{spec.name}'"
        raise MinaInfraError(f"{whose} has no claim of kind {', '.join(kinds)} here; `mina-infra up` makes claims.")
    return sorted(found, key=name_of)


# Taking


async def take(api: KubeApi, spec: TestnetSpec, wanted: Sequence[Wanted], report: Report) -> list[Manifest]:
    """Take these snapshots and wait until all can be restored; the snapshots. One that exists is not taken again.

    Raises MinaInfraError for a volume whose driver takes none, before any is taken; ClusterError after READY_S, or
    when the cluster refuses, naming the snapshot and what it says.
    """
    there = {name_of(each): each for each in await objects.snapshots_of(api, spec.name, spec.namespace)}
    new = [each for each in wanted if each.name not in there]
    drivers = await _drivers(api, spec, new)
    classes = {driver: await _class(api, spec, driver) for driver in sorted(set(drivers.values()))}
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Wanted) -> None:
        driver = drivers[name_of(each.claim)]
        async with limit:
            await _apart(each, there.values(), DRIVERS[driver].apart_minutes, report)
            await objects.create_once(api, _manifest(spec, each, classes[driver]))

    await asyncio.gather(*(one(each) for each in new))
    return await _wait(api, spec, [each.name for each in wanted], report)


async def _drivers(api: KubeApi, spec: TestnetSpec, wanted: Iterable[Wanted]) -> dict[str, str]:
    """The driver behind each claim. Raises MinaInfraError for one that takes no snapshots, or no volume."""
    volumes = {name_of(each): each for each in await api.objects(PERSISTENT_VOLUME)}
    found = {}
    for each in wanted:
        name = name_of(each.claim)
        volume = volumes.get(str(each.claim["spec"].get("volumeName")))
        if not objects.is_bound(each.claim) or volume is None:
            raise MinaInfraError(f"claim '{name}' has no volume yet: there is nothing to take a snapshot of.")
        driver = objects.driver_of(volume)
        if driver not in DRIVERS:
            raise MinaInfraError(f"claim '{name}': {storage.missing(spec, driver or 'no driver')}")
        found[name] = driver
    return found


async def _class(api: KubeApi, spec: TestnetSpec, driver: str) -> str:
    """The snapshot class to use: the plan's where it is live, else one that this command makes.

    That one belongs to the namespace and goes with it: no engine has it on record.
    """
    planned = storage.snapshot_class(spec, driver, planned=True)
    if await api.get(SNAPSHOT_CLASS, planned.name) is not None:
        return planned.name
    own = storage.snapshot_class(spec, driver, planned=False)
    if await api.get(SNAPSHOT_CLASS, own.name) is None:
        namespace = await api.get(NAMESPACE, spec.namespace)
        assert namespace is not None, "its claims were listed"
        manifest = own.manifest(labels.of_testnet(spec))
        owner = {"apiVersion": "v1", "kind": "Namespace", "name": spec.namespace, "uid": namespace["metadata"]["uid"]}
        manifest["metadata"]["ownerReferences"] = [owner]
        await objects.create_once(api, manifest)
    return own.name


async def _apart(wanted: Wanted, there: Iterable[Manifest], minutes: int, report: Report) -> None:
    """Wait until the provider takes another snapshot of this disk (docs/facts.md: snapshots/rates)."""
    name = name_of(wanted.claim)
    taken = [time for each in there if objects.annotation(each, labels.CLAIM) == name and (time := taken_at(each))]
    free = max(taken, default=datetime.min.replace(tzinfo=UTC)) + timedelta(minutes=minutes) if minutes else None
    while free and (left := (free - datetime.now(UTC)).total_seconds()) > 0:
        report.update(f"{name}: one snapshot of a disk in {minutes} min; the next in {left:.0f} s")
        await asyncio.sleep(min(left, 5.0))


def _manifest(spec: TestnetSpec, wanted: Wanted, class_: str) -> Manifest:
    claim = name_of(wanted.claim)
    own = dict(wanted.claim["metadata"].get("labels") or {}) | {labels.SNAPSHOT: wanted.occasion}
    if wanted.scheduled:
        own[labels.SCHEDULED] = "true"
    notes = {labels.CLAIM: claim}
    if objects.label(wanted.claim, labels.ERA) == str(spec.era):
        notes[labels.GENESIS] = genesis_digest.digest(spec)  # of another era's claim the document no longer says
    return {
        "apiVersion": VOLUME_SNAPSHOT.api_version,
        "kind": VOLUME_SNAPSHOT.kind,
        "metadata": {"name": wanted.name, "namespace": spec.namespace, "labels": own, "annotations": notes},
        "spec": {"volumeSnapshotClassName": class_, "source": {"persistentVolumeClaimName": claim}},
    }


async def _wait(api: KubeApi, spec: TestnetSpec, names: Sequence[str], report: Report) -> list[Manifest]:
    there: dict[str, Manifest] = {}

    async def waiting() -> list[str]:
        nonlocal there
        there = {name_of(each): each for each in await objects.snapshots_of(api, spec.name, spec.namespace)}
        left = [name for name in names if not is_ready(there.get(name))]
        if left and left[0] not in there:
            raise ClusterError(_not_ready(left[0], "it was deleted"))
        if left:
            said = problem(there[left[0]])
            text = f"{len(names) - len(left)}/{len(names)} snapshots ready, waiting for {left[0]}"
            report.update(text + (f": {said}" if said else ""))
        return left

    await until_none(
        waiting, READY_S, lambda left: _not_ready(left[0], problem(there[left[0]]) or f"after {READY_S:.0f} s")
    )
    return [there[name] for name in names]


def _not_ready(name: str, why: str) -> str:
    return f"snapshot '{name}' is not ready: {why}. The same command goes on from here."


# The schedule


def slot(every_s: int, now: datetime) -> datetime:
    """The beginning of the stretch that `now` lies in; stretches are counted from midnight UTC, 1 January 1970."""
    return datetime.fromtimestamp(now.timestamp() // every_s * every_s, UTC)


def due(schedule: Snapshots, claims: Iterable[Manifest], now: datetime) -> list[Wanted]:
    """One snapshot for each bound claim and stretch, under a name that the stretch gives: a second run finds it."""
    occasion = slot(schedule.every.seconds, now).strftime("s%Y%m%d%H%M%S")
    return [Wanted(claim, occasion, scheduled=True) for claim in claims if objects.is_bound(claim)]


def superfluous(there: Iterable[Manifest], keep: int) -> Iterator[Manifest]:
    """The schedule's own snapshots beyond the newest `keep` that can be restored, of each claim.

    One that is not ready counts for nothing and goes only when it is older than all that are kept.
    """
    by_claim: dict[str, list[Manifest]] = {}
    for each in there:
        if objects.label(each, labels.SCHEDULED) == "true":
            by_claim.setdefault(objects.annotation(each, labels.CLAIM), []).append(each)
    for members in by_claim.values():
        members.sort(key=lambda each: (objects.label(each, labels.SNAPSHOT), name_of(each)), reverse=True)
        ready = 0
        for each in members:
            if ready >= keep:
                yield each
            ready += is_ready(each)


# Looking and deleting


@dataclass(frozen=True)
class Row:
    """One snapshot for a reader. `gib` is the least size of a volume made from it, 0 while that is not known."""

    name: str
    claim: str
    occasion: str
    era: str
    gib: int
    usd: float | None
    taken: datetime | None
    ready: bool
    scheduled: bool
    genesis: str
    problem: str = ""


async def rows(api: KubeApi, spec: TestnetSpec) -> list[Row]:
    """The testnet's snapshots, newest first."""
    each_usd = storage.usd_per_gib(spec)
    found = [_row(each, each_usd) for each in await objects.snapshots_of(api, spec.name, spec.namespace)]
    latest = datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda row: (-(row.taken or latest).timestamp(), row.name))


def _row(snapshot: Manifest, usd_per_gib: float | None) -> Row:
    status: dict[str, Any] = snapshot.get("status") or {}
    gib = objects.gib(status.get("restoreSize"))
    return Row(
        name=name_of(snapshot),
        claim=objects.annotation(snapshot, labels.CLAIM),
        occasion=objects.label(snapshot, labels.SNAPSHOT),
        era=objects.label(snapshot, labels.ERA),
        gib=gib,
        usd=None if usd_per_gib is None else gib * usd_per_gib,
        taken=taken_at(snapshot),
        ready=is_ready(snapshot),
        scheduled=objects.label(snapshot, labels.SCHEDULED) == "true",
        genesis=objects.annotation(snapshot, labels.GENESIS),
        problem=problem(snapshot),
    )


def is_ready(snapshot: Manifest | None) -> bool:
    return bool(((snapshot or {}).get("status") or {}).get("readyToUse"))


def problem(snapshot: Manifest) -> str:
    """What the cluster says went wrong with it; empty for nothing."""
    return str(((snapshot.get("status") or {}).get("error") or {}).get("message") or "")


def taken_at(snapshot: Manifest) -> datetime | None:
    text = (snapshot.get("status") or {}).get("creationTime")
    return objects.time_of(text) if text else None


async def delete(api: KubeApi, snapshot: Manifest) -> None:
    """Delete a snapshot with what it keeps, whatever its class says: first its content is let go, then it.

    Killed in between, the same again finishes it. Raises ApiStatusError (409) when it changed since it was looked at.
    """
    meta = snapshot["metadata"]
    bound = (snapshot.get("status") or {}).get("boundVolumeSnapshotContentName")
    content = await api.get(SNAPSHOT_CONTENT, bound) if bound else None
    imported = content is not None and "snapshotHandle" in content["spec"]["source"]
    if content is not None and not imported and content["spec"]["volumeSnapshotRef"].get("uid") == meta["uid"]:
        patch = {
            "metadata": {"resourceVersion": content["metadata"]["resourceVersion"]},
            "spec": {"deletionPolicy": "Delete"},
        }
        await api.patch(SNAPSHOT_CONTENT, str(bound), patch)
    await api.delete(VOLUME_SNAPSHOT, meta["name"], meta["namespace"])
