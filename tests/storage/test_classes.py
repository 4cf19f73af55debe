"""Storage classes and claims. Tests named test_rule_N hold the rules N of docs/facts.md."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.plan import plan_testnet
from mina_infra.spec import DiskType, Provider
from mina_infra.storage.capabilities import capability
from mina_infra.storage.classes import NoSuchDisk, StorageClass, storage_class
from tests.plan.testnets import of_kind, plan, plans, zoo
from tests.storage.targets import TARGETS, spec_for

PD_CSI_PARAMETERS = {
    "type", "replication-type", "csi.storage.k8s.io/fstype", "disk-encryption-kms-key", "labels", "resource-tags",
    "provisioned-iops-on-create", "provisioned-throughput-on-create", "availability-class", "storage-pools",
    "enable-multi-zone-provisioning", "use-allowed-disk-topology",
}  # fmt: skip
"""What the driver knows; it refuses every other (docs/facts.md: storage/class-parameters)."""


def every_class() -> list[StorageClass]:
    found = []
    for target in TARGETS:
        spec = spec_for(target)
        found += [storage_class(spec, disk) for disk in DiskType if capability(spec, disk)]
    return found


def test_rule_1_no_class_uses_the_removed_in_tree_plugin() -> None:
    for each in every_class():
        assert each.fields["provisioner"] != "kubernetes.io/gce-pd"
        assert "fstype" not in each.fields["parameters"]
    gke = storage_class(spec_for(TARGETS[0]), DiskType.SSD)
    assert gke.fields["provisioner"] == "pd.csi.storage.gke.io"
    assert gke.fields["parameters"]["csi.storage.k8s.io/fstype"] == "ext4"


def test_rule_2_only_parameters_that_the_driver_knows() -> None:
    for each in every_class():
        if each.fields["provisioner"] == "pd.csi.storage.gke.io":
            assert set(each.fields["parameters"]) <= PD_CSI_PARAMETERS


def test_rule_3_block_disks_wait_for_their_pod() -> None:
    for each in every_class():
        assert each.fields["volumeBindingMode"] in ("WaitForFirstConsumer", "Immediate")
        if each.capability.block:
            assert each.fields["volumeBindingMode"] == "WaitForFirstConsumer"


def test_rule_4_reclaim_and_expansion_are_always_said() -> None:
    for each in every_class():
        assert each.fields["reclaimPolicy"] == "Delete"
        # EFS grows by itself; a claim of it has no size that means anything.
        assert each.fields["allowVolumeExpansion"] is (each.capability.driver != "efs.csi.aws.com")


@pytest.mark.parametrize("target", TARGETS)
def test_rule_5_the_same_inputs_give_the_same_name(target: dict[str, Any]) -> None:
    for disk in DiskType:
        if capability(spec_for(target), disk):
            assert storage_class(spec_for(target), disk).name == storage_class(spec_for(target), disk).name


def test_rule_5_every_immutable_change_makes_another_name() -> None:
    base = {"provider": "gke", "region": "us-central1"}
    variants = [
        spec_for(base),
        spec_for(base, retention="retain"),
        spec_for({**base, "zones": ["us-central1-a"]}),
        spec_for({**base, "zones": ["us-central1-a", "us-central1-b"]}),
        spec_for({**base, "replication": "regional"}),
        spec_for({**base, "diskFamily": "hyperdisk"}),
        spec_for({**base, "region": "us-east1"}),
        spec_for(base, name="other"),
    ]
    names = {storage_class(spec, DiskType.SSD).name for spec in variants}
    assert len(names) == len(variants)


def test_rule_5_what_may_change_in_place_keeps_the_name() -> None:
    one, other = spec_for(TARGETS[0]), spec_for(TARGETS[0], era=2, owner="me", image="mina-daemon:3.1.0")
    assert storage_class(one, DiskType.SSD).name == storage_class(other, DiskType.SSD).name


def test_rule_5_the_name_says_what_it_is() -> None:
    regional = spec_for({"provider": "gke", "region": "us-central1", "replication": "regional"})
    assert re.fullmatch(r"zoo-ssd-regional-us-central1-[0-9a-f]{8}", storage_class(regional, DiskType.SSD).name)
    zonal = spec_for(TARGETS[0])
    assert re.fullmatch(r"zoo-balanced-us-central1-[0-9a-f]{8}", storage_class(zonal, DiskType.BALANCED).name)


@given(
    st.from_regex(r"[a-z][a-z0-9-]{0,28}[a-z0-9]", fullmatch=True),
    st.from_regex(r"[a-z][a-z0-9-]{0,28}[a-z0-9]", fullmatch=True),
    st.sampled_from(list(DiskType)),
)
def test_rule_5_names_are_valid_however_long_their_parts(name: str, region: str, disk: DiskType) -> None:
    spec = spec_for(TARGETS[1], name=name)
    moved = spec.model_copy(update={"target": spec.target.model_copy(update={"region": region})})
    found = storage_class(moved, disk).name
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", found)


def test_rule_6_two_testnets_in_one_cluster_share_no_cluster_wide_name() -> None:
    one, other = plan(zoo()), plan(zoo(name="other"))
    cluster_wide = [
        {each.manifest["metadata"]["name"] for each in of_kind(planned, "StorageClass")} for planned in (one, other)
    ]
    assert not cluster_wide[0] & cluster_wide[1]


def test_rule_8_zones_pin_block_disks_and_nothing_else() -> None:
    keys = {
        Provider.GKE: "topology.gke.io/zone",
        Provider.EKS: "topology.ebs.csi.aws.com/zone",
        Provider.AKS: "topology.disk.csi.azure.com/zone",
        Provider.LOCAL: "topology.kubernetes.io/zone",
    }
    for target in TARGETS:
        if target.get("replication") == "regional":
            continue
        zones = [f"{target['region']}-a"]
        spec = spec_for({**target, "zones": zones})
        (topology,) = storage_class(spec, DiskType.SSD).fields["allowedTopologies"]
        assert topology == {"matchLabelExpressions": [{"key": keys[spec.target.provider], "values": zones}]}
        assert "allowedTopologies" not in storage_class(spec, DiskType.SHARED).fields


def test_rule_8_without_zones_the_cluster_decides() -> None:
    assert all("allowedTopologies" not in each.fields for each in every_class())


def test_rule_10_every_claim_names_its_class_and_one_mode() -> None:
    for planned in plans().values():
        classes = {each.manifest["metadata"]["name"] for each in of_kind(planned, "StorageClass")}
        for claim in of_kind(planned, "PersistentVolumeClaim"):
            spec = claim.manifest["spec"]
            assert spec["storageClassName"] in classes
            assert len(spec["accessModes"]) == 1
            assert spec["volumeMode"] == "Filesystem"


def test_rule_11_a_nodes_own_volume_admits_one_pod() -> None:
    for planned in plans().values():
        modes = {claim.access_mode for claim in planned.outputs.claims if claim.node}
        assert modes == {"ReadWriteOncePod"}


@pytest.mark.parametrize("target", TARGETS)
def test_rule_40_another_provider_changes_classes_and_sizes_as_billed_and_nothing_else(target: dict[str, Any]) -> None:
    assert besides_disks(target) == besides_disks(TARGETS[0])


def besides_disks(target: dict[str, Any]) -> dict[str, Any]:
    """Every planned object but the classes, without what claims and quota say of class and size."""
    found = {}
    for each in plan_testnet(spec_for(target)).objects():
        manifest = copy.deepcopy(each.manifest)
        if manifest["kind"] == "StorageClass":
            continue
        if manifest["kind"] == "PersistentVolumeClaim":
            del manifest["spec"]["storageClassName"], manifest["spec"]["resources"]
        if manifest["kind"] == "ResourceQuota":
            del manifest["spec"]["hard"]["requests.storage"]
        found[each.key] = (manifest, each.protect, each.after)
    return found


def test_an_efs_class_names_its_file_system() -> None:
    found = storage_class(spec_for(TARGETS[4]), DiskType.SHARED)
    assert found.fields["parameters"]["fileSystemId"] == "fs-0123456789abcdef0"
    assert found.fields["volumeBindingMode"] == "Immediate"


def test_a_disk_that_the_provider_lacks_has_no_class() -> None:
    with pytest.raises(NoSuchDisk, match="aks has no regional standard disk"):
        storage_class(spec_for(TARGETS[6]), DiskType.STANDARD)
