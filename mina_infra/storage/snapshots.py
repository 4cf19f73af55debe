"""Snapshots of volumes: which driver takes them, their classes, what they cost.

By driver, as the drivers' documentation has it (docs/facts.md: snapshots/drivers, snapshots/rates). What a driver
cannot do is refused by name, before anything is planned or stopped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mina_infra.spec import Issue, Retention, TestnetSpec
from mina_infra.spec.errors import Path
from mina_infra.storage.capabilities import Capability, capability, provider_info
from mina_infra.storage.classes import named_by_content
from mina_infra.storage.needs import Need, claimed_kinds, need, overrides, places
from mina_infra.storage.prices import SNAPSHOT, price


@dataclass(frozen=True)
class Snapshotting:
    """How one driver takes snapshots. `apart_minutes`: of one disk, one in so many."""

    parameters: Mapping[str, str]
    apart_minutes: int = 0


DRIVERS: Mapping[str, Snapshotting] = {
    "pd.csi.storage.gke.io": Snapshotting({}, apart_minutes=10),
    # A share's own snapshots do not outlive it: a backup does.
    "filestore.csi.storage.gke.io": Snapshotting({"type": "backup"}),
    "ebs.csi.aws.com": Snapshotting({}),
    "disk.csi.azure.com": Snapshotting({"incremental": "true"}),
    "local.mina-infra": Snapshotting({}),
}

WITHOUT: Mapping[str, str] = {
    "efs.csi.aws.com": "EFS has backups of whole file systems only",
    "file.csi.azure.com": "a share's snapshots go with the share, and restoring copies file by file",
}
"""Why a driver is not in the table."""


@dataclass(frozen=True)
class SnapshotClass:
    """One VolumeSnapshotClass: its name follows what is in it."""

    name: str
    key: str
    fields: Mapping[str, Any]

    def manifest(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """The VolumeSnapshotClass object."""
        return {
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshotClass",
            "metadata": {"name": self.name, "labels": dict(labels)},
            **self.fields,
        }


def snapshot_class(spec: TestnetSpec, driver: str, *, planned: bool) -> SnapshotClass:
    """The class of a driver in this testnet. Raises LookupError for a driver that takes no snapshots.

    Not `planned`: the one that a command makes for a document without `snapshots`; it has another name, so that a later
    `up` never meets it.
    """
    fields = {
        "driver": driver,
        "deletionPolicy": "Retain" if spec.retention is Retention.RETAIN else "Delete",
        "parameters": dict(DRIVERS[driver].parameters),
    }
    body = re.sub(r"[^a-z0-9]+", "-", f"{spec.name}-snapshots-{spec.target.region}")
    return SnapshotClass(named_by_content(body, [body, fields, planned]), f"snapshots-{driver}", fields)


def planned_classes(spec: TestnetSpec) -> tuple[SnapshotClass, ...]:
    """The classes of a document with `snapshots`, one for each driver of the volumes in question; else none."""
    drivers = sorted({found.driver for _, found in _scheduled(spec)} & DRIVERS.keys())
    return tuple(snapshot_class(spec, driver, planned=True) for driver in drivers)


def usd_per_gib(spec: TestnetSpec) -> float | None:
    """USD for one GiB of a snapshot and month; None where it is not known. Only what it holds is billed."""
    return price(spec.target.provider, spec.target.region, SNAPSHOT)


def missing(spec: TestnetSpec, driver: str) -> str:
    """Why there are no snapshots of a driver's volumes, for a message (docs/facts.md: refusal/V39)."""
    why = WITHOUT.get(driver, "its driver is not known here")
    known = sorted({each.product for each in provider_info(spec).zonal.values() if each.driver in DRIVERS})
    return (
        f"provider '{spec.target.provider.value}' has no 'snapshots' of volumes of {driver} ({why}); "
        f"supported here: {', '.join(known)}."
    )


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """All issues of the schedule and of volumes that start from snapshots; raises nothing."""
    yield from _schedule(spec)
    yield from _starts(spec)


def _schedule(spec: TestnetSpec) -> Iterator[Issue]:
    wanted = spec.snapshots
    if wanted is None:
        return
    owned = {kind for group in spec.nodes for kind in claimed_kinds(group)}
    if not wanted.kinds:
        yield Issue(("snapshots", "kinds"), "no kind of volume is named.", "Name one, or leave `kinds` out.")
    found = dict(_scheduled(spec))
    for index, kind in enumerate(wanted.kinds):
        path: Path = ("snapshots", "kinds", index)
        if kind not in owned and "kinds" in wanted.model_fields_set:
            yield Issue(
                path,
                f"no node has a volume '{kind.value}' of its own; there is nothing to take a snapshot of.",
                f"Kinds of this testnet: {', '.join(sorted(each.value for each in owned)) or 'none'}.",
            )
        elif kind.value in found and found[kind.value].driver not in DRIVERS:
            yield Issue(path, missing(spec, found[kind.value].driver), "Leave this kind out.")
    apart = max((DRIVERS[each.driver].apart_minutes for each in found.values() if each.driver in DRIVERS), default=0)
    if wanted.every.seconds < apart * 60:
        yield Issue(
            ("snapshots", "every"),
            f"{spec.target.provider.value} takes one snapshot of a disk in {apart} minutes; {wanted.every} is shorter.",
            f"Use every: {apart}m or more.",
        )


def _starts(spec: TestnetSpec) -> Iterator[Issue]:
    """Volumes that start from a snapshot: one node's, of this namespace, on a disk whose driver restores it."""
    users: dict[str, list[str]] = {}
    for index, group in enumerate(spec.nodes):
        for kind in claimed_kinds(group):
            everywhere = need(spec, kind, group).from_snapshot is not None
            for node in group.node_names() if everywhere else group.overrides:
                wanted = need(spec, kind, group, node)
                if wanted.from_snapshot is None:
                    continue
                said = zip(places(kind, group, index, node), overrides(spec, kind, group, node), strict=True)
                place = next(path for path, each in said if each is not None and each.from_snapshot)
                users.setdefault(wanted.from_snapshot, []).append(node)
                if len(users[wanted.from_snapshot]) == 2:
                    yield _for_one_node((*place, "fromSnapshot"), wanted.from_snapshot)
                yield from _start(spec, wanted, (*place, "fromSnapshot"))


def _start(spec: TestnetSpec, wanted: Need, path: Path) -> Iterator[Issue]:
    """One volume (docs/facts.md: refusal/V28, refusal/V39)."""
    found = capability(spec, wanted.disk)
    if "/" in (wanted.from_snapshot or ""):
        yield Issue(
            path,
            f"'{wanted.from_snapshot}' is in another namespace; a snapshot is restored in its own only.",
            "`mina-infra clone` carries the state of another testnet over; of this one, write the name alone.",
        )
    elif wanted.existing_claim or wanted.existing_volume:
        yield Issue(
            path,
            "a claim or volume that exists is used as it is; `fromSnapshot` is for a volume that is made.",
            "Keep one of them.",
        )
    elif found is not None and found.driver not in DRIVERS:
        yield Issue(path, missing(spec, found.driver), "Remove `fromSnapshot`.")


def _for_one_node(path: Path, name: str) -> Issue:
    """Two nodes with one node's state would have its identity twice (docs/facts.md: refusal/V2)."""
    return Issue(
        path,
        f"'{name}' holds one node's state but several nodes would start with it.",
        "Name it under `overrides` of a group, for one node.",
    )


def _scheduled(spec: TestnetSpec) -> Iterator[tuple[str, Capability]]:
    """The kinds in question with the disks that carry them."""
    if spec.snapshots is None:
        return
    for group in spec.nodes:
        for kind in claimed_kinds(group):
            for node in (None, *group.overrides):
                found = capability(spec, need(spec, kind, group, node).disk)
                if kind in spec.snapshots.kinds and found is not None:
                    yield kind.value, found
