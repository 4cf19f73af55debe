"""Components on their own in somebody else's stack, and the program and provider of our own."""

from __future__ import annotations

import json
import os
import re
import runpy
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import (
    COMPONENTS,
    GenesisLedger,
    RegionalStorageClasses,
    RoleDeployment,
    SeedNodes,
    cluster_provider,
    objects,
)
from mina_infra.outputs import OutputsDocument
from mina_infra.plan import parse_document, plan_testnet
from mina_infra.spec import SpecError
from tests.components.conftest import ROOT, document_of
from tests.components.recording import Recording, provider, record


def alone(component: Any, **args: Any) -> Recording:
    return record(lambda: component("mine", args, pulumi.ResourceOptions(provider=provider())))


def test_a_role_group_can_be_deployed_without_the_rest_of_its_testnet(document: Any) -> None:
    """What it depends on outside is somebody else's; what it depends on inside is waited for."""
    recording = alone(RoleDeployment, testnet=document, group="whale")
    assert recording.error is None
    plan = plan_testnet(parse_document(document, base=ROOT))
    (group,) = (group for group in plan.groups if group.name == "whale")
    assert {each.name for each in recording.objects} == {f"local-{each.key}" for each in group.objects}
    inside = {each.key for each in group.objects}
    urns = {each.name.removeprefix("local-"): each.urn for each in recording.objects}
    for each in group.objects:
        assert set(recording.named(f"local-{each.key}").dependencies) == {urns[k] for k in each.after if k in inside}
    (component,) = recording.components
    assert recording.finished[component.urn] == {"nodes": ["whale-1", "whale-2", "whale-3"]}


def test_a_group_that_is_not_there_is_named_with_those_that_are(document: Any) -> None:
    recording = alone(RoleDeployment, testnet=document, group="wale")
    assert "no node group 'wale'; the document has: seed, whale, fish" in str(recording.error)
    assert recording.components == ()


@pytest.mark.parametrize("component", [RegionalStorageClasses, GenesisLedger, SeedNodes])
def test_the_other_parts_can_be_used_on_their_own(component: Any, document: Any) -> None:
    recording = alone(component, testnet=document)
    assert recording.error is None
    assert recording.objects
    (own,) = recording.components
    assert all(recording.finished[own.urn].values())
    assert {each.parent for each in recording.objects} == {own.urn}


@pytest.mark.parametrize("component", [RegionalStorageClasses, GenesisLedger, SeedNodes, RoleDeployment])
def test_the_parts_refuse_a_bad_document_and_a_missing_provider_too(component: Any, document: Any) -> None:
    recording = alone(component, testnet={**document, "colour": "red"}, group="whale")
    assert isinstance(recording.error, SpecError)
    assert recording.components == ()
    recording = record(lambda: component("mine", {"testnet": document, "group": "whale"}))
    assert "no Kubernetes provider was given" in str(recording.error)
    assert recording.registrations == ()


def test_a_ledger_inside_the_runtime_config_registers_a_component_without_claims(document: Any) -> None:
    document["genesis"]["ledger"] = {"source": "config-map"}
    recording = alone(GenesisLedger, testnet=document)
    assert recording.error is None
    (own,) = recording.components
    assert recording.finished[own.urn] == {"claims": []}
    assert not [each for each in recording.objects if each.inputs["kind"] == "PersistentVolumeClaim"]


def test_type_tokens_are_forever() -> None:
    """Changing one without an alias replaces every resource below it."""
    tokens = [value for value in vars(objects).values() if isinstance(value, str) and value.startswith("mina-infra:")]
    assert tokens == [
        "mina-infra:index:Testnet", "mina-infra:index:RegionalStorageClasses", "mina-infra:index:GenesisLedger",
        "mina-infra:index:RoleDeployment", "mina-infra:index:SeedNodes", "mina-infra:index:Monitoring",
    ]  # fmt: skip
    assert [component.__name__ for component in COMPONENTS] == [
        "Testnet", "RegionalStorageClasses", "GenesisLedger", "RoleDeployment", "SeedNodes", "Monitoring",
    ]  # fmt: skip


def run_program(stack: str, cluster: dict[str, Any], more: dict[str, str] | None = None) -> Recording:
    """Run `__main__.py` with the configuration of a stack, as the engine hands it over."""

    def program() -> None:
        config = {"mina-infra:testnet": json.dumps(document_of(stack)), "mina-infra:cluster": json.dumps(cluster)}
        pulumi.runtime.set_all_config({**config, **(more or {})})
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")

    return record(program)


@pytest.mark.parametrize("stack", ["local", "release"])
def test_the_program_deploys_a_stack_on_the_cluster_of_its_configuration(
    monkeypatch: pytest.MonkeyPatch, stack: str
) -> None:
    monkeypatch.delenv("MINA_INFRA_ADOPT", raising=False)
    exported: dict[str, Any] = {}

    def export(name: str, value: pulumi.Output[Any]) -> None:
        value.apply(lambda known: exported.update({name: known}))

    monkeypatch.setattr(pulumi, "export", export)
    recording = run_program(stack, {"context": "here", "kubeconfig": "~/kube", "identifier": "id"})
    assert recording.error is None
    (own,) = (each for each in recording.registrations if each.type == "pulumi:providers:kubernetes")
    assert own.inputs == {"context": "here", "kubeconfig": os.path.expanduser("~/kube"), "clusterIdentifier": "id"}
    plan = plan_testnet(parse_document(document_of(stack), base=ROOT))
    assert OutputsDocument.model_validate(exported["testnet"]).to_json_value() == plan.outputs.to_json_value()


def test_the_program_adopts_only_when_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINA_INFRA_ADOPT", "1")
    recording = run_program("local", {"context": "here"})
    (own,) = (each for each in recording.registrations if each.type == "pulumi:providers:kubernetes")
    assert own.inputs["upsertExistingObjects"] in (True, "true")
    assert own.inputs["enablePatchForce"] in (True, "true")
    assert own.inputs["clusterIdentifier"] == "here"


def test_the_program_without_a_context_stops_before_anything() -> None:
    recording = run_program("local", {"kubeconfig": "x"})
    assert "mina-infra:cluster.context" in str(recording.error).replace('["mina-infra:cluster"]', "mina-infra:cluster")
    assert recording.registrations == ()
    assert callable(cluster_provider)


def test_the_program_stays_an_overview() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) <= 17


@pytest.mark.parametrize("file", sorted((ROOT / "components").glob("*.py")), ids=lambda file: file.name)
def test_no_module_of_components_has_lazy_annotations(file: Path) -> None:
    """Pulumi's analyser reads the annotations as types; with the future import they are text and it fails."""
    assert not re.search(r"^from __future__ import .*annotations", file.read_text(), re.MULTILINE)


@pytest.mark.parametrize("file", sorted((ROOT / "components").glob("*.py")), ids=lambda file: file.name)
def test_no_component_creates_anything_inside_apply(file: Path) -> None:
    """Such children are not waited for, and a preview does not show them."""
    assert ".apply(" not in file.read_text()


def test_the_project_names_what_the_configuration_is_called_after() -> None:
    assert yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"] == "mina-infra"
