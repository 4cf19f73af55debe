"""The volumes of a testnet: what is asked for and the provider's disks brought together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mina_infra.spec import AccessMode, DiskType, NodeGroup, Retention, TestnetSpec, VolumeKind
from mina_infra.storage import sources
from mina_infra.storage.attributes import AttributesClass, attributes_class
from mina_infra.storage.classes import StorageClass, storage_class
from mina_infra.storage.needs import SHARED_CARRIER, Need, claimed_kinds, need
from mina_infra.storage.sizes import effective_gib
from mina_infra.storage.sources import Copy


@dataclass(frozen=True)
class Volume:
    """A volume as it will be claimed. `effective_gib` is what the provider provisions and bills.

    `storage_class` is what the volume is made like; `class_name` is what the claim says: another class of the cluster
    where the document names one, nothing ("") for a volume that exists (`volume_name`) and is not to be made.
    With `existing_claim` nothing is claimed at all: pods mount that one.
    """

    kind: VolumeKind
    storage_class: StorageClass
    class_name: str
    access_mode: AccessMode
    effective_gib: int
    retention: Retention
    volume_name: str | None = None
    existing_claim: str | None = None
    attributes: AttributesClass | None = None
    from_snapshot: str | None = None
    from_claim: str | None = None

    @property
    def of_own_class(self) -> bool:
        """Whether the testnet's own class carries it."""
        return self.class_name == self.storage_class.name and not self.storage_class.shared

    @property
    def of_shared_class(self) -> bool:
        """Whether a class that the cluster's stack declares carries it."""
        return self.class_name == self.storage_class.name and self.storage_class.shared


@dataclass(frozen=True)
class Claimed:
    """One claim: whose it is (None: the whole testnet's, or that of a `copy`'s readers) and what it is.

    `kept_era`: the earlier era that it is of; no pod mounts it any more.
    """

    node: str | None
    volume: Volume
    copy: Copy | None = None
    kept_era: int | None = None


class Volumes:
    """All volumes of one testnet; each storage class is worked out once."""

    def __init__(self, spec: TestnetSpec) -> None:
        self._spec = spec
        self._classes: dict[tuple[DiskType, Retention], StorageClass] = {}
        self._of_group: dict[str, tuple[Volume, ...]] = {}

    def own(self, group: NodeGroup, node: str | None = None) -> tuple[Volume, ...]:
        """What one node of the group has for itself; without `node`: what those have that are not changed singly."""
        if node in group.overrides and group.overrides[node].volumes:
            return self._own(group, node)
        if group.name not in self._of_group:
            self._of_group[group.name] = self._own(group, None)
        return self._of_group[group.name]

    def shared(self) -> Volume | None:
        """The genesis artefacts' volume; None when they are inside the runtime config."""
        if self._spec.genesis.ledger.source != "shared-claim":
            return None
        return self._volume(need(self._spec, SHARED_CARRIER))

    def copies(self) -> tuple[Claimed, ...]:
        """The read-only disks of the artefacts, as many as their readers need; none with another source."""
        if self._spec.genesis.ledger.source != "disk-copies":
            return ()
        # Copies of what the snapshot keeps: whatever the testnet's retention is, they go with it.
        wanted = replace(need(self._spec, SHARED_CARRIER), retention=Retention.DELETE, class_retention=Retention.DELETE)
        volume = replace(self._volume(wanted), access_mode=AccessMode.READ_ONLY_MANY)
        return tuple(Claimed(None, volume, copy) for copy in sources.copies(self._spec))

    def all(self) -> Iterator[Claimed]:
        """Every claim that the testnet makes, the shared one first; those of kept eras last."""
        yield from (each for each in self._everything() if each.volume.existing_claim is None)
        yield from (each for era in self._spec.kept_eras for each in self._kept(era))

    def existing(self) -> Iterator[Claimed]:
        """Every claim that is there already and is only mounted."""
        return (each for each in self._everything() if each.volume.existing_claim is not None)

    def classes(self) -> tuple[StorageClass, ...]:
        """The classes that at least one volume needs, in the order of the types."""
        return self._used(shared=False)

    def shared_classes(self) -> tuple[StorageClass, ...]:
        """The classes of the cluster's stack that at least one volume refers to."""
        return self._used(shared=True)

    def attributes(self) -> tuple[AttributesClass, ...]:
        """The classes of attributes that volumes ask for, the testnet's and the cluster's, each once."""
        found = {each.volume.attributes.name: each.volume.attributes for each in self.all() if each.volume.attributes}
        return tuple(found[name] for name in sorted(found))

    def _used(self, shared: bool) -> tuple[StorageClass, ...]:
        wanted = (each.volume for each in self.all())
        used = {each.storage_class.key for each in wanted if (each.of_shared_class if shared else each.of_own_class)}
        order = list(DiskType)
        return tuple(
            each
            for each in sorted(self._classes.values(), key=lambda each: (order.index(each.disk), each.key))
            if each.key in used
        )

    def kept_classes(self) -> frozenset[str]:
        """Names of the classes that a kept volume needs: one whose class is gone can never grow."""
        return frozenset(each.volume.class_name for each in self.all() if each.volume.retention is Retention.RETAIN)

    def keeps(self) -> bool:
        """Whether something in the namespace is to outlive it: a kept volume, or a claim that is not the testnet's."""
        if self._spec.genesis.ledger.source == "existing-claim":
            return True
        return any(each.volume.retention is Retention.RETAIN for each in self.all()) or any(self.existing())

    def _everything(self) -> Iterator[Claimed]:
        shared = self.shared()
        if shared is not None:
            yield Claimed(None, shared)
        yield from self.copies()
        for group in self._spec.nodes:
            for node in group.node_names():
                for volume in self.own(group, node):
                    yield Claimed(node, volume)

    def kept(self, group: NodeGroup, node: str) -> tuple[Volume, ...]:
        """What one node had for itself in an earlier era, as far as the document of this one tells."""
        return tuple(self._as_kept(volume) for volume in self.own(group, node))

    def _kept(self, era: int) -> Iterator[Claimed]:
        shared = self.shared()
        if shared is not None:
            yield Claimed(None, self._as_kept(shared), kept_era=era)
        for group in self._spec.nodes:
            for node in group.node_names():
                for volume in self.kept(group, node):
                    yield Claimed(node, volume, kept_era=era)

    @staticmethod
    def _as_kept(volume: Volume) -> Volume:
        """Never bound to nor made from what exists: that is this era's."""
        own = volume.class_name or volume.storage_class.name
        return replace(
            volume, class_name=own, volume_name=None, existing_claim=None, from_snapshot=None, from_claim=None
        )

    def _own(self, group: NodeGroup, node: str | None) -> tuple[Volume, ...]:
        return tuple(self._volume(need(self._spec, kind, group, node)) for kind in claimed_kinds(group))

    def _class(self, disk: DiskType, retention: Retention) -> StorageClass:
        if (disk, retention) not in self._classes:
            self._classes[disk, retention] = storage_class(self._spec, disk, retention)
        return self._classes[disk, retention]

    def _volume(self, wanted: Need) -> Volume:
        chosen = self._class(wanted.disk, wanted.class_retention)
        mode = wanted.access_mode
        if wanted.shared and mode is AccessMode.READ_ONLY_MANY:
            # Many readers, but a Job has to fill it once: a claim that nobody may write would stay empty for ever.
            # Every daemon mounts it readOnly.
            mode = AccessMode.READ_WRITE_MANY
        return Volume(
            kind=wanted.kind,
            storage_class=chosen,
            class_name=wanted.storage_class or ("" if wanted.existing_volume else chosen.name),
            access_mode=mode,
            effective_gib=effective_gib(wanted.size, chosen.capability),
            retention=wanted.retention,
            volume_name=wanted.existing_volume,
            existing_claim=wanted.existing_claim,
            attributes=self._attributes(wanted, chosen),
            from_snapshot=wanted.from_snapshot,
            from_claim=wanted.from_claim,
        )

    def _attributes(self, wanted: Need, chosen: StorageClass) -> AttributesClass | None:
        return attributes_class(self._spec, chosen.capability, wanted.performance) if wanted.performance else None
