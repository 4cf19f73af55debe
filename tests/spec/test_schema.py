"""The JSON Schemas of `schema/`: kept as generated, complete, and agreeing with what the loader accepts."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mina_infra.plan import load_stack, plan_testnet
from mina_infra.spec import schema
from tests.spec.conftest import DOCUMENT

ROOT = Path(__file__).parents[2]
STACKS = sorted(ROOT.glob("Pulumi.*.yaml"))


def stack_validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((schema.FOLDER / "stack.schema.json").read_text()))


@pytest.mark.parametrize("name", ["stack.schema.json", "outputs.schema.json"])
def test_the_kept_schema_is_the_generated_one(name: str) -> None:
    """After a change of the models: `python -m mina_infra.spec.schema`."""
    assert (schema.FOLDER / name).read_text() == schema.files()[name]
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.files()[name]))


def test_nothing_else_lies_in_the_folder_of_schemas() -> None:
    assert {file.name for file in schema.FOLDER.iterdir()} == set(schema.files())


@pytest.mark.parametrize("name", ["stack.schema.json", "outputs.schema.json"])
def test_every_field_is_described(name: str) -> None:
    def bare(node: Any, path: str) -> Iterator[str]:
        for key, field in node.get("properties", {}).items():
            if not field.get("description"):
                yield f"{path}.{key}"
            yield from bare(field, f"{path}.{key}")

    whole = json.loads(schema.files()[name])
    assert [place for key, node in {"": whole, **whole["$defs"]}.items() for place in bare(node, key)] == []
    assert [key for key, node in whole["$defs"].items() if not node.get("description")] == []


@pytest.mark.parametrize("file", STACKS, ids=lambda file: file.name)
def test_our_stack_files_are_valid_and_name_the_schema(file: Path) -> None:
    stack_validator().validate(yaml.safe_load(file.read_text()))
    assert file.read_text().startswith("# yaml-language-server: $schema=./schema/stack.schema.json\n")


@pytest.mark.parametrize("file", STACKS, ids=lambda file: file.name)
def test_the_outputs_of_our_stacks_are_valid(file: Path) -> None:
    outputs = plan_testnet(load_stack(file)).outputs.to_json_value()
    jsonschema.Draft202012Validator(schema.outputs_schema()).validate(outputs)


def test_what_pulumi_and_others_keep_in_a_stack_file_is_allowed() -> None:
    stack = {
        "secretsprovider": "passphrase",
        "encryptionsalt": "v1:salt",
        "environment": ["shared"],
        "config": {"mina-infra:testnet": DOCUMENT, "aws:region": "us-east-1", "other:token": {"secure": "v1:x"}},
    }
    stack_validator().validate(stack)


BAD: list[tuple[tuple[str | int, ...], Any]] = [
    (("colour",), "red"),
    (("era",), 0),
    (("target", "provider"), "gkee"),
    (("volumes", "runtime-stat"), {}),
    (("volumes", "runtime-state", "size"), "4"),
    (("volumes", "runtime-state", "accessMode"), "RWX"),
    (("nodes",), []),
    (("nodes", 1, "cuont"), 3),
    (("nodes", 1, "count"), 2.5),
    (("nodes", 1, "bots"), "faucet"),
    (("nodes", 0, "identities", 0, "peerId"), "Qm"),
    (("thresholds", "syncedShare"), 90),
    (("ttl",), "3 days"),
    (("postDeploy", 0), "verfy"),
]


@pytest.mark.parametrize(("path", "value"), BAD, ids=lambda value: str(value))
def test_an_editor_underlines_what_the_loader_refuses(path: tuple[str | int, ...], value: Any) -> None:
    document: Any = copy.deepcopy(DOCUMENT)
    target = document
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    errors = list(stack_validator().iter_errors({"config": {"mina-infra:testnet": document}}))
    assert errors
    found = [tuple(error.absolute_path)[2:] for error in errors]
    assert any(path[: len(place)] == place for place in found), found


def test_a_stack_without_a_testnet_is_not_valid() -> None:
    assert not stack_validator().is_valid({"config": {"mina-infra:cluster": {"context": "c"}}})
    assert not stack_validator().is_valid({"config": {"mina-infra:testnet": DOCUMENT, "mina-infra:cluster": {}}})
