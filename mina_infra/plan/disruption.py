"""How many nodes of a role a drain may stop at once."""

from __future__ import annotations

from mina_infra.plan import labels, names
from mina_infra.plan.objects import PlannedObject
from mina_infra.spec import Role, TestnetSpec

MAX_UNAVAILABLE = "10%"
"""Of a role's pods, rounded up: one of a few, and a single node may still be drained. A budget for each node
(minAvailable 1 of 1) would block every upgrade of the cluster (docs/facts.md: kubernetes/disruption-budget)."""


def budgets(spec: TestnetSpec) -> tuple[PlannedObject, ...]:
    """One budget for each role that has nodes, in the order of the spec."""
    roles = list(dict.fromkeys(group.role for group in spec.nodes))
    return tuple(_budget(spec, role) for role in roles)


def _budget(spec: TestnetSpec, role: Role) -> PlannedObject:
    manifest = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": names.disruption_budget(role.value),
            "namespace": spec.namespace,
            "labels": labels.of_testnet(spec),
        },
        "spec": {
            "maxUnavailable": MAX_UNAVAILABLE,
            "selector": {"matchLabels": {"testnet": spec.name, "role": role.value}},
            # A daemon that never became ready is no reason to keep a machine.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
    return PlannedObject(names.disruption_budget_key(role.value), manifest, after=(names.NAMESPACE_KEY,))
