"""The volume provisioner on a real cluster: what is bound, where, what is refused, what outlives what."""

from __future__ import annotations

import pytest

from mina_infra.cluster.api import CLAIM, PERSISTENT_VOLUME, POD, Manifest
from mina_infra.local import volumes as rules
from mina_infra.local.control_plane import EmbeddedCluster
from tests.world.bench import Bench, bench, provisioner

__all__ = ["bench"]


@pytest.fixture(scope="module")
def cluster(start) -> EmbeddedCluster:
    return start("volumes")


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
