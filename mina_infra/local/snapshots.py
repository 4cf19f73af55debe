"""What becomes of a VolumeSnapshot on the embedded cluster: the rules of the snapshot controller. Pure.

What is said, and how the objects refer to each other, is as the external-snapshotter has it
(docs/facts.md: snapshots/objects).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mina_infra.cluster.api import SNAPSHOT_CONTENT, VOLUME_SNAPSHOT
from mina_infra.local import volumes as rules
from mina_infra.local.volumes import Manifest, Refusal

_GROUP = "snapshot.storage.kubernetes.io"
BOUND_FINALIZER = f"{_GROUP}/volumesnapshot-bound-protection"
SOURCE_FINALIZER = f"{_GROUP}/volumesnapshot-as-source-protection"
CONTENT_FINALIZER = f"{_GROUP}/volumesnapshotcontent-bound-protection"
DEFAULT_CLASS = f"{_GROUP}/is-default-class"


@dataclass(frozen=True)
class Stored:
    """What is kept of a snapshot: how large a volume made from it must be, and when it was taken (UTC)."""

    gib: int
    taken: datetime


def content_name(snapshot: Manifest) -> str:
    """The content of a snapshot that is taken, as the snapshot controller names it."""
    return f"snapcontent-{snapshot['metadata']['uid']}"


def handle_of(content: Manifest) -> str:
    """The driver's name of what a content stands for: given, or made of the snapshot's uid as the sidecar does."""
    given = content["spec"]["source"].get("snapshotHandle")
    return str(given or f"snapshot-{content['spec']['volumeSnapshotRef']['uid']}")


def is_ours(content: Manifest) -> bool:
    return bool(content["spec"]["driver"] == rules.PROVISIONER)


def class_of(snapshot: Manifest, classes: Sequence[Manifest]) -> Manifest:
    """The class that the snapshot names, or the default one of our driver. Raises Refusal."""
    name = snapshot["spec"].get("volumeSnapshotClassName")
    if name:
        found = [each for each in classes if each["metadata"]["name"] == name]
        if not found:
            raise Refusal(
                f"failed to retrieve snapshot class {name} from the informer: "
                f'volumesnapshotclass.snapshot.storage.k8s.io "{name}" not found'
            )
        return found[0]
    ours = [each for each in classes if each["driver"] == rules.PROVISIONER]
    default = [each for each in ours if rules.annotation(each, DEFAULT_CLASS) == "true"]
    if len(default) != 1:
        raise Refusal(
            "cannot find default snapshot class" if not default else f"{len(default)} default snapshot classes found"
        )
    return default[0]


def check_claim(name: str, claim: Manifest | None, volume: Manifest | None, class_: Manifest) -> None:
    """Raise Refusal for a claim of which no snapshot can be taken (now)."""
    if claim is None:
        raise Refusal(f'failed to retrieve PVC {name} from the lister: "persistentvolumeclaim \\"{name}\\" not found"')
    if (claim.get("status") or {}).get("phase") != "Bound":
        raise Refusal(f"the PVC {name} is not yet bound to a PV, will not attempt to take a snapshot")
    if volume is None:
        raise Refusal(f"failed to retrieve PV {claim['spec'].get('volumeName')} from the API server")
    if not rules.is_ours(volume):
        raise Refusal(f"cannot snapshot a non-CSI volume for driverName {class_['driver']}, PVC {name}")


def content(snapshot: Manifest, volume: Manifest, class_: Manifest) -> Manifest:
    """The content of a snapshot that is to be taken of this volume."""
    spec: dict[str, Any] = {
        "deletionPolicy": class_["deletionPolicy"],
        "driver": class_["driver"],
        "source": {"volumeHandle": volume["metadata"]["name"]},
        "sourceVolumeMode": volume["spec"].get("volumeMode", "Filesystem"),
        "volumeSnapshotClassName": class_["metadata"]["name"],
        "volumeSnapshotRef": reference(snapshot),
    }
    return {
        "apiVersion": SNAPSHOT_CONTENT.api_version,
        "kind": SNAPSHOT_CONTENT.kind,
        "metadata": {"name": content_name(snapshot), "finalizers": [CONTENT_FINALIZER]},
        "spec": spec,
    }


def reference(snapshot: Manifest) -> dict[str, str]:
    meta = snapshot["metadata"]
    return {
        "apiVersion": VOLUME_SNAPSHOT.api_version,
        "kind": VOLUME_SNAPSHOT.kind,
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
    }


def check_given(snapshot: Manifest, name: str, found: Manifest | None) -> None:
    """Raise Refusal unless the content that a snapshot names is there and names that snapshot."""
    if found is None:
        raise Refusal("VolumeSnapshotContent is missing")
    wanted = found["spec"]["volumeSnapshotRef"]
    meta = snapshot["metadata"]
    if "snapshotHandle" not in found["spec"]["source"]:
        raise Refusal("snapshot is expected to be pre-provisioned")  # it is another snapshot's own
    if (wanted.get("namespace"), wanted.get("name")) != (meta["namespace"], meta["name"]):
        raise Refusal(f"VolumeSnapshotContent [{name}] is bound to a different snapshot")
    if wanted.get("uid") not in (None, "", meta["uid"]):
        raise Refusal(f"VolumeSnapshotContent [{name}] is bound to a different snapshot")


def content_status(handle: str, stored: Stored) -> dict[str, Any]:
    """Of a content whose data is there."""
    return {
        "snapshotHandle": handle,
        "creationTime": int(stored.taken.timestamp() * 1_000_000_000),
        "readyToUse": True,
        "restoreSize": stored.gib * 2**30,
        "error": None,
    }


def snapshot_status(bound: Manifest) -> dict[str, Any]:
    """What a snapshot says of its content."""
    status = bound.get("status") or {}
    told: dict[str, Any] = {
        "boundVolumeSnapshotContentName": bound["metadata"]["name"],
        "readyToUse": bool(status.get("readyToUse")),
        "error": status.get("error"),
    }
    if "creationTime" in status:
        taken = datetime.fromtimestamp(status["creationTime"] / 1_000_000_000, UTC)
        told["creationTime"] = taken.strftime("%Y-%m-%dT%H:%M:%SZ")
    if "restoreSize" in status:
        told["restoreSize"] = f"{status['restoreSize'] // 2**30}Gi"
    return told


def error_status(message: str, time: str) -> dict[str, Any]:
    return {"readyToUse": False, "error": {"message": message, "time": time}}


def differs(status: dict[str, Any] | None, wanted: dict[str, Any]) -> bool:
    """Is there anything to write? (An error is told once, whenever it was.)"""
    now = dict(status or {})
    for name, value in wanted.items():
        found = now.get(name)
        if name == "error" and isinstance(value, dict) and isinstance(found, dict):
            if found.get("message") != value["message"]:
                return True
        elif found != value:
            return True
    return False
