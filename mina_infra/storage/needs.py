"""What is asked for, before the provider is asked: the role table, changed by the user from all nodes down to one.

Four places of the document may speak of a node's volume. The nearer one wins, attribute by attribute: the node, its
group, its role, the whole testnet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from mina_infra.spec import ROLES, VOLUMES, AccessMode, DiskType, NodeGroup, Retention, TestnetSpec, VolumeKind
from mina_infra.spec.errors import Path
from mina_infra.spec.models import VolumeOverride
from mina_infra.spec.roles import Backing
from mina_infra.spec.storage import Performance
from mina_infra.spec.values import Size

SHARED_CARRIER = VolumeKind.GENESIS_LEDGER
"""Ledger, proof and epoch ledger lie on the volume of this kind: one artefact set for each genesis."""

T = TypeVar("T")


@dataclass(frozen=True)
class Need:
    """A declared volume. At most one of `existing_claim` and `existing_volume` is given."""

    kind: VolumeKind
    disk: DiskType
    size: Size
    access_mode: AccessMode
    retention: Retention
    class_retention: Retention
    """What the class of the claim was made for, which stays when the retention is changed."""
    storage_class: str | None = None
    existing_claim: str | None = None
    existing_volume: str | None = None
    performance: Performance | None = None
    from_snapshot: str | None = None
    from_claim: str | None = None

    @property
    def shared(self) -> bool:
        return VOLUMES[self.kind].shared


def claimed_kinds(group: NodeGroup) -> tuple[VolumeKind, ...]:
    """The kinds for which each node of a group has a claim of its own."""
    return tuple(
        kind
        for kind in ROLES[group.role].volumes
        if VOLUMES[kind].backing is Backing.CLAIM and not VOLUMES[kind].shared
    )


def overrides(
    spec: TestnetSpec, kind: VolumeKind, group: NodeGroup | None = None, node: str | None = None
) -> tuple[VolumeOverride | None, ...]:
    """What the document says of a volume, the nearest place first; None where it says nothing."""
    if group is None:
        return (spec.volumes.get(kind),)
    of_node = group.overrides.get(node) if node else None
    of_role = spec.roles.get(group.role)
    return (
        of_node.volumes.get(kind) if of_node else None,
        group.volumes.get(kind),
        of_role.volumes.get(kind) if of_role else None,
        spec.volumes.get(kind),
    )


def places(kind: VolumeKind, group: NodeGroup | None = None, index: int = 0, node: str = "") -> tuple[Path, ...]:
    """Where `overrides` looks, in the same order. `index` is the group's in the document."""
    top: Path = ("volumes", kind.value)
    if group is None:
        return (top,)
    of_group: Path = ("nodes", index)
    return (
        (*of_group, "overrides", node, *top),
        (*of_group, *top),
        ("roles", group.role.value, *top),
        top,
    )


def need(spec: TestnetSpec, kind: VolumeKind, group: NodeGroup | None = None, node: str | None = None) -> Need:
    """What is asked for: the node's word before the group's, the role's, the testnet's and the role table's."""
    default = VOLUMES[kind]
    assert default.size is not None, f"{kind.value} is not carried by a claim"
    assert default.disk is not None, f"{kind.value} is not carried by a claim"
    said = [each for each in overrides(spec, kind, group, node) if each is not None]
    # What exists is named at one place and there only: a nearer claim takes the place of a farther volume.
    exists = next((each for each in said if each.existing_claim or each.existing_volume), VolumeOverride())
    disk = default.disk
    if default.shared and spec.genesis.ledger.source == "disk-copies":
        disk = DiskType.BALANCED  # a file backend needs no copies
    return Need(
        kind,
        _first(said, "type", disk),
        _first(said, "size", default.size),
        _first(said, "access_mode", default.access_mode),
        _first(said, "retention", spec.retention),
        _first(said, "retention", spec.class_retention or spec.retention),
        _first(said, "storage_class", None),
        exists.existing_claim,
        exists.existing_volume,
        _first(said, "performance", None),
        _first(said, "from_snapshot", None),
        _first(said, "from_claim", None),
    )


def _first(said: Sequence[VolumeOverride], name: str, default: T) -> T:
    found: T | None = next((value for each in said if (value := getattr(each, name)) is not None), None)
    return default if found is None else found
