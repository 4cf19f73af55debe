"""A namespace with claims and pods on an embedded cluster, and a volume provisioner that a test starts and stops."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from mina_infra.cluster.api import (
    CLAIM,
    EVENT,
    NAMESPACE,
    PERSISTENT_VOLUME,
    POD,
    Kind,
    KubeApi,
    Manifest,
)
from mina_infra.local import volumes as rules
from mina_infra.local.provisioner import run_provisioner

_numbers = itertools.count(1)


class Bench:
    """A namespace of its own, classes, claims and pods."""

    def __init__(self, api: KubeApi, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.namespace = f"t{next(_numbers)}"

    async def storage_class(self, type: str = "ssd", **fields: object) -> str:
        name = f"{self.namespace}-{type}-{next(_numbers)}"
        await self.api.create({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
            "provisioner": rules.PROVISIONER, "parameters": {"type": type}, "allowVolumeExpansion": True,
            "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete", **fields,
        })  # fmt: skip
        return name

    async def claim(self, name: str, class_: str, mode: str = "ReadWriteOncePod", **spec: object) -> None:
        await self.api.create({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "accessModes": [mode], "storageClassName": class_,
                "resources": {"requests": {"storage": "2Gi"}}, **spec,
            },
        })  # fmt: skip

    async def pod(self, name: str, claim: str, zone: str | None = None) -> None:
        await self.api.create({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "containers": [
                    {"name": "main", "image": "none", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
                ],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
                **({"nodeSelector": {rules.ZONE_LABEL: zone}} if zone else {}),
            },
        })  # fmt: skip

    async def until(
        self, kind: Kind, name: str, true: Callable[[Manifest], object], namespace: str | None = ""
    ) -> Manifest:
        """Watch until an object of this name is as wanted."""
        async with asyncio.timeout(30):
            async for event in self.api.watch(kind, self.namespace if namespace == "" else namespace):
                items = event.object["items"] if event.type == "SYNCED" else [event.object]
                for item in items:
                    if item["metadata"]["name"] == name and event.type != "DELETED" and true(item):
                        return item
        raise AssertionError

    async def gone(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        async with asyncio.timeout(30):
            async for event in self.api.watch(kind, namespace):
                if event.type == "SYNCED" and all(item["metadata"]["name"] != name for item in event.object["items"]):
                    return
                if event.type == "DELETED" and event.object["metadata"]["name"] == name:
                    return

    async def event_of(self, claim: str) -> Manifest:
        """The provisioner's refusal of a claim."""
        async with asyncio.timeout(30):
            async for event in self.api.watch(EVENT, self.namespace):
                items = event.object["items"] if event.type == "SYNCED" else [event.object]
                for item in items:
                    if item["involvedObject"]["name"] == claim and item["reason"] == "ProvisioningFailed":
                        return item
        raise AssertionError

    async def running(self, pod: str) -> Manifest:
        return await self.until(POD, pod, lambda item: item["status"].get("phase") == "Running")

    async def volume_of(self, claim: str) -> Manifest:
        bound = await self.until(CLAIM, claim, lambda item: item["status"].get("phase") == "Bound")
        volume = await self.api.get(PERSISTENT_VOLUME, bound["spec"]["volumeName"])
        assert volume is not None
        return volume

    def directory(self, volume: Manifest) -> Path:
        assert Path(volume["spec"]["hostPath"]["path"]).parent == self.folder
        return Path(volume["spec"]["hostPath"]["path"])


@asynccontextmanager
async def provisioner(api: KubeApi, folder: Path) -> AsyncIterator[None]:
    task = asyncio.create_task(run_provisioner(api, folder, folder.with_name("snapshots")))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def bench(cluster) -> Callable[[Callable[[Bench], Awaitable[None]]], None]:
    """Run a test body with a namespace and, unless it says otherwise, a running provisioner."""

    def run(body: Callable[[Bench], Awaitable[None]], *, serving: bool = True) -> None:
        async def whole() -> None:
            async with cluster.api() as api:
                bench = Bench(api, cluster.paths.volumes)
                await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}})
                try:
                    if serving:
                        async with provisioner(api, bench.folder):
                            await body(bench)
                    else:
                        await body(bench)
                finally:
                    await api.delete(NAMESPACE, bench.namespace)

        asyncio.run(whole())

    return run
