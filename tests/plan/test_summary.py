"""What `mina-infra plan` tells (docs/facts.md: rule/43)."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from mina_infra.plan.summary import headline, summarize, to_text
from tests.plan.testnets import plan, plans, zoo


def test_the_headline_counts_nodes_objects_and_money() -> None:
    assert headline(summarize(plans()["qa"])) == (
        "200 nodes (2 seed, 75 block-producer, 1 snark-coordinator, 120 snark-worker, 2 archive), "
        "375 objects, 436 GiB, 77.12 USD/month"
    )


def test_rule_43_claims_sizes_class_cost_retention_and_attach_slots_are_told() -> None:
    text = to_text(summarize(plans()["release"]))
    (row,) = [line for line in text.splitlines() if line.startswith("runtime-state")]
    _kind, name, claims, each, gib, usd, mode, retention = row.split()
    assert name.startswith("release-balanced-us-east1-")
    assert (claims, each, gib, usd) == ("14", "10", "140", "14.00")
    assert (mode, retention) == ("ReadWriteOncePod", "retain")
    assert "retention retain: volumes stay" in text
    assert "attach slots: 16 block disks, at most 2 a pod" in text
    assert "2026-08-20" in text


def test_a_size_below_the_providers_minimum_is_shown_as_billed() -> None:
    (row,) = [row for row in summarize(plans()["qa"]).volumes if row.kind == "genesis-ledger"]
    assert (row.product, row.gib, row.usd) == ("filestore-basic-hdd", 100, 20.0)


def test_secrets_that_must_exist_are_listed_alike_ones_together() -> None:
    rows = {row.names: row for row in summarize(plans()["qa"]).secrets}
    assert rows["fish-{1..60}-wallet"].count == 60
    assert rows["seed-{1..2}-libp2p"].keys == ("key", "pub")
    assert rows["snark-coordinator-1-wallet"].keys == ("pub",)
    assert rows["passphrases"].keys == ("libp2p", "wallet")


def test_the_embedded_cluster_is_told_without_prices() -> None:
    text = to_text(summarize(plans()["local"]))
    assert "attach slots" not in text
    assert "directories of this machine" in text


@pytest.mark.parametrize("name", ["local", "qa", "release", "zoo"])
def test_the_data_form_is_plain_and_adds_up(name: str) -> None:
    data = json.loads(json.dumps(asdict(summarize(plans()[name]))))
    assert data["nodes"] == sum(group["nodes"] for group in data["groups"])
    assert data["gib"] == sum(row["gib"] for row in data["volumes"])
    assert data["usd"] == pytest.approx(sum(row["usd"] for row in data["volumes"]))


def test_tables_fit_a_wide_terminal() -> None:
    for planned in (*plans().values(), plan(zoo(name="a" * 30))):
        assert all(len(line) <= 140 for line in to_text(summarize(planned)).splitlines()[1:])
