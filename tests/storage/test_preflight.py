"""Quota and attach slots are reckoned with before anything is made."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.spec import SpecError
from mina_infra.storage.preflight import attach_limit
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
    ("machine", "slots"),
    [("e2-medium", 15), ("e2-standard-2", 127), ("n2-standard-8", 127), ("n4-standard-8", 15), ("n4-standard-16", 31),
     ("c4-standard-2", 7), ("c4-highmem-24", 31), ("c4d-standard-2", 3), ("z9-standard-4", None)],
)  # fmt: skip
def test_attach_limits_follow_the_machine(machine: str, slots: int | None) -> None:
    assert attach_limit(machine) == slots


def test_limits_that_nobody_reckons_with_are_refused() -> None:
    found = refusals(5, "3Gi", "ssd", provider="aks", region="eastus", quota={"ssdGib": 1}, machines=MACHINES)
    assert [each.partition(":")[0] for each in found] == ["target.machines", "target.quota"]
