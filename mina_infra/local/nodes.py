"""The nodes that kwok plays: how many, in which zones, and what they can carry. Pure."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]

DEFAULT_COUNT = 4
REGION = "local"
ZONES = ("local-a", "local-b")

# More than any testnet asks for: what fits is decided by quota and plan, not by a make-believe machine.
PODS_PER_NODE = 250
_CAPACITY = {"cpu": "1000", "memory": "4Ti", "ephemeral-storage": "40Ti", "pods": str(PODS_PER_NODE)}

# One /16 of 10.0.0.0/8 for each node, away from the service range 10.0.0.0/24. Never 127.0.0.0/8: the API server
# refuses loopback addresses in Endpoints, and Services would stay empty.
_FIRST_POD_NETWORK = 64
MAX_COUNT = 256 - _FIRST_POD_NETWORK


def count_for(pods: int) -> int:
    """How many nodes carry so many pods with a third to spare (for Jobs and for pods that are being replaced)."""
    return min(MAX_COUNT, max(DEFAULT_COUNT, -(-pods * 4 // (PODS_PER_NODE * 3))))


def node_manifests(count: int = DEFAULT_COUNT) -> list[Manifest]:
    """`count` nodes, dealt out to the zones in turn: node-a-1, node-b-1, node-a-2, ..."""
    return [_node(index) for index in range(min(count, MAX_COUNT))]


def _node(index: int) -> Manifest:
    zone = ZONES[index % len(ZONES)]
    name = f"node-{zone.rsplit('-', 1)[1]}-{index // len(ZONES) + 1}"
    network = f"10.{_FIRST_POD_NETWORK + index}.0.0/16"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": "kwok",
                "topology.kubernetes.io/region": REGION,
                "topology.kubernetes.io/zone": zone,
            },
        },
        "spec": {"podCIDR": network, "podCIDRs": [network]},
        "status": {"capacity": dict(_CAPACITY), "allocatable": dict(_CAPACITY)},
    }
