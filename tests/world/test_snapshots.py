"""Snapshots on a real cluster: taken, restored, handed to another namespace, kept or deleted, whatever is killed."""

from __future__ import annotations

import asyncio
import json

import pytest

from mina_infra.cluster.api import (
    CLAIM,
    NAMESPACE,
    PERSISTENT_VOLUME,
    SNAPSHOT_CLASS,
    SNAPSHOT_CONTENT,
    VOLUME_SNAPSHOT,
    Manifest,
)
from mina_infra.local import snapshot_kinds, snapshots
from mina_infra.local import volumes as rules
from mina_infra.local.control_plane import EmbeddedCluster
from tests.world.bench import Bench, bench, provisioner

__all__ = ["bench"]

GROUP = "snapshot.storage.k8s.io"


@pytest.fixture(scope="module")
def cluster(start) -> EmbeddedCluster:
    return start("snapshots")


async def snapshot_class(bench: Bench, policy: str = "Delete") -> str:
    name = f"{bench.namespace}-{policy.lower()}"
    await bench.api.create({
        "apiVersion": f"{GROUP}/v1", "kind": "VolumeSnapshotClass", "metadata": {"name": name},
        "driver": rules.PROVISIONER, "deletionPolicy": policy,
    })  # fmt: skip
    return name


async def snapshot(bench: Bench, name: str, class_: str | None, namespace: str | None = None, **source: str) -> None:
    await bench.api.create({
        "apiVersion": f"{GROUP}/v1", "kind": "VolumeSnapshot",
        "metadata": {"name": name, "namespace": namespace or bench.namespace},
        "spec": {"source": source, **({"volumeSnapshotClassName": class_} if class_ else {})},
    })  # fmt: skip


async def ready(bench: Bench, name: str, namespace: str | None = "") -> Manifest:
    return await bench.until(
        VOLUME_SNAPSHOT, name, lambda item: item.get("status", {}).get("readyToUse"), namespace=namespace
    )


async def filled_claim(bench: Bench, name: str, text: str, **spec: object) -> Manifest:
    """A bound claim of an Immediate ssd class with a chain in it; its volume."""
    await bench.claim(name, await bench.storage_class(volumeBindingMode="Immediate"), **spec)
    volume = await bench.volume_of(name)
    (bench.directory(volume) / "chain").write_text(text)
    return volume


def restored(name: str) -> dict[str, str]:
    return {"apiGroup": GROUP, "kind": "VolumeSnapshot", "name": name}


def test_rule_35_a_volume_moves_to_another_type_through_a_snapshot(bench):
    async def body(bench: Bench) -> None:
        origin = await filled_claim(bench, "state", "height 7")
        await snapshot(bench, "before", await snapshot_class(bench), persistentVolumeClaimName="state")
        taken = await ready(bench, "before")
        (bench.directory(origin) / "chain").write_text("height 9")
        content = await bench.api.get(SNAPSHOT_CONTENT, taken["status"]["boundVolumeSnapshotContentName"])
        assert content is not None
        assert taken["status"]["restoreSize"] == "2Gi"
        assert content["spec"]["source"]["volumeHandle"] == origin["metadata"]["name"]
        standard = await bench.storage_class("standard", volumeBindingMode="Immediate")
        await bench.claim("moved", standard, dataSource=restored("before"))
        copy = await bench.volume_of("moved")
        assert (bench.directory(copy) / "chain").read_text() == "height 7"
        assert copy["spec"]["storageClassName"] == standard

    bench(body)


def test_the_ways_to_get_it_wrong_are_said_as_a_real_cluster_says_them(bench):
    async def body(bench: Bench) -> None:
        await filled_claim(bench, "state", "height 7")
        class_ = await snapshot_class(bench)
        await snapshot(bench, "before", class_, persistentVolumeClaimName="state")
        await ready(bench, "before")
        ssd = await bench.storage_class(volumeBindingMode="Immediate")
        smaller = {"resources": {"requests": {"storage": "1Gi"}}}
        await bench.claim("small", ssd, dataSource=restored("before"), **smaller)
        await bench.claim("missing", ssd, dataSource=restored("nothing"))
        other = await bench.storage_class("standard", volumeBindingMode="Immediate")
        await bench.claim("clone", other, dataSource={"kind": "PersistentVolumeClaim", "name": "state"})
        for claim, said in (
            (
                "small",
                "requested volume size 1073741824 is less than the size 2147483648 for the source snapshot before",
            ),
            ("missing", 'volumesnapshots.snapshot.storage.k8s.io "nothing" not found'),
            ("clone", 'source volume disk type "ssd" must match new volume "standard"'),
        ):
            assert said in (await bench.event_of(claim))["message"]
            pending = await bench.api.get(CLAIM, claim, bench.namespace)
            assert pending is not None
            assert pending["status"]["phase"] == "Pending"

    bench(body)


def test_a_snapshot_of_an_unbound_claim_waits_and_says_why(bench):
    async def body(bench: Bench) -> None:
        await bench.claim("state", await bench.storage_class())  # waits for a first pod
        await snapshot(bench, "early", await snapshot_class(bench), persistentVolumeClaimName="state")
        waiting = await bench.until(VOLUME_SNAPSHOT, "early", lambda item: item.get("status", {}).get("error"))
        assert waiting["status"]["readyToUse"] is False
        assert "not yet bound to a PV, will not attempt to take a snapshot" in waiting["status"]["error"]["message"]
        await bench.pod("whale-1", "state")
        taken = await ready(bench, "early")
        assert "error" not in taken["status"]

    bench(body)


def test_a_claim_that_waits_for_a_snapshot_gets_it(bench):
    async def body(bench: Bench) -> None:
        await filled_claim(bench, "state", "height 7")
        ssd = await bench.storage_class(volumeBindingMode="Immediate")
        await bench.claim("copy", ssd, dataSource=restored("later"))
        await bench.event_of("copy")
        await snapshot(bench, "later", await snapshot_class(bench), persistentVolumeClaimName="state")
        assert (bench.directory(await bench.volume_of("copy")) / "chain").read_text() == "height 7"

    bench(body)


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_the_class_decides_what_a_deleted_snapshot_leaves(bench, policy):
    async def body(bench: Bench) -> None:
        await filled_claim(bench, "state", "height 7")
        await snapshot(bench, "before", await snapshot_class(bench, policy), persistentVolumeClaimName="state")
        taken = await ready(bench, "before")
        name = taken["status"]["boundVolumeSnapshotContentName"]
        place = bench.folder.with_name("snapshots") / f"snapshot-{taken['metadata']['uid']}"
        assert (place / "data" / "chain").read_text() == "height 7"
        await bench.api.delete(VOLUME_SNAPSHOT, "before", bench.namespace)
        await bench.gone(VOLUME_SNAPSHOT, "before", bench.namespace)
        if policy == "Delete":
            await bench.gone(SNAPSHOT_CONTENT, name)
            assert not place.exists()
            return
        assert await bench.api.get(SNAPSHOT_CONTENT, name) is not None
        # The way to really be rid of it, as on a cloud: let the content go.
        await bench.api.patch(SNAPSHOT_CONTENT, name, {"spec": {"deletionPolicy": "Delete"}})
        await bench.api.delete(SNAPSHOT_CONTENT, name)
        await bench.gone(SNAPSHOT_CONTENT, name)
        assert not place.exists()

    bench(body)


def test_v28_another_namespace_needs_a_content_of_its_own(bench):
    """A snapshot is found in its namespace only; a pre-provisioned content carries it to the other one."""

    async def body(bench: Bench) -> None:
        await filled_claim(bench, "state", "height 7")
        await snapshot(bench, "before", await snapshot_class(bench), persistentVolumeClaimName="state")
        taken = await ready(bench, "before")
        other = f"{bench.namespace}-other"
        await bench.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
        home, bench.namespace = bench.namespace, other
        try:
            ssd = await bench.storage_class(volumeBindingMode="Immediate")
            await bench.claim("copy", ssd, dataSource=restored("before"))
            assert '"before" not found' in (await bench.event_of("copy"))["message"]
            handle = f"snapshot-{taken['metadata']['uid']}"
            await bench.api.create({
                "apiVersion": f"{GROUP}/v1", "kind": "VolumeSnapshotContent", "metadata": {"name": f"{other}-imported"},
                "spec": {
                    "deletionPolicy": "Retain", "driver": rules.PROVISIONER, "source": {"snapshotHandle": handle},
                    "volumeSnapshotRef": {"name": "before", "namespace": other},
                },
            })  # fmt: skip
            await snapshot(bench, "before", None, volumeSnapshotContentName=f"{other}-imported")
            await ready(bench, "before")
            assert (bench.directory(await bench.volume_of("copy")) / "chain").read_text() == "height 7"
        finally:
            bench.namespace = home
            await bench.api.delete(NAMESPACE, other)

    bench(body)


def test_a_content_without_its_snapshot_behind_it_is_not_ready(bench):
    async def body(bench: Bench) -> None:
        name = f"{bench.namespace}-lost"
        await bench.api.create({
            "apiVersion": f"{GROUP}/v1", "kind": "VolumeSnapshotContent", "metadata": {"name": name},
            "spec": {
                "deletionPolicy": "Retain", "driver": rules.PROVISIONER, "source": {"snapshotHandle": "gone"},
                "volumeSnapshotRef": {"name": "lost", "namespace": bench.namespace},
            },
        })  # fmt: skip
        await snapshot(bench, "lost", None, volumeSnapshotContentName=name)
        told = await bench.until(VOLUME_SNAPSHOT, "lost", lambda item: item.get("status", {}).get("error"))
        assert "Snapshot gone does not exist" in told["status"]["error"]["message"]
        assert told["status"]["readyToUse"] is False

    bench(body)


def test_whatever_a_kill_left_of_a_snapshot_is_made_up_for(bench):
    """Killed after the content, in the middle of the copy, between the copy and its status, while it was deleted."""

    async def body(bench: Bench) -> None:
        folder = bench.folder.with_name("snapshots")
        async with provisioner(bench.api, bench.folder):
            volume = await filled_claim(bench, "state", "height 7")
            class_ = await snapshot_class(bench)
            await snapshot(bench, "leaving", class_, persistentVolumeClaimName="state")
            leaving = await ready(bench, "leaving")
        manifest = await bench.api.get(SNAPSHOT_CLASS, class_)
        assert manifest is not None
        await bench.api.delete(VOLUME_SNAPSHOT, "leaving", bench.namespace)
        for name in ("content-only", "half-copied", "copied"):
            await snapshot(bench, name, class_, persistentVolumeClaimName="state")
            item = await bench.api.get(VOLUME_SNAPSHOT, name, bench.namespace)
            assert item is not None
            await bench.api.create(snapshots.content(item, volume, manifest))
            handle = f"snapshot-{item['metadata']['uid']}"
            if name == "half-copied":
                (folder / f".{handle}" / "data").mkdir(parents=True)
                (folder / f".{handle}" / "data" / "chain").write_text("height")
            if name == "copied":
                (folder / handle / "data").mkdir(parents=True)
                (folder / handle / "data" / "chain").write_text("height 6")
                kept = {"gib": 2, "taken": "2026-01-01T00:00:00+00:00"}
                (folder / handle / "snapshot.json").write_text(json.dumps(kept))
        async with provisioner(bench.api, bench.folder):
            heights = {}
            for name in ("content-only", "half-copied", "copied"):
                taken = await ready(bench, name)
                place = folder / f"snapshot-{taken['metadata']['uid']}" / "data" / "chain"
                heights[name] = place.read_text()
            assert heights == {"content-only": "height 7", "half-copied": "height 7", "copied": "height 6"}
            await bench.gone(VOLUME_SNAPSHOT, "leaving", bench.namespace)
            assert not (folder / f"snapshot-{leaving['metadata']['uid']}").exists()
        assert not list(folder.glob(".*"))

    bench(body, serving=False)


def test_a_snapshot_outlives_its_volume(bench):
    async def body(bench: Bench) -> None:
        volume = await filled_claim(bench, "state", "height 7")
        await snapshot(bench, "before", await snapshot_class(bench), persistentVolumeClaimName="state")
        await ready(bench, "before")
        await bench.api.delete(CLAIM, "state", bench.namespace)
        await bench.gone(PERSISTENT_VOLUME, volume["metadata"]["name"])
        ssd = await bench.storage_class(volumeBindingMode="Immediate")
        await bench.claim("state", ssd, dataSource=restored("before"))
        assert (bench.directory(await bench.volume_of("state")) / "chain").read_text() == "height 7"

    bench(body)


def test_an_older_cluster_gets_the_kinds(cluster, start):
    async def forget() -> None:
        async with cluster.api() as api:
            await api.delete(snapshot_kinds.DEFINITION, f"volumesnapshotclasses.{GROUP}")
            while await api.get(snapshot_kinds.DEFINITION, f"volumesnapshotclasses.{GROUP}"):
                await asyncio.sleep(0.05)

    async def served() -> bool:
        async with cluster.api() as api:
            return await api.objects(SNAPSHOT_CLASS) == []

    asyncio.run(forget())
    start("snapshots")
    assert asyncio.run(served())
