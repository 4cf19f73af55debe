"""Looking for orphans in a live cluster, and deleting one that was named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from mina_infra.cluster.api import CLAIM, DEPLOYMENT, NAMESPACE, NODE, PERSISTENT_VOLUME, POD, STORAGE_CLASS, KubeApi
from mina_infra.hygiene.orphans import PROVISIONED_BY, Contents, Orphan


async def look(api: KubeApi) -> Contents:
    """What the cluster holds. Raises ClusterError; a part that may not be listed makes the whole unknown."""
    kinds = (NAMESPACE, CLAIM, PERSISTENT_VOLUME, STORAGE_CLASS, POD, DEPLOYMENT, NODE)
    lists = await asyncio.gather(*(api.objects(kind) for kind in kinds))
    return Contents(*(tuple(items) for items in lists))


def handles(contents: Contents) -> Iterator[str]:
    """What the cluster's volumes are called, and the disks behind them."""
    for volume in contents.volumes:
        yield volume["metadata"]["name"]
        handle = (volume["spec"].get("csi") or {}).get("volumeHandle") or ""
        yield handle.rpartition("/")[2]


async def delete(api: KubeApi, orphan: Orphan) -> str:
    """Delete a claim with its volume, or a volume with its disk; what was done, for a reader. Raises ClusterError.

    A volume of a Retain class is told to go with its claim first, or its disk would stay behind. A volume that no
    provisioner made loses only its object: nobody would delete what lies behind it. One that changed since it was
    looked at is left alone (409).
    """
    if orphan.kind == "claim":
        namespace, _, name = orphan.name.partition("/")
        bound = orphan.manifest["spec"].get("volumeName")
        volume = await api.get(PERSISTENT_VOLUME, bound) if bound else None
        if volume is not None and volume["spec"].get("claimRef", {}).get("uid") == orphan.manifest["metadata"]["uid"]:
            await _let_go(api, volume)
        await api.delete(CLAIM, name, namespace)
        return f"claim {orphan.name} and its volume"
    volume = await api.get(PERSISTENT_VOLUME, orphan.name)
    if volume is None:
        return f"volume {orphan.name} (gone already)"
    made_by = (volume["metadata"].get("annotations") or {}).get(PROVISIONED_BY)
    if made_by is None:
        await api.delete(PERSISTENT_VOLUME, orphan.name)
        return f"volume {orphan.name}; what lies behind it stays, no provisioner made it"
    await _let_go(api, {**volume, "metadata": {**volume["metadata"], **_version(orphan)}})
    await api.delete(PERSISTENT_VOLUME, orphan.name)
    return f"volume {orphan.name} and its disk"


def _version(orphan: Orphan) -> dict[str, str]:
    return {"resourceVersion": orphan.manifest["metadata"]["resourceVersion"]}


async def _let_go(api: KubeApi, volume: dict[str, object]) -> None:
    metadata = volume["metadata"]
    assert isinstance(metadata, dict)
    patch = {
        "metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
        "spec": {"persistentVolumeReclaimPolicy": "Delete"},
    }
    await api.patch(PERSISTENT_VOLUME, metadata["name"], patch)
