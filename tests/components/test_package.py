"""The Pulumi package that programs in other languages use: its files, its schema, and how values arrive from there."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import grpc
import pulumi
import pytest
import yaml
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc
from pydantic import BaseModel

import mina_infra
from components import Testnet, schema
from components import arguments as typed
from components.monitoring import MonitoringSettings
from mina_infra.spec.models import TestnetSpec
from mina_infra.spec.monitoring import Monitoring
from tests.components.conftest import ROOT
from tests.components.recording import Recording, provider, record

FOLDER = ROOT / "components"


def test_the_kept_schema_is_the_inferred_one() -> None:
    """After a change of the arguments: `python -m components.schema`, and review what users will see."""
    assert schema.FILE.read_text() == schema.text()


def test_the_schema_knows_every_type_in_full() -> None:
    """The analyser takes what it does not understand for an empty object, and drops its data silently."""
    inferred = schema.inferred()
    assert [name for name, kind in inferred["types"].items() if not kind.get("properties")] == []
    text = schema.text()
    assert "/kubernetes/v" not in text
    assert inferred["dependencies"] == []


def test_every_field_of_the_schema_is_described_for_its_users() -> None:
    inferred = schema.inferred()
    for name, kind in {**inferred["types"], **inferred["resources"]}.items():
        assert kind.get("description"), name
        fields = {**kind.get("properties", {}), **kind.get("inputProperties", {})}
        assert [f"{name}.{field}" for field, value in fields.items() if not value.get("description")] == []


def test_what_decides_how_many_objects_exist_is_plain() -> None:
    """An Output there would make the preview blind."""

    inferred = schema.inferred()
    for kind in inferred["types"].values():
        assert all(field.get("plain") for field in kind["properties"].values())
    for resource in inferred["resources"].values():
        assert all(field.get("plain") for field in resource["inputProperties"].values())


def test_the_package_is_called_and_counted_like_the_project() -> None:
    inferred = schema.inferred()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (inferred["name"], inferred["version"], inferred["namespace"]) == (
        "mina-infra",
        project["version"],
        "o1-labs",
    )
    assert mina_infra.__version__ == project["version"]
    assert set(inferred["resources"]) == {
        f"mina-infra:index:{name}"
        for name in ("Testnet", "RegionalStorageClasses", "GenesisLedger", "RoleDeployment", "SeedNodes", "Monitoring")
    }


def test_the_files_of_the_package() -> None:
    plugin = yaml.safe_load((FOLDER / "PulumiPlugin.yaml").read_text())
    # Without a toolchain, Pulumi searches upwards for lock files and may demand a tool that the user has not got.
    assert plugin == {"runtime": {"name": "python", "options": {"toolchain": "pip", "virtualenv": "venv"}}}
    # Installed with this folder as working directory: the library is the folder above.
    assert (FOLDER / "requirements.txt").read_text().split() == [".."]
    assert (FOLDER / "__main__.py").is_file()


def models_of(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation: NodeGroup for tuple[NodeGroup, ...], VolumeOverride for a dict of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := models_of(each))), None)


def typed_dict_of(annotation: Any) -> Any:
    if hasattr(annotation, "__required_keys__"):
        return annotation
    return next((found for each in get_args(annotation) if (found := typed_dict_of(each))), None)


def pairs(
    arguments: Any = typed.TestnetArgs, model: type[BaseModel] = TestnetSpec
) -> Iterator[tuple[Any, type[BaseModel]]]:
    """Every TypedDict with the model that checks it."""
    yield arguments, model
    hints = get_type_hints(arguments)
    for name, info in model.model_fields.items():
        inner = models_of(info.annotation)
        if inner is not None:
            yield from pairs(typed_dict_of(hints[name]), inner)


@pytest.mark.parametrize(
    ("arguments", "model"), [*pairs(), *pairs(MonitoringSettings, Monitoring)], ids=lambda each: each.__name__
)
def test_the_arguments_are_the_documents_fields(arguments: Any, model: type[BaseModel]) -> None:
    """Same names, and required where the document requires them: nothing that a stack file can say is out of reach."""
    assert set(get_type_hints(arguments)) == set(model.model_fields)
    assert set(arguments.__required_keys__) == {name for name, info in model.model_fields.items() if info.is_required()}
    assert get_origin(arguments) is None


def wired(value: Any) -> Any:
    """The value as it comes over the wire: every int is a float."""
    if isinstance(value, dict):
        return {key: wired(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [wired(inner) for inner in value]
    return float(value) if isinstance(value, int) else value


def constructed(component: str, inputs: dict[str, Any]) -> Recording:
    """What a program in another language would register: through Pulumi's own mapping of its inputs."""

    def program() -> None:
        opts = pulumi.ResourceOptions(provider=provider())
        schema.component_provider().construct("local", f"mina-infra:index:{component}", wired(inputs), opts)

    return record(program)


def test_a_testnet_from_another_language_is_the_same_testnet(document: Any) -> None:
    here = record(lambda: Testnet("local", document, pulumi.ResourceOptions(provider=provider())))
    there = constructed("Testnet", document)
    assert there.error is None
    assert {each.urn: each for each in there.objects} == {each.urn: each for each in here.objects}


@pytest.mark.parametrize("component", ["RegionalStorageClasses", "GenesisLedger", "SeedNodes", "RoleDeployment"])
def test_the_parts_can_be_built_from_another_language(component: str, document: Any) -> None:
    recording = constructed(component, {"testnet": document, "group": "whale"})
    assert recording.error is None
    assert recording.objects


def test_half_a_node_is_refused_with_its_path_in_the_text(document: Any) -> None:
    """Only the text of an error reaches other languages."""
    document["nodes"][1]["count"] = 2.5
    assert "nodes[1].count\n  found 2.5: must be a whole number" in str(constructed("Testnet", document).error)


def test_a_missing_input_is_named(document: Any) -> None:
    del document["nodes"][1]["role"]
    assert "nodes[1].role" in str(constructed("Testnet", document).error)


def test_the_package_starts_and_serves_its_schema_from_anywhere(tmp_path: Path) -> None:
    """As the engine starts it: `python <folder>`, in the folder of the consumer."""
    process = subprocess.Popen(
        [sys.executable, str(FOLDER), "127.0.0.1:9"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port.isdigit(), process.communicate()[1]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            answer = stub.GetSchema(provider_pb2.GetSchemaRequest(), timeout=30)
        assert json.loads(answer.schema)["resources"].keys() == schema.inferred()["resources"].keys()
    finally:
        process.kill()
        process.communicate()
