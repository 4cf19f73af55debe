"""What the snapshot controller decides."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mina_infra.local import snapshot_kinds, snapshots
from mina_infra.local.volumes import PROVISIONED_BY, PROVISIONER, Refusal

CLASS = {"metadata": {"name": "qa"}, "driver": PROVISIONER, "deletionPolicy": "Retain"}
VOLUME = {"metadata": {"name": "pvc-1", "annotations": {PROVISIONED_BY: PROVISIONER}}, "spec": {}}
CLAIM = {"spec": {"volumeName": "pvc-1"}, "status": {"phase": "Bound"}}
SNAPSHOT = {
    "metadata": {"name": "before", "namespace": "qa", "uid": "s-1"},
    "spec": {"source": {"persistentVolumeClaimName": "whale-1"}, "volumeSnapshotClassName": "qa"},
}


def test_a_content_names_its_snapshot_its_volume_and_its_end() -> None:
    made = snapshots.content(SNAPSHOT, VOLUME, CLASS)
    assert made["metadata"]["name"] == "snapcontent-s-1"
    assert made["spec"]["source"] == {"volumeHandle": "pvc-1"}
    assert made["spec"]["deletionPolicy"] == "Retain"
    assert made["spec"]["volumeSnapshotRef"]["uid"] == "s-1"
    assert snapshots.handle_of(made) == "snapshot-s-1"


@pytest.mark.parametrize(
    ("claim", "volume", "said"),
    [
        (None, None, "failed to retrieve PVC whale-1"),
        (CLAIM | {"status": {"phase": "Pending"}}, None, "the PVC whale-1 is not yet bound to a PV"),
        (CLAIM, None, "failed to retrieve PV pvc-1"),
        (CLAIM, {"metadata": {"name": "x"}, "spec": {}}, "cannot snapshot a non-CSI volume"),
    ],
)
def test_a_claim_without_a_volume_of_ours_has_no_snapshot(claim, volume, said) -> None:
    with pytest.raises(Refusal, match=said):
        snapshots.check_claim("whale-1", claim, volume, CLASS)


def test_the_class_is_the_named_one_or_the_only_default() -> None:
    default = CLASS | {"metadata": {"name": "d", "annotations": {snapshots.DEFAULT_CLASS: "true"}}}
    nameless = SNAPSHOT | {"spec": {"source": {}}}
    assert snapshots.class_of(SNAPSHOT, [default, CLASS]) is CLASS
    assert snapshots.class_of(nameless, [default, CLASS]) is default
    for snapshot, classes, said in (
        (SNAPSHOT, [default], '"qa" not found'),
        (nameless, [CLASS], "cannot find default snapshot class"),
        (nameless, [default, default], "2 default snapshot classes"),
    ):
        with pytest.raises(Refusal, match=said):
            snapshots.class_of(snapshot, classes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "is missing"),
        ({"namespace": "other", "name": "before"}, "is bound to a different snapshot"),
        ({"namespace": "qa", "name": "before", "uid": "s-0"}, "is bound to a different snapshot"),
    ],
)
def test_a_given_content_must_name_the_snapshot(given, said) -> None:
    found = {"spec": {"source": {"snapshotHandle": "h"}, "volumeSnapshotRef": given}} if given else None
    with pytest.raises(Refusal, match=said):
        snapshots.check_given(SNAPSHOT, "imported", found)


def test_a_snapshots_own_content_cannot_be_given_to_another() -> None:
    with pytest.raises(Refusal, match="pre-provisioned"):
        snapshots.check_given(SNAPSHOT, "x", snapshots.content(SNAPSHOT, VOLUME, CLASS))


def test_the_two_statuses_say_the_same_in_their_own_units() -> None:
    stored = snapshots.Stored(2, datetime(2026, 1, 1, tzinfo=UTC))
    status = snapshots.content_status("h", stored)
    assert (status["restoreSize"], status["creationTime"]) == (2 * 2**30, 1767225600 * 10**9)
    told = snapshots.snapshot_status({"metadata": {"name": "c"}, "status": status})
    assert (told["restoreSize"], told["creationTime"], told["readyToUse"]) == ("2Gi", "2026-01-01T00:00:00Z", True)


def test_an_error_is_told_once() -> None:
    first, later = (snapshots.error_status("no", time) for time in ("1", "2"))
    assert snapshots.differs({}, first)
    assert not snapshots.differs(first, later)
    assert snapshots.differs(first, snapshots.error_status("other", "2"))


def test_the_kinds_have_a_status_of_their_own_where_the_real_ones_have() -> None:
    with_status = {
        item["spec"]["names"]["kind"]
        for item in snapshot_kinds.definitions()
        if "subresources" in item["spec"]["versions"][0]
    }
    assert with_status == {"VolumeSnapshot", "VolumeSnapshotContent"}
