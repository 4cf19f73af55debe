"""The hard stop of a testnet's namespace: alerts tell, a ResourceQuota prevents."""

from __future__ import annotations

from mina_infra.plan import labels, names
from mina_infra.plan.objects import PlannedObject
from mina_infra.spec import TestnetSpec
from mina_infra.storage.quota import coarse, storage_quota

SPARE_PODS = 10
"""Jobs and debugging pods."""


def resource_quota(spec: TestnetSpec) -> PlannedObject:
    """Storage, claims and pods, each with room for a second set: while an era changes, both eras' volumes exist,
    and while an image changes, pods that end still count. Limits are coarse: one more node seldom moves them."""
    storage = storage_quota(spec)
    nodes = sum(group.count for group in spec.nodes)
    hard = {
        "requests.storage": f"{storage.gib}Gi",
        "persistentvolumeclaims": str(storage.claims),
        "pods": str(coarse(2 * nodes + SPARE_PODS)),
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": names.QUOTA, "namespace": spec.namespace, "labels": labels.of_testnet(spec)},
        "spec": {"hard": hard},
    }
    return PlannedObject(names.QUOTA_KEY, manifest, after=(names.NAMESPACE_KEY,))
