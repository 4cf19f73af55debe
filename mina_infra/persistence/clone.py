"""One testnet's state into another one: same genesis, other name, new identities.

For each volume: a snapshot in the source's namespace; its handle imported into the target's namespace, as snapshots
and claims cannot cross namespaces (docs/facts.md: snapshots/objects, refusal/V28); the target's claim, made
from its plan with that snapshot as its source. Then an `up` of the target adopts the claims, and its start guards take
away who the volumes were (docs/facts.md: mina/identity-files). Names follow from claim and target alone, so a command
that was killed finds what it had done. `plan_clone` is pure. Secrets are never read.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mina_infra.cluster.api import SNAPSHOT_CONTENT, VOLUME_SNAPSHOT, KubeApi
from mina_infra.errors import ClusterError, MinaInfraError
from mina_infra.persistence import objects, snapshots
from mina_infra.persistence.objects import name_of
from mina_infra.persistence.report import Report
from mina_infra.persistence.snapshots import Wanted
from mina_infra.persistence.volumes import Contents, planned_claims
from mina_infra.persistence.waiting import until_bound, until_none
from mina_infra.plan import TestnetPlan, labels
from mina_infra.plan.genesis_digest import digest
from mina_infra.spec import TestnetSpec, VolumeKind
from mina_infra.storage.matching import capacity_gib, requested_gib

Manifest = Mapping[str, Any]

KINDS = snapshots.DEFAULT_KINDS
"""What is cloned: each node's own state. The genesis artefacts are filled anew, from the same source."""

READY_S = 300.0
BOUND_S = 600.0
"""Seconds for imported snapshots to be bound, and for new volumes to be made from them."""


class CloneRefusedError(MinaInfraError):
    """This cannot be cloned; nothing was changed."""


@dataclass(frozen=True)
class Copied:
    """One volume that is cloned: the live claim of the source, and the claim of the target's plan."""

    source: Manifest
    target: Manifest
    occasion: str
    made: bool = False
    """The target's claim is there already, made from the very snapshot."""

    @property
    def snapshot(self) -> str:
        """The snapshot's name, in both namespaces."""
        return snapshots.name_for(name_of(self.source), self.occasion)

    @property
    def content(self) -> str:
        """The name of the imported content; contents have no namespace."""
        return f"{self.target['metadata']['namespace']}-{self.snapshot}"

    def line(self) -> str:
        return f"{name_of(self.source)} → {name_of(self.target)}" + (" (made already)" if self.made else "")


@dataclass(frozen=True)
class ClonePlan:
    """What is to be done. `empty`: nodes of the target that begin without a chain; `unused`: nodes of the source whose
    state nobody gets."""

    copies: tuple[Copied, ...]
    empty: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def wanted(self) -> list[Wanted]:
        """The snapshots to be taken: only of what is not made yet."""
        return [Wanted(dict(each.source), each.occasion) for each in self.copies if not each.made]


def pairs(source: TestnetSpec, target: TestnetSpec, chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """Which node of the target gets whose state: target → source.

    `chosen` (source → target) goes first. Then node i of a group gets that of node i of the source's group of the same
    name and role; what is left gets, in order, what is left of its role. Raises CloneRefusedError for an unknown or
    twice chosen node.
    """
    found = _chosen(source, target, dict(chosen or {}))
    groups = {group.name: group for group in source.nodes}
    for group in target.nodes:
        same = groups.get(group.name)
        if same is not None and same.role is group.role:
            for mine, its in zip(group.node_names(), same.node_names(), strict=False):
                if mine not in found and its not in found.values():
                    found[mine] = its
    for group in target.nodes:
        left = [each for its in source.groups_of(group.role) for each in its.node_names() if each not in found.values()]
        free = [name for name in group.node_names() if name not in found]
        found |= dict(zip(free, left, strict=False))
    return found


def _chosen(source: TestnetSpec, target: TestnetSpec, chosen: Mapping[str, str]) -> dict[str, str]:
    for testnet, names in ((source, chosen), (target, chosen.values())):
        unknown = [name for name in names if name not in testnet.node_names()]
        if unknown:
            raise CloneRefusedError(f"--map names '{unknown[0]}', which is no node of '{testnet.name}'")
    found = {mine: its for its, mine in chosen.items()}
    if len(found) < len(chosen):
        twice = next(mine for mine in found if list(chosen.values()).count(mine) > 1)
        raise CloneRefusedError(f"--map gives '{twice}' two states; each node has one")
    return found


def plan_clone(
    source: TestnetPlan,
    target: TestnetPlan,
    seen: Contents,
    there: Contents,
    chosen: Mapping[str, str] | None = None,
) -> ClonePlan:
    """What of the source's live claims (`seen`) goes where in the target (`there`). Raises CloneRefusedError."""
    _refuse_another_chain(source.spec, target.spec)
    _refuse_one_identity(source.spec, target.spec)
    _refuse_foreign(target.spec, there)
    occasion = f"clone-{target.spec.name}"
    planned = planned_claims(target)
    copies, got = [], pairs(source.spec, target.spec, chosen)
    for mine, its in got.items():
        for kind in KINDS:
            claim, origin = _of_node(planned.values(), mine, kind), _of_node(seen.claims.values(), its, kind)
            if claim is None or origin is None or not _is_era(origin, source.spec):
                continue
            each = Copied(origin, claim, occasion)
            copies.append(Copied(origin, claim, occasion, made=_made(each, there.claims.get(name_of(claim)))))
    if not copies:
        raise CloneRefusedError(
            f"testnet '{source.spec.name}' has no volume here that a node of '{target.spec.name}' could start from."
        )
    _refuse_smaller(copies, seen)
    served = {objects.label(each.target, "app") for each in copies}
    return ClonePlan(
        tuple(copies),
        empty=tuple(name for name in target.spec.node_names() if name not in served and _has_state(planned, name)),
        unused=tuple(
            name for name in source.spec.node_names() if name not in got.values() and _has_state(seen.claims, name)
        ),
    )


def _has_state(planned: Mapping[str, Manifest], node: str) -> bool:
    return any(_of_node(planned.values(), node, kind) for kind in KINDS)


def _of_node(claims: Iterable[Manifest], node: str, kind: VolumeKind) -> Manifest | None:
    return next((c for c in claims if (objects.label(c, "app"), objects.label(c, labels.VOLUME)) == (node, kind)), None)


def _is_era(claim: Manifest, spec: TestnetSpec) -> bool:
    return objects.label(claim, labels.ERA) == str(spec.era)


def _refuse_another_chain(source: TestnetSpec, target: TestnetSpec) -> None:
    if source.namespace == target.namespace:
        raise CloneRefusedError(f"'{source.name}' cannot be cloned into itself: give the other testnet another name.")
    if (digest(source), source.era) != (digest(target), target.era):
        raise CloneRefusedError(
            f"'{source.name}' has genesis {digest(source)}, era {source.era}; '{target.name}' has genesis "
            f"{digest(target)}, era {target.era}. A chain can only go on under its own genesis and era: take the "
            "runtimeConfig, the ledger and the era over into the other document."
        )


def _refuse_one_identity(source: TestnetSpec, target: TestnetSpec) -> None:
    """Two nodes with one peer id: whoever dials one reaches the other."""
    mine = {each.peer_id for group in source.nodes for each in group.identities}
    for group in target.nodes:
        for name, each in zip(group.node_names(), group.identities, strict=False):
            if each.peer_id in mine:
                raise CloneRefusedError(
                    f"'{name}' of '{target.name}' has peer id {each.peer_id}, which is one of '{source.name}': a copy "
                    "has identities of its own. Generate a key and write its peer id into the document of the copy."
                )


def _refuse_foreign(target: TestnetSpec, there: Contents) -> None:
    if there.is_anothers(target):
        raise CloneRefusedError(f"the namespace '{target.namespace}' belongs to somebody else; nothing was changed.")


def _made(each: Copied, live: Manifest | None) -> bool:
    """Whether the target's claim was made by this clone. Raises CloneRefusedError for one that was not."""
    if live is None:
        return False
    origin = live["spec"].get("dataSource") or {}
    if (origin.get("kind"), origin.get("name")) == (VOLUME_SNAPSHOT.kind, each.snapshot):
        return True
    raise CloneRefusedError(
        f"claim '{live['metadata']['namespace']}/{name_of(live)}' is there already and was not made by this clone: it "
        "may hold state. Nothing was changed. A clone goes into a testnet that has no volumes yet: destroy it first "
        "(`retention: delete`), or give the copy another name."
    )


def _refuse_smaller(copies: Sequence[Copied], seen: Contents) -> None:
    volumes = {name_of(volume): volume for volume in seen.volumes}
    for each in copies:
        volume = volumes.get(str(each.source["spec"].get("volumeName")))
        if volume is None:
            raise CloneRefusedError(
                f"claim '{name_of(each.source)}' has no volume: there is nothing to clone. Deploy the source first."
            )
        has, wants = capacity_gib(volume["spec"]), requested_gib(each.target["spec"])
        if wants < has:
            raise CloneRefusedError(
                f"claim '{name_of(each.target)}' asks for {wants:g} GiB, the volume of '{name_of(each.source)}' has "
                f"{has:g} GiB: a copy is as large or larger. Raise the size in the document of the copy."
            )


# Doing it


async def import_all(
    source: KubeApi, target: KubeApi, plans: tuple[TestnetPlan, TestnetPlan], clone: ClonePlan, report: Report
) -> None:
    """Take the snapshots, bring them into the target's namespace, and make its claims from them.

    Raises ClusterError; the same again completes it.
    """
    taken = {name_of(each): each for each in await snapshots.take(source, plans[0].spec, clone.wanted(), report)}
    await objects.create_once(target, plans[1].namespace())
    todo = [each for each in clone.copies if not each.made]
    for number, each in enumerate(todo, 1):
        report.update(f"{number}/{len(todo)} {each.line()}")
        await _import(source, target, each, taken[each.snapshot], plans[1].spec)
    await _until_ready(target, plans[1].spec.namespace, [each.snapshot for each in todo], report)
    for each in todo:
        await objects.create_once(target, claim_of(each))


def claim_of(each: Copied) -> dict[str, Any]:
    """The target's claim as its plan makes it, starting from the snapshot."""
    made: dict[str, Any] = copy.deepcopy(dict(each.target))
    group = VOLUME_SNAPSHOT.api_version.partition("/")[0]
    made["spec"]["dataSource"] = {"apiGroup": group, "kind": VOLUME_SNAPSHOT.kind, "name": each.snapshot}
    return made


async def _import(source: KubeApi, target: KubeApi, each: Copied, snapshot: Manifest, spec: TestnetSpec) -> None:
    bound = (snapshot.get("status") or {}).get("boundVolumeSnapshotContentName")
    content = await source.get(SNAPSHOT_CONTENT, str(bound))
    handle = ((content or {}).get("status") or {}).get("snapshotHandle")
    if content is None or not handle:
        raise ClusterError(f"snapshot '{each.snapshot}' says nothing of what it holds; the same command tries again")
    for manifest in imported(each, str(content["spec"]["driver"]), str(handle), spec):
        await objects.create_once(target, manifest)


def imported(each: Copied, driver: str, handle: str, spec: TestnetSpec) -> tuple[Manifest, Manifest]:
    """The content and the snapshot that bring a handle into the target's namespace.

    `Retain`: what is in the source's snapshot belongs to the source, whoever deletes these two.
    """
    namespace = spec.namespace
    own = {**labels.of_testnet(spec), labels.SNAPSHOT: each.occasion}
    content = {
        "apiVersion": SNAPSHOT_CONTENT.api_version,
        "kind": SNAPSHOT_CONTENT.kind,
        "metadata": {"name": each.content, "labels": own},
        "spec": {
            "deletionPolicy": "Retain",
            "driver": driver,
            "source": {"snapshotHandle": handle},
            "sourceVolumeMode": "Filesystem",
            "volumeSnapshotRef": {"namespace": namespace, "name": each.snapshot},
        },
    }
    snapshot = {
        "apiVersion": VOLUME_SNAPSHOT.api_version,
        "kind": VOLUME_SNAPSHOT.kind,
        "metadata": {"name": each.snapshot, "namespace": namespace, "labels": own},
        "spec": {"source": {"volumeSnapshotContentName": each.content}},
    }
    return content, snapshot


async def _until_ready(api: KubeApi, namespace: str, names: Sequence[str], report: Report) -> None:
    """Wait for imported snapshots. Raises ClusterError after READY_S, naming them."""

    async def missing() -> list[str]:
        there = {name_of(item): item for item in await api.objects(VOLUME_SNAPSHOT, namespace)}
        left = [name for name in names if not snapshots.is_ready(there.get(name))]
        if left:
            report.update(f"{len(names) - len(left)} of {len(names)} snapshots imported, {left[0]} is not")
        return left

    await until_none(
        missing,
        READY_S,
        lambda left: f"not imported after {READY_S:.0f} s: {', '.join(left[:3])}; the same command goes on",
    )


async def until_made(api: KubeApi, clone: ClonePlan, report: Report) -> None:
    """Wait until every volume is made. Raises ClusterError after BOUND_S, naming claims."""
    namespace = clone.copies[0].target["metadata"]["namespace"]
    names = {name_of(each.target) for each in clone.copies}
    await until_bound(api, namespace, names, BOUND_S, report.update)


async def clean(source: KubeApi, target: KubeApi, clone: ClonePlan) -> int:
    """Delete the snapshots that were taken for this clone, the imported ones first. How many there were.

    Only once every volume is made. What was taken for another occasion is never touched.
    """
    mine = clone.copies[0].source["metadata"]["namespace"]
    theirs = clone.copies[0].target["metadata"]["namespace"]
    for each in clone.copies:
        await target.delete(VOLUME_SNAPSHOT, each.snapshot, theirs)
        await target.delete(SNAPSHOT_CONTENT, each.content)
    found = [await source.get(VOLUME_SNAPSHOT, each.snapshot, mine) for each in clone.copies]
    for snapshot in found:
        if snapshot is not None and objects.label(snapshot, labels.SNAPSHOT) == clone.copies[0].occasion:
            await snapshots.delete(source, snapshot)
    return sum(snapshot is not None for snapshot in found)
