"""The volume provisioner on a real cluster: what is bound, where, what is refused, what outlives what."""

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
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.provisioner import run_provisioner

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def cluster(start) -> EmbeddedCluster:
    return start("volumes")


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
    task = asyncio.create_task(run_provisioner(api, folder))
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


def test_a_claim_lives_in_the_zone_of_its_first_pod_and_its_directory_dies_with_it(bench):
    async def body(bench: Bench) -> None:
        await bench.claim("state", await bench.storage_class())
        await bench.pod("whale-1", "state", zone="local-b")
        await bench.running("whale-1")
        volume = await bench.volume_of("state")
        (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        assert term["matchExpressions"] == [{"key": rules.ZONE_LABEL, "operator": "In", "values": ["local-b"]}]
        assert bench.directory(volume).is_dir()
        await bench.api.delete(POD, "whale-1", bench.namespace, grace_seconds=0)
        await bench.api.delete(CLAIM, "state", bench.namespace)
        await bench.gone(PERSISTENT_VOLUME, volume["metadata"]["name"])
        assert not bench.directory(volume).exists()

    bench(body)


def test_a_pod_of_another_zone_waits_as_it_would_for_a_real_disk(bench):
    async def body(bench: Bench) -> None:
        await bench.claim("state", await bench.storage_class(), "ReadWriteOnce")
        await bench.pod("first", "state", zone="local-a")
        await bench.running("first")
        await bench.pod("second", "state", zone="local-b")

        def refused(pod: Manifest) -> bool:
            return any(item.get("reason") == "Unschedulable" for item in pod["status"].get("conditions", []))

        await bench.until(POD, "second", refused)

    bench(body)


@pytest.mark.parametrize(
    ("disk", "mode", "said"),
    [
        ("ssd", "ReadWriteMany", "VolumeCapabilities is invalid: specified multi writer with mount access type"),
        ("standard", "ReadOnlyMany", "VolumeContentSource must be provided when AccessMode is set to read only"),
    ],
)
def test_what_a_disk_cannot_do_is_said_and_the_claim_stays_pending(bench, disk, mode, said):
    async def body(bench: Bench) -> None:
        await bench.claim("ledger", await bench.storage_class(disk), mode)
        await bench.pod("reader", "ledger")
        event = await bench.event_of("ledger")
        assert said in event["message"]
        assert (event["type"], event["source"]["component"]) == ("Warning", rules.PROVISIONER)
        # An unrelated change is not told again.
        touched = await bench.api.patch(CLAIM, "ledger", {"metadata": {"labels": {"a": "b"}}}, bench.namespace)
        assert touched["status"]["phase"] == "Pending"
        again = await bench.event_of("ledger")
        assert again["count"] == event["count"] == 1

    bench(body)


def test_a_shared_volume_is_used_from_both_zones(bench):
    async def body(bench: Bench) -> None:
        await bench.claim("ledger", await bench.storage_class("shared"), "ReadWriteMany")
        for zone in ("local-a", "local-b"):
            await bench.pod(zone, "ledger", zone=zone)
        for zone in ("local-a", "local-b"):
            await bench.running(zone)

    bench(body)


def test_an_immediate_claim_is_bound_without_a_pod(bench):
    async def body(bench: Bench) -> None:
        await bench.claim("ledger", await bench.storage_class(volumeBindingMode="Immediate"))
        assert (await bench.volume_of("ledger"))["spec"]["nodeAffinity"]

    bench(body)


def test_a_retained_volume_keeps_its_data_when_the_claim_is_gone(bench):
    async def body(bench: Bench) -> None:
        await bench.claim("state", await bench.storage_class(reclaimPolicy="Retain", volumeBindingMode="Immediate"))
        volume = await bench.volume_of("state")
        (bench.directory(volume) / "chain").write_text("height 7")
        await bench.api.delete(CLAIM, "state", bench.namespace)
        name = volume["metadata"]["name"]
        await bench.until(PERSISTENT_VOLUME, name, lambda item: item["status"]["phase"] == "Released")
        assert (bench.directory(volume) / "chain").read_text() == "height 7"
        await bench.api.delete(PERSISTENT_VOLUME, name)
        await bench.gone(PERSISTENT_VOLUME, name)
        assert (bench.directory(volume) / "chain").read_text() == "height 7"

    bench(body)


def test_a_claim_that_asks_for_more_gets_it(bench):
    async def body(bench: Bench) -> None:
        await bench.claim("state", await bench.storage_class(volumeBindingMode="Immediate"))
        volume = await bench.volume_of("state")
        more = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}
        await bench.api.patch(CLAIM, "state", more, bench.namespace)
        await bench.until(CLAIM, "state", lambda item: item["status"]["capacity"]["storage"] == "5Gi")
        grown = await bench.api.get(PERSISTENT_VOLUME, volume["metadata"]["name"])
        assert grown is not None
        assert grown["spec"]["capacity"]["storage"] == "5Gi"

    bench(body)


def test_a_read_only_copy_has_the_content_of_its_source(bench):
    async def body(bench: Bench) -> None:
        class_ = await bench.storage_class(volumeBindingMode="Immediate")
        await bench.claim("ledger", class_)
        (bench.directory(await bench.volume_of("ledger")) / "genesis_ledger.json").write_text("[]")
        source = {"kind": "PersistentVolumeClaim", "name": "ledger"}
        await bench.claim("copy", class_, "ReadOnlyMany", dataSource=source)
        assert (bench.directory(await bench.volume_of("copy")) / "genesis_ledger.json").read_text() == "[]"

    bench(body)


def test_what_happened_while_nobody_served_is_made_up_for(bench):
    """Killed between the creation of a volume and everything after it, and while claims came and went."""

    async def body(bench: Bench) -> None:
        class_ = await bench.storage_class(volumeBindingMode="Immediate")
        async with provisioner(bench.api, bench.folder):
            await bench.claim("old", class_)
            old = await bench.volume_of("old")
        await bench.claim("new", class_)
        pending = await bench.until(CLAIM, "new", lambda item: rules.annotation(item, rules.WANTED_PROVISIONER))
        storage_class = {"provisioner": rules.PROVISIONER, "parameters": {"type": "ssd"}}
        half_made = rules.persistent_volume(pending, storage_class, [], bench.folder)
        del half_made["spec"]["nodeAffinity"]
        await bench.api.create(half_made)
        await bench.api.delete(CLAIM, "old", bench.namespace)
        leftover = bench.folder / ".pvc-half-copied"
        leftover.mkdir()
        async with provisioner(bench.api, bench.folder):
            assert (await bench.volume_of("new"))["metadata"]["name"] == half_made["metadata"]["name"]
            await bench.gone(PERSISTENT_VOLUME, old["metadata"]["name"])
        assert not bench.directory(old).exists()
        assert not leftover.exists()

    bench(body, serving=False)


def test_a_volume_that_is_deleted_before_its_claim_takes_its_directory_along(bench):
    async def body(bench: Bench) -> None:
        await bench.claim("state", await bench.storage_class(volumeBindingMode="Immediate"))
        volume = await bench.volume_of("state")
        await bench.api.delete(PERSISTENT_VOLUME, volume["metadata"]["name"])
        await bench.api.delete(CLAIM, "state", bench.namespace)
        await bench.gone(PERSISTENT_VOLUME, volume["metadata"]["name"])
        assert not bench.directory(volume).exists()

    bench(body)
