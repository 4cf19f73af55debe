"""What a testnet registers with the engine: every planned object once, with exactly the planned options."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pulumi
import pytest

from components import Testnet
from mina_infra.outputs import OutputsDocument
from mina_infra.plan import PlannedObject, TestnetPlan, parse_document, plan_testnet
from mina_infra.spec import SpecError
from mina_infra.spec.pause import PAUSED
from tests.components.conftest import ROOT, STACKS, document_of
from tests.components.recording import Recording, Registration, kept_by, provider, record

STACK_NAMES = sorted(STACKS)


def deploy(document: Any, **options: Any) -> Recording:
    """The program of a stack: one testnet with the caller's provider."""
    return record(
        lambda: Testnet(document.get("name"), document, pulumi.ResourceOptions(provider=provider())), **options
    )


@cache
def recorded(stack: str) -> Recording:
    recording = deploy(document_of(stack))
    assert recording.error is None
    return recording


@cache
def planned(stack: str) -> TestnetPlan:
    return plan_testnet(parse_document(document_of(stack), base=ROOT))


def pairs(stack: str) -> list[tuple[PlannedObject, Registration]]:
    name = planned(stack).spec.name
    return [(each, recorded(stack).named(f"{name}-{each.key}")) for each in planned(stack).objects()]


@pytest.mark.parametrize("stack", STACK_NAMES)
def test_every_planned_object_is_registered_once_and_nothing_else(stack: str) -> None:
    names = [f"{planned(stack).spec.name}-{each.key}" for each in planned(stack).objects()]
    assert sorted(names) == sorted(each.name for each in recorded(stack).objects)
    urns = [each.urn for each in recorded(stack).registrations]
    assert len(set(urns)) == len(urns)


@pytest.mark.parametrize("stack", STACK_NAMES)
def test_the_manifest_reaches_the_engine_unchanged(stack: str) -> None:
    for each, registration in pairs(stack):
        assert registration.inputs == each.manifest, each.key
        group, _, version = each.manifest["apiVersion"].rpartition("/")
        assert registration.type == f"kubernetes:{group or 'core'}/{version}:{each.manifest['kind']}"


@pytest.mark.parametrize("stack", STACK_NAMES)
def test_the_callers_provider_is_used_and_never_a_default_one(stack: str) -> None:
    (own,) = (each for each in recorded(stack).registrations if each.type.startswith("pulumi:providers:"))
    assert {each.provider.rpartition("::")[0] for each in recorded(stack).objects} == {own.urn}
    assert all(each.version for each in recorded(stack).objects)


@pytest.mark.parametrize("stack", STACK_NAMES)
def test_protection_is_exactly_the_planned_one(stack: str) -> None:
    assert {each.key for each, registration in pairs(stack) if registration.protect} == {
        each.key for each in planned(stack).objects() if each.protect
    }
    assert not any(each.protect for each in recorded(stack).components)


@pytest.mark.parametrize("stack", STACK_NAMES)
def test_dependencies_are_exactly_the_planned_ones(stack: str) -> None:
    urn_of = {each.key: registration.urn for each, registration in pairs(stack)}
    for each, registration in pairs(stack):
        assert set(registration.dependencies) == {urn_of[key] for key in each.after}, each.key


@pytest.mark.parametrize("stack", STACK_NAMES)
def test_every_object_has_the_component_that_it_belongs_to_as_parent(stack: str) -> None:
    plan, recording = planned(stack), recorded(stack)
    kind_of = {each.urn: each.type.rpartition(":")[2] for each in recording.components}
    parents = {each.key: kind_of[registration.parent] for each, registration in pairs(stack)}
    for objects, parent in (
        (plan.base, "Testnet"),
        (plan.classes, "RegionalStorageClasses"),
        (plan.genesis, "GenesisLedger"),
    ):
        assert {parents[each.key] for each in objects} <= {parent}
    for group in plan.groups:
        assert {parents[each.key] for each in group.objects} == {
            "SeedNodes" if group.role == "seed" else "RoleDeployment"
        }
    (testnet,) = (each.urn for each in recording.components if each.type.endswith(":Testnet"))
    assert {each.parent for each in recording.components if each.urn != testnet} == {testnet}


@pytest.mark.parametrize("stack", STACK_NAMES)
def test_every_component_announces_its_outputs(stack: str) -> None:
    recording, plan = recorded(stack), planned(stack)
    assert {each.urn for each in recording.components} <= set(recording.finished)
    by_type = {each.type.rpartition(":")[2]: recording.finished[each.urn] for each in recording.components}
    document = OutputsDocument.model_validate(by_type["Testnet"]["document"])
    assert document.to_json_value() == plan.outputs.to_json_value()
    assert by_type["SeedNodes"]["multiaddresses"] == [seed.multiaddress for seed in plan.outputs.seeds]
    assert by_type["GenesisLedger"]["claims"] == [claim.name for claim in plan.outputs.claims if claim.node is None]


def test_the_number_of_resources_of_the_large_stack() -> None:
    """200 nodes; a component costs as much as a ConfigMap, so there are few of them."""
    assert len(planned("qa").outputs.nodes) == 200
    assert len(recorded("qa").components) == 4 + len([g for g in planned("qa").groups if g.role != "seed"])
    assert len(recorded("qa").objects) == len(planned("qa").objects()) < 500


def test_destroy_of_a_kept_testnet_leaves_volumes_and_no_workload() -> None:
    """`destroy --exclude-protected`, computed from what the engine would know."""
    registrations = recorded("release").registrations
    kept = kept_by(registrations)
    gone = {each.inputs["kind"] for each in recorded("release").objects if each.urn not in kept}
    left = {each.inputs["kind"] for each in recorded("release").objects if each.urn in kept}
    assert {"Deployment", "Job", "Service"} <= gone
    assert {"PersistentVolumeClaim", "StorageClass", "Namespace"} <= left
    assert not gone & {"PersistentVolumeClaim", "StorageClass", "Namespace", "PersistentVolume"}
    assert not left & {"Deployment", "Job", "Pod", "StatefulSet"}
    assert any(each.type.startswith("pulumi:providers:") for each in registrations if each.urn in kept)


@pytest.mark.parametrize("stack", ["local", "qa"])
def test_destroy_of_a_testnet_that_is_thrown_away_leaves_nothing(stack: str) -> None:
    assert kept_by(recorded(stack).registrations) == set()


def test_nothing_is_registered_when_the_document_is_bad(document: Any) -> None:
    document["nodes"][1]["cuont"] = 3
    recording = deploy(document)
    assert isinstance(recording.error, SpecError)
    assert "nodes[1].cuont" in str(recording.error)
    assert "Did you mean 'count'?" in str(recording.error)
    assert [each.type for each in recording.registrations] == ["pulumi:providers:kubernetes"]


def a_leaf_for_a_name() -> dict[str, Any]:
    return {"name": pulumi.Output.from_input("a")}


@pytest.mark.parametrize(
    "bad", [dict, lambda: None, list, a_leaf_for_a_name], ids=["empty", "nothing", "a-list", "a-leaf"]
)
def test_a_document_that_is_none_is_refused_as_such(bad: Callable[[], Any]) -> None:
    recording = record(lambda: Testnet("t", bad(), pulumi.ResourceOptions(provider=provider())))
    assert isinstance(recording.error, SpecError)
    assert recording.components == ()


def test_an_output_that_would_decide_what_exists_is_refused_by_its_path(document: Any) -> None:
    document["nodes"][1]["count"] = pulumi.Output.from_input(3)
    assert "nodes[1].count\n  found an Output: must be plain data" in str(deploy(document).error)


def test_without_a_provider_nothing_is_deployed(document: Any) -> None:
    """The default provider's cluster is whatever the environment says."""
    for opts in (None, pulumi.ResourceOptions()):
        recording = record(partial(Testnet, "local", document, opts))
        assert "no Kubernetes provider was given" in str(recording.error)
        assert recording.registrations == ()


def test_a_provider_of_something_else_is_no_kubernetes_provider(document: Any) -> None:
    def program() -> None:
        other = pulumi.ProviderResource("aws", "aws", {})
        Testnet("local", document, pulumi.ResourceOptions(provider=other))

    recording = record(program)
    assert "no Kubernetes provider was given" in str(recording.error)
    assert recording.components == ()


@pytest.mark.parametrize("how", ["provider", "list", "mapping", "parent"])
def test_every_way_to_give_a_provider_works(document: Any, how: str) -> None:
    def program() -> None:
        given = provider()
        opts = {
            "provider": lambda: pulumi.ResourceOptions(provider=given),
            "list": lambda: pulumi.ResourceOptions(providers=[given]),
            "mapping": lambda: pulumi.ResourceOptions(providers={"kubernetes": given}),
            "parent": lambda: pulumi.ResourceOptions(
                parent=pulumi.ComponentResource("my:index:World", "w", {}, pulumi.ResourceOptions(providers=[given]))
            ),
        }[how]()
        Testnet("local", document, opts)

    recording = record(program)
    assert recording.error is None
    assert all("::cluster::" in each.provider for each in recording.objects)


def test_two_testnets_in_one_program_do_not_clash(document: Any) -> None:
    """Neither in the engine nor in the cluster, whose classes and namespaces belong to all."""
    other: Any = {**copy.deepcopy(document), "name": "other"}

    def program() -> None:
        shared = provider()
        Testnet("local", document, pulumi.ResourceOptions(provider=shared))
        Testnet("other", other, pulumi.ResourceOptions(provider=shared))

    recording = record(program)
    assert recording.error is None
    urns = [each.urn for each in recording.registrations]
    assert len(set(urns)) == len(urns)
    places = [
        (each.inputs["kind"], each.inputs["metadata"].get("namespace"), each.inputs["metadata"]["name"])
        for each in recording.objects
    ]
    assert len(set(places)) == len(places)
    assert len(places) == 2 * len(recorded("local").objects)
    by_urn = {each.urn: each for each in recording.objects}
    for each in recording.objects:
        assert {by_urn[urn].name.partition("-")[0] for urn in each.dependencies} <= {each.name.partition("-")[0]}


def test_one_more_node_touches_only_its_own_objects(document: Any) -> None:
    """Not even the quota: its limits are coarse."""
    more = copy.deepcopy(document)
    assert more["nodes"][-1] == {"role": "plain"}
    more["nodes"][-1]["count"] = 2
    before = {each.urn: each for each in recorded("local").objects}
    after = {each.urn: each for each in deploy(more).objects}
    assert set(before) <= set(after)
    assert {each.name.removeprefix("local-") for urn, each in after.items() if urn not in before} == {
        "plain-2", "plain-2-p2p", "plain-2-runtime-state-e1",
    }  # fmt: skip
    assert [each.name for urn, each in before.items() if after[urn] != each] == []


def test_the_same_document_is_registered_the_same_twice() -> None:
    again = deploy(document_of("local"))
    assert {each.urn: each for each in again.registrations} == {
        each.urn: each for each in recorded("local").registrations
    }


def test_a_preview_registers_what_the_update_will(document: Any) -> None:
    """No unknown value decides anything."""
    preview = deploy(document, preview=True)
    assert preview.error is None
    assert {each.urn: each for each in preview.objects} == {each.urn: each for each in recorded("local").objects}


def test_a_changed_runtime_config_is_seen_within_one_process(document: Any, tmp_path: Any) -> None:
    """Plans are remembered, files are not: the path stays, the content changes."""
    config = tmp_path / "daemon.json"
    document["genesis"]["runtimeConfig"] = str(config)

    def config_map() -> str:
        (found,) = (each for each in deploy(document).objects if each.name == "local-daemon-config")
        return str(found.inputs["metadata"]["name"])

    config.write_text('{"genesis": {"genesis_state_timestamp": "2026-01-01T00:00:00Z"}}')
    first = config_map()
    config.write_text('{"genesis": {"genesis_state_timestamp": "2026-01-02T00:00:00Z"}}')
    assert config_map() != first


def test_a_run_may_stop_nodes_that_the_document_lets_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mina-infra pause` hands their names over; every component of the testnet sees them."""
    monkeypatch.setenv(PAUSED, "whale-1")
    recording = deploy(document_of("local"))
    replicas = {
        each.inputs["metadata"]["name"]: each.inputs["spec"]["replicas"]
        for each in recording.objects
        if each.inputs["kind"] == "Deployment"
    }
    assert {name for name, count in replicas.items() if count == 0} == {"whale-1"}
    assert len(replicas) > 1


@pytest.mark.parametrize("stack", STACK_NAMES)
def test_rule_39_the_engine_waits_as_long_as_the_plan_says(stack: str) -> None:
    for each, registration in pairs(stack):
        assert registration.timeout == (f"{each.timeout_s}s" if each.timeout_s else ""), each.key
