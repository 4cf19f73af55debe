"""The volumes of a testnet: the role table, the user's overrides and the provider's disks brought together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mina_infra.spec import ROLES, VOLUMES, AccessMode, DiskType, NodeGroup, TestnetSpec, VolumeKind
from mina_infra.spec.models import VolumeOverride
from mina_infra.spec.roles import Backing
from mina_infra.spec.values import Size
from mina_infra.storage.classes import StorageClass, storage_class
from mina_infra.storage.sizes import effective_gib

SHARED_CARRIER = VolumeKind.GENESIS_LEDGER
"""Ledger, proof and epoch ledger lie on the volume of this kind: one artefact set for each genesis."""


T = TypeVar("T")


@dataclass(frozen=True)
class Need:
    """A declared volume before the provider is asked: defaults of the role table, changed by the user's overrides."""

    kind: VolumeKind
    disk: DiskType
    size: Size
    access_mode: AccessMode

    @property
    def shared(self) -> bool:
        return VOLUMES[self.kind].shared


@dataclass(frozen=True)
class Volume:
    """A volume as it will be claimed. `effective_gib` is what the provider provisions and bills."""

    kind: VolumeKind
    storage_class: StorageClass
    access_mode: AccessMode
    effective_gib: int


@dataclass(frozen=True)
class Claimed:
    """One claim-to-be: whose it is (None: the whole testnet's) and what it is."""

    node: str | None
    volume: Volume


def claimed_kinds(group: NodeGroup) -> tuple[VolumeKind, ...]:
    """The kinds for which each node of a group has a claim of its own."""
    return tuple(
        kind
        for kind in ROLES[group.role].volumes
        if VOLUMES[kind].backing is Backing.CLAIM and not VOLUMES[kind].shared
    )


def need(spec: TestnetSpec, kind: VolumeKind, group: NodeGroup | None = None) -> Need:
    """What is asked for: the group's word before the testnet's, before the role table's."""
    default = VOLUMES[kind]
    assert default.size is not None, f"{kind.value} is not carried by a claim"
    assert default.disk is not None, f"{kind.value} is not carried by a claim"
    overrides = [group.volumes.get(kind) if group else None, spec.volumes.get(kind)]
    chosen = [each for each in overrides if each is not None]
    return Need(
        kind,
        _first(chosen, "type", default.disk),
        _first(chosen, "size", default.size),
        _first(chosen, "access_mode", default.access_mode),
    )


def _first(overrides: list[VolumeOverride], name: str, default: T) -> T:
    found: T | None = next((value for each in overrides if (value := getattr(each, name)) is not None), None)
    return default if found is None else found


class Volumes:
    """All volumes of one testnet; each storage class is worked out once."""

    def __init__(self, spec: TestnetSpec) -> None:
        self._spec = spec
        self._classes: dict[DiskType, StorageClass] = {}

    def own(self, group: NodeGroup) -> tuple[Volume, ...]:
        """What each node of the group has for itself."""
        return tuple(self._volume(need(self._spec, kind, group)) for kind in claimed_kinds(group))

    def shared(self) -> Volume | None:
        """The genesis artefacts' volume; None when they are inside the runtime config."""
        if self._spec.genesis.ledger.source != "shared-claim":
            return None
        return self._volume(need(self._spec, SHARED_CARRIER))

    def all(self) -> Iterator[Claimed]:
        """Every claim of the testnet, the shared one first."""
        shared = self.shared()
        if shared is not None:
            yield Claimed(None, shared)
        for group in self._spec.nodes:
            own = self.own(group)
            for node in group.node_names():
                for volume in own:
                    yield Claimed(node, volume)

    def classes(self) -> Mapping[DiskType, StorageClass]:
        """The classes that at least one volume needs."""
        used = {claimed.volume.storage_class.disk for claimed in self.all()}
        return {disk: self._class(disk) for disk in DiskType if disk in used}

    def _class(self, disk: DiskType) -> StorageClass:
        if disk not in self._classes:
            self._classes[disk] = storage_class(self._spec, disk)
        return self._classes[disk]

    def _volume(self, wanted: Need) -> Volume:
        chosen = self._class(wanted.disk)
        mode = wanted.access_mode
        if wanted.shared and mode is AccessMode.READ_ONLY_MANY:
            # Many readers, but a Job has to fill it once: a claim that nobody may write would stay empty for ever.
            # Every daemon mounts it readOnly.
            mode = AccessMode.READ_WRITE_MANY
        return Volume(wanted.kind, chosen, mode, effective_gib(wanted.size, chosen.capability))
