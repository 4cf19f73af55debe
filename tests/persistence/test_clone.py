"""What a clone would do: who gets whose state, and what is refused before anything is touched."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mina_infra.persistence.clone import CloneRefusedError, claim_of, imported, pairs, plan_clone
from mina_infra.persistence.volumes import Contents, planned_claims
from mina_infra.plan import TestnetPlan, plan_testnet
from mina_infra.plan.genesis_digest import digest
from mina_infra.spec import Role, TestnetSpec
from tests.plan.testnets import PEERS, RUNTIME_CONFIG, plan, plans, zoo

SOURCE = plans()["zoo"]
OTHERS = [f"12D3KooW{letter * 44}" for letter in "PQRSTUVW"]


def target(**changes: Any) -> TestnetPlan:
    """The same testnet under another name and with identities of its own."""
    document = zoo(name="copy", **changes)
    for each in (identity for group in document["nodes"] for identity in group.get("identities", ())):
        each["peerId"] = OTHERS[PEERS.index(each["peerId"])]
    return plan(document)


def live(of: TestnetPlan, gib: int | None = None) -> Contents:
    """Every claim of a plan, bound to a volume of its own."""
    claims, volumes = {}, []
    for name, manifest in planned_claims(of).items():
        claim = copy.deepcopy(manifest)
        claim["spec"]["volumeName"] = f"pv-{name}"
        claim["status"] = {"phase": "Bound"}
        claims[name] = claim
        size = f"{gib}Gi" if gib else claim["spec"]["resources"]["requests"]["storage"]
        volumes.append({"metadata": {"name": f"pv-{name}"}, "spec": {"capacity": {"storage": size}}, "status": {}})
    return Contents(claims, tuple(volumes))


def names(spec: TestnetSpec) -> list[str]:
    return [name for group in spec.nodes for name in group.node_names()]


def test_the_same_document_gives_every_node_its_own_states_copy() -> None:
    assert pairs(SOURCE.spec, target().spec) == {name: name for name in names(SOURCE.spec)}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from(["whale", "shoal"]))
def test_nobody_gets_two_states_and_no_state_goes_twice(whales: int, plains: int, group: str) -> None:
    document = zoo(name="copy")
    document["nodes"][1] = {"role": "block-producer", "group": group, "count": whales, "stake": 5}
    document["nodes"][6]["count"] = plains
    spec = plan(document).spec
    found = pairs(SOURCE.spec, spec)
    assert len(set(found.values())) == len(found)
    roles = {name: each.role for testnet in (SOURCE.spec, spec) for each in testnet.nodes for name in each.node_names()}
    assert all(roles[mine] == roles[its] for mine, its in found.items())
    used = sum(1 for its in found.values() if its.startswith(("whale", "fish")))
    assert used == min(4, whales + 2), "as many producers as there are on both sides"


def test_map_goes_first() -> None:
    found = pairs(SOURCE.spec, target().spec, {"whale-1": "fish-2"})
    assert found["fish-2"] == "whale-1"
    assert "whale-1" not in [its for mine, its in found.items() if mine != "fish-2"]
    with pytest.raises(CloneRefusedError, match="no node of 'zoo'"):
        pairs(SOURCE.spec, target().spec, {"wale-1": "fish-2"})
    with pytest.raises(CloneRefusedError, match="two states"):
        pairs(SOURCE.spec, target().spec, {"whale-1": "fish-2", "whale-2": "fish-2"})


def test_every_nodes_own_volumes_are_copied_and_the_artefacts_are_not() -> None:
    todo = plan_clone(SOURCE, target(), live(SOURCE), Contents())
    kinds = {each.target["metadata"]["labels"]["mina-infra/volume"] for each in todo.copies}
    assert kinds == {"runtime-state", "postgres-state"}
    assert len(todo.copies) == sum("genesis" not in name for name in planned_claims(SOURCE))
    assert (todo.empty, todo.unused) == ((), ())


def test_more_nodes_than_before_begin_empty_and_fewer_leave_some_unused() -> None:
    document = target().spec
    more = document.model_copy(
        update={"nodes": tuple(g.model_copy(update={"count": 3}) if g.name == "plain" else g for g in document.nodes)}
    )
    todo = plan_clone(SOURCE, plan_testnet(more), live(SOURCE), Contents())
    assert todo.empty == ("plain-3",)
    back = plan_clone(plan_testnet(more), SOURCE, live(plan_testnet(more)), Contents())
    assert back.unused == ("plain-3",)


def test_nodes_without_state_are_neither_empty_nor_unused() -> None:
    """A copy with fewer workers was told of workers whose state nobody gets."""
    nodes = target().spec.nodes
    fewer = [group.model_copy(update={"count": 1}) if group.role is Role.SNARK_WORKER else group for group in nodes]
    assert sum(group.count for group in fewer) < sum(group.count for group in nodes)
    few = plan_testnet(target().spec.model_copy(update={"nodes": tuple(fewer)}))
    todo = plan_clone(SOURCE, few, live(SOURCE), Contents())
    assert (todo.empty, todo.unused) == ((), ())


def test_v28_the_claim_starts_from_a_snapshot_of_its_own_namespace() -> None:
    """The handle is imported, and what it stands for belongs to the source: Retain."""
    each = plan_clone(SOURCE, target(), live(SOURCE), Contents()).copies[0]
    content, snapshot = imported(each, "driver", "handle", target().spec)
    assert content["spec"]["deletionPolicy"] == "Retain"
    assert content["spec"]["source"] == {"snapshotHandle": "handle"}
    assert content["spec"]["volumeSnapshotRef"] == {"namespace": "copy", "name": snapshot["metadata"]["name"]}
    assert snapshot["spec"]["source"] == {"volumeSnapshotContentName": content["metadata"]["name"]}
    made = claim_of(each)
    assert made["metadata"] == each.target["metadata"]
    assert made["spec"].pop("dataSource")["name"] == snapshot["metadata"]["name"]
    assert made["spec"] == each.target["spec"]


def test_another_genesis_or_era_is_refused_with_both() -> None:
    chain = json.dumps({**RUNTIME_CONFIG, "ledger": {"name": "other"}})
    other = target(genesis={**zoo()["genesis"], "runtimeConfig": chain})
    with pytest.raises(CloneRefusedError) as caught:
        plan_clone(SOURCE, other, live(SOURCE), Contents())
    assert digest(SOURCE.spec) in str(caught.value)
    assert digest(other.spec) in str(caught.value)
    with pytest.raises(CloneRefusedError, match=r"era 1[\s\S]*era 2"):
        plan_clone(SOURCE, target(era=2), live(SOURCE), Contents())


def test_a_smaller_volume_is_refused_with_both_sizes() -> None:
    with pytest.raises(CloneRefusedError, match=r"asks for 2 GiB[\s\S]*has 9 GiB"):
        plan_clone(SOURCE, target(), live(SOURCE, gib=9), Contents())


def test_an_identity_of_the_source_is_refused() -> None:
    with pytest.raises(CloneRefusedError, match="identities of its own"):
        plan_clone(SOURCE, plan(zoo(name="copy")), live(SOURCE), Contents())


def test_a_testnet_is_not_cloned_into_itself_nor_over_state_that_is_there() -> None:
    with pytest.raises(CloneRefusedError, match="into itself"):
        plan_clone(SOURCE, SOURCE, live(SOURCE), Contents())
    with pytest.raises(CloneRefusedError, match="was not made by this clone"):
        plan_clone(SOURCE, target(), live(SOURCE), live(target()))
    foreign = Contents(namespace={"metadata": {"name": "copy", "labels": {}}})
    with pytest.raises(CloneRefusedError, match="somebody else"):
        plan_clone(SOURCE, target(), live(SOURCE), foreign)


def test_a_killed_clone_finds_what_it_had_made() -> None:
    first = plan_clone(SOURCE, target(), live(SOURCE), Contents())
    half = {each.target["metadata"]["name"]: claim_of(each) for each in first.copies[:3]}
    again = plan_clone(SOURCE, target(), live(SOURCE), Contents(claims=half))
    assert [each.made for each in again.copies[:4]] == [True, True, True, False]
    assert [each.name for each in again.wanted()] == [each.snapshot for each in first.copies[3:]]
