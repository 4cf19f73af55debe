"""What should be there, what is on record, what is there: three lists of objects and how they differ.

`compare` is pure. Ownership is told by labels alone (`managed-by: mina-infra` and the testnet's name): a name proves
nothing, and what is not ours is never touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mina_infra.cluster.api import CLAIM, KINDS, NAMESPACE, STORAGE_CLASS, ApiStatusError, Kind, KubeApi, kind_of
from mina_infra.engine.state import ObjectKey, Recorded
from mina_infra.plan import TestnetPlan, labels


@dataclass(frozen=True)
class LiveObject:
    """One object of the cluster, as far as ownership is concerned."""

    uid: str
    testnet: str | None
    """The testnet whose object it is by its labels; None for an object that is not ours at all."""
    owner: str
    """Who made it, as far as labels and field managers tell; for messages."""
    leaving: bool = False
    """It is being deleted."""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    """All of a PersistentVolumeClaim; empty for other kinds."""


Live = Mapping[ObjectKey, LiveObject]


@dataclass(frozen=True)
class Comparison:
    """How plan, record and cluster differ. Every list is sorted."""

    adopt: tuple[ObjectKey, ...] = ()
    """Planned, there, ours, not on record: an interrupted run made them."""
    foreign: tuple[ObjectKey, ...] = ()
    """Planned and there, but somebody else's."""
    lost: tuple[ObjectKey, ...] = ()
    """Planned and on record, but gone, or made anew since."""
    orphans: tuple[ObjectKey, ...] = ()
    """Ours, neither planned nor on record."""


def compare(planned: Iterable[ObjectKey], recorded: Recorded, live: Live, testnet: str) -> Comparison:
    """The differences that decide what a run may do."""
    wanted = set(planned)
    known = recorded.objects

    def is_ours(key: ObjectKey) -> bool:
        return live[key].testnet == testnet

    def is_as_recorded(key: ObjectKey) -> bool:
        return key in known and known[key].uid == live[key].uid

    there = [key for key in live if not live[key].leaving]
    return Comparison(
        adopt=_sorted(key for key in there if key in wanted and key not in known and is_ours(key)),
        foreign=_sorted(key for key in there if key in wanted and not is_ours(key) and not is_as_recorded(key)),
        lost=_sorted(
            key for key in wanted if key in known and (key not in live or (is_ours(key) and not is_as_recorded(key)))
        ),
        orphans=_sorted(key for key in there if is_ours(key) and key not in wanted and key not in known),
    )


def planned_keys(plan: TestnetPlan) -> tuple[ObjectKey, ...]:
    """The objects of a plan."""
    return tuple(ObjectKey.of(each.manifest) for each in plan.objects())


async def read_live(api: KubeApi, plan: TestnetPlan) -> dict[ObjectKey, LiveObject]:
    """The live objects of all kinds that testnets use: everything in its namespace; elsewhere what is ours or planned.

    One list for each kind, all at once. A kind that the cluster does not serve, or does not let us see, counts as empty
    unless the plan needs it.
    """
    planned_kinds = {kind_of(each.manifest) for each in plan.objects()}
    kinds = planned_kinds | {NAMESPACE, CLAIM, STORAGE_CLASS}
    name = plan.spec.name
    lists = await asyncio.gather(*(_objects(api, kind, name, required=kind in planned_kinds) for kind in kinds))
    cluster_wide = [each.manifest for each in plan.objects() if not kind_of(each.manifest).namespaced]
    single = await asyncio.gather(
        *(api.get(kind_of(manifest), manifest["metadata"]["name"]) for manifest in cluster_wide)
    )
    found = [item for items in lists for item in items]
    found += [
        {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], **item}
        for manifest, item in zip(cluster_wide, single, strict=True)
        if item
    ]
    return {ObjectKey.of(item): describe(item) for item in found if not item["metadata"].get("ownerReferences")}


async def _objects(api: KubeApi, kind: Kind, testnet: str, *, required: bool) -> list[dict[str, Any]]:
    try:
        if kind.namespaced:
            return await api.objects(kind, testnet)
        return await api.objects(kind, labels=labels.selector(testnet))
    except ApiStatusError as error:
        if error.code in (403, 404) and not required:
            return []
        raise


def describe(item: Mapping[str, Any]) -> LiveObject:
    """Whose object it is."""
    metadata = item["metadata"]
    own = metadata.get("labels") or {}
    is_ours, testnet = own.get(labels.MANAGED_BY) == labels.MINA_INFRA, own.get(labels.TESTNET)
    managers = {entry.get("manager", "") for entry in metadata.get("managedFields") or []} - {""}
    owner = own.get(labels.MANAGED_BY) or ", ".join(sorted(managers)) or "unknown"
    return LiveObject(
        uid=metadata["uid"],
        testnet=testnet if is_ours else None,
        owner=f"testnet {testnet}" if is_ours else owner,
        leaving="deletionTimestamp" in metadata,
        manifest=item if item["kind"] == CLAIM.kind else {},
    )


def known_kind(key: ObjectKey) -> Kind | None:
    """How to reach objects of a key's kind; None for a kind that this project does not handle."""
    for kind in KINDS.values():
        if kind.kind == key.kind and kind.api_version.rpartition("/")[0] == key.group:
            return kind
    return None


def listed(keys: Iterable[ObjectKey], limit: int = 10) -> str:
    """Object names for a message, one a line, cut at `limit`."""
    names = [str(key) for key in keys]
    lines = [f"  {name}" for name in names[:limit]]
    return "\n".join(lines + ([f"  and {len(names) - limit} more"] if len(names) > limit else []))


def some(names: Iterable[object], limit: int = 5) -> str:
    """Names for one line of a message: `a, b and 7 more`."""
    texts = [str(name) for name in names]
    return ", ".join(texts[:limit]) + (f" and {len(texts) - limit} more" if len(texts) > limit else "")


def _sorted(keys: Iterable[ObjectKey]) -> tuple[ObjectKey, ...]:
    return tuple(sorted(keys))
