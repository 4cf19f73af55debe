"""The outputs document, schema 1: what was written by an old release is read for ever, and says no secret."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mina_infra.outputs import SCHEMA, OutputsDocument
from mina_infra.plan import load_stack, plan_testnet

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
FROZEN: dict[str, Any] = json.loads((HERE / "schema1.json").read_text())
FROZEN_FIELDS: dict[str, dict[str, dict[str, Any]]] = json.loads((HERE / "schema1.fields.json").read_text())
"""Fields of every part of schema 1 at its first release: their types and whether they are required. Never edited."""

STACKS = sorted(ROOT.glob("Pulumi.*.yaml"))


def test_a_document_of_the_first_release_is_read_and_written_unchanged() -> None:
    document = OutputsDocument.model_validate(FROZEN)
    written = document.to_json_value()
    assert within(written, FROZEN) == FROZEN
    assert document.nodes[1].stake == 6.5
    assert document.seeds[0].multiaddress.endswith(document.seeds[0].peer_id)
    assert document.claims[0].node is None
    assert document.thresholds.fork_depth == 5
    assert [node.name for node in document.daemons()] == ["seed-1", "whale-1", "archive-1"]


def within(written: Any, frozen: Any) -> Any:
    """What was written, as far as the first release knew of it: fields are added in every part."""
    if isinstance(frozen, dict):
        return {key: within(written[key], frozen[key]) for key in frozen}
    if isinstance(frozen, list):
        assert len(written) == len(frozen)
        return [within(*each) for each in zip(written, frozen, strict=True)]
    return written


def test_the_frozen_document_uses_every_field() -> None:
    """So that no field can be dropped without the test above failing."""
    parts = {
        "OutputsDocument": FROZEN, "NodeOutput": FROZEN["nodes"][0], "SeedOutput": FROZEN["seeds"][0],
        "ClaimOutput": FROZEN["claims"][0], "ChainOutput": FROZEN["chain"], "Thresholds": FROZEN["thresholds"],
    }  # fmt: skip
    assert {name: set(part) for name, part in parts.items()} == {
        name: set(each) for name, each in FROZEN_FIELDS.items()
    }


def fields_now() -> dict[str, dict[str, dict[str, Any]]]:
    """Type and requirement of each field of each part, as `schema1.fields.json` keeps them."""
    whole = OutputsDocument.model_json_schema()
    parts = {"OutputsDocument": whole, **whole["$defs"]}
    kept = ("type", "$ref", "anyOf", "items", "additionalProperties", "const", "enum")
    return {
        name: {
            field: {
                **{key: value[key] for key in kept if key in value},
                "required": field in part.get("required", ()),
            }
            for field, value in part["properties"].items()
        }
        for name, part in parts.items()
    }


def test_fields_are_only_ever_added_and_only_with_a_default() -> None:
    """Renaming, removing, retyping or demanding a field needs schema 2, which reads schema 1 as well."""
    now = fields_now()
    for part, fields in FROZEN_FIELDS.items():
        for name, field in fields.items():
            today = now[part][name]
            assert {**today, "required": None} == {**field, "required": None}, f"{part}.{name} has another type"
            assert field["required"] or not today["required"], f"{part}.{name} was optional"
        added = {name: field for name, field in now[part].items() if name not in fields}
        assert not [name for name, field in added.items() if field["required"]], f"new fields of {part} need a default"


def test_what_is_left_out_has_its_default() -> None:
    document: Any = copy.deepcopy(FROZEN)
    del document["thresholds"], document["postDeploy"], document["schema"]
    for node in document["nodes"]:
        for field in ("stake", "container", "ports", "peerId"):
            del node[field]
    read = OutputsDocument.model_validate(document)
    assert read.thresholds.fork_depth == 8
    assert read.post_deploy == []
    assert read.nodes[0].container == "mina"
    assert read.daemons() == []


def test_fields_of_a_later_release_are_passed_over() -> None:
    document: Any = copy.deepcopy(FROZEN)
    document["colour"] = "red"
    document["nodes"][0]["colour"] = "red"
    assert OutputsDocument.model_validate(document) == OutputsDocument.model_validate(FROZEN)


def test_a_document_of_another_schema_is_refused_not_guessed() -> None:
    assert SCHEMA == 1
    with pytest.raises(ValidationError, match="schema"):
        OutputsDocument.model_validate({**FROZEN, "schema": 2})


@pytest.mark.parametrize("file", STACKS, ids=lambda file: file.name)
def test_the_documents_of_our_stacks_survive_the_way_through_the_engine(file: Path) -> None:
    """The engine keeps numbers as floats and gives JSON back."""
    value = plan_testnet(load_stack(file)).outputs.to_json_value()
    text = json.dumps(value)
    assert OutputsDocument.model_validate_json(text).to_json_value() == value
    assert OutputsDocument.model_validate(json.loads(text, parse_int=float)).to_json_value() == value


@pytest.mark.parametrize("file", STACKS, ids=lambda file: file.name)
def test_the_document_says_no_secret(file: Path) -> None:
    """Nothing that a Secret holds or is named after; peer ids are public, their keys are not here."""
    plan = plan_testnet(load_stack(file))
    text = json.dumps(plan.outputs.to_json_value())
    for planned in plan.objects():
        if planned.manifest["kind"] == "Secret":
            for value in (planned.manifest.get("stringData") or planned.manifest.get("data") or {}).values():
                assert value not in text
            assert planned.manifest["metadata"]["name"] not in text
    keys = {key.lower() for part in fields_now().values() for key in part}
    assert not [key for key in keys if any(word in key for word in ("password", "secret", "private", "token"))]


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_junk_is_refused_by_validation_and_nothing_else(junk: Any) -> None:
    for document in (junk, {**FROZEN, "nodes": junk}, {**FROZEN, "thresholds": junk}):
        try:
            OutputsDocument.model_validate(document)
        except ValidationError:
            continue
