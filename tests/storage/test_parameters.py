"""More parameters of storage classes. Tests named test_vN hold the refusals VN of docs/facts.md."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.spec import DiskType, Issue, SpecError
from mina_infra.spec.target import Target
from mina_infra.storage import parameters
from mina_infra.storage.classes import storage_class
from tests.plan.testnets import plan, zoo
from tests.storage.targets import TARGETS, spec_for

GKE = TARGETS[0]
KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"


def issue_of(key: str, value: str, target: dict[str, Any] = GKE) -> Issue:
    with pytest.raises(SpecError) as caught:
        plan(zoo(target={**target, "classParameters": {key: value}}))
    (issue,) = (each for each in caught.value.issues if "classParameters" in each.path)
    assert issue.path == ("target", "classParameters", key)
    return issue


def test_v6_a_parameter_of_the_plugin_that_left_kubernetes() -> None:
    issue = issue_of("fstype", "ext4")
    assert "'kubernetes.io/gce-pd', which was removed in Kubernetes 1.28" in issue.message
    assert "'pd.csi.storage.gke.io' it becomes 'csi.storage.k8s.io/fstype'" in issue.message
    assert "it becomes `target.zones`" in issue_of("zones", "us-central1-a").message


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: "-".join(map(str, target.values())))
def test_v6_no_class_uses_a_plugin_that_left_kubernetes(target: dict[str, Any]) -> None:
    spec = spec_for(target)
    drivers = {storage_class(spec, disk).fields["provisioner"] for disk in parameters_of(target)}
    assert not drivers & set(parameters.IN_TREE)


def parameters_of(target: dict[str, Any]) -> list[DiskType]:
    from mina_infra.storage.capabilities import disks_of

    return list(disks_of(Target.model_validate(target)))


def test_v7_a_misspelt_parameter_and_what_was_meant() -> None:
    issue = issue_of("disk-encryption-kms-keys", KEY)
    assert "'disk-encryption-kms-keys' is not known to filestore.csi.storage.gke.io or pd.csi" in issue.message
    assert "the driver would refuse every claim" in issue.message
    assert "Did you mean 'disk-encryption-kms-key'?" in issue.hint
    assert "resource-tags" in issue.hint


def test_v7_a_parameter_that_is_decided_elsewhere() -> None:
    assert "'type' is decided by `type` of a volume" in issue_of("type", "pd-extreme").message
    assert "is decided by `target.replication`" in issue_of("replication-type", "regional-pd").message
    assert "is decided by `target.fileSystem`" in issue_of("fileSystemId", "fs-1", TARGETS[4]).message
    assert "is decided by `performance`" in issue_of("iops", "4000", TARGETS[4]).message


def test_v7_a_parameter_of_another_provider() -> None:
    assert "'diskEncryptionSetID' is not known to" in issue_of("diskEncryptionSetID", "x").message
    assert "Known: none." in issue_of("labels", "a=b", TARGETS[7]).hint


def test_what_a_driver_knows_reaches_its_classes_alone() -> None:
    spec = spec_for({**GKE, "classParameters": {"disk-encryption-kms-key": KEY, "labels": "team=infra"}})
    disk, files = (storage_class(spec, each).fields["parameters"] for each in (DiskType.SSD, DiskType.SHARED))
    assert (disk["disk-encryption-kms-key"], disk["labels"], disk["type"]) == (KEY, "team=infra", "pd-ssd")
    assert "disk-encryption-kms-key" not in files
    assert files["labels"] == "team=infra"


def test_another_parameter_is_another_class() -> None:
    plain, labelled = spec_for(GKE), spec_for({**GKE, "classParameters": {"labels": "team=infra"}})
    assert storage_class(plain, DiskType.SSD).name != storage_class(labelled, DiskType.SSD).name


def test_tags_of_eks_are_numbered() -> None:
    spec = spec_for({**TARGETS[4], "classParameters": {"tagSpecification_1": "team=infra", "encrypted": "true"}})
    assert storage_class(spec, DiskType.SSD).fields["parameters"]["tagSpecification_1"] == "team=infra"
    assert "not known" in issue_of("tagSpecification_", "team=infra", TARGETS[4]).message


@pytest.mark.parametrize(
    ("labels", "wrong", "right"),
    [
        ("Team=infra", "Team=infra", "team=infra"),
        ("app.kubernetes.io/name=mina", "app.kubernetes.io/name=mina", "app-kubernetes-io-name=mina"),
        ("team=infra,9lives=Cat!", "9lives=Cat!", "lives=cat-"),
        ("team", "team", "team="),
        (f"team={'a' * 64}", f"team={'a' * 64}", f"team={'a' * 63}"),
        (f"{'k' * 63}=v,{'k' * 64}=v", f"{'k' * 64}=v", f"{'k' * 63}=v"),
    ],
)
def test_v31_a_label_that_google_refuses(labels: str, wrong: str, right: str) -> None:
    issue = issue_of("labels", labels)
    assert issue.message.startswith(f"disk label '{wrong}': keys start with a lowercase letter")
    assert issue.hint == f"Write '{right}'."


def test_v31_more_labels_than_a_disk_takes() -> None:
    assert "65 disk labels; a disk takes 64" in issue_of("labels", ",".join(f"k{i}=v" for i in range(65))).message


@given(st.text(min_size=1, max_size=80), st.text(max_size=80))
def test_v31_the_suggestion_is_always_a_label_that_google_takes(key: str, value: str) -> None:
    target = Target.model_validate({**GKE, "classParameters": {"labels": f"{key}={value}"}})
    for issue in parameters.check(target):
        found = re.fullmatch(r"Write '([a-z][a-z0-9_-]{0,62})=([a-z0-9_-]{0,63})'\.", issue.hint)
        assert found, issue.hint


def test_keys_and_tags_are_written_in_full() -> None:
    assert "is not the full name of a key" in issue_of("disk-encryption-kms-key", "my-key").message
    assert "'infra' is not parent/key/value" in issue_of("resource-tags", "p/team/infra,infra").message
