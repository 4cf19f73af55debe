"""What the operations read from live objects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mina_infra.cluster.api import PERSISTENT_VOLUME, VOLUME_SNAPSHOT, ApiStatusError, KubeApi
from mina_infra.errors import MinaInfraError
from mina_infra.plan import labels
from mina_infra.spec.values import bytes_of

Manifest = dict[str, Any]

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"


def name_of(item: Mapping[str, Any]) -> str:
    return str(item["metadata"]["name"])


def label(item: Mapping[str, Any], name: str) -> str:
    return str((item["metadata"].get("labels") or {}).get(name, ""))


def annotation(item: Mapping[str, Any], name: str) -> str:
    return str((item["metadata"].get("annotations") or {}).get(name, ""))


def is_bound(claim: Mapping[str, Any]) -> bool:
    return bool(claim["spec"].get("volumeName")) and (claim.get("status") or {}).get("phase") == "Bound"


def gib(quantity: str | None) -> int:
    """Whole GiB, rounded up; 0 for none."""
    return -(-bytes_of(quantity) // 2**30) if quantity else 0


def driver_of(volume: Mapping[str, Any]) -> str:
    """The CSI driver of a PersistentVolume; empty for one that no driver made."""
    return str((volume["spec"].get("csi") or {}).get("driver") or annotation(volume, PROVISIONED_BY))


async def create_once(api: KubeApi, manifest: Mapping[str, Any]) -> None:
    """Create it; what an interrupted run, or one beside it, made already is taken as it is."""
    try:
        await api.create(dict(manifest))
    except ApiStatusError as error:
        if error.code != 409:
            raise


async def let_go(api: KubeApi, volume: Mapping[str, Any]) -> None:
    """Let a volume's disk go with it, or with its claim. Raises ApiStatusError (409) when it changed since."""
    seen = {key: volume["metadata"][key] for key in ("uid", "resourceVersion")}
    patch = {"metadata": seen, "spec": {"persistentVolumeReclaimPolicy": "Delete"}}
    await api.patch(PERSISTENT_VOLUME, name_of(volume), patch)


def time_of(text: str) -> datetime:
    """A timestamp of the API server."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


async def snapshots_of(api: KubeApi, testnet: str, namespace: str) -> list[Manifest]:
    """The testnet's own snapshots. Raises MinaInfraError where the cluster has no such kind."""
    try:
        return await api.objects(VOLUME_SNAPSHOT, namespace, labels=labels.selector(testnet))
    except ApiStatusError as error:
        if error.code != 404:
            raise
        raise MinaInfraError(
            "the cluster does not serve VolumeSnapshot (snapshot.storage.k8s.io/v1). gke and aks bring it; on eks "
            "install the add-on `snapshot-controller`; an embedded cluster gets it from `mina-infra local up`."
        ) from error
