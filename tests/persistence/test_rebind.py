"""Which volume goes back to which claim: never one of another node, era or testnet, and never by guessing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mina_infra.errors import MinaInfraError
from mina_infra.persistence.rebind import RebindRefusedError, plan_rebind
from mina_infra.persistence.volumes import Contents, look, planned_claims, read_file, rows, to_file
from mina_infra.plan.genesis_digest import digest
from tests.plan.testnets import RUNTIME_CONFIG, plan, plans, zoo

PLAN = plans()["zoo"]
CLAIMS = planned_claims(PLAN)
FIRST = next(iter(name for name in CLAIMS if name.startswith("whale-1-")))


def volume(claim: str, name: str = "pvc-1", phase: str = "Released", **spec: Any) -> dict[str, Any]:
    """A volume that was this claim's, and fits it."""
    wanted = CLAIMS.get(claim, CLAIMS[FIRST])["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "resourceVersion": "7", "annotations": {"pv.kubernetes.io/provisioned-by": "x"}},
        "spec": {
            "capacity": {"storage": wanted["resources"]["requests"]["storage"]},
            "accessModes": wanted["accessModes"],
            "storageClassName": wanted["storageClassName"],
            "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": "zoo", "name": claim, "uid": "dead", "resourceVersion": "3"},
            "csi": {"driver": "pd.csi.storage.gke.io", "volumeHandle": f"projects/p/zones/z/disks/{name}"},
            **spec,
        },
        "status": {"phase": phase, "lastPhaseTransitionTime": "2026-11-22T04:00:00Z"},
    }


def live(claim: str, phase: str, bound_to: str | None = None) -> dict[str, Any]:
    spec = {**CLAIMS[claim]["spec"], **({"volumeName": bound_to} if bound_to else {})}
    return {"metadata": {"name": claim, "namespace": "zoo", "uid": "u"}, "spec": spec, "status": {"phase": phase}}


def pairs(seen: Contents, **more: Any) -> dict[str, str]:
    return {pair.name: pair.volume["metadata"]["name"] for pair in plan_rebind(PLAN, seen, **more).pairs}


def test_a_released_volume_goes_back_to_its_own_claim_alone() -> None:
    assert pairs(Contents(volumes=(volume(FIRST),))) == {FIRST: "pvc-1"}


@settings(max_examples=50)
@given(st.lists(st.sampled_from([*CLAIMS, "whale-1-runtime-state-e2", "whale-9-runtime-state-e1"]), unique=True))
def test_every_pair_is_of_one_name_and_every_free_volume_of_a_planned_claim_is_used(names: list[str]) -> None:
    seen = Contents(volumes=tuple(volume(name, f"pv-of-{name}") for name in names))
    assert pairs(seen) == {name: f"pv-of-{name}" for name in names if name in CLAIMS}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"storageClassName": "other"}, "class is 'other'"),
        ({"accessModes": ["ReadWriteMany"]}, "ReadWriteOncePod"),
        ({"volumeMode": "Block"}, "Block"),
        ({"persistentVolumeReclaimPolicy": "Delete"}, "about to delete"),
    ],
)
def test_a_volume_that_does_not_fit_is_left_alone_with_the_reason(changed: dict[str, Any], reason: str) -> None:
    found = plan_rebind(PLAN, Contents(volumes=(volume(FIRST, **changed),)))
    assert found.pairs == ()
    assert reason in found.passed_over[0]


def test_a_smaller_volume_is_bound_as_it_is_and_grown_afterwards() -> None:
    """The claim may not ask for more than the volume has, or the two are never bound."""
    from mina_infra.persistence.rebind import sized

    pair = plan_rebind(PLAN, Contents(volumes=(volume(FIRST, capacity={"storage": "1Gi"}),))).pairs[0]
    assert sized(pair.claim, pair.volume)["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert "the next up grows it" in pair.line()


@pytest.mark.parametrize("phase", ["Bound", "Pending", "Lost"])
def test_only_a_claim_without_a_volume_gets_one(phase: str) -> None:
    bound_to = None if phase == "Pending" else "pvc-2"
    seen = Contents(claims={FIRST: live(FIRST, phase, bound_to)}, volumes=(volume(FIRST),))
    assert pairs(seen) == ({} if phase == "Bound" else {FIRST: "pvc-1"})
    if phase == "Bound":
        assert "has pvc-2" in plan_rebind(PLAN, seen).passed_over[0]


def test_two_volumes_of_one_claim_are_both_named_and_one_is_to_be_chosen() -> None:
    seen = Contents(volumes=(volume(FIRST, "pvc-1"), volume(FIRST, "pvc-2", "Available")))
    with pytest.raises(RebindRefusedError, match=r"pvc-1[\s\S]*pvc-2[\s\S]*--volume"):
        plan_rebind(PLAN, seen)
    assert pairs(seen, chosen={FIRST: "pvc-2"}) == {FIRST: "pvc-2"}


def test_a_choice_never_brings_in_the_volume_of_another() -> None:
    other = next(name for name in CLAIMS if name.startswith("whale-2-"))
    seen = Contents(volumes=(volume(FIRST, "pvc-1"), volume(other, "pvc-2")))
    with pytest.raises(RebindRefusedError, match="never that claim's"):
        plan_rebind(PLAN, seen, chosen={FIRST: "pvc-2"})
    with pytest.raises(RebindRefusedError, match="waits for no volume"):
        plan_rebind(PLAN, seen, chosen={"whale-9-runtime-state-e1": "pvc-2"})


def test_a_rebind_that_was_interrupted_is_found_half_done() -> None:
    """After the first step the volume is Available and names the claim; after the second the claim is Pending."""
    given_back = volume(FIRST, phase="Available")
    del given_back["spec"]["claimRef"]["uid"]
    assert pairs(Contents(volumes=(given_back,))) == {FIRST: "pvc-1"}
    claims = {FIRST: live(FIRST, "Pending", "pvc-1")}
    assert pairs(Contents(claims=claims, volumes=(given_back,))) == {FIRST: "pvc-1"}


def test_a_namespace_of_somebody_else_is_refused() -> None:
    foreign = {"metadata": {"name": "zoo", "labels": {"team": "other"}}}
    with pytest.raises(RebindRefusedError, match="belongs to somebody else"):
        plan_rebind(PLAN, Contents(volumes=(volume(FIRST),), namespace=foreign))


# --- the file ---------------------------------------------------------------------------------------------------------


def saved_file(tmp_path: Path, *volumes: dict[str, Any]) -> Path:
    file = tmp_path / "volumes.json"
    file.write_text(to_file(PLAN, Contents(volumes=volumes)))
    return file


def test_a_lost_cluster_gets_its_volumes_from_the_file(tmp_path: Path) -> None:
    before = volume(FIRST, phase="Bound", nodeAffinity={"required": {"nodeSelectorTerms": []}})
    saved = read_file(saved_file(tmp_path, before), PLAN)
    pair = plan_rebind(PLAN, Contents(), saved=saved).pairs[0]
    assert pair.make
    made = pair.volume
    assert made["metadata"]["name"] == "pvc-1"
    for field in ("capacity", "accessModes", "storageClassName", "csi", "nodeAffinity"):
        assert made["spec"][field] == before["spec"][field]
    assert made["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert made["spec"]["claimRef"] == {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "zoo", "name": FIRST,
    }  # fmt: skip


def test_what_the_file_names_and_the_cluster_has_is_not_made_twice(tmp_path: Path) -> None:
    saved = read_file(saved_file(tmp_path, volume(FIRST)), PLAN)
    assert not plan_rebind(PLAN, Contents(volumes=(volume(FIRST),)), saved=saved).pairs[0].make
    again = volume(FIRST, "static")
    again["spec"]["csi"]["volumeHandle"] = volume(FIRST)["spec"]["csi"]["volumeHandle"]
    with pytest.raises(RebindRefusedError, match="in this cluster already"):
        plan_rebind(PLAN, Contents(volumes=(again,)), saved=saved)


@pytest.mark.parametrize("taken", ["pvc-1", "projects/p/zones/z/disks/pvc-1"])
def test_a_volume_that_another_testnet_has_is_refused(tmp_path: Path, taken: str) -> None:
    """By its name or by its disk: the cluster is not the lost one's successor, or the file is of another."""
    saved = read_file(saved_file(tmp_path, volume(FIRST)), PLAN)
    with pytest.raises(RebindRefusedError, match="in this cluster already"):
        plan_rebind(PLAN, Contents(others={taken: "pvc-1"}), saved=saved)


def test_a_file_of_another_genesis_is_refused_with_both_digests(tmp_path: Path) -> None:
    chain = json.dumps({**RUNTIME_CONFIG, "ledger": {"name": "other"}})
    other = plan(zoo(genesis={**zoo()["genesis"], "runtimeConfig": chain}))
    with pytest.raises(MinaInfraError) as caught:
        read_file(saved_file(tmp_path, volume(FIRST)), other)
    assert digest(PLAN.spec) in str(caught.value)
    assert digest(other.spec) in str(caught.value)


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 9}', "[1]", '"x"', '{"schema": 1, "testnet": "zoo"}'])
def test_a_file_that_is_none_says_how_to_make_one(tmp_path: Path, text: str) -> None:
    file = tmp_path / "volumes.json"
    file.write_text(text)
    with pytest.raises(MinaInfraError, match=r"volumes --json|gcloud"):
        read_file(file, PLAN)


def test_disks_of_google_cloud_become_volumes(tmp_path: Path) -> None:
    """As `gcloud compute disks list --format=json` prints them; the description is the driver's."""
    made_for = {
        "kubernetes.io/created-for/pv/name": "pvc-1",
        "kubernetes.io/created-for/pvc/name": FIRST,
        "kubernetes.io/created-for/pvc/namespace": "zoo",
    }
    root = "https://www.googleapis.com/compute/v1/projects/mina"
    disk = {
        "name": "pvc-1", "sizeGb": "4", "zone": f"{root}/zones/us-central1-a", "description": json.dumps(made_for),
        "selfLink": f"{root}/zones/us-central1-a/disks/pvc-1",
    }  # fmt: skip
    stranger = {**disk, "name": "data", "description": ""}
    elsewhere = {**disk, "description": json.dumps({**made_for, "kubernetes.io/created-for/pvc/namespace": "qa"})}
    file = tmp_path / "disks.json"
    file.write_text(json.dumps([stranger, elsewhere, disk]))
    pair = plan_rebind(PLAN, Contents(), saved=read_file(file, PLAN)).pairs[0]
    assert pair.name == FIRST
    assert pair.volume["spec"]["csi"]["volumeHandle"] == "projects/mina/zones/us-central1-a/disks/pvc-1"
    term = pair.volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]
    assert term == {"key": "topology.gke.io/zone", "operator": "In", "values": ["us-central1-a"]}


def test_the_table_has_every_planned_claim_and_every_volume_that_was_one() -> None:
    seen = Contents(
        claims={FIRST: live(FIRST, "Bound", "pvc-1")},
        volumes=(volume(FIRST, phase="Bound"), volume("whale-1-runtime-state-e0", "pvc-0")),
    )
    found = {(row.claim, row.phase, row.volume, row.planned) for row in rows(PLAN, seen)}
    assert (FIRST, "Bound", "pvc-1", True) in found
    assert ("whale-1-runtime-state-e0", "Released", "pvc-0", False) in found
    assert {row.claim for row in rows(PLAN, seen) if row.phase == "missing"} == set(CLAIMS) - {FIRST}
    assert callable(look)
