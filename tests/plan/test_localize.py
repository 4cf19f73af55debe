"""A stack made to run on the embedded cluster is still the same testnet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mina_infra.plan import localize, parse_document, plan_testnet
from tests.plan.testnets import ROOT, zoo


def stack(name: str) -> dict[str, Any]:
    data = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())
    document: dict[str, Any] = data["config"]["mina-infra:testnet"]
    return document


@pytest.mark.parametrize("name", ["local", "qa", "release"])
def test_every_stack_runs_on_the_embedded_cluster(name: str) -> None:
    original = plan_testnet(parse_document(stack(name), base=ROOT)).outputs
    spec = parse_document(localize(stack(name), ROOT), base=Path("/nowhere"))
    local = plan_testnet(spec).outputs
    assert (spec.target.provider, spec.target.zones) == ("local", ("local-a", "local-b"))
    assert local.chain.slot_ms == 1000
    assert local.seeds == original.seeds
    assert local.images == original.images
    assert [node.name for node in local.nodes] == [node.name for node in original.nodes]
    assert [claim.name for claim in local.claims] == [claim.name for claim in original.claims]


def test_the_document_itself_is_not_changed() -> None:
    document = stack("qa")
    localize(document, ROOT)
    assert document == stack("qa")


def test_slots_are_as_long_as_asked_and_the_rest_of_the_chain_stays() -> None:
    config = json.loads(localize(zoo(), ROOT, slot_ms=250)["genesis"]["runtimeConfig"])
    assert config["proof"]["block_window_duration_ms"] == 250
    assert config["genesis"]["k"] == 290


def test_slots_that_are_short_already_stay() -> None:
    document = zoo()
    config = {**json.loads(document["genesis"]["runtimeConfig"]), "proof": {"block_window_duration_ms": 250}}
    document["genesis"] = {**document["genesis"], "runtimeConfig": json.dumps(config)}
    local = json.loads(localize(document, ROOT)["genesis"]["runtimeConfig"])
    assert local["proof"]["block_window_duration_ms"] == 250


def test_what_belongs_to_a_cloud_is_left_behind() -> None:
    target = {"provider": "gke", "region": "us-central1", "diskFamily": "hyperdisk", "replication": "regional"}
    spec = parse_document(localize(zoo(target=target, volumes={"runtime-state": {"size": "8Gi"}}), ROOT), base=ROOT)
    assert (spec.target.disk_family, spec.target.replication) == ("persistent-disk", "zonal")


def test_python_spelling_is_understood_too() -> None:
    document = zoo()
    document["genesis"] = {
        "runtime_config": document["genesis"]["runtimeConfig"],
        "ledger": document["genesis"]["ledger"],
    }
    assert "runtime_config" not in localize(document, ROOT)["genesis"]
