"""Plans that would lose a volume, with field, old and new value and recipe; growth and additions lose nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.plan import TestnetPlan
from mina_infra.plan.losses import Held, Loss, held, judge, losses, message, patterns, problems, resource_of
from tests.plan.testnets import of_kind, plan, zoo

CLAIM: dict[str, Any] = {
    "storageClassName": "ssd",
    "accessModes": ["ReadWriteOncePod"],
    "volumeMode": "Filesystem",
    "resources": {"requests": {"storage": "4Gi"}},
}
Document = dict[str, Any]
Edit = Callable[[Document], object]


def sized(storage: str) -> dict[str, Any]:
    return {**CLAIM, "resources": {"requests": {"storage": storage}}}


def told(planned: dict[str, Any], live: dict[str, Any]) -> list[str]:
    return [each.reason for each in problems("whale-1", planned, live)]


def deployed(old: TestnetPlan) -> list[Held]:
    """The claims of a plan as they are after its `up`."""
    return [
        held(each.manifest, (component, f"{old.spec.name}-{each.key}"))
        for component, each in old.registered()
        if each.manifest["kind"] == "PersistentVolumeClaim"
    ]


def lost(edit: Edit, **before: Any) -> tuple[Loss, ...]:
    """What an edit of the zoo would lose."""
    document = zoo(**before)
    old = plan(copy.deepcopy(document))
    edit(document)
    return losses(deployed(old), [plan(document)], classes=classes(old))


def classes(of: TestnetPlan) -> set[str]:
    return {each.manifest["metadata"]["name"] for each in of_kind(of, "StorageClass")}


def test_an_unchanged_claim_is_fine_whatever_the_api_server_added() -> None:
    assert told(CLAIM, {**CLAIM, "volumeName": "pvc-1"}) == []


@pytest.mark.parametrize(("old", "new"), [("4Gi", "4Gi"), ("4Gi", "5Gi"), ("4294967296", "4Gi"), ("4096Mi", "4Gi")])
def test_rule_23_growth_and_another_spelling_are_fine(old: str, new: str) -> None:
    assert told(sized(new), sized(old)) == []


def test_v15_shrinking_is_refused_with_both_sizes() -> None:
    found = list(problems("whale-1", sized("3Gi"), sized("4Gi")))
    assert message(found).splitlines()[1] == (
        "claim 'whale-1': disks cannot shrink (4Gi -> 3Gi). Keep 4Gi, or move to a new volume."
    )


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_exactly_the_smaller_size_is_refused(old: int, new: int) -> None:
    assert bool(told(sized(f"{new}Mi"), sized(f"{old}Mi"))) == (new < old)


@pytest.mark.parametrize(
    "field",
    ["storageClassName", "accessModes", "volumeMode", "selector", "volumeName", "dataSource", "dataSourceRef"],
)
def test_v16_a_fixed_field_is_refused_with_old_and_new_value(field: str) -> None:
    (problem,) = told({**CLAIM, field: ["new"]}, {**CLAIM, field: ["old"]})
    assert f"changing {field} from old to new" in problem
    assert "lose its data" in problem


HARMLESS: list[tuple[str, Edit]] = [
    ("nothing", lambda document: None),
    ("another image", lambda document: document.update(image="registry.example/mina-daemon:3.1.0")),
    ("growth", lambda document: document.update(volumes={"runtime-state": {"size": "9Gi"}})),
    ("another node", lambda document: document["nodes"][1].update(count=3)),
    ("another group", lambda document: document["nodes"].append({"role": "plain", "group": "more"})),
    (
        "another role, the same group",
        lambda document: document["nodes"][6].update(role="block-producer", group="plain"),
    ),
]


@pytest.mark.parametrize("edit", [each[1] for each in HARMLESS], ids=[each[0] for each in HARMLESS])
def test_rule_23_what_keeps_every_claim_loses_nothing(edit: Edit) -> None:
    assert lost(edit) == ()


def drop(index: int) -> Edit:
    return lambda document: document["nodes"].pop(index)


def node(index: int, **changes: Any) -> Edit:
    return lambda document: document["nodes"][index].update(changes)


LOSSES: list[tuple[str, Edit, set[str], str]] = [
    (
        "count", node(1, count=1), {"whale-2-runtime-state-e1"},
        "count of 'whale' 2 -> 1 deletes it and its data. Keep count: 2.",
    ),
    (
        "group", drop(6), {"plain-1-runtime-state-e1", "plain-2-runtime-state-e1"},
        "group plain -> none deletes it and its data. Keep the group and its name.",
    ),
    (
        "renamed group", node(6, group="late"), {"plain-1-runtime-state-e1", "plain-2-runtime-state-e1"},
        "group plain -> none deletes it",
    ),
    (
        "existing claim",
        node(6, overrides={"plain-1": {"volumes": {"runtime-state": {"existingClaim": "rescued"}}}}),
        {"plain-1-runtime-state-e1"},
        "claim planned -> not planned deletes it and its data. Keep what plans it: no existingClaim",
    ),
    (
        "a role without a database", node(5, role="plain", group="archive"),
        {"archive-1-postgres-state-e1", "archive-2-postgres-state-e1"}, "claim planned -> not planned",
    ),
    (
        "a seed no more", lambda document: document["nodes"].insert(
            0, {**document["nodes"].pop(0), "group": "entry"}),
        {f"seed-{index}-runtime-state-e1" for index in (1, 2, 3)}, "group seed -> none",
    ),
    (
        "another source", lambda document: document["genesis"]["ledger"].update(source="init-copy"),
        {"genesis-ledger-e1"}, "claim planned -> not planned",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "claims", "reason"), [each[1:] for each in LOSSES], ids=[each[0] for each in LOSSES])
def test_rule_23_a_claim_that_leaves_the_plan_is_named_with_its_reason(
    edit: Edit, claims: set[str], reason: str
) -> None:
    found = lost(edit)
    assert {each.claim for each in found} == claims
    assert all(reason in each.reason and each.leaves for each in found), [each.reason for each in found]


def test_rule_23_a_new_era_names_every_claim_of_the_old_one() -> None:
    found = lost(lambda document: document.update(era=2))
    assert {each.claim for each in found} == {each.name for each in deployed(plan(zoo()))}
    assert {each.reason for each in found} == {
        "era 1 -> 2 deletes it and its data. Keep it beside the new one with `keptEras: [1]`."
    }


def test_rule_23_another_name_or_cluster_loses_everything() -> None:
    everything = {each.name for each in deployed(plan(zoo()))}
    renamed = lost(lambda document: document.update(name="ark"))
    assert {each.claim for each in renamed} == everything
    assert {(each.field, each.old, each.new) for each in renamed} == {("name", "zoo", "ark")}
    elsewhere = losses(deployed(plan(zoo())), [plan(zoo())], moved=("here", "there"))
    assert {each.claim for each in elsewhere} == everything
    assert "another cluster ('here' -> 'there')" in elsewhere[0].reason


def test_rule_23_the_engine_finds_a_claim_by_its_component_and_name() -> None:
    """A seed group that becomes another role keeps its claims' names, but the engine would make them anew."""
    old = plan(zoo())
    moved = [Held(each.namespace, each.name, each.spec, each.labels, ("SeedNodes", each.resource[1])) if each.resource
             and each.name.startswith("plain-1") else each for each in deployed(old)]  # fmt: skip
    (loss,) = losses(moved, [old])
    assert (loss.claim, loss.field) == ("plain-1-runtime-state-e1", "resource")
    assert "from SeedNodes zoo-plain-1" in loss.reason
    assert resource_of(
        "urn:pulumi:qa::mina-infra::mina-infra:index:Testnet$mina-infra:index:SeedNodes"
        "$kubernetes:core/v1:PersistentVolumeClaim::qa-seed-1-runtime-state-e1"
    ) == ("SeedNodes", "qa-seed-1-runtime-state-e1")


def test_a_class_that_leaves_under_its_volume_is_refused() -> None:
    """The claim says the class by name from now on, and the testnet makes it no more."""
    name = next(iter(each.spec["storageClassName"] for each in deployed(plan(zoo())) if "postgres" in each.name))
    only = [each for each in deployed(plan(zoo())) if "postgres" in each.name]
    document = zoo(volumes={"runtime-state": {"type": "balanced"}}, roles={
        "archive": {"volumes": {"postgres-state": {"storageClass": name}}}})  # fmt: skip
    document["roles"]["archive"]["volumes"]["postgres-state"]["type"] = "balanced"
    found = losses(only, [plan(document)], classes={name})
    assert {each.field for each in found} == {"storage class"}
    assert "without it the volume can never grow" in found[0].reason


def test_what_the_engine_has_not_on_record_it_does_not_delete() -> None:
    stray = Held("zoo", "whale-9-runtime-state-e1", CLAIM, {"class": "whale", "app": "whale-9"})
    assert losses([stray], [plan(zoo())]) == ()


def test_but_the_namespace_takes_everything_along() -> None:
    (loss,) = losses([Held("ark", "rescued", CLAIM)], [plan(zoo())])
    assert (loss.claim, loss.field) == ("rescued", "name")


def test_what_is_not_on_record_cannot_be_allowed() -> None:
    unrecorded = [Held(each.namespace, each.name, each.spec, each.labels) for each in deployed(plan(zoo()))]
    shrunk = plan(zoo(volumes={"runtime-state": {"size": "1Gi"}}))
    verdict = judge(losses(unrecorded, [shrunk]), ["*"])
    assert verdict.allowed == ()
    assert all("mina-infra recover" in each.recipe for each in verdict.refused)
    assert "--allow-volume" not in message(verdict.refused)


def test_only_named_claims_may_be_lost() -> None:
    found = lost(node(1, count=1)) + lost(drop(6))
    verdict = judge(found, ["whale-*", "fish-1-*", "plain-2-runtime-state-e1"])
    assert [each.claim for each in verdict.refused] == ["plain-1-runtime-state-e1"]
    assert {each.claim for each in verdict.allowed} == {"whale-2-runtime-state-e1", "plain-2-runtime-state-e1"}
    assert verdict.idle == ("fish-1-*",)


def test_an_allow_list_is_separated_by_commas() -> None:
    assert patterns(" whale-3-*, *-e1 ,,") == ("whale-3-*", "*-e1")
    assert patterns("") == ()


def test_one_line_for_each_reason_names_its_volumes() -> None:
    text = message(lost(lambda document: document.update(era=2)), shown=2)
    head, line, way_out = text.splitlines()
    assert head == "nothing was changed; 18 volumes would be lost:"
    assert line.startswith("claims 'genesis-ledger-e1', 'seed-1-runtime-state-e1' and 16 more: era 1 -> 2")
    assert "--allow-volume 'archive-1-postgres-state-e1'" in way_out
    assert "18 volumes" in message(lost(lambda document: document.update(era=2)), shown=None)
