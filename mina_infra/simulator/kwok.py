"""The objects by which kwok leads port-forward, logs and exec of a pod to the simulator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from mina_infra.cluster.api import ApiStatusError, Kind, KubeApi, Manifest
from mina_infra.errors import ClusterError

API_VERSION = "kwok.x-k8s.io/v1alpha1"
PORT_FORWARD = Kind(API_VERSION, "PortForward", "portforwards")
LOGS = Kind(API_VERSION, "Logs", "logs")
EXEC = Kind(API_VERSION, "Exec", "execs")
PORT_VARIABLE = "MINA_SIMULATOR_PORT"
REMINDED = "mina-infra/reminded"


def metadata(namespace: str, pod: str, uid: str) -> Manifest:
    """Metadata of a pod's objects. They belong to the pod, so the garbage collector takes them away with it."""
    return {
        "namespace": namespace,
        "name": pod,
        "labels": {"app.kubernetes.io/managed-by": "mina-infra-simulator"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}],
    }


def port_forward(meta: Manifest, targets: Mapping[int, Iterable[int]]) -> Manifest:
    """Leads ports of the pod to loopback ports: for each of these the pod's."""
    return _manifest(
        PORT_FORWARD,
        meta,
        "forwards",
        *({"ports": [*ports], "target": {"address": "127.0.0.1", "port": target}} for target, ports in targets.items()),
    )


def logs(meta: Manifest, file: Path, containers: list[str], previous: Path | None = None) -> Manifest:
    """The file (in CRI form) that is these containers' log, and that of their run before."""
    entry = {"containers": containers, "logsFile": str(file), "follow": True}
    return _manifest(LOGS, meta, "logs", entry | ({"previousLogsFile": str(previous)} if previous else {}))


def execs(meta: Manifest, folder: Path, port: int, containers: list[str]) -> Manifest:
    """Commands run on this machine; the program `mina` finds its node by the port."""
    local = {"workDir": str(folder), "envs": [{"name": PORT_VARIABLE, "value": str(port)}]}
    return _manifest(EXEC, meta, "execs", {"containers": containers, "local": local})


def _manifest(kind: Kind, meta: Manifest, field: str, *entries: Manifest) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": meta, "spec": {field: [*entries]}}


class Kwok:
    """Writes these objects and makes kwok notice all of them.

    kwok 0.8 keeps the list that it read last together with the version that its watch has seen, and the watch tells the
    version a moment before the list has the object. Asked in that moment, it keeps a list without the newest objects
    until any object of the kind changes again (pkg/config/resources/cache.go): of nodes that start while somebody
    already asks them, some would never be reached. So the newest object is changed a few times more.
    """

    REMINDERS = (1.0, 4.0, 16.0)
    """Seconds after the last change of a kind: the first mends it, the others are for a busy machine."""

    def __init__(self, api: KubeApi) -> None:
        self.api = api
        self._newest: dict[Kind, tuple[Manifest, list[float]]] = {}
        """The metadata of the newest object of each kind, and when to change it again, on the loop's clock."""

    async def put(self, kind: Kind, manifest: Manifest) -> None:
        """Create the object, or bring an existing one up to date.

        A create is the cheapest request; server-side apply on these would cost the API server twice as much, six
        hundred times when 200 nodes start. A namespace that is going away is no error: its pods go, too.
        """
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        try:
            await self.api.request("POST", kind.path(namespace), body=manifest)
        except ApiStatusError as error:
            if error.code == 409:
                await self.api.patch(kind, name, manifest, namespace)
            elif error.code in (403, 404):  # 403: the namespace is terminating; 404: it is gone
                return
            else:
                raise
        now = asyncio.get_running_loop().time()
        self._newest[kind] = manifest["metadata"], [now + seconds for seconds in self.REMINDERS]

    async def remind(self) -> None:
        """For ever: make kwok look again."""
        while True:
            await asyncio.sleep(0.5)
            for kind, meta in self.due(asyncio.get_running_loop().time()):
                patch = {"metadata": {"annotations": {REMINDED: str(time.time_ns())}}}
                with suppress(ClusterError):  # its pod is gone, and the object with it
                    await self.api.patch(kind, meta["name"], patch, meta["namespace"])

    def due(self, now: float) -> list[tuple[Kind, Manifest]]:
        """The metadata of the objects that are to be changed again by now, each once; on the loop's clock."""
        found = []
        for kind, (meta, due) in self._newest.items():
            if due and due[0] <= now:
                due.pop(0)
                found.append((kind, meta))
        return found
