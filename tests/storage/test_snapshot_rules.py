"""Snapshots in the document: classes by driver, what a provider does not have, volumes that start from a snapshot."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.plan import TestnetPlan
from mina_infra.spec import Issue, SpecError
from mina_infra.storage.capabilities import _PROVIDERS
from mina_infra.storage.snapshots import DRIVERS, WITHOUT
from tests.plan.testnets import of_kind, plan, zoo

ARCHIVE = 5
TARGETS = {
    "gke": {"provider": "gke", "region": "us-central1"},
    "eks": {"provider": "eks", "region": "us-east-1", "fileSystem": "fs-0123456789abcdef0"},
    "aks": {"provider": "aks", "region": "westeurope"},
    "local": {"provider": "local", "region": "local"},
}


def on(provider: str, **changes: Any) -> dict[str, Any]:
    """The document on a provider; without fixed addresses, which not every provider gives."""
    document = zoo(target=TARGETS[provider], **changes)
    for identity in document["nodes"][0]["identities"]:
        identity.pop("address", None)
        identity.pop("ip", None)
    return document


def classes(planned: TestnetPlan) -> list[dict[str, Any]]:
    return [each.manifest for each in of_kind(planned, "VolumeSnapshotClass")]


def refused(document: dict[str, Any]) -> Issue:
    with pytest.raises(SpecError) as caught:
        plan(document)
    (issue,) = caught.value.issues
    return issue


def starting(kind: str = "runtime-state", **volumes: dict[str, Any]) -> dict[str, Any]:
    """Archive nodes with volumes of their own, by node: archive_1={...}."""
    document = zoo()
    document["nodes"][ARCHIVE]["overrides"] = {
        node.replace("_", "-"): {"volumes": {kind: volume}} for node, volume in volumes.items()
    }
    return document


def test_no_section_no_class() -> None:
    assert classes(plan(zoo())) == []


@pytest.mark.parametrize("provider", TARGETS)
def test_rule_35_every_provider_has_a_class_of_the_stable_kind_for_its_block_disks(provider: str) -> None:
    (found,) = classes(plan(on(provider, snapshots={})))
    assert found["apiVersion"] == "snapshot.storage.k8s.io/v1"
    assert found["driver"] in DRIVERS
    assert found["deletionPolicy"] == "Delete"
    (kept,) = classes(plan(on(provider, snapshots={}, retention="retain")))
    assert kept["deletionPolicy"] == "Retain"
    assert kept["metadata"]["name"] != found["metadata"]["name"], "its content is in its name"


def test_every_driver_of_the_table_takes_snapshots_or_says_why_not() -> None:
    drivers = {
        each.driver for info in _PROVIDERS.values() for row in (info.zonal, info.regional) for each in row.values()
    }
    assert drivers == DRIVERS.keys() | WITHOUT.keys()


def test_a_kind_that_no_node_has_is_refused() -> None:
    issue = refused(zoo(snapshots={"kinds": ["wallet-keys"]}))
    assert issue.path == ("snapshots", "kinds", 0)
    assert "no node has a volume 'wallet-keys'" in issue.message


def test_v39_a_provider_without_snapshots_of_that_disk_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(DRIVERS, "ebs.csi.aws.com")  # type: ignore[misc]
    issue = refused(on("eks", snapshots={"kinds": ["runtime-state"]}))
    assert "provider 'eks' has no 'snapshots' of volumes of ebs.csi.aws.com" in issue.message
    volumes = {"runtime-state": {"fromSnapshot": "before"}}
    from_one = on("eks")
    from_one["nodes"][ARCHIVE]["overrides"] = {"archive-1": {"volumes": volumes}}
    assert "has no 'snapshots'" in refused(from_one).message


def test_a_schedule_below_the_providers_rate_is_refused() -> None:
    issue = refused(zoo(snapshots={"every": "5m"}))
    assert issue.path == ("snapshots", "every")
    assert "one snapshot of a disk in 10 minutes; 5m is shorter" in issue.message
    plan(on("local", snapshots={"every": "5m"}))


def test_a_volume_starts_from_the_snapshot_that_is_named() -> None:
    planned = plan(starting("postgres-state", archive_2={"fromSnapshot": "before"}))
    sources = {
        each.manifest["metadata"]["name"]: each.manifest["spec"].get("dataSource")
        for each in of_kind(planned, "PersistentVolumeClaim")
    }
    wanted = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "before"}
    assert sources.pop("archive-2-postgres-state-e1") == wanted
    assert set(sources.values()) == {None}


def test_v2_one_nodes_state_is_not_the_start_of_two() -> None:
    issue = refused(starting(archive_1={"fromSnapshot": "before"}, archive_2={"fromSnapshot": "before"}))
    assert "several nodes would start with it" in issue.message
    document = zoo(volumes={"runtime-state": {"fromSnapshot": "before"}})
    assert "several nodes would start with it" in refused(document).message


def test_v28_a_snapshot_of_another_namespace_is_refused() -> None:
    issue = refused(starting(archive_1={"fromSnapshot": "other/before"}))
    assert issue.path[-1] == "fromSnapshot"
    assert "'other/before' is in another namespace" in issue.message


@pytest.mark.parametrize("exists", [{"existingClaim": "there"}, {"existingVolume": "there"}])
def test_what_exists_starts_from_nothing(exists: dict[str, str]) -> None:
    issue = refused(starting(archive_1={"fromSnapshot": "before", **exists}))
    assert "`fromSnapshot` is for a volume that is made" in issue.message
