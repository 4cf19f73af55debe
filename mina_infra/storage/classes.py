"""Storage classes: what is immutable about one is hashed into its name, so a change makes a new class beside the old.

The API server refuses changes of provisioner, parameters, reclaim policy and binding mode, and the engine would replace
the class for some of them (docs/facts.md: storage/class-immutability). Classes belong to the whole cluster. Either each
testnet has its own, with its name in front, so that two testnets never collide; or the cluster's stack declares them
once and testnets refer to them by their content: the same target leads to the same names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mina_infra.spec import ClusterStorage, DiskType, Retention, TestnetSpec
from mina_infra.spec.target import Target
from mina_infra.storage import parameters
from mina_infra.storage.capabilities import Capability, disks_of

LONGEST_NAME = 63
"""Characters of a class name: it also has to fit a label."""

CLUSTER = "mina"
"""What the names of a cluster's own classes begin with."""

IMMUTABLE = ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode", "allowedTopologies")
"""Fields that are hashed into the name. The API server would let the topologies change; volumes made before would
then lie where the class says none does."""

_SEPARATORS = (",", ":")


class NoSuchDisk(LookupError):
    """The provider has no disk of this type; `rules.check` refuses such a spec before any plan is made."""


@dataclass(frozen=True)
class StorageClass:
    """One class: its name and the object's fields besides metadata.

    `key` tells it from its owner's other classes and follows no content: the type, and the retention where that is not
    the testnet's own. `shared`: the cluster's, not a testnet's. `named`: the user gave the name, which says nothing of
    the content.
    """

    name: str
    key: str
    disk: DiskType
    capability: Capability
    fields: Mapping[str, Any]
    shared: bool = False
    named: bool = False

    def manifest(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """The StorageClass object."""
        return {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": self.name, "labels": dict(labels)},
            **self.fields,
        }


def storage_class(spec: TestnetSpec, disk: DiskType, retention: Retention | None = None) -> StorageClass:
    """The class of one type for this testnet, for the testnet's retention or another one. Raises NoSuchDisk."""
    retention = retention or spec.retention
    shared = spec.target.storage_classes == "shared"
    found = _made(CLUSTER if shared else spec.name, spec.target, disk, retention, shared)
    usual = spec.class_retention or spec.retention
    return replace(found, key=disk.value if retention is usual else f"{disk.value}-{retention.value}")


def cluster_classes(storage: ClusterStorage) -> tuple[StorageClass, ...]:
    """Every class that a cluster's stack declares, those under fixed names last."""
    found: dict[str, StorageClass] = {}
    for target in targets(storage):
        for disk in storage.types or disks_of(target):
            for retention in storage.retentions:
                each = _made(CLUSTER, target, disk, retention, True)
                found.setdefault(each.name, each)  # a file backend is the same, zonal or regional
    fixed = [
        replace(_made(CLUSTER, storage.target, each.type, each.retention, True), name=name, key=name, named=True)
        for name, each in storage.fixed.items()
    ]
    return (*found.values(), *fixed)


def targets(storage: ClusterStorage) -> Iterator[Target]:
    """The target once for each replication that a cluster has classes of."""
    for replication in storage.replications or (storage.target.replication,):
        yield storage.target.model_copy(update={"replication": replication})


def content_name(target: Target, wanted: StorageClass) -> str:
    """What a class would be called after its content, whatever it is called."""
    return _name(CLUSTER, target, wanted.disk, wanted.capability, _immutable_of(wanted.fields), True)


def differences(wanted: Mapping[str, Any], live: Mapping[str, Any], only: Sequence[str] = ()) -> list[str]:
    """How a live class differs from what is wanted, one text for each setting; `only` looks at some fields."""
    fields = only or (*IMMUTABLE, "allowVolumeExpansion", "mountOptions")
    found = []
    for name in fields:
        ours, theirs = wanted.get(name) or None, live.get(name) or None
        if name == "parameters":
            keys = sorted({*(ours or {}), *(theirs or {})})
            pairs = [(f"{name}.{key}", (ours or {}).get(key), (theirs or {}).get(key)) for key in keys]
        else:
            pairs = [(name, ours, theirs)]
        found += [f"{key} is {_shown(there)}, wanted {_shown(here)}" for key, here, there in pairs if here != there]
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return f"'{value}'" if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _made(owner: str, target: Target, disk: DiskType, retention: Retention, shared: bool) -> StorageClass:
    found = disks_of(target).get(disk)
    if found is None:
        raise NoSuchDisk(f"{target.provider.value} has no {target.replication} {disk.value} disk")
    immutable = _immutable(target, found, retention)
    fields = {**immutable, "allowVolumeExpansion": found.expandable}
    if found.mount_options:
        fields["mountOptions"] = list(found.mount_options)
    name = _name(owner, target, disk, found, immutable, shared)
    return StorageClass(name, name, disk, found, fields, shared)


def _immutable(target: Target, found: Capability, retention: Retention) -> dict[str, Any]:
    """The fields that can never change under one name. Zones only pin what lives in a zone."""
    values = {**found.parameters, **parameters.added(target, found.driver)}
    if found.driver == "efs.csi.aws.com":
        values["fileSystemId"] = target.file_system or ""
    fields: dict[str, Any] = {
        "provisioner": found.driver,
        "parameters": values,
        "reclaimPolicy": "Retain" if retention is Retention.RETAIN else "Delete",
        "volumeBindingMode": found.binding,
    }
    if target.zones and found.topology_key:
        expression = {"key": found.topology_key, "values": list(target.zones)}
        fields["allowedTopologies"] = [{"matchLabelExpressions": [expression]}]
    return fields


def _immutable_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in IMMUTABLE if name in fields}


def _name(
    owner: str, target: Target, disk: DiskType, found: Capability, immutable: Mapping[str, Any], shared: bool
) -> str:
    """`<owner>-<type>[-regional]-<region>-<hash8>`; where that is too long the readable part is cut, not the hash."""
    regional = ["regional"] if found.block and target.replication == "regional" else []
    body = "-".join([owner, disk.value, *regional, target.region])
    body = re.sub(r"[^a-z0-9]+", "-", body.lower())
    # A testnet may be called like the cluster's classes begin: the same content is another class all the same.
    identity: list[Any] = [body, immutable, *(["shared"] if shared else [])]
    return named_by_content(body, identity)


def named_by_content(body: str, identity: Any) -> str:
    """A readable beginning and eight hex digits that follow the content."""
    text = json.dumps(identity, sort_keys=True, separators=_SEPARATORS)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{body[: LONGEST_NAME - 9].strip('-')}-{digest}"
