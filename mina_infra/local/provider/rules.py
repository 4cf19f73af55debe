"""Which fields the official provider cannot update in place, by kind (4.34.2, provider/pkg/provider/diff.go)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

IDENTITY = (".metadata.name", ".metadata.namespace")


def _selector(prefix: str) -> tuple[str, ...]:
    parts = ("", ".matchExpressions", ".matchLabels")
    return tuple(prefix + part for part in parts)


def _pod() -> tuple[str, ...]:
    spec = (
        "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork "
        "hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName "
        "readinessGates restartPolicy runtimeClassName schedulerName securityContext serviceAccount serviceAccountName "
        "shareProcessNamespace subdomain terminationGracePeriodSeconds volumes"
    )
    container = (
        "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext "
        "stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir"
    )
    lists = ("containers", "initContainers")
    return (
        *(f".spec.{field}" for field in spec.split()),
        *(f".spec.{part}[*].{field}" for part in lists for field in container.split()),
    )


_VOLUME_SOURCES = (
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs "
    "hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
)

FORCE_NEW: dict[tuple[str, str], tuple[str, ...]] = {
    ("v1", "PersistentVolume"): tuple(f".spec.{source}" for source in _VOLUME_SOURCES.split()),
    ("v1", "PersistentVolumeClaim"): (
        ".spec.accessModes",
        ".spec.storageClassName",
        ".spec.volumeName",
        *_selector(".spec.selector"),
    ),
    ("v1", "Pod"): _pod(),
    ("v1", "ResourceQuota"): (".spec.scopes",),
    ("v1", "Secret"): (".type",),
    ("v1", "Service"): (".spec.clusterIP",),
    ("apps/v1", "DaemonSet"): _selector(".spec.selector"),
    ("apps/v1", "Deployment"): _selector(".spec.selector"),
    ("apps/v1", "StatefulSet"): (
        ".spec.podManagementPolicy",
        ".spec.revisionHistoryLimit",
        ".spec.serviceName",
        ".spec.volumeClaimTemplates",
        *_selector(".spec.selector"),
    ),
    ("batch/v1", "Job"): (".spec.completions", ".spec.parallelism", ".spec.template", *_selector(".spec.selector")),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): (".roleRef",),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): (".roleRef",),
    ("storage.k8s.io/v1", "StorageClass"): (".parameters", ".provisioner"),
}


def force_new(inputs: dict[str, Any], *, mutable_config_maps: bool, mutable_secrets: bool) -> tuple[str, ...]:
    """The fields of this object whose change replaces it; the mutable flags are the provider's own options."""
    key = (str(inputs.get("apiVersion")), str(inputs.get("kind")))
    immutable = inputs.get("immutable") is True
    if key == ("v1", "Secret") and (immutable or not mutable_secrets):
        return (*IDENTITY, ".type", ".stringData", ".data")
    if key == ("v1", "ConfigMap") and (immutable or not mutable_config_maps):
        return (*IDENTITY, ".binaryData", ".data")
    return (*IDENTITY, *FORCE_NEW.get(key, ()))


def touches(path: list[str | int], value: Any, fields: Iterable[str]) -> bool:
    """Does a change of `path` to `value` touch one of the fields (JSONPaths such as `.spec.containers[*].image`)?

    The rule of the official provider: the field is looked up in an object that holds nothing but the change, so a
    deletion (value None) of a parent touches nothing below it, and an added parent touches what it contains.
    """
    lone: Any = value
    for part in reversed(path):
        lone = {part: lone} if isinstance(part, str) else [lone]
    return any(_found([lone], _parse(field)) for field in fields)


def _parse(field: str) -> list[str]:
    return [part for part in field.replace("[*]", ".*").split(".") if part]


def _found(values: list[Any], parts: list[str]) -> bool:
    """Go's JSONPath: only a missing key is 'not found'; an empty or null list has nothing left to look into."""
    for part in parts:
        if part == "*":
            if any(value is not None and not isinstance(value, list) for value in values):
                return True
            values = [item for value in values if value is not None for item in value]
        elif values:
            values = [value[part] for value in values if isinstance(value, dict) and part in value]
            if not values:
                return False
    return True
