"""What the provisioner makes of claims: the refusals of a real disk driver, places, sizes, ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.local import events, volumes
from mina_infra.local.nodes import node_manifests
from mina_infra.local.volumes import Refusal

NODES = node_manifests(4)
FOLDER = Path("/state/volumes")


def claim(*modes: str, node: str = "node-b-1", size: str = "2Gi", **spec: object) -> dict[str, object]:
    annotations = {volumes.WANTED_PROVISIONER: volumes.PROVISIONER}
    if node:
        annotations[volumes.SELECTED_NODE] = node
    return {
        "metadata": {"name": "whale-1", "namespace": "qa", "uid": "u-1", "annotations": annotations},
        "spec": {
            "accessModes": list(modes or ["ReadWriteOncePod"]),
            "storageClassName": "qa-ssd",
            "resources": {"requests": {"storage": size}},
            **spec,
        },
        "status": {"phase": "Pending"},
    }


def storage_class(type: str = "ssd", **fields: object) -> dict[str, object]:
    return {
        "metadata": {"name": "qa-ssd"},
        "provisioner": volumes.PROVISIONER,
        "parameters": {"type": type},
        "volumeBindingMode": "WaitForFirstConsumer",
        **fields,
    }


SOURCE = {"kind": "PersistentVolumeClaim", "name": "ledger"}


@pytest.mark.parametrize("disk", volumes.BLOCK_TYPES)
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (claim("ReadWriteMany"), "specified multi writer with mount access type"),
        (claim("ReadOnlyMany"), "VolumeContentSource must be provided when AccessMode is set to read only"),
        (claim("ReadOnlyMany", "ReadWriteOnce", dataSource=SOURCE), "does not support ReadOnlyMany and ReadWriteOnce"),
        (claim("ReadWriteOncePod", "ReadWriteOnce"), "may not be combined"),
        (claim(selector={"matchLabels": {"a": "b"}}), "claim Selector is not supported"),
        (claim(volumeMode="Block"), "does not support block volume provisioning"),
    ],
)
def test_a_disk_refuses_what_a_real_one_refuses(disk, asked, said):
    with pytest.raises(Refusal, match=said):
        volumes.check(asked, storage_class(disk))


@pytest.mark.parametrize("mode", ["ReadWriteMany", "ReadOnlyMany", "ReadWriteOnce", "ReadWriteOncePod"])
def test_a_shared_class_takes_every_mode(mode):
    volumes.check(claim(mode), storage_class("shared"))


@pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteOncePod"])
@pytest.mark.parametrize("disk", volumes.BLOCK_TYPES)
def test_a_disk_takes_one_node(mode, disk):
    volumes.check(claim(mode), storage_class(disk))


def test_a_disk_with_content_may_be_read_by_many():
    volumes.check(claim("ReadOnlyMany", dataSource=SOURCE), storage_class())


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"type": "floppy"}, 'invalid type "floppy"'), ({"type": "ssd", "fsType": "ext4"}, 'invalid option "fsType"')],
)
def test_parameters_that_the_driver_does_not_know_are_refused(parameters, said):
    with pytest.raises(Refusal, match=said):
        volumes.check(claim(), storage_class() | {"parameters": parameters})


def test_the_event_says_who_refused():
    driver = events.failure_message("qa-ssd", Refusal("specified multi writer"))
    assert driver == (
        'failed to provision volume with StorageClass "qa-ssd": '
        "rpc error: code = InvalidArgument desc = specified multi writer"
    )
    assert "rpc error" not in events.failure_message("qa-ssd", Refusal("claim Selector is not supported"))


def test_one_event_for_each_claim_and_text():
    first, again, other = (events.failure_event(claim(), text, "2026-01-01T00:00:00Z") for text in ("a", "a", "b"))
    assert first["metadata"]["name"] == again["metadata"]["name"] != other["metadata"]["name"]
    assert (first["reason"], first["type"]) == ("ProvisioningFailed", "Warning")
    assert first["involvedObject"]["uid"] == "u-1"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (claim(), True),
        (claim(node=""), False),
        (claim(volumeName="pvc-1"), False),
        (claim() | {"metadata": claim()["metadata"] | {"deletionTimestamp": "now"}}, False),
        (claim() | {"metadata": claim()["metadata"] | {"annotations": {volumes.SELECTED_NODE: "node-a-1"}}}, False),
    ],
)
def test_a_claim_is_served_when_it_is_our_turn(asked, wanted):
    assert volumes.wants_volume(asked, storage_class()) is wanted


def test_an_immediate_class_waits_for_no_node():
    assert volumes.wants_volume(claim(node=""), storage_class(volumeBindingMode="Immediate"))


def test_claims_of_other_provisioners_are_not_ours():
    assert not volumes.wants_volume(claim(), storage_class() | {"provisioner": "pd.csi.storage.gke.io"})
    assert not volumes.wants_volume(claim(), None)


def made(asked=None, cls=None, nodes=NODES):
    return volumes.persistent_volume(asked or claim(), cls or storage_class(), nodes, FOLDER)


def expressions(volume) -> dict[str, list[str]]:
    (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    return {item["key"]: item["values"] for item in term["matchExpressions"]}


def test_a_disk_stays_in_the_zone_of_the_node_that_was_chosen():
    assert expressions(made()) == {volumes.ZONE_LABEL: ["local-b"]}
    assert expressions(made(claim(node="node-a-2"))) == {volumes.ZONE_LABEL: ["local-a"]}


def test_an_immediate_disk_goes_where_the_class_allows():
    allowed = [{"matchLabelExpressions": [{"key": volumes.ZONE_LABEL, "values": ["local-b"]}]}]
    immediate = storage_class(volumeBindingMode="Immediate", allowedTopologies=allowed)
    assert expressions(made(claim(node=""), immediate)) == {volumes.ZONE_LABEL: ["local-b"]}


def test_a_shared_volume_is_reached_from_everywhere():
    assert "nodeAffinity" not in made(claim("ReadWriteMany"), storage_class("shared"))["spec"]


def test_a_read_only_disk_reaches_ten_nodes_of_its_zone_and_no_more():
    many = node_manifests(40)
    asked = claim("ReadOnlyMany", node="node-b-17", dataSource=SOURCE)
    hosts = expressions(made(asked, nodes=many))[volumes.HOST_LABEL]
    assert len(hosts) == volumes.MAX_READERS
    assert "node-b-17" in hosts
    assert all(host.startswith("node-b-") for host in hosts)


def test_the_volume_names_its_claim_its_directory_and_its_end():
    volume = made(cls=storage_class(reclaimPolicy="Retain", mountOptions=["noatime"]))
    spec = volume["spec"]
    assert volume["metadata"]["name"] == "pvc-u-1"
    assert spec["claimRef"]["uid"] == "u-1"
    assert spec["hostPath"] == {"path": "/state/volumes/pvc-u-1", "type": "Directory"}
    assert (spec["persistentVolumeReclaimPolicy"], spec["mountOptions"]) == ("Retain", ["noatime"])
    assert volume["metadata"]["finalizers"] == []
    assert made()["metadata"]["finalizers"] == [volumes.FINALIZER]
    assert volumes.is_ours(volume)


@pytest.mark.parametrize(
    ("asked", "gib"),
    [("12Ki", 1), ("1Gi", 1), ("1025Mi", 2), ("2G", 2), ("3e9", 3), ("0", 1), ("1.5Gi", 2), ("1Ti", 1024), ("500m", 1)],
)
def test_sizes_are_rounded_up_to_whole_gib(asked, gib):
    assert volumes.gib(asked) == gib


@given(st.integers(1, 2**50))
def test_nobody_gets_less_than_asked_or_a_gib_too_much(size):
    assert 0 <= volumes.gib(str(size)) * 2**30 - size < 2**30


@pytest.mark.parametrize(
    ("wanted", "volume_gib", "told", "expected"),
    [
        ("2Gi", 2, "2Gi", None),
        ("5Gi", 2, "2Gi", 5),
        ("5Gi", 5, "2Gi", 5),  # killed between the volume and the claim
        ("5Gi", 5, "5Gi", None),
        ("2Gi", 5, "5Gi", None),
    ],
)
def test_growth(wanted, volume_gib, told, expected):
    volume = made(claim(size=f"{volume_gib}Gi"))
    asked = claim(size=wanted, volumeName="pvc-u-1") | {"status": {"phase": "Bound", "capacity": {"storage": told}}}
    assert volumes.grows_to(asked, volume, storage_class(allowVolumeExpansion=True)) == expected
    assert volumes.grows_to(asked, volume, storage_class()) is None


@pytest.mark.parametrize(
    ("policy", "phase", "ours", "vanishes"),
    [
        ("Delete", "Released", True, True),
        ("Delete", "Failed", True, True),
        ("Delete", "Bound", True, False),
        ("Delete", "Available", True, False),
        ("Retain", "Released", True, False),
        ("Delete", "Released", False, False),
    ],
)
def test_a_directory_vanishes_only_with_policy_delete_and_without_its_claim(policy, phase, ours, vanishes):
    volume = made(cls=storage_class(reclaimPolicy=policy)) | {"status": {"phase": phase}}
    if not ours:
        volume["metadata"]["annotations"] = {}
    assert volumes.must_vanish(volume) is vanishes


def test_a_volume_whose_policy_became_retain_may_be_deleted_without_its_directory():
    volume = made() | {"status": {"phase": "Released"}}
    volume["metadata"]["deletionTimestamp"] = "now"
    assert not volumes.may_leave(volume)
    volume["spec"]["persistentVolumeReclaimPolicy"] = "Retain"
    assert volumes.may_leave(volume)
