"""The objects by which kwok leads port-forward, logs and exec of a pod to the simulator."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mina_infra.cluster.api import ApiStatusError, Kind, KubeApi, Manifest

API_VERSION = "kwok.x-k8s.io/v1alpha1"
PORT_FORWARD = Kind(API_VERSION, "PortForward", "portforwards")
LOGS = Kind(API_VERSION, "Logs", "logs")
EXEC = Kind(API_VERSION, "Exec", "execs")
PORT_VARIABLE = "MINA_SIMULATOR_PORT"


def manifests(
    namespace: str, pod: str, uid: str, ports: Iterable[int], port: int, log: Path, containers: list[str]
) -> list[tuple[Kind, Manifest]]:
    """The three objects of one pod. They belong to it, so the garbage collector takes them away with it."""
    meta = {
        "namespace": namespace,
        "name": pod,
        "labels": {"app.kubernetes.io/managed-by": "mina-infra-simulator"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}],
    }
    forward = {"forwards": [{"ports": list(ports), "target": {"address": "127.0.0.1", "port": port}}]}
    logs = {"logs": [{"containers": containers, "logsFile": str(log), "follow": True}]}
    local = {"workDir": str(log.parent), "envs": [{"name": PORT_VARIABLE, "value": str(port)}]}
    execs = {"execs": [{"containers": containers, "local": local}]}
    return [
        (kind, {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": meta, "spec": spec})
        for kind, spec in ((PORT_FORWARD, forward), (LOGS, logs), (EXEC, execs))
    ]


async def put(api: KubeApi, kind: Kind, manifest: Manifest) -> None:
    """Create the object, or bring an existing one up to date.

    A create is the cheapest request; server-side apply on these would cost the API server twice as much, six hundred
    times when 200 nodes start. A namespace that is going away is no error: its pods go, too.
    """
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    try:
        await api.request("POST", kind.path(namespace), body=manifest)
    except ApiStatusError as error:
        if error.code == 409:
            await api.patch(kind, name, manifest, namespace)
        elif error.code not in (403, 404):  # 403: the namespace is terminating; 404: it is gone
            raise
