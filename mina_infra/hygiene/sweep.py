"""Looking for orphans in a live cluster, and deleting one that was named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from mina_infra.cluster.api import (
    CLAIM,
    DEPLOYMENT,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME,
    POD,
    SNAPSHOT_CONTENT,
    STORAGE_CLASS,
    VOLUME_SNAPSHOT,
    ApiStatusError,
    Kind,
    KubeApi,
)
from mina_infra.errors import ClusterError
from mina_infra.hygiene.contents import Contents, Manifest
from mina_infra.hygiene.orphans import Orphan
from mina_infra.persistence import objects

_BEING_DELETED = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted"
"""Without it the driver's sidecar lets a content go and keeps what lies behind (docs/facts.md: snapshots/deletion)."""

_KINDS = {
    "namespaces": NAMESPACE,
    "claims": CLAIM,
    "volumes": PERSISTENT_VOLUME,
    "classes": STORAGE_CLASS,
    "pods": POD,
    "deployments": DEPLOYMENT,
    "machines": NODE,
}
"""The parts of `Contents` that every cluster has."""


async def look(api: KubeApi) -> Contents:
    """What the cluster holds. Raises ClusterError; a part that may not be listed makes the whole unknown."""
    lists = await asyncio.gather(*(api.objects(kind) for kind in _KINDS.values()))
    found = {part: tuple(items) for part, items in zip(_KINDS, lists, strict=True)}
    # Contents first: one whose snapshot is made between the two would look as if it had none.
    contents = await _custom(api, SNAPSHOT_CONTENT)
    snapshots = await _custom(api, VOLUME_SNAPSHOT)
    return Contents(**found, snapshots=snapshots, snapshot_contents=contents)


async def _custom(api: KubeApi, kind: Kind) -> tuple[Manifest, ...]:
    """All objects of a kind that not every cluster has."""
    try:
        return tuple(await api.objects(kind))
    except ApiStatusError as error:
        if error.code != 404:
            raise
        return ()


def handles(contents: Contents) -> Iterator[str]:
    """What the cluster's volumes are called, and the disks behind them."""
    for volume in contents.volumes:
        yield volume["metadata"]["name"]
        handle = (volume["spec"].get("csi") or {}).get("volumeHandle") or ""
        yield handle.rpartition("/")[2]


async def delete(api: KubeApi, orphan: Orphan) -> str:
    """Delete a claim with its volume, a volume with its disk, or the content of a snapshot with what it stands for;
    what was done, for a reader. Raises ClusterError.

    A volume of a Retain class is told to go with its claim first, or its disk would stay behind. A volume that no
    provisioner made loses only its object: nobody would delete what lies behind it. One that changed since it was
    looked at is left alone (409).
    """
    if orphan.kind == "claim":
        namespace, _, name = orphan.name.partition("/")
        bound = orphan.manifest["spec"].get("volumeName")
        volume = await api.get(PERSISTENT_VOLUME, bound) if bound else None
        if volume is not None and volume["spec"].get("claimRef", {}).get("uid") == orphan.manifest["metadata"]["uid"]:
            await objects.let_go(api, volume)
        await api.delete(CLAIM, name, namespace)
        return f"claim {orphan.name} and its volume"
    if orphan.kind == "snapshot content":
        return await _delete_content(api, orphan)
    volume = await api.get(PERSISTENT_VOLUME, orphan.name)
    if volume is None:
        return f"volume {orphan.name} (gone already)"
    made_by = objects.annotation(volume, objects.PROVISIONED_BY)
    if not made_by:
        await api.delete(PERSISTENT_VOLUME, orphan.name)
        return f"volume {orphan.name}; what lies behind it stays, no provisioner made it"
    await objects.let_go(api, {**volume, "metadata": {**volume["metadata"], **_version(orphan)}})
    await api.delete(PERSISTENT_VOLUME, orphan.name)
    return f"volume {orphan.name} and its disk"


async def _delete_content(api: KubeApi, orphan: Orphan) -> str:
    """One that was imported loses only its object: the snapshot behind it belongs to whoever took it."""
    reference = orphan.manifest["spec"]["volumeSnapshotRef"]
    snapshot = await api.get(VOLUME_SNAPSHOT, reference["name"], reference["namespace"])
    if snapshot is not None and snapshot["metadata"]["uid"] == reference.get("uid"):
        raise ClusterError(f"snapshot content '{orphan.name}' has its snapshot again; it was left alone")
    imported = "snapshotHandle" in orphan.manifest["spec"]["source"]
    patch = {
        "metadata": {**_version(orphan), "annotations": {_BEING_DELETED: "yes"}},
        "spec": {"deletionPolicy": "Retain" if imported else "Delete"},
    }
    await api.patch(SNAPSHOT_CONTENT, orphan.name, patch)
    await api.delete(SNAPSHOT_CONTENT, orphan.name)
    what = "; what lies behind it stays, it was imported" if imported else " and the snapshot behind it"
    return f"snapshot content {orphan.name}{what}"


def _version(orphan: Orphan) -> dict[str, str]:
    return {"resourceVersion": orphan.manifest["metadata"]["resourceVersion"]}
