"""What the provisioner and the snapshot controller tell the user: Warning events, as the real ones write them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from mina_infra.cluster.api import EVENT, KubeApi
from mina_infra.local.volumes import PROVISIONER, Manifest, Refusal

PROVISIONING_FAILED = "ProvisioningFailed"

# Said by the external-provisioner; everything else is said by the driver behind it.
_BEFORE_THE_DRIVER = ("claim Selector", "error getting handle for DataSource", PROVISIONER)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def failure_event(about: Manifest, message: str, time: str, reason: str = PROVISIONING_FAILED) -> Manifest:
    """The Warning about a claim or a snapshot; one for each object and text, counted up by `tell`."""
    meta = about["metadata"]
    digest = hashlib.sha256(f"{meta['uid']}\0{message}".encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{digest}", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": about.get("apiVersion", "v1"),
            "kind": about.get("kind", "PersistentVolumeClaim"),
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "resourceVersion": meta.get("resourceVersion", ""),
        },
        "type": "Warning",
        "reason": reason,
        "message": message,
        "source": {"component": PROVISIONER},
        "reportingComponent": PROVISIONER,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def failure_message(class_: str, error: Refusal) -> str:
    """What the event about a claim says."""
    text = str(error)
    if not text.startswith(_BEFORE_THE_DRIVER):
        text = f"rpc error: code = InvalidArgument desc = {text}"
    return f'failed to provision volume with StorageClass "{class_}": {text}'


async def tell(api: KubeApi, event: Manifest) -> None:
    """Write the event, or count it up where it was written before."""
    name, namespace = event["metadata"]["name"], event["metadata"]["namespace"]
    earlier = await api.get(EVENT, name, namespace)
    if earlier is None:
        await api.create(event)
    else:
        again = {"count": earlier.get("count", 1) + 1, "lastTimestamp": event["lastTimestamp"]}
        await api.patch(EVENT, name, again, namespace)
