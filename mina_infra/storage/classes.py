"""Storage classes: what is immutable about one is hashed into its name, so a change makes a new class beside the old.

The API server refuses changes of provisioner, parameters, reclaim policy and binding mode, and the engine would replace
the class for some of them (docs/facts.md: storage/class-immutability). The testnet's name leads the class name, because
classes are shared by the whole cluster and two testnets must never collide.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mina_infra.spec import DiskType, Retention, TestnetSpec
from mina_infra.storage.capabilities import Capability, capability

LONGEST_NAME = 63
"""Characters of a class name: it also has to fit a label."""


class NoSuchDisk(LookupError):
    """The provider has no disk of this type; `rules.check` refuses such a spec before any plan is made."""


@dataclass(frozen=True)
class StorageClass:
    """One class of a testnet: its name and the object's fields besides metadata.

    `key` tells it from the testnet's other classes and follows no content: the type, and the retention where that is
    not the testnet's own.
    """

    name: str
    key: str
    disk: DiskType
    capability: Capability
    fields: Mapping[str, Any]

    def manifest(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """The StorageClass object."""
        return {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": self.name, "labels": dict(labels)},
            **self.fields,
        }


def storage_class(spec: TestnetSpec, disk: DiskType, retention: Retention | None = None) -> StorageClass:
    """The class of one type in this testnet, for the testnet's retention or another one. Raises NoSuchDisk."""
    retention = retention or spec.retention
    found = capability(spec, disk)
    if found is None:
        raise NoSuchDisk(f"{spec.target.provider.value} has no {spec.target.replication} {disk.value} disk")
    immutable = _immutable(spec, found, retention)
    fields = {**immutable, "allowVolumeExpansion": found.expandable}
    if found.mount_options:
        fields["mountOptions"] = list(found.mount_options)
    key = disk.value if retention is spec.retention else f"{disk.value}-{retention.value}"
    return StorageClass(_name(spec, disk, found, immutable), key, disk, found, fields)


def _immutable(spec: TestnetSpec, found: Capability, retention: Retention) -> dict[str, Any]:
    """The fields that can never change under one name. Zones only pin what lives in a zone."""
    parameters = dict(found.parameters)
    if found.driver == "efs.csi.aws.com":
        parameters["fileSystemId"] = spec.target.file_system or ""
    fields: dict[str, Any] = {
        "provisioner": found.driver,
        "parameters": parameters,
        "reclaimPolicy": "Retain" if retention is Retention.RETAIN else "Delete",
        "volumeBindingMode": found.binding,
    }
    if spec.target.zones and found.topology_key:
        expression = {"key": found.topology_key, "values": list(spec.target.zones)}
        fields["allowedTopologies"] = [{"matchLabelExpressions": [expression]}]
    return fields


def _name(spec: TestnetSpec, disk: DiskType, found: Capability, immutable: Mapping[str, Any]) -> str:
    """`<testnet>-<type>[-regional]-<region>-<hash8>`; where that is too long the readable part is cut, not the hash."""
    regional = ["regional"] if found.block and spec.target.replication == "regional" else []
    body = "-".join([spec.name, disk.value, *regional, spec.target.region])
    body = re.sub(r"[^a-z0-9]+", "-", body.lower())
    identity = json.dumps([body, immutable], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return f"{body[: LONGEST_NAME - 9].strip('-')}-{digest}"
