"""What becomes of a claim on the embedded cluster: the rules of a real disk driver, as pure functions.

The refusals are those of the Compute Engine disk driver and of the external-provisioner in front of it, in their own
words, so that what a user learns here is what a real cluster says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]

PROVISIONER = "local.mina-infra"
BLOCK_TYPES = ("ssd", "balanced", "standard")
SHARED = "shared"

# Compute Engine attaches one disk read-only to at most ten machines.
MAX_READERS = 10

ZONE_LABEL = "topology.kubernetes.io/zone"
HOST_LABEL = "kubernetes.io/hostname"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
DISK_TYPE = f"{PROVISIONER}/type"  # of a disk, whatever becomes of its class
SELECTED_NODE = "volume.kubernetes.io/selected-node"
WANTED_PROVISIONER = "volume.kubernetes.io/storage-provisioner"

# Keeps the PersistentVolume until its directory is gone (the name is the external-provisioner's).
FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"

_RWX, _ROX = "ReadWriteMany", "ReadOnlyMany"
_WAIT_FOR_CONSUMER = "WaitForFirstConsumer"


class Refusal(Exception):
    """The driver does not make this volume; the text is what it says."""


def gib(quantity: str) -> int:
    """Whole GiB that a driver makes of a requested quantity: rounded up, at least one."""
    return max(1, math.ceil(_bytes(quantity) / 2**30))


_SUFFIXES = {"": Decimal(1), "m": Decimal("0.001")} | {
    letter + binary: Decimal(1024 if binary else 1000) ** power
    for power, letters in enumerate(("kK", "M", "G", "T", "P", "E"), start=1)
    for letter in letters
    for binary in ("", "i")
}


def _bytes(quantity: str) -> Decimal:
    found = re.fullmatch(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)", quantity)
    if not found or found[2] not in _SUFFIXES:
        raise Refusal(f"failed to parse quantity {quantity!r}")
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def volume_name(claim: Manifest) -> str:
    """The PersistentVolume of a claim, as the external-provisioner names it."""
    return f"pvc-{claim['metadata']['uid']}"


def key_of(item: Manifest) -> tuple[str, str]:
    """Namespace (empty for cluster-wide objects) and name."""
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def class_name(item: Manifest) -> str:
    return str(item["spec"].get("storageClassName") or "")


def annotation(item: Manifest, name: str) -> str:
    return str((item["metadata"].get("annotations") or {}).get(name, ""))


def is_ours(volume: Manifest) -> bool:
    return annotation(volume, PROVISIONED_BY) == PROVISIONER


def wants_volume(claim: Manifest, storage_class: Manifest | None) -> bool:
    """Is it our turn: has the volume controller named us and, if the class waits for one, the scheduler a node?"""
    if not storage_class or storage_class["provisioner"] != PROVISIONER:
        return False
    if claim["spec"].get("volumeName") or claim["metadata"].get("deletionTimestamp"):
        return False
    if annotation(claim, WANTED_PROVISIONER) != PROVISIONER:
        return False
    return storage_class.get("volumeBindingMode") != _WAIT_FOR_CONSUMER or bool(annotation(claim, SELECTED_NODE))


def check(claim: Manifest, storage_class: Manifest) -> None:
    """Raise Refusal for what the driver does not do, in its words (docs/facts.md: storage/driver-refusals)."""
    kind = disk_type(storage_class)
    spec = claim["spec"]
    modes = set(spec.get("accessModes") or [])
    if spec.get("selector"):
        raise Refusal("claim Selector is not supported")
    if spec.get("volumeMode") == "Block":
        raise Refusal(f"{PROVISIONER} does not support block volume provisioning")
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        raise Refusal("ReadWriteOncePod may not be combined with other access modes")
    if kind == SHARED:
        return
    if _RWX in modes:
        raise Refusal("VolumeCapabilities is invalid: specified multi writer with mount access type")
    if _ROX in modes and len(modes) > 1:
        raise Refusal("CSI does not support ReadOnlyMany and ReadWriteOnce on the same PersistentVolume")
    if _ROX in modes and not has_source(claim):
        raise Refusal("VolumeContentSource must be provided when AccessMode is set to read only")


def disk_type(storage_class: Manifest) -> str:
    """ssd, balanced, standard or shared. Raises Refusal for other parameters, as the driver does."""
    parameters: Mapping[str, str] = storage_class.get("parameters") or {}
    unknown = sorted(set(parameters) - {"type"})
    if unknown:
        raise Refusal(f'parameters contains invalid option "{unknown[0]}"')
    kind = parameters.get("type", "standard")
    if kind not in (*BLOCK_TYPES, SHARED):
        raise Refusal(f'parameters contains invalid type "{kind}"; known: {", ".join((*BLOCK_TYPES, SHARED))}')
    return kind


def has_source(claim: Manifest) -> bool:
    """Does it start with the content of something else?"""
    return bool(claim["spec"].get("dataSourceRef") or claim["spec"].get("dataSource"))


def requested_gib(claim: Manifest) -> int:
    return gib(str(claim["spec"]["resources"]["requests"]["storage"]))


def capacity_gib(volume: Manifest) -> int:
    return gib(str(volume["spec"]["capacity"]["storage"]))


def persistent_volume(claim: Manifest, storage_class: Manifest, nodes: Sequence[Manifest], folder: Path) -> Manifest:
    """The PersistentVolume of a claim that passed `check`. Its directory is `folder` / its name."""
    name = volume_name(claim)
    meta = claim["metadata"]
    delete = storage_class.get("reclaimPolicy", "Delete") == "Delete"
    spec: Manifest = {
        "capacity": {"storage": f"{requested_gib(claim)}Gi"},
        "accessModes": list(claim["spec"]["accessModes"]),
        "claimRef": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        },
        "persistentVolumeReclaimPolicy": "Delete" if delete else storage_class["reclaimPolicy"],
        "storageClassName": class_name(claim),
        "volumeMode": "Filesystem",
        "hostPath": {"path": str(folder / name), "type": "Directory"},
    }
    if storage_class.get("mountOptions"):
        spec["mountOptions"] = list(storage_class["mountOptions"])
    if disk_type(storage_class) != SHARED:
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [_placement(claim, storage_class, nodes)]}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {PROVISIONED_BY: PROVISIONER, DISK_TYPE: disk_type(storage_class)},
            "finalizers": [FINALIZER] if delete else [],
        },
        "spec": spec,
    }


def _placement(claim: Manifest, storage_class: Manifest, nodes: Sequence[Manifest]) -> Manifest:
    """A disk stays in the zone where it was made; a read-only one attaches to at most MAX_READERS of its nodes."""
    zone = zone_of(claim, storage_class, nodes)
    terms = [_in(ZONE_LABEL, [zone])]
    hosts = [_label(node, HOST_LABEL) for node in nodes if _label(node, ZONE_LABEL) == zone]
    if _ROX in claim["spec"]["accessModes"] and len(hosts) > MAX_READERS:
        selected = annotation(claim, SELECTED_NODE)
        terms.append(_in(HOST_LABEL, sorted(hosts, key=lambda host: (host != selected, host))[:MAX_READERS]))
    return {"matchExpressions": terms}


def zone_of(claim: Manifest, storage_class: Manifest, nodes: Sequence[Manifest]) -> str:
    """The zone of the node that the scheduler chose, else (Immediate) the first that the class allows."""
    selected = annotation(claim, SELECTED_NODE)
    zones = {node["metadata"]["name"]: _label(node, ZONE_LABEL) for node in nodes}
    if selected:
        return zones[selected]
    allowed = [
        zone
        for term in storage_class.get("allowedTopologies") or []
        for expression in term.get("matchLabelExpressions") or []
        if expression["key"] == ZONE_LABEL
        for zone in expression["values"]
    ]
    return next(iter(allowed or sorted(set(zones.values()))), "")


def _in(key: str, values: list[str]) -> Manifest:
    return {"key": key, "operator": "In", "values": values}


def _label(node: Manifest, name: str) -> str:
    return str((node["metadata"].get("labels") or {}).get(name, ""))


def grows_to(claim: Manifest, volume: Manifest, storage_class: Manifest | None) -> int | None:
    """The new size in GiB of a bound claim that asks for more (or whose growth was not finished), else None."""
    if not storage_class or not storage_class.get("allowVolumeExpansion") or not is_ours(volume):
        return None
    if claim["spec"].get("volumeName") != volume["metadata"]["name"] or claim["status"].get("phase") != "Bound":
        return None
    wanted = max(requested_gib(claim), capacity_gib(volume))
    told = gib(str((claim["status"].get("capacity") or {}).get("storage", "0")))
    return wanted if wanted > min(told, capacity_gib(volume)) else None


def must_vanish(volume: Manifest) -> bool:
    """Is the directory to be deleted now: policy Delete and the claim gone, whichever of the two went first?"""
    return (
        is_ours(volume)
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        and volume["status"].get("phase") in ("Released", "Failed")
    )


def may_leave(volume: Manifest) -> bool:
    """Is it being deleted, and was its policy changed to Retain, so that only our finalizer holds it?"""
    return (
        is_ours(volume)
        and bool(volume["metadata"].get("deletionTimestamp"))
        and FINALIZER in (volume["metadata"].get("finalizers") or [])
        and volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete"
        and volume["status"].get("phase") != "Bound"
    )
