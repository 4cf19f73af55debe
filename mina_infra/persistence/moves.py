"""Which volumes are to move to another class, as plan and cluster differ; what that costs; what holds them meanwhile.

A claim keeps its name: its data goes into a snapshot, the claim goes, and one of the planned class starts from the
snapshot. The old volume stays behind, marked. How far a claim has come is told by what is live alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mina_infra.cluster.api import CLAIM, DEPLOYMENT, PERSISTENT_VOLUME, STORAGE_CLASS, KubeApi
from mina_infra.errors import MinaInfraError
from mina_infra.persistence import objects
from mina_infra.persistence.objects import Manifest, name_of
from mina_infra.persistence.snapshots import name_for
from mina_infra.plan import TestnetPlan, labels
from mina_infra.spec import DiskType, NodeGroup, Retention, TestnetSpec, VolumeKind
from mina_infra.spec.hold import Held
from mina_infra.storage.classes import NoSuchDisk, storage_class
from mina_infra.storage.needs import need
from mina_infra.storage.prices import usd_a_month
from mina_infra.storage.products import product_of


@dataclass(frozen=True)
class Move:
    """One claim whose volume is to be another one.

    `claim` is the live one with its old volume, None once it is gone; `volume` is that old volume.
    """

    planned: Manifest
    claim: Manifest | None
    volume: Manifest

    @property
    def name(self) -> str:
        return name_of(self.planned)

    @property
    def node(self) -> str:
        return objects.label(self.planned, labels.APP)

    @property
    def kind(self) -> VolumeKind:
        return VolumeKind(objects.label(self.planned, labels.VOLUME))

    @property
    def old_class(self) -> str:
        return str(self.volume["spec"].get("storageClassName") or "")

    @property
    def new_class(self) -> str:
        return str(self.planned["spec"]["storageClassName"])

    @property
    def old_gib(self) -> int:
        return objects.gib(self.volume["spec"]["capacity"]["storage"])

    @property
    def new_gib(self) -> int:
        return objects.gib(_request(self.planned))

    @property
    def begun(self) -> bool:
        """Whether its claim is gone or going: its snapshot is then the one to restore, and there is no way back."""
        return self.claim is None or "deletionTimestamp" in self.claim["metadata"]

    @property
    def occasion(self) -> str:
        return occasion_of(self.volume)

    @property
    def snapshot(self) -> str:
        return name_for(self.name, self.occasion)


def occasion_of(volume: Manifest) -> str:
    """Of the snapshot that a volume is moved through: each life of a claim has one."""
    return f"move-{str(volume['spec']['claimRef']['uid'])[:8]}"


@dataclass(frozen=True)
class Scene:
    """What is live: the testnet's claims by name, the cluster's volumes and classes by name."""

    claims: Mapping[str, Manifest]
    volumes: Mapping[str, Manifest]
    classes: Mapping[str, Manifest]


async def look(api: KubeApi, plan: TestnetPlan) -> Scene:
    """Raises ClusterError."""
    claims = await api.objects(CLAIM, plan.spec.namespace, labels=labels.selector(plan.spec.name))
    volumes, classes = await api.objects(PERSISTENT_VOLUME), await api.objects(STORAGE_CLASS)
    return Scene(*({name_of(item): item for item in items} for items in (claims, volumes, classes)))


def moves(plan: TestnetPlan, scene: Scene, nodes: Sequence[str] = ()) -> list[Move]:
    """Every volume of these nodes (all, where none is named) that is not of the class and mode that is planned.

    Raises MinaInfraError for a volume that would have to shrink (docs/facts.md: refusal/V15).
    """
    found = [each for each in _moves(plan, scene) if not nodes or each.node in nodes]
    for each in found:
        if each.new_gib < each.old_gib:
            raise MinaInfraError(
                f"claim '{each.name}': disks cannot shrink ({each.old_gib}Gi -> {each.new_gib}Gi), and a snapshot is "
                f"restored to its own size or more. Say size: {each.old_gib}Gi in the document; nothing was changed."
            )
    return found


def _moves(plan: TestnetPlan, scene: Scene) -> Iterator[Move]:
    left = {
        objects.annotation(each, labels.MOVED_FROM): each
        for each in left_behind(plan.spec, scene.volumes.values())
        if objects.label(each, labels.MOVED) == labels.BEGUN
    }
    for planned in plan.claims():
        if not objects.label(planned, labels.APP) or planned["spec"].get("volumeName"):
            continue  # of the whole testnet: a Job fills it anew; or a volume that is said to be used as it is
        if objects.label(planned, labels.ERA) != str(plan.spec.era):
            continue  # a kept era's claims stay as they were made
        claim = scene.claims.get(name_of(planned))
        if claim is None:
            volume = left.get(f"{plan.spec.namespace}/{name_of(planned)}")
            if volume is not None:
                yield Move(planned, None, volume)
        elif objects.is_bound(claim) and _differs(planned, claim):
            volume = scene.volumes.get(str(claim["spec"]["volumeName"]))
            if volume is not None:
                yield Move(planned, claim, volume)


def _differs(planned: Manifest, claim: Manifest) -> bool:
    return any(planned["spec"].get(each) != claim["spec"].get(each) for each in ("storageClassName", "accessModes"))


async def left_stopped(api: KubeApi, plan: TestnetPlan) -> list[str]:
    """Nodes that the document lets run and that stand still: a killed command did not come to starting them."""
    there = await api.objects(DEPLOYMENT, plan.spec.namespace, labels=labels.selector(plan.spec.name))
    still = {name_of(each) for each in there if each["spec"].get("replicas") == 0}
    running = set(plan.spec.node_names()) - plan.spec.paused_nodes()
    return sorted(still & running)


def left_behind(spec: TestnetSpec, volumes: Iterable[Manifest]) -> list[Manifest]:
    """Volumes whose data was moved, and that no claim has any more; of one claim the newest is last."""
    found = [
        each
        for each in volumes
        if objects.label(each, labels.MOVED)
        and objects.label(each, "testnet") == spec.name
        and (each.get("status") or {}).get("phase") != "Bound"
    ]
    return sorted(found, key=lambda each: str(each["metadata"].get("creationTimestamp")))


def _request(claim: Mapping[str, Any]) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"])


# Meanwhile


def held(spec: TestnetSpec, waiting: Iterable[Move]) -> Held:
    """What keeps these volumes as they are in a run of the engine, until their turn comes."""
    groups = {node: group for group in spec.nodes for node in group.node_names()}
    found: dict[str, dict[str, dict[str, str]]] = {}
    for each in waiting:
        if each.claim is not None:
            said = _held(spec, groups[each.node], each, each.claim)
            found.setdefault(each.node, {})[each.kind.value] = said
    return found


def _held(spec: TestnetSpec, group: NodeGroup, move: Move, claim: Manifest) -> dict[str, str]:
    size = _request(claim)
    said = {
        "accessMode": claim["spec"]["accessModes"][0],
        "size": f"{objects.gib(size)}Gi" if size.isdigit() else size,
    }
    own = _own_class(spec, move.old_class) if need(spec, move.kind, group, move.node).storage_class is None else None
    return said | (own or {"storageClass": move.old_class})


def _own_class(spec: TestnetSpec, name: str) -> dict[str, str] | None:
    """The type and retention whose class in this testnet has that name: then the plan goes on making it."""
    for retention in Retention:
        for disk in DiskType:
            try:
                if storage_class(spec, disk, retention).name == name:
                    return {"type": disk.value, "retention": retention.value}
            except NoSuchDisk:
                continue
    return None


# For a reader


def table(spec: TestnetSpec, scene: Scene, found: Sequence[Move]) -> list[str]:
    """One line for each pair of classes: how many claims, GiB and monthly cost before and after."""
    alike: dict[tuple[str, str], list[Move]] = {}
    for each in found:
        alike.setdefault((each.old_class, each.new_class), []).append(each)
    lines = []
    for (old, new), members in alike.items():
        before = _usd(spec, scene, old, [each.old_gib for each in members])
        after = _usd(spec, scene, new, [each.new_gib for each in members])
        gib = f"{sum(each.old_gib for each in members)} -> {sum(each.new_gib for each in members)} GiB"
        lines.append(f"{len(members)} claims from {old} to {new}: {gib}, {before} -> {after} USD/month")
    return lines


def _usd(spec: TestnetSpec, scene: Scene, name: str, sizes: Sequence[int]) -> str:
    """Of a class that is there, or that this testnet would make."""
    live = scene.classes.get(name)
    if live is None:
        own = _own_class(spec, name)
        fields = storage_class(spec, DiskType(own["type"]), Retention(own["retention"])).fields if own else {}
        live = dict(fields)
    found = product_of(live)
    each = [usd_a_month(found[0], spec.target.region, found[1], gib) for gib in sizes] if found else [None]
    return "unknown" if None in each else f"{sum(usd for usd in each if usd is not None):,.2f}"
