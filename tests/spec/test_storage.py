"""`mina-infra:storage`: what a stack file may say about the classes of its cluster, and how its mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mina_infra.plan import load_classes, load_stack
from mina_infra.spec import DiskType, Retention, SpecError, load_stack_spec, parse_storage, schema
from mina_infra.spec.stack_file import has_testnet

ROOT = Path(__file__).parents[2]
TARGET = {"provider": "gke", "region": "us-central1"}


def refused(**section: Any) -> str:
    with pytest.raises(SpecError) as caught:
        parse_storage(section)
    return str(caught.value)


def stack_with(folder: Path, storage: Any, *, testnet: bool = False) -> Path:
    config: dict[str, Any] = {"mina-infra:storage": storage}
    if testnet:
        config |= yaml.safe_load((ROOT / "Pulumi.qa.yaml").read_text())["config"]
        config["mina-infra:testnet"]["genesis"]["runtimeConfig"] = str(ROOT / "config/qa/daemon.json")
    file = folder / "Pulumi.cluster.yaml"
    file.write_text(yaml.safe_dump({"config": config}, sort_keys=False))
    return file


def test_a_target_is_enough() -> None:
    storage = parse_storage({"target": TARGET})
    assert storage.types == ()
    assert storage.retentions == (Retention.DELETE, Retention.RETAIN)
    assert parse_storage({"target": TARGET, "types": ["testnet-standard"]}).types == (DiskType.STANDARD,)


def test_mistakes_are_told_with_what_is_allowed() -> None:
    assert "Did you mean 'retentions'?" in refused(target=TARGET, retention=["delete"])
    assert "Did you mean 'standard'?" in refused(target=TARGET, types=["standart"])
    assert "at most 63 lower-case letters" in refused(target=TARGET, fixed={"Testnet_SSD": {"type": "ssd"}})
    assert "'delete' is listed twice" in refused(target=TARGET, retentions=["delete", "delete"])
    assert "target" in refused(types=["ssd"])


def test_a_stack_may_have_classes_and_no_testnet(tmp_path: Path) -> None:
    file = stack_with(tmp_path, {"target": TARGET})
    assert not has_testnet(file)
    assert load_classes(file) is not None
    with pytest.raises(SpecError, match="no testnet"):
        load_stack_spec(file)
    assert load_classes(ROOT / "Pulumi.qa.yaml") is None
    assert has_testnet(ROOT / "Pulumi.qa.yaml")


def test_mistakes_beside_a_testnet_are_told_with_their_line(tmp_path: Path) -> None:
    file = stack_with(tmp_path, {"target": {**TARGET, "classParameters": {"labls": "a=b"}}}, testnet=True)
    with pytest.raises(SpecError) as caught:
        load_stack(file)
    (issue,) = caught.value.issues
    assert (issue.line, "Did you mean 'labels'?" in issue.hint) == (7, True)
    assert load_stack(stack_with(tmp_path, {"target": TARGET}, testnet=True)).name == "qa"


def test_editors_know_the_section() -> None:
    validator = jsonschema.Draft202012Validator(json.loads((schema.FOLDER / "stack.schema.json").read_text()))
    good = {"target": TARGET, "types": ["testnet-ssd", "shared"], "fixed": {"testnet-ssd": {"type": "testnet-ssd"}}}
    assert list(validator.iter_errors({"config": {"mina-infra:storage": good}})) == []
    assert list(validator.iter_errors({"config": {"mina-infra:storage": {"target": TARGET, "types": ["sdd"]}}}))
    assert list(validator.iter_errors({"config": {}}))
