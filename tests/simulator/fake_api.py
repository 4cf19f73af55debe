"""An API server in memory, of just the size that the simulator needs, and pods as the plan makes them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from mina_infra.cluster.api import (
    CLAIM,
    CONFIG_MAP,
    DEPLOYMENT,
    PERSISTENT_VOLUME,
    POD,
    ApiStatusError,
    Kind,
    Manifest,
    Watched,
)

SEED_ID = "12D3KooWAdgYL6hv18M3iDBdaK1dRygPivSfAfBNDzie6YqydVbs"
SEED = f"/dns4/seed-1/tcp/10001/p2p/{SEED_ID}"
DIGEST = "sha256:" + "a" * 64


class FakeApi:
    """Objects by kind, namespace and name; changes reach the watchers."""

    def __init__(self, volumes: Path) -> None:
        self.volumes = volumes
        self.objects: dict[tuple[str, str, str], Manifest] = {}
        self.queues: dict[str, list[asyncio.Queue[Watched]]] = {"Pod": [], "Deployment": []}
        self.reads = 0

    # --- what the simulator calls -----------------------------------------------------------------------------------

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        self.reads += 1
        await asyncio.sleep(0)
        return self.objects.get((kind.kind, namespace or "", name))

    async def request(self, method: str, path: str, *, body: Manifest) -> Manifest:
        assert method == "POST"
        key = (body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])
        if key in self.objects:
            raise ApiStatusError(409, "AlreadyExists", "already exists")
        self.objects[key] = body
        return body

    async def patch(
        self, kind: Kind, name: str, patch: Any, namespace: str | None = None, subresource: str | None = None
    ) -> Manifest:
        found = self.objects[(kind.kind, namespace or "", name)]
        for key, value in patch.items():
            found[key] = {**found.get(key, {}), **value} if isinstance(value, dict) else value
        return found

    async def watch(
        self, kind: Kind, namespace: str | None = None, labels: str | None = None
    ) -> AsyncIterator[Watched]:
        queue: asyncio.Queue[Watched] = asyncio.Queue()
        items = [item for (name, _, _), item in self.objects.items() if name == kind.kind]
        self.queues[kind.kind].append(queue)
        yield Watched("SYNCED", {"items": items})
        while True:
            yield await queue.get()

    # --- what a test does -------------------------------------------------------------------------------------------

    def put(self, kind: Kind, manifest: Manifest, event: str = "MODIFIED") -> None:
        meta = manifest["metadata"]
        self.objects[(kind.kind, meta.get("namespace", ""), meta["name"])] = manifest
        for queue in self.queues.get(kind.kind, []):
            queue.put_nowait(Watched(event, manifest))

    def delete(self, kind: Kind, name: str, namespace: str = "ns") -> None:
        manifest = self.objects.pop((kind.kind, namespace, name))
        for queue in self.queues.get(kind.kind, []):
            queue.put_nowait(Watched("DELETED", manifest))

    def claim(self, name: str) -> Path:
        """A bound claim; its directory."""
        folder = self.volumes / f"pv-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        self.put(CLAIM, {"metadata": {"namespace": "ns", "name": name}, "spec": {"volumeName": f"pv-{name}"}})
        self.put(PERSISTENT_VOLUME, {"metadata": {"name": f"pv-{name}"}, "spec": {"hostPath": {"path": str(folder)}}})
        return folder

    def config(self, genesis: str = "2026-01-01T00:00:00Z", slot_ms: int = 100, k: int = 290) -> None:
        """The runtime config that all pods mount."""
        config = {
            "genesis": {"genesis_state_timestamp": genesis, "k": k}, "proof": {"block_window_duration_ms": slot_ms},
        }  # fmt: skip
        self.put(
            CONFIG_MAP, {"metadata": {"namespace": "ns", "name": "config"}, "data": {"daemon.json": json.dumps(config)}}
        )

    def file(self, kind: str, name: str) -> Manifest:
        """One of kwok's objects."""
        return self.objects[(kind, "ns", name)]["spec"]

    def deployment(self, name: str, stake: float) -> None:
        template = {"metadata": {"annotations": {"mina-infra/stake": str(stake)}}}
        self.put(DEPLOYMENT, {"metadata": {"namespace": "ns", "name": name}, "spec": {"template": template}})

    def daemon(self, node: str, *arguments: str, pod: str = "", stake: float = 0.0, **changes: Any) -> None:
        self.put(POD, daemon_pod(node, *arguments, pod=pod, stake=stake, **changes))


def daemon_pod(
    node: str,
    *arguments: str,
    pod: str = "",
    stake: float = 0.0,
    claim: str | None = None,
    ledger: str = "",
    guard: str = "",
    config: bool = True,
    phase: str = "Running",
) -> Manifest:
    """A pod of a daemon. `claim` None: one of its own by its name, empty: an emptyDir."""
    seed = node.startswith("seed")
    name = pod or f"{node}-pod"
    claim = f"{node}-state" if claim is None else claim
    words = ["daemon", "-config-directory", "/root/.mina-config", "-rest-port", "3085", "-metrics-port", "10001"]
    words += ["-config-file", "/config/daemon.json"] if config else []
    words += ["-seed"] if seed else ["-peer", SEED]
    words += ["-block-producer-key", "/keys/key"] if stake else []
    state: Manifest = {"persistentVolumeClaim": {"claimName": claim}} if claim else {"emptyDir": {}}
    volumes = [{"name": "config-dir", **state}, {"name": "daemon-config", "configMap": {"name": "config"}}]
    mounts = [
        {"name": "config-dir", "mountPath": "/root/.mina-config"},
        {"name": "daemon-config", "mountPath": "/config"},
    ]
    if ledger:
        volumes.append({"name": "genesis", "persistentVolumeClaim": {"claimName": ledger}})
        mounts.append({"name": "genesis", "mountPath": "/genesis"})
    guards = [
        {"name": "start-guard", "env": [{"name": "GENESIS_DIGEST", "value": guard}, {"name": "ERA", "value": "1"}]}
    ]
    return {
        "metadata": {
            "namespace": "ns", "name": name, "uid": f"uid-{name}", "labels": {"app": node},
            "annotations": {"mina-infra/stake": str(stake)} | ({"mina-infra/peer-id": SEED_ID} if seed else {}),
        },
        "spec": {
            "initContainers": guards if guard else [],
            "containers": [{
                "name": "mina", "image": "mina:3.0.1", "args": [*words, *arguments], "volumeMounts": mounts,
                "env": [{"name": "MINA_PRIVKEY_PASS", "valueFrom": {"secretKeyRef": {}}}],
            }],
            "volumes": volumes,
        },
        "status": {"phase": phase, "podIP": "10.64.0.9"},
    }  # fmt: skip


def job_pod(claim: str, digest: str = DIGEST, phase: str = "Succeeded") -> Manifest:
    """The pod of the ledger's Job."""
    return {
        "metadata": {
            "namespace": "ns", "name": "ledger", "uid": "uid-ledger", "labels": {"mina-infra/job": "genesis-ledger"},
        },
        "spec": {
            "containers": [{
                "name": "fill", "volumeMounts": [{"name": "genesis", "mountPath": "/volume"}],
                "env": [{"name": "GENESIS_DIGEST", "value": digest}, {"name": "ERA", "value": "1"}],
            }],
            "volumes": [{"name": "genesis", "persistentVolumeClaim": {"claimName": claim}}],
        },
        "status": {"phase": phase},
    }  # fmt: skip
