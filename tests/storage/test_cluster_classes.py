"""Classes that the testnets of a cluster share. Tests named test_rule_N hold the rules N of docs/facts.md."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mina_infra.plan import TestnetPlan, localize, parse_classes, plan_classes
from mina_infra.plan.localize import localize_storage
from mina_infra.spec import DiskType, SpecError
from mina_infra.storage.classes import cluster_classes, content_name, differences, storage_class
from tests.plan.testnets import ROOT, of_kind, plan, zoo
from tests.storage.targets import TARGETS, spec_for

IDS = ["-".join(map(str, target.values())) for target in TARGETS]


def names(**storage: Any) -> set[str]:
    return {each.name for each in cluster_classes(parse_classes(storage))}


def shared(target: dict[str, Any], **changes: Any) -> TestnetPlan:
    return plan(zoo(target={**target, "storageClasses": "shared"}, **changes))


def claimed(of: TestnetPlan) -> set[str]:
    return {each.manifest["spec"]["storageClassName"] for each in of_kind(of, "PersistentVolumeClaim")}


def refused(**storage: Any) -> str:
    with pytest.raises(SpecError) as caught:
        parse_classes(storage)
    return str(caught.value)


@pytest.mark.parametrize("target", TARGETS, ids=IDS)
def test_rule_6_a_testnet_refers_to_exactly_what_the_cluster_declares(target: dict[str, Any]) -> None:
    spec = spec_for({**target, "storageClasses": "shared"}, retention="retain")
    declared = {each.name: each for each in cluster_classes(parse_classes({"target": target}))}
    for disk in {each.disk for each in declared.values()}:
        wanted = storage_class(spec, disk)
        assert declared[wanted.name].fields == wanted.fields


def test_rule_6_two_testnets_share_the_classes_and_make_none() -> None:
    one, other = shared(TARGETS[0]), shared(TARGETS[0], name="other", image="mina-daemon:3.2.0")
    assert of_kind(one, "StorageClass") == of_kind(other, "StorageClass") == []
    assert claimed(one) == claimed(other) <= names(target=TARGETS[0])
    own = plan(zoo(name="third"))
    assert not claimed(own) & names(target=TARGETS[0])


def test_rule_6_nothing_of_two_testnets_that_is_cluster_wide_has_one_name() -> None:
    """Storage, snapshot and attribute classes, and the namespaces."""
    target = {**TARGETS[2], "kubernetes": "1.36"}
    volumes = {"runtime-state": {"size": "8Gi", "performance": {"iops": 5000}}, "postgres-state": {"size": "8Gi"}}
    more: dict[str, Any] = {"target": target, "volumes": volumes, "snapshots": {"every": "24h", "keep": 7}}

    def cluster_wide(name: str) -> set[tuple[str, str]]:
        metadata = [
            (each.manifest["kind"], each.manifest["metadata"]) for each in plan(zoo(name=name, **more)).objects()
        ]
        return {(kind, each["name"]) for kind, each in metadata if "namespace" not in each}

    one, other = cluster_wide("one"), cluster_wide("other")
    assert not one & other
    kinds = {"Namespace", "StorageClass", "VolumeSnapshotClass", "VolumeAttributesClass"}
    assert {kind for kind, _ in one} == {kind for kind, _ in other} == kinds


def test_rule_6_a_testnet_called_like_the_classes_begin_has_others() -> None:
    own = plan(zoo(name="mina"))
    assert not {each.manifest["metadata"]["name"] for each in own.classes} & names(target=TARGETS[0])


def test_the_name_says_type_place_and_nothing_of_a_testnet() -> None:
    found = names(target=TARGETS[1])
    assert all(
        re.fullmatch(r"mina-(ssd|balanced|standard|shared)(-regional)?-us-central1-[0-9a-f]{8}", each) for each in found
    )
    assert len(found) == 8, "four types, two retentions"


def test_an_immutable_change_makes_a_class_beside_the_old_one() -> None:
    old, new = names(target=TARGETS[0]), names(target={**TARGETS[0], "zones": ["us-central1-a"]})
    block = {each for each in old if "shared" not in each}
    assert not block & new
    assert {each for each in old if "shared" in each} <= new, "a file backend has no zones"


def test_types_retentions_and_replications_are_chosen() -> None:
    assert len(names(target=TARGETS[0], types=["ssd"], retentions=["retain"])) == 1
    both = names(target=TARGETS[0], types=["ssd", "shared"], retentions=["delete"], replications=["zonal", "regional"])
    assert len(both) == 3, "one file backend, whatever the replication of disks"


def test_the_rfcs_names_of_its_classes_are_read_as_what_they_mean() -> None:
    old = plan(zoo(volumes={"runtime-state": {"type": "testnet-ssd"}, "postgres-state": {"type": "testnet-ssd"}}))
    new = plan(zoo(volumes={"runtime-state": {"type": "ssd"}, "postgres-state": {"type": "ssd"}}))
    assert [each.manifest for each in old.objects()] == [each.manifest for each in new.objects()]
    assert names(target=TARGETS[0], types=["testnet-ssd", "testnet-standard"]) == names(
        target=TARGETS[0], types=["ssd", "standard"]
    )
    assert "'ssd' is listed twice" in refused(target=TARGETS[0], types=["testnet-ssd", "ssd"])


def test_rule_7_a_fixed_name_is_replaced_old_one_first_and_others_never() -> None:
    storage = parse_classes({"target": TARGETS[0], "types": ["ssd"], "fixed": {"testnet-ssd": {"type": "ssd"}}})
    planned = {each.manifest["metadata"]["name"]: each for each in plan_classes(storage, "cluster")}
    fixed = planned.pop("testnet-ssd")
    assert set(fixed.replaced_on) == {"reclaimPolicy", "volumeBindingMode"}
    assert not fixed.retain
    assert all(each.retain and not each.replaced_on for each in planned.values())
    (of_type,) = (each for each in cluster_classes(storage) if each.named)
    assert content_name(storage.target, of_type) in planned


def test_differences_name_each_setting_with_both_values() -> None:
    wanted = storage_class(spec_for(TARGETS[0]), DiskType.SSD)
    live = {
        **wanted.fields,
        "reclaimPolicy": "Retain",
        "parameters": {**wanted.fields["parameters"], "type": "pd-standard"},
    }
    assert differences(wanted.fields, live) == [
        "parameters.type is 'pd-standard', wanted 'pd-ssd'",
        "reclaimPolicy is 'Retain', wanted 'Delete'",
    ]
    assert differences(wanted.fields, dict(wanted.fields)) == []


def test_what_a_provider_lacks_is_refused_for_the_cluster_too() -> None:
    regional = {**TARGETS[6]}
    assert "provider 'aks' has no regional 'standard' disk" in refused(target=regional, types=["standard"])
    assert "eks shares volumes over EFS" in refused(target={"provider": "eks", "region": "us-east-1"})
    assert "no 'regional' replication" in refused(target=TARGETS[4], replications=["regional"])
    assert "parameter 'labls' is not known" in refused(target={**TARGETS[0], "classParameters": {"labls": "a=b"}})
    assert "Remove `storageClasses` here" in refused(target={**TARGETS[0], "storageClasses": "shared"})


def test_a_regional_and_a_zonal_class_want_their_own_number_of_zones() -> None:
    zones = ["us-central1-a", "us-central1-b", "us-central1-c"]
    message = refused(target={**TARGETS[0], "zones": zones}, replications=["zonal", "regional"])
    assert "exactly two zones" in message


def test_shared_classes_of_the_embedded_cluster_meet_those_of_its_testnets() -> None:
    of = plan(localize(zoo(target={**TARGETS[2], "storageClasses": "shared"}), ROOT))
    declared = localize_storage({"target": TARGETS[2], "replications": ["zonal", "regional"]})
    assert claimed(of) <= {each.name for each in cluster_classes(parse_classes(declared))}
