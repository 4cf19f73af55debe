"""Quota and attach slots are reckoned with before anything is made."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.plan.summary import summarize, to_text
from mina_infra.spec import Provider, SpecError
from mina_infra.storage.capabilities import provider_info
from mina_infra.storage.machines import DISKS_OF_SERIES, attach_limit, disks_of
from tests.plan.testnets import plan
from tests.storage.test_cost import only_disks


def refusals(count: int, size: str, disk: str, **target: Any) -> list[str]:
    try:
        plan(only_disks(count, size, disk, **target))
    except SpecError as error:
        return [f"{'.'.join(map(str, issue.path))}: {issue.message} {issue.hint}" for issue in error.issues]
    return []


MACHINES = {"type": "n2-standard-8", "count": 25}


def test_v24_claims_and_boot_disks_exceed_the_quota() -> None:
    assert refusals(200, "3Gi", "ssd", quota={"ssdGib": 500}, machines=MACHINES) == [
        "target.quota.ssdGib: region us-central1: planned 3100 GiB of SSD/balanced disks (claims 600 + boot 2500) "
        "exceed quota SSD_TOTAL_GB 500. Request 3100 or use fewer/smaller volumes."
    ]


@pytest.mark.parametrize(("limit", "fits"), [(3099, False), (3100, True), (3101, True)])
def test_rule_31_ssd_and_balanced_are_one_family_with_the_boot_disks(limit: int, fits: bool) -> None:
    for disk in ("ssd", "balanced"):
        assert (refusals(200, "3Gi", disk, quota={"ssdGib": limit}, machines=MACHINES) == []) is fits


def test_rule_31_families_are_counted_apart() -> None:
    standard = {**MACHINES, "bootDisk": "standard"}
    assert refusals(200, "3Gi", "ssd", quota={"ssdGib": 600}, machines=standard) == []
    (found,) = refusals(200, "3Gi", "ssd", quota={"standardGib": 2000}, machines=standard)
    assert "2500 GiB of standard disks (claims 0 + boot 2500)" in found
    (found,) = refusals(10, "4Gi", "balanced", diskFamily="hyperdisk", quota={"hyperdiskGib": 39})
    assert "40 GiB of Hyperdisk Balanced disks" in found


def test_without_limits_nothing_is_refused() -> None:
    assert refusals(200, "3Gi", "ssd", machines=MACHINES) == []


@pytest.mark.parametrize(("count", "fits"), [(13, False), (14, True)])
def test_v23_attach_slots(count: int, fits: bool) -> None:
    found = refusals(200, "3Gi", "ssd", machines={"type": "e2-medium", "count": count})
    assert (found == []) is fits
    if found:
        assert found == [
            "target.machines: 13 machines of type e2-medium attach 15 disks each; 200 pods with up to 1 disks need "
            "200. Use at least 14 machines, reduce volumes, or pick a larger machine."
        ]


@pytest.mark.parametrize(
    ("provider", "machine", "slots"),
    [
        ("gke", "e2-medium", 15), ("gke", "e2-standard-2", 127), ("gke", "n2-standard-8", 127),
        ("gke", "n4-standard-8", 15), ("gke", "n4-standard-16", 31), ("gke", "c4-standard-2", 7),
        ("gke", "c4-highmem-24", 31), ("gke", "c4d-standard-2", 3), ("gke", "z9-standard-4", None),
        ("eks", "m5.large", 24), ("eks", "m6i.xlarge", 23), ("eks", "c5.9xlarge", 19), ("eks", "m7i.2xlarge", 31),
        ("eks", "m8g.24xlarge", 63), ("eks", "m7i.48xlarge", 127), ("eks", "m5d.large", None),
        ("aks", "Standard_D2s_v5", 4), ("aks", "Standard_D8s_v5", 16), ("aks", "Standard_D16ds_v4", 32),
        ("aks", "Standard_E4s_v6", 12), ("aks", "Standard_E4as_v6", 8), ("aks", "Standard_B2ms", None),
        ("aks", "Standard_D8_v3", None), ("local", "n2-standard-8", None),
    ],
)  # fmt: skip
def test_attach_limits_follow_the_machine(provider: str, machine: str, slots: int | None) -> None:
    """docs/facts.md: storage/attach-slots"""
    assert attach_limit(Provider(provider), machine) == slots


@pytest.mark.parametrize(("machine", "need"), [("Standard_D2s_v5", 50), ("Standard_D8s_v5", 13)])
def test_v23_slots_are_counted_for_every_provider(machine: str, need: int) -> None:
    aks = {"provider": "aks", "region": "westeurope"}
    assert refusals(200, "3Gi", "ssd", **aks, machines={"type": machine, "count": need}) == []
    (found,) = refusals(200, "3Gi", "ssd", **aks, machines={"type": machine, "count": need - 1})
    assert f"Use at least {need} machines" in found


def test_rule_16_plan_tells_how_many_machines_of_the_named_type_it_takes() -> None:
    document = only_disks(200, "3Gi", "ssd", machines={"type": "n2-standard-8", "count": 25})
    text = to_text(summarize(plan(document)))
    assert "200 block disks, at most 1 a pod. A n2-standard-8 takes 127: 2 machines at least" in text


def test_limits_that_nobody_reckons_with_are_refused() -> None:
    found = refusals(5, "3Gi", "ssd", provider="aks", region="eastus", quota={"ssdGib": 1})
    assert [each.partition(":")[0] for each in found] == ["target.quota"]
    found = refusals(5, "3Gi", "ssd", provider="local", region="local", machines=MACHINES)
    assert [each.partition(":")[0] for each in found] == ["target.machines"]


def machine(kind: str, disk: str = "ssd", *, boot: str = "balanced", **target: Any) -> list[str]:
    return refusals(5, "4Gi", disk, machines={"type": kind, "count": 25, "bootDisk": boot}, **target)


@pytest.mark.parametrize(
    "kind", ["n4-standard-8", "c4-standard-8", "c4a-standard-8", "c4d-standard-8", "m4-megamem-28"]
)
def test_v8_the_newest_machines_take_no_persistent_disk(kind: str) -> None:
    (found,) = machine(kind)
    assert found.startswith(f"target.machines.type: machine type {kind} cannot attach pd-ssd. ")
    assert "supports: hyperdisk-balanced, hyperdisk-balanced-high-availability" in found
    assert found.endswith("Set target.diskFamily: hyperdisk, or choose machines of another series.")
    assert machine(kind, diskFamily="hyperdisk") == []


@pytest.mark.parametrize(
    "kind", ["e2-standard-8", "n1-standard-8", "n2-standard-8", "n2d-standard-8", "t2a-standard-8"]
)
def test_v8_older_machines_take_no_hyperdisk_balanced(kind: str) -> None:
    (found,) = machine(kind, diskFamily="hyperdisk")
    assert "cannot attach hyperdisk-balanced" in found
    assert "supports: " in found
    assert "pd-balanced, pd-ssd, pd-standard" in found
    assert found.endswith("Remove target.diskFamily, or choose machines of another series.")
    assert machine(kind) == []


@pytest.mark.parametrize("kind", ["c3-standard-8", "c3d-standard-8"])
def test_v8_c3_takes_no_standard_disk_not_even_to_boot(kind: str) -> None:
    assert machine(kind, "balanced") == []
    (found,) = machine(kind, "balanced", boot="standard")
    assert found.startswith(
        f"target.machines.bootDisk: machine type {kind} cannot attach pd-standard as its boot disk."
    )


@pytest.mark.parametrize("kind", ["c2-standard-8", "t2d-standard-8", "c3-standard-8", "n4-standard-8"])
def test_v9_regional_disks_need_machines_that_attach_them(kind: str) -> None:
    (found,) = machine(kind, replication="regional")
    assert found.startswith(
        "target.replication: replication: regional needs E2, N1, N2 or N2D nodes (or type "
        f"hyperdisk-balanced-high-availability); the machines are {kind}."
    )
    assert machine("n2-standard-8", replication="regional") == []


def test_v9_the_replicated_hyperdisk_is_for_the_machines_that_take_it() -> None:
    target = {"replication": "regional", "diskFamily": "hyperdisk"}
    assert machine("c3-standard-8", **target) == []
    assert "cannot attach hyperdisk-balanced-high-availability" in machine("n2-standard-8", **target)[0]


def test_rule_17_every_disk_of_ours_is_attached_by_some_series() -> None:
    """A product that the table of series has forgotten would be refused on every machine."""
    known = set().union(*DISKS_OF_SERIES.values())
    for family in ("persistent-disk", "hyperdisk"):
        for replication in ("zonal", "regional"):
            target = {"diskFamily": family, "replication": replication}
            info = provider_info(plan(only_disks(5, "4Gi", "ssd", **target)).spec)
            disks = (info.regional if replication == "regional" else info.zonal).values()
            assert {each.product for each in disks if each.block} <= known


def test_rule_17_a_series_that_nobody_knows_is_not_judged() -> None:
    assert machine("z9-standard-8") == []
    assert disks_of(Provider.GKE, "z9-standard-8") is None
    assert disks_of(Provider.EKS, "m6i.large") is None
