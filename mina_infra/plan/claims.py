"""The claim templates of the storage RFC: one definition for all volume kinds."""

from __future__ import annotations

from mina_infra.plan import labels, names, timeouts
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import SKIP_AWAIT, Manifest, PlannedObject
from mina_infra.spec import Retention, TestnetSpec
from mina_infra.storage.sources import Copy
from mina_infra.storage.volumes import Volume


def node_claim(spec: TestnetSpec, node: Node, volume: Volume, era: int) -> PlannedObject:
    """A volume of one node. ReadWriteOncePod unless asked otherwise: two daemons on one RocksDB corrupt it."""
    name = names.claim(node.name, volume.kind, era)
    return _claim(spec, names.claim_key(node.name, volume.kind, era), name, volume, node, era)


def shared_claim(spec: TestnetSpec, volume: Volume, era: int) -> PlannedObject:
    """The volume that all daemons of an era read."""
    name = names.shared_claim(volume.kind, era)
    return _claim(spec, names.genesis_claim_key(era), name, volume, None, era)


def genesis_copy(spec: TestnetSpec, copy: Copy, volume: Volume) -> PlannedObject:
    """A disk made from the snapshot, read by at most ten nodes. Only a disk made from data may be ReadOnlyMany."""
    key, name = names.genesis_copy_key(copy, spec.era), names.genesis_copy(copy, spec.era)
    planned = _claim(spec, key, name, volume, None, spec.era)
    assert spec.genesis.ledger.snapshot, "the rules of sources want one"
    planned.manifest["spec"]["dataSource"] = _snapshot(spec.genesis.ledger.snapshot)
    return planned


def _snapshot(name: str) -> Manifest:
    return {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": name}


def _claim(spec: TestnetSpec, key: str, name: str, volume: Volume, node: Node | None, era: int) -> PlannedObject:
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": spec.namespace,
            "labels": labels.of_claim(spec, volume.kind, node, era),
            "annotations": dict(SKIP_AWAIT),
        },
        "spec": {
            "accessModes": [volume.access_mode.value],
            "storageClassName": volume.class_name,
            "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": f"{volume.effective_gib}Gi"}},
        },
    }
    # The quota first, or the claims of a testnet that grows would meet the quota of the smaller one.
    after: tuple[str, ...] = (names.NAMESPACE_KEY, names.QUOTA_KEY)
    if volume.from_snapshot:
        manifest["spec"]["dataSource"] = _snapshot(volume.from_snapshot)
    if volume.from_claim:
        manifest["spec"]["dataSource"] = {"kind": "PersistentVolumeClaim", "name": volume.from_claim}
    if volume.volume_name:
        manifest["spec"]["volumeName"] = volume.volume_name
    if volume.of_own_class:
        after = (*after, names.class_key(volume.storage_class.key))
    if volume.attributes:
        manifest["spec"]["volumeAttributesClassName"] = volume.attributes.name
        after = after if volume.attributes.shared else (*after, names.attributes_key(volume.attributes.name))
    protect = volume.retention is Retention.RETAIN
    limit = timeouts.claims(spec)
    return PlannedObject(key, manifest, protect=protect, after=after, kept=era != spec.era, timeout_s=limit)
