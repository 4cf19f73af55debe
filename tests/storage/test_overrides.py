"""Claim templates: what a user changes for all nodes, for a role, for a group, for one node.

Tests named test_vN hold the refusals VN of docs/facts.md, test_rule_N its rules N.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.plan import TestnetPlan
from mina_infra.plan.summary import summarize, to_text
from mina_infra.spec import Issue, SpecError
from mina_infra.storage import cost
from mina_infra.storage.quota import storage_quota
from tests.plan.testnets import nodes, of_kind, plan, zoo

ARCHIVE = 5
"""Index of the archive group, archive-1 and archive-2, in the document with every role."""


def documents(**places: dict[str, Any]) -> dict[str, Any]:
    """The document with the volumes of the four places: top, role, group, node (archive-2)."""
    document = zoo()
    document["volumes"] = places.get("top", {})
    document["roles"] = {"archive": {"volumes": places.get("role", {})}}
    document["nodes"][ARCHIVE]["volumes"] = places.get("group", {})
    document["nodes"][ARCHIVE]["overrides"] = {"archive-2": {"volumes": places.get("node", {})}}
    return document


def claims(planned: TestnetPlan) -> dict[str, dict[str, Any]]:
    return {
        each.manifest["metadata"]["name"]: each.manifest["spec"] for each in of_kind(planned, "PersistentVolumeClaim")
    }


def size(planned: TestnetPlan, claim: str) -> str:
    return str(claims(planned)[claim]["resources"]["requests"]["storage"])


def mounted(planned: TestnetPlan, node: str, volume: str) -> str:
    found = next(each for each in nodes(planned) if each.name == node)
    return str(found.volume(volume)["persistentVolumeClaim"]["claimName"])


def refused(document: dict[str, Any]) -> Issue:
    with pytest.raises(SpecError) as caught:
        plan(document)
    (issue,) = caught.value.issues
    return issue


@given(st.sets(st.sampled_from(["top", "role", "group", "node"])))
def test_the_nearest_place_wins(said: set[str]) -> None:
    sizes = {"top": 10, "role": 20, "group": 30, "node": 40}
    planned = plan(documents(**{place: {"postgres-state": {"size": f"{sizes[place]}Gi"}} for place in said}))
    expected = max((sizes[place] for place in said), default=8)
    others = max((sizes[place] for place in said - {"node"}), default=8)
    assert size(planned, "archive-2-postgres-state-e1") == f"{expected}Gi"
    assert size(planned, "archive-1-postgres-state-e1") == f"{others}Gi"


def test_what_a_nearer_place_does_not_say_comes_from_a_farther_one() -> None:
    planned = plan(
        documents(
            top={"postgres-state": {"type": "balanced"}},
            role={"postgres-state": {"size": "20Gi"}},
            node={"postgres-state": {"accessMode": "ReadWriteOnce"}},
        )
    )
    claim = claims(planned)["archive-2-postgres-state-e1"]
    assert claim["storageClassName"].startswith("zoo-balanced-")
    assert claim["resources"]["requests"]["storage"] == "20Gi"
    assert claim["accessModes"] == ["ReadWriteOnce"]
    assert claims(planned)["archive-1-postgres-state-e1"]["accessModes"] == ["ReadWriteOncePod"]


def test_a_role_is_changed_in_all_its_groups() -> None:
    planned = plan(zoo(roles={"block-producer": {"volumes": {"runtime-state": {"size": "9Gi"}}}}))
    grown = {name for name in claims(planned) if size(planned, name) == "9Gi"}
    assert grown == {f"{node}-runtime-state-e1" for node in ("whale-1", "whale-2", "fish-1", "fish-2")}


def test_a_change_for_one_node_touches_no_other_object() -> None:
    before = {each.key: each for each in plan(zoo()).objects()}
    after = {
        each.key: each for each in plan(documents(node={"postgres-state": {"accessMode": "ReadWriteOnce"}})).objects()
    }
    assert [key for key in before if before[key] != after[key]] == ["archive-2-postgres-state-e1"]


def test_one_kind_of_volume_can_outlive_a_testnet_that_does_not() -> None:
    planned = plan(zoo(roles={"archive": {"volumes": {"postgres-state": {"retention": "retain"}}}}))
    kept = {each.key for each in planned.objects() if each.protect}
    assert kept == {"namespace", "class-ssd-retain", "archive-1-postgres-state-e1", "archive-2-postgres-state-e1"}
    assert planned.keeps
    policies = {each.key: each.manifest["reclaimPolicy"] for each in planned.classes}
    assert policies == {"class-ssd": "Delete", "class-ssd-retain": "Retain", "class-shared": "Delete"}
    retention = {claim.kind: claim.retention for claim in planned.outputs.claims}
    assert retention == {"genesis-ledger": "delete", "runtime-state": "delete", "postgres-state": "retain"}
    assert {row.kind: row.retention for row in summarize(planned).volumes} == retention


def test_one_kind_of_volume_can_go_while_the_others_stay() -> None:
    planned = plan(zoo(retention="retain", volumes={"runtime-state": {"retention": "delete"}}))
    open_ = {each.key for each in planned.objects() if each.key.endswith("-runtime-state-e1") and not each.protect}
    assert len(open_) == 15
    assert all(each.protect for each in planned.objects() if each.key.endswith("-postgres-state-e1"))


def test_a_class_of_the_cluster_is_used_as_it_is() -> None:
    planned = plan(zoo(volumes={"runtime-state": {"storageClass": "premium-rwo"}}))
    assert claims(planned)["whale-1-runtime-state-e1"]["storageClassName"] == "premium-rwo"
    names = {each.manifest["metadata"]["name"] for each in planned.classes}
    assert "premium-rwo" not in names
    assert all("class-" not in key for each in planned.objects() if each.key == "whale-1-runtime-state-e1"
               for key in each.after)  # fmt: skip


def test_an_existing_claim_is_mounted_and_none_is_made() -> None:
    planned = plan(documents(node={"runtime-state": {"existingClaim": "rescued"}}))
    assert mounted(planned, "archive-2", "config-dir") == "rescued"
    assert "archive-2-runtime-state-e1" not in claims(planned)
    assert "rescued" not in claims(planned)
    assert "archive-2-postgres-state-e1" in claims(planned)
    assert "rescued" not in {claim.name for claim in planned.outputs.claims}


def test_a_namespace_with_somebody_elses_claim_is_never_deleted() -> None:
    planned = plan(documents(node={"runtime-state": {"existingClaim": "rescued"}}))
    assert [each.key for each in planned.objects() if each.protect] == ["namespace"]


def test_an_existing_claim_costs_the_testnet_nothing_but_fills_its_quota() -> None:
    before, after = plan(zoo()), plan(documents(node={"postgres-state": {"existingClaim": "rescued"}}))
    gib = {name: sum(line.gib for line in cost.monthly(each.spec).lines) for name, each in
           (("before", before), ("after", after))}  # fmt: skip
    assert gib["before"] - gib["after"] == 8
    assert storage_quota(before.spec) == storage_quota(after.spec)


def test_an_existing_volume_is_bound_by_name_and_by_no_class() -> None:
    planned = plan(documents(node={"postgres-state": {"existingVolume": "pvc-1234", "size": "20Gi"}}))
    claim = claims(planned)["archive-2-postgres-state-e1"]
    assert (claim["volumeName"], claim["storageClassName"]) == ("pvc-1234", "")
    assert "volumeName" not in claims(planned)["archive-1-postgres-state-e1"]
    assert "(existing volume)" in to_text(summarize(planned))


def test_an_existing_volume_of_a_class_is_bound_with_that_class() -> None:
    override = {"existingVolume": "pvc-1234", "storageClass": "zoo-ssd-retained"}
    claim = claims(plan(documents(node={"postgres-state": override})))["archive-2-postgres-state-e1"]
    assert (claim["volumeName"], claim["storageClassName"]) == ("pvc-1234", "zoo-ssd-retained")


@pytest.mark.parametrize("key", ["existingClaim", "existingVolume"])
def test_v2_one_existing_volume_for_several_nodes(key: str) -> None:
    issue = refused(documents(group={"postgres-state": {key: "rescued"}}))
    assert issue.path == ("nodes", ARCHIVE, "volumes", "postgres-state", key)
    assert "holds one node's state but 2 nodes would mount it (archive-1, archive-2)" in issue.message


def test_v2_is_seen_across_groups() -> None:
    document = documents(node={"runtime-state": {"existingClaim": "rescued"}})
    document["nodes"][6]["overrides"] = {"plain-1": {"volumes": {"runtime-state": {"existingClaim": "rescued"}}}}
    assert "2 nodes would mount it (archive-2, plain-1)" in refused(document).message


def test_rule_21_a_claim_of_another_node_is_not_an_existing_one() -> None:
    issue = refused(documents(node={"runtime-state": {"existingClaim": "whale-1-runtime-state-e1"}}))
    assert "is the name of the claim that the testnet makes for whale-1" in issue.message


@pytest.mark.parametrize("key", ["existingClaim", "existingVolume", "storageClass"])
def test_v28_a_name_of_another_namespace(key: str) -> None:
    issue = refused(documents(node={"runtime-state": {key: "other/rescued"}}))
    assert issue.path == ("nodes", ARCHIVE, "overrides", "archive-2", "volumes", "runtime-state", key)
    assert "claims cannot be shared between namespaces" in issue.message


@pytest.mark.parametrize("more", [{"size": "4Gi"}, {"type": "ssd"}, {"retention": "retain"}, {"existingVolume": "v"}])
def test_an_existing_claim_is_used_as_it_is(more: dict[str, str]) -> None:
    issue = refused(documents(node={"runtime-state": {"existingClaim": "rescued", **more}}))
    assert issue.path[-1] == next(iter(more))


def test_the_genesis_artefacts_have_no_existing_claim_to_fill() -> None:
    issue = refused(zoo(volumes={"genesis-ledger": {"existingClaim": "rescued"}}))
    assert "is filled by a Job" in issue.message


def test_a_node_that_the_group_has_not_got() -> None:
    document = zoo()
    document["nodes"][1]["overrides"] = {"whale-3": {"volumes": {"runtime-state": {"size": "9Gi"}}}}
    issue = refused(document)
    assert issue.path == ("nodes", 1, "overrides", "whale-3")
    assert "group 'whale' has no node 'whale-3'" in issue.message
    assert "whale-1 to whale-2" in issue.hint


def test_a_volume_that_the_role_has_not_got() -> None:
    issue = refused(zoo(roles={"seed": {"volumes": {"postgres-state": {"size": "9Gi"}}}}))
    assert issue.path == ("roles", "seed", "volumes", "postgres-state")
    assert "a seed has no postgres-state" in issue.message


@pytest.mark.parametrize("place", ["role", "group", "node"])
def test_what_all_share_cannot_differ(place: str) -> None:
    issue = refused(documents(**{place: {"genesis-ledger": {"size": "9Gi"}}}))
    assert f"cannot differ for one {place}" in issue.message


@pytest.mark.parametrize("place", ["top", "role", "group", "node"])
def test_a_mistake_is_said_where_it_was_made(place: str) -> None:
    paths: dict[str, tuple[str | int, ...]] = {
        "top": (),
        "role": ("roles", "archive"),
        "group": ("nodes", ARCHIVE),
        "node": ("nodes", ARCHIVE, "overrides", "archive-2"),
    }
    issue = refused(documents(**{place: {"postgres-state": {"accessMode": "ReadWriteMany"}}}))
    assert issue.path == (*paths[place], "volumes", "postgres-state", "accessMode")
