"""The pod of a node, put together from its parts, and the Deployment that keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mina_infra.plan import labels, names, timeouts
from mina_infra.plan.common import Common
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import SKIP_AWAIT, Manifest, PlannedObject
from mina_infra.spec import VolumeKind

GRACE_SECONDS = 120
"""For a daemon to flush its databases; at least 60 (docs/facts.md: rule/20)."""


@dataclass
class Workload:
    """What a role puts into a node's pod; roles add to it, `deployment` only frames it.

    `service_ports`: container ports by name that the node's Service offers; none means that there is no Service.
    """

    containers: list[Manifest] = field(default_factory=list)
    init_containers: list[Manifest] = field(default_factory=list)
    volumes: list[Manifest] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    service_ports: dict[str, int] = field(default_factory=dict)

    def ports(self) -> dict[str, int]:
        """All container ports of the pod by name."""
        everyone = [*self.init_containers, *self.containers]
        return {port["name"]: port["containerPort"] for each in everyone for port in each.get("ports", ())}


def port(name: str, number: int) -> Manifest:
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def requests(cpu: str, memory: str) -> Manifest:
    """Requests without limits: a throttled prover misses its slot, a daemon over its memory limit loses its state."""
    return {"requests": {"cpu": cpu, "memory": memory}}


def main_resources(node: Node, cpu: str, memory: str) -> Manifest:
    """Requests of a node's main container: the group's word before the role's default."""
    chosen = node.group.resources
    return requests(str(chosen.cpu or cpu), str(chosen.memory or memory))


def deployment(common: Common, node: Node, workload: Workload, after: tuple[str, ...]) -> PlannedObject:
    """One node: one pod, replaced only when the old one is gone, since two would fight over key, lock and volume.

    A paused node has no pod; everything else of it stays as it is, so that it wakes up as it fell asleep.
    """
    spec = common.spec
    own = labels.of_pod(spec, node, common.version)
    template = {"metadata": _pod_metadata(own, workload), "spec": _pod_spec(workload)}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": node.name,
            "namespace": spec.namespace,
            "labels": own,
            "annotations": dict(SKIP_AWAIT),
        },
        "spec": {
            "replicas": 0 if spec.is_paused(node.group, node.name) else 1,
            "revisionHistoryLimit": 2,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels.identity(spec, node)},
            "template": template,
        },
    }
    after = (names.NAMESPACE_KEY, names.SERVICE_ACCOUNT_KEY, *after)
    return PlannedObject(node.name, manifest, after=after, timeout_s=timeouts.deployments(spec))


def _pod_metadata(own: dict[str, str], workload: Workload) -> Manifest:
    metadata: Manifest = {"labels": dict(own)}
    if workload.annotations:
        metadata["annotations"] = dict(workload.annotations)
    return metadata


def _pod_spec(workload: Workload) -> Manifest:
    pod: Manifest = {
        "serviceAccountName": names.SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        # Links would put seven variables for each of some hundred Services into every container.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
    }
    if workload.init_containers:
        pod["initContainers"] = workload.init_containers
    pod["containers"] = workload.containers
    if workload.volumes:
        pod["volumes"] = workload.volumes
    return pod


def claim_volume(name: str, node: Node, common: Common, kind: VolumeKind) -> Manifest:
    """The pod's side of a node's own claim, or of the one that takes its place."""
    volume = next(each for each in common.volumes.own(node.group, node.name) if each.kind is kind)
    claim = volume.existing_claim or names.claim(node.name, kind, common.spec.era)
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}
