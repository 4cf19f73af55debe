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


def metadata(namespace: str, pod: str, uid: str) -> Manifest:
    """Metadata of a pod's objects. They belong to the pod, so the garbage collector takes them away with it."""
    return {
        "namespace": namespace,
        "name": pod,
        "labels": {"app.kubernetes.io/managed-by": "mina-infra-simulator"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}],
    }


def port_forward(meta: Manifest, ports: Iterable[int], target: int) -> Manifest:
    """Leads some ports of the pod to a loopback port."""
    return _manifest(PORT_FORWARD, meta, "forwards", {"ports": [*ports], "target": {**_LOOPBACK, "port": target}})


def logs(meta: Manifest, file: Path, containers: list[str]) -> Manifest:
    """The file (in CRI form) that is these containers' log."""
    return _manifest(LOGS, meta, "logs", {"containers": containers, "logsFile": str(file), "follow": True})


def execs(meta: Manifest, folder: Path, port: int, containers: list[str]) -> Manifest:
    """Commands run on this machine; the program `mina` finds its node by the port."""
    local = {"workDir": str(folder), "envs": [{"name": PORT_VARIABLE, "value": str(port)}]}
    return _manifest(EXEC, meta, "execs", {"containers": containers, "local": local})


_LOOPBACK = {"address": "127.0.0.1"}


def _manifest(kind: Kind, meta: Manifest, field: str, entry: Manifest) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": meta, "spec": {field: [entry]}}


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
