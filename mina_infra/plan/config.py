"""The daemon's runtime config: one immutable ConfigMap, named by its content, mounted by every daemon."""

from __future__ import annotations

from mina_infra.plan import labels, names
from mina_infra.plan.objects import PlannedObject
from mina_infra.spec import TestnetSpec

KEY = "daemon.json"
MOUNT = "/config"
FILE = f"{MOUNT}/{KEY}"


def data(spec: TestnetSpec) -> dict[str, str]:
    return {KEY: spec.genesis.runtime_config}


def config_map(spec: TestnetSpec, name: str, data: dict[str, str]) -> PlannedObject:
    """Immutable, so that kubelets need not watch it and nobody changes a chain in place."""
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": spec.namespace, "labels": labels.of_testnet(spec)},
        "immutable": True,
        "data": dict(data),
    }
    return PlannedObject(names.CONFIG_KEY, manifest, after=(names.NAMESPACE_KEY,))
