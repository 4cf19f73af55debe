"""One Service for each daemon, named like it: a peer id belongs to one node, so no Service spans two."""

from __future__ import annotations

import ipaddress

from mina_infra.plan import labels, names
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import SKIP_AWAIT, Manifest, PlannedObject
from mina_infra.spec import Provider, Role, TestnetSpec


def service(spec: TestnetSpec, node: Node, ports: dict[str, int]) -> PlannedObject:
    """Reachable before it is ready, since daemons become ready by reaching each other.

    Service port = container port = the port that the daemon advertises. `ports` are container ports by name.
    """
    public = _public_address(spec, node)
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": node.name,
            "namespace": spec.namespace,
            "labels": labels.of_node(spec, node),
            "annotations": {**SKIP_AWAIT, **_dns(public)},
        },
        "spec": {
            "type": "LoadBalancer" if public else "ClusterIP",
            **_fixed_ip(public, node),
            "selector": labels.identity(spec, node),
            "publishNotReadyAddresses": True,
            "ports": [
                {"name": name, "port": port, "targetPort": name, "protocol": "TCP"} for name, port in ports.items()
            ],
        },
    }
    return PlannedObject(names.service_key(node.name), manifest, after=(names.NAMESPACE_KEY,))


def _public_address(spec: TestnetSpec, node: Node) -> str | None:
    """The address by which the outside reaches a seed. The embedded cluster has no outside."""
    if node.role is not Role.SEED or spec.target.provider is Provider.LOCAL or node.identity is None:
        return None
    return node.identity.address


def _fixed_ip(public: str | None, node: Node) -> Manifest:
    ip = public_ip(node) if public else None
    return {"loadBalancerIP": ip} if ip else {}


def _dns(public: str | None) -> dict[str, str]:
    """Asks external-dns, where it runs, to keep the seed's DNS name."""
    return {} if public is None or is_ip(public) else {"external-dns.alpha.kubernetes.io/hostname": public}


def public_ip(node: Node) -> str | None:
    """The node's reserved public IP address, if the spec tells one."""
    if node.identity is None:
        return None
    address = node.identity.address
    return address if address and is_ip(address) else node.identity.ip


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
