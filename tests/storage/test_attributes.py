"""Performance beyond a disk's size. Tests named test_rule_N and test_vN hold those of docs/facts.md."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.plan import TestnetPlan, localize, parse_classes
from mina_infra.spec import Issue, SpecError
from mina_infra.storage.attributes import cluster_attributes
from tests.plan.testnets import ROOT, of_kind, plan, zoo
from tests.storage.targets import TARGETS

GKE, REGIONAL, HYPERDISK, REGIONAL_HYPERDISK, EKS, AKS, _, LOCAL = TARGETS
NEW = {"kubernetes": "1.34"}
FAST = {"iops": 5000, "throughput": 200}


def document(target: dict[str, Any], **volume: Any) -> dict[str, Any]:
    result = zoo(target=target, volumes={"runtime-state": {"size": "8Gi", **volume}})
    for identity in result["nodes"][0]["identities"]:
        identity.pop("address", None)
        identity.pop("ip", None)
    result["nodes"] = [each for each in result["nodes"] if each["role"] != "archive"]
    return result


def planned(target: dict[str, Any], **volume: Any) -> TestnetPlan:
    return plan(document({**target, **NEW}, **volume))


def refused(target: dict[str, Any], **volume: Any) -> Issue:
    with pytest.raises(SpecError) as caught:
        plan(document(target, **volume))
    (issue,) = caught.value.issues
    return issue


@pytest.mark.parametrize(
    ("target", "driver", "throughput"),
    [(HYPERDISK, "pd.csi.storage.gke.io", "200Mi"), (EKS, "ebs.csi.aws.com", "200")],
)
def test_rule_37_attributes_are_iops_and_throughput_of_disks_that_take_them(
    target: dict[str, Any], driver: str, throughput: str
) -> None:
    of = planned(target, performance=FAST)
    (found,) = of_kind(of, "VolumeAttributesClass")
    assert found.manifest["apiVersion"] == "storage.k8s.io/v1"
    assert found.manifest["driverName"] == driver
    assert found.manifest["parameters"] == {"iops": "5000", "throughput": throughput}
    for claim in of_kind(of, "PersistentVolumeClaim"):
        own = claim.manifest["metadata"]["labels"]["mina-infra/volume"] == "runtime-state"
        name = claim.manifest["spec"].get("volumeAttributesClassName")
        assert name == (found.manifest["metadata"]["name"] if own else None)
        assert (found.key in claim.after) == own


def test_rule_37_another_performance_is_another_class_and_the_same_claim() -> None:
    slow, fast = planned(HYPERDISK, performance={"iops": 3000}), planned(HYPERDISK, performance=FAST)
    names = [of_kind(each, "VolumeAttributesClass")[0].manifest["metadata"]["name"] for each in (slow, fast)]
    assert names[0] != names[1]
    classes = [{each.manifest["metadata"]["name"] for each in of_kind(of, "StorageClass")} for of in (slow, fast)]
    assert classes[0] == classes[1], "performance is no immutable field of a storage class"


def test_rule_22_the_attributes_of_a_kept_claim_are_kept_with_it() -> None:
    for retention in ("retain", "delete"):
        of = planned(HYPERDISK, performance=FAST, retention=retention)
        (found,) = of_kind(of, "VolumeAttributesClass")
        assert found.protect == (retention == "retain")


def test_rule_37_nothing_is_emitted_unless_asked_for() -> None:
    assert of_kind(planned(HYPERDISK), "VolumeAttributesClass") == []


@pytest.mark.parametrize("version", [None, "1.33"])
def test_rule_37_an_older_cluster_is_refused(version: str | None) -> None:
    target = {**HYPERDISK, **({"kubernetes": version} if version else {})}
    issue = refused(target, performance=FAST)
    assert (
        f"performance needs Kubernetes 1.34+ (VolumeAttributesClass; the cluster: {version or 'not said'})"
        in issue.message
    )
    assert issue.path == (("target", "kubernetes") if version else ("volumes", "runtime-state", "performance"))


@pytest.mark.parametrize(
    ("target", "product"),
    [(GKE, "pd-ssd"), (REGIONAL, "regional-pd-ssd"), (REGIONAL_HYPERDISK, "hyperdisk-balanced-high-availability"),
     (AKS, "Premium_LRS"), (LOCAL, "local-ssd")],
)  # fmt: skip
def test_v30_disks_that_are_fixed_by_their_size(target: dict[str, Any], product: str) -> None:
    issue = refused({**target, **NEW}, performance=FAST)
    assert issue.path == ("volumes", "runtime-state", "performance")
    assert "iops/throughput can be changed only on Hyperdisk Balanced and Throughput (gke)" in issue.message
    assert f"'{product}' is fixed by size" in issue.message


def test_v30_foreign_keys_and_too_little() -> None:
    document_ = {**HYPERDISK, **NEW}
    assert "unknown key 'latency'" in refused(document_, performance={"iops": 3000, "latency": 1}).message
    assert "name iops, throughput or both" in refused(document_, performance={}).message
    throughput = refused(document_, type="standard", size="2Ti", performance={"iops": 3000})
    assert "'hyperdisk-throughput' has no iops of its own; it takes: throughput" in throughput.message
    assert (
        "'gp3' has 3000 iops at every size; 100 is less" in refused({**EKS, **NEW}, performance={"iops": 100}).message
    )


def test_v30_a_class_of_the_clusters_own_is_not_known() -> None:
    issue = refused({**HYPERDISK, **NEW}, performance=FAST, storageClass="premium")
    assert "what the disks of class 'premium' can do is not known here" in issue.message


def test_the_embedded_cluster_has_no_speeds() -> None:
    local = localize(document({**HYPERDISK, **NEW}, performance=FAST), ROOT)
    assert of_kind(plan(local), "VolumeAttributesClass") == []


def test_shared_attributes_are_declared_by_the_cluster_alone() -> None:
    of = planned({**HYPERDISK, "storageClasses": "shared"}, performance=FAST)
    assert of_kind(of, "VolumeAttributesClass") == []
    storage = parse_classes({"target": {**HYPERDISK, **NEW}, "performances": [FAST], "types": ["ssd"]})
    (made,) = cluster_attributes(storage)
    wanted = {each.manifest["spec"].get("volumeAttributesClassName") for each in of_kind(of, "PersistentVolumeClaim")}
    assert wanted - {None} == {made.name}


def test_v30_a_cluster_without_a_disk_for_its_performance() -> None:
    with pytest.raises(SpecError, match="fixed by size"):
        parse_classes({"target": {**GKE, **NEW}, "performances": [FAST]})
