"""What a claim may start with, and what the driver and the program before it say of anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.local import events, sources
from mina_infra.local.sources import CLAIM, SNAPSHOT, Content, DataSource
from mina_infra.local.volumes import DISK_TYPE, PROVISIONED_BY, PROVISIONER, ZONE_LABEL, Refusal

FOLDER = Path("/state/snapshots")
FROM_SNAPSHOT, FROM_CLAIM = DataSource(SNAPSHOT, "before"), DataSource(CLAIM, "whale-1")


def claim(size: str = "2Gi", **source: str) -> dict[str, object]:
    return {
        "metadata": {"name": "new", "namespace": "qa", "uid": "u-2"},
        "spec": {"resources": {"requests": {"storage": size}}, **({"dataSource": source} if source else {})},
        "status": {"phase": "Bound"},
    }


def snapshot(**changes: object) -> dict[str, object]:
    return {
        "metadata": {"name": "before", "namespace": "qa", "uid": "s-1"},
        "status": {"readyToUse": True, "restoreSize": "2Gi", "boundVolumeSnapshotContentName": "snapcontent-s-1"},
    } | changes


def content(uid: str = "s-1", driver: str = PROVISIONER, handle: str | None = "snapshot-s-1") -> dict[str, object]:
    return {
        "spec": {"driver": driver, "volumeSnapshotRef": {"uid": uid}},
        "status": {"snapshotHandle": handle} if handle else {},
    }


def volume(disk: str = "ssd", zone: str = "local-a", gib: int = 2, by: str = PROVISIONER) -> dict[str, object]:
    terms = [{"matchExpressions": [{"key": ZONE_LABEL, "operator": "In", "values": [zone]}]}]
    return {
        "metadata": {"name": "pvc-1", "annotations": {PROVISIONED_BY: by, DISK_TYPE: disk}},
        "spec": {"capacity": {"storage": f"{gib}Gi"}, "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}},
    }


def test_no_source_is_an_empty_volume() -> None:
    assert sources.data_source(claim()) is None
    assert sources.data_source(claim(kind=SNAPSHOT, name="before")) == FROM_SNAPSHOT


@pytest.mark.parametrize("wrong", [{"kind": "Bucket"}, {"kind": SNAPSHOT, "namespace": "other"}])
def test_other_kinds_and_namespaces_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="of the same namespace"):
        sources.data_source(claim(name="before", **wrong))


def test_a_ready_snapshot_is_a_directory_of_its_handle() -> None:
    found = sources.of_snapshot(FROM_SNAPSHOT, snapshot(), content(), FOLDER)
    assert (found.directory, found.gib) == (FOLDER / "snapshot-s-1" / "data", 2)
    assert (found.disk, found.zone) == (None, None)


@pytest.mark.parametrize(
    ("taken", "held", "said"),
    [
        (None, None, 'volumesnapshots.snapshot.storage.k8s.io "before" not found'),
        (snapshot(metadata={"name": "before", "deletionTimestamp": "now"}), content(), "is currently being deleted"),
        (snapshot(), None, "snapshot before not bound"),
        (snapshot(), content(uid="s-0"), "snapshot before not bound"),
        (snapshot(), content(driver="ebs.csi.aws.com"), "snapshot before not bound"),
        (snapshot(status={}), content(), "snapshot before is not Ready"),
        (snapshot(), content(handle=None), "snapshot handle before is not available"),
    ],
)
def test_a_snapshot_that_cannot_be_restored_is_refused_in_the_provisioners_words(taken, held, said) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        sources.of_snapshot(FROM_SNAPSHOT, taken, held, FOLDER)
    told = events.failure_message("qa-ssd", refused.value)
    assert "error getting handle for DataSource Type VolumeSnapshot by Name before" in told
    assert "rpc error" not in told


@pytest.mark.parametrize(
    ("origin", "held", "said"),
    [
        (None, None, 'persistentvolumeclaims "whale-1" not found'),
        (claim() | {"status": {"phase": "Pending"}}, None, "must have a status of Bound.  Got Pending"),
        (claim() | {"metadata": {"deletionTimestamp": "now"}}, volume(), "is currently being deleted"),
        (claim(), None, "claim in dataSource not bound or invalid"),
        (claim(), volume(by="ebs.csi.aws.com"), "claim in dataSource not bound or invalid"),
    ],
)
def test_a_claim_that_cannot_be_cloned_is_refused_in_the_provisioners_words(origin, held, said) -> None:
    with pytest.raises(Refusal, match=said):
        sources.of_claim(FROM_CLAIM, origin, held, FOLDER)


def cloned(held: dict[str, object]) -> Content:
    return sources.of_claim(FROM_CLAIM, claim(), held, FOLDER)


def test_rule_36_a_clone_keeps_type_zone_and_size() -> None:
    sources.check(claim(), FROM_CLAIM, cloned(volume()), "ssd", "local-a")
    sources.check(claim("5Gi"), FROM_CLAIM, cloned(volume()), "ssd", "local-a")
    for disk, zone, said in (
        ("standard", "local-a", 'source volume disk type "ssd" must match new volume "standard"'),
        ("ssd", "local-b", "disk zone local-b does not match source volume zone local-a"),
    ):
        with pytest.raises(Refusal, match=said):
            sources.check(claim(), FROM_CLAIM, cloned(volume()), disk, zone)
    with pytest.raises(Refusal, match="requested 2147483648 but source is 3221225472"):
        sources.check(claim("2Gi"), FROM_CLAIM, cloned(volume(gib=3)), "ssd", "local-a")


@given(st.integers(1, 64), st.integers(1, 64), st.sampled_from(["ssd", "standard"]), st.sampled_from(["a", "b"]))
def test_rule_35_a_snapshot_restores_to_every_type_and_zone_but_never_to_less(asked, held, disk, zone) -> None:
    found = Content(FOLDER, held)
    if asked >= held:
        sources.check(claim(f"{asked}Gi"), FROM_SNAPSHOT, found, disk, zone)
    else:
        with pytest.raises(Refusal, match="for the source snapshot before"):
            sources.check(claim(f"{asked}Gi"), FROM_SNAPSHOT, found, disk, zone)
