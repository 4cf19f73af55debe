"""What nobody owns, and what only looks like it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mina_infra.errors import MinaInfraError
from mina_infra.hygiene import disks
from mina_infra.hygiene.contents import Contents
from mina_infra.hygiene.orphans import Orphan, Owners, judge, owners
from mina_infra.plan import labels
from tests.plan.testnets import plan, zoo

OURS = {"app.kubernetes.io/managed-by": "mina-infra"}
CLASS = {
    "metadata": {"name": "zoo-ssd", "labels": OURS},
    "provisioner": "pd.csi.storage.gke.io",
    "parameters": {"type": "pd-ssd", "replication-type": "none"},
}
NAMESPACES = tuple({"metadata": {"name": name, "labels": OURS}} for name in ("zoo", "elsewhere"))
KNOWN = owners([plan(zoo())], [], whole=True)


def claim(name: str, namespace: str = "zoo", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": OURS, **metadata},
        "spec": {"storageClassName": "zoo-ssd", "resources": {"requests": {"storage": "10Gi"}}},
    }


def volume(name: str, phase: str, of: str | None, class_: str = "zoo-ssd") -> dict[str, Any]:
    namespace, _, claimed = (of or "").partition("/")
    reference = {"claimRef": {"namespace": namespace, "name": claimed, "uid": "old"}} if of else {}
    return {
        "metadata": {"name": name},
        "spec": {"storageClassName": class_, "capacity": {"storage": "10Gi"}, **reference},
        "status": {"phase": phase},
    }


def look(*, known: Owners = KNOWN, **contents: Any) -> tuple[Orphan, ...]:
    return judge(Contents(namespaces=NAMESPACES, classes=(CLASS,), **contents), known)


def test_rule_34_an_unplanned_claim_is_an_orphan_with_its_cost() -> None:
    (found,) = look(claims=(claim("gone-1-runtime-state-e1"),))
    assert (found.name, found.gib, found.sure) == ("zoo/gone-1-runtime-state-e1", 10, True)
    assert found.usd == pytest.approx(1.70)


@pytest.mark.parametrize(
    "contents",
    [
        {"claims": (claim("whale-1-runtime-state-e1"),)},
        {"claims": (claim("genesis-ledger-e1"),)},
        {"claims": (claim("leaving-e1", deletionTimestamp="now"),)},
        {"claims": ({**claim("by-hand"), "metadata": {"name": "by-hand", "namespace": "zoo"}},)},
        {"volumes": (volume("pv", "Bound", "zoo/gone-1-runtime-state-e1"),)},
        {"volumes": (volume("pv", "Released", "shop/data-mysql-0", "standard-rwo"),)},
    ],
    ids=["planned", "shared", "leaving", "foreign", "bound", "foreign volume"],
)
def test_what_somebody_owns_is_no_orphan(contents: dict[str, Any]) -> None:
    assert look(**contents) == ()


def test_what_is_on_record_or_mounted_is_owned() -> None:
    mine = claim("era-1-runtime-state-e1")
    recorded = owners([plan(zoo())], [("zoo", "era-1-runtime-state-e1")], whole=True)
    assert look(known=recorded, claims=(mine,)) == ()
    source = {"persistentVolumeClaim": {"claimName": "era-1-runtime-state-e1"}}
    pod = {"metadata": {"namespace": "zoo"}, "spec": {"volumes": [source]}}
    assert look(claims=(mine,), pods=(pod,)) == ()


def test_rule_34_a_testnet_of_another_checkout_is_unknown() -> None:
    (of_claim,) = look(claims=(claim("a-1-runtime-state-e1", "elsewhere"),))
    (of_volume,) = look(volumes=(volume("pv", "Released", "elsewhere/a-1-runtime-state-e1"),))
    assert not of_claim.sure
    assert not of_volume.sure


def test_rule_34_nothing_is_an_orphan_while_a_stack_cannot_be_read() -> None:
    partial = owners([plan(zoo())], [], whole=False)
    found = look(
        known=partial,
        claims=(claim("gone-1-runtime-state-e1"),),
        volumes=(volume("pv", "Released", "vanished/a-1-runtime-state-e1"),),
    )
    assert [each.sure for each in found] == [False, False]


@pytest.mark.parametrize("phase", ["Released", "Failed", "Available"])
def test_a_volume_of_a_namespace_that_is_gone_is_an_orphan(phase: str) -> None:
    (found,) = look(volumes=(volume("pv", phase, "vanished/a-1-runtime-state-e1", "class-is-gone"),))
    assert found.sure
    assert found.usd is None, "its class is gone, so its price is not known"


def test_a_volume_that_waits_for_its_planned_claim_is_not_deleted() -> None:
    (found,) = look(volumes=(volume("pv", "Released", "zoo/whale-1-runtime-state-e1"),))
    assert not found.sure
    assert "which a stack of this project plans" in found.reason


def moved(name: str = "pv-old", claimed: str = "zoo/whale-1-runtime-state-e1") -> dict[str, Any]:
    """A volume whose data `migrate` moved away."""
    left = volume(name, "Released", claimed)
    left["metadata"] |= {"labels": {**OURS, labels.MOVED: labels.DONE}, "annotations": {labels.MOVED_FROM: claimed}}
    return left


def test_rule_34_a_volume_that_migrate_left_is_told_as_such() -> None:
    again = claim("whale-1-runtime-state-e1")
    again["spec"]["volumeName"], again["status"] = "pv-new", {"phase": "Bound"}
    (found,) = look(volumes=(moved(),), claims=(again,))
    assert found.sure
    assert found.reason == "left by `migrate`: the data of zoo/whale-1-runtime-state-e1 is on pv-new now"
    assert found.usd == pytest.approx(1.70)


@pytest.mark.parametrize(("bound", "phase"), [(None, "Pending"), ("pv-old", "Bound"), ("pv-new", "Pending")])
def test_rule_34_the_last_copy_of_a_claims_data_is_never_surely_an_orphan(bound: str | None, phase: str) -> None:
    again = claim("whale-1-runtime-state-e1")
    again["spec"]["volumeName"], again["status"] = bound, {"phase": phase}
    for claims in ((), (again,)):
        (found,) = look(volumes=(moved(),), claims=claims)
        assert not found.sure
        assert "has no other volume yet" in found.reason


def disk(name: str, cluster: str | None = "qa", claimed: str = "whale-1-runtime-state-e1", **more: Any) -> Any:
    made_for = {
        "kubernetes.io/created-for/pv/name": name,
        "kubernetes.io/created-for/pvc/name": claimed,
        "kubernetes.io/created-for/pvc/namespace": "zoo",
    }
    return {
        "name": name,
        "sizeGb": "10",
        "zone": "https://compute/projects/p/zones/us-central1-a",
        "type": "https://compute/projects/p/zones/us-central1-a/diskTypes/pd-ssd",
        "description": json.dumps(made_for),
        "labels": {disks.CLUSTER_LABEL: cluster} if cluster else {},
        **more,
    }


def test_rule_34_a_disk_is_an_orphan_when_its_cluster_does_not_know_it() -> None:
    context = "gke_p_us-central1_qa"
    (found,) = disks.judge([disk("pvc-1")], [context], ["pvc-2"])
    assert found.sure
    assert found.usd == pytest.approx(1.70)
    assert disks.command(found) == "gcloud compute disks delete pvc-1 --zone us-central1-a"
    assert [each.sure for each in disks.judge([disk("pvc-1")], [], [])] == [False], "its cluster did not answer"
    assert [each.sure for each in disks.judge([disk("pvc-1", None)], [context], [])] == [False]


def test_a_disk_that_is_used_known_or_not_ours_is_left_out() -> None:
    listed = [
        disk("pvc-1", users=["vm"]),
        disk("pvc-2"),
        disk("pvc-3", claimed="data-mysql-0"),
        {"name": "boot", "sizeGb": "100", "description": "made by hand"},
    ]
    assert list(disks.judge(listed, ["qa"], ["pvc-2"])) == []


@pytest.mark.parametrize("text", ["", "{}", '[{"id": 1}]'])
def test_a_file_that_is_no_listing_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "disks.json"
    file.write_text(text)
    with pytest.raises(MinaInfraError, match="gcloud compute disks list"):
        disks.read(file)
