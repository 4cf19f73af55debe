"""`mina-infra cost` of plans; of clusters it is tested with a cluster (tests/engine/test_hygiene.py)."""

from __future__ import annotations

import json

import pytest

from mina_infra.cli.cost import _dated, _total
from tests.cli.conftest import Command


def test_a_plans_cost_is_told_by_class_with_the_date_of_the_prices(mina_infra: Command) -> None:
    answer = mina_infra("cost", "-s", "qa")
    assert (answer.code, answer.err) == (0, "")
    assert "qa: gke us-central1, as planned: 77.12 USD/month" in answer.out
    (total,) = [line.split() for line in answer.out.splitlines() if line.startswith("total")]
    assert total == ["total", "83", "436", "77.12"]
    assert "prices of 2026-08-20" in answer.out


def test_json_is_the_same_as_data(mina_infra: Command) -> None:
    data = json.loads(mina_infra("cost", "-s", "qa", "--json").out)["qa"]
    assert data["usd"] == pytest.approx(77.12)
    assert data["usd"] == pytest.approx(sum(line["usd"] for line in data["lines"]))
    assert (data["unknown_prices"], data["prices_of"]) == ([], "2026-08-20")


def test_two_stacks_and_another_type_are_compared(mina_infra: Command) -> None:
    answer = mina_infra("cost", "-s", "qa", "--compare", "release", "--type", "balanced")
    assert answer.code == 0
    assert "release instead of qa: -40.40 USD/month" in answer.out
    assert "qa on balanced instead of qa: -23.52 USD/month" in answer.out


def test_another_type_that_would_be_refused_is_refused(mina_infra: Command) -> None:
    answer = mina_infra("cost", "-s", "qa", "--type", "standard")
    assert answer.code == 1
    assert "a database needs 500" in answer.err
    assert answer.out == ""


def test_the_embedded_clusters_disks_cost_nothing(mina_infra: Command) -> None:
    answer = mina_infra("cost", "-s", "local")
    assert "as planned: 0.00 USD/month" in answer.out
    assert answer.out.endswith("\nnothing of this is billed: it lies on this machine\n")


@pytest.mark.parametrize(
    ("date", "unknown", "said"),
    [
        ("2026-08-20", ["ebs"], "prices of 2026-08-20: list prices of disks alone"),
        (None, ["ebs"], "no price list has any of these"),
        (None, [], "nothing of this is billed"),
    ],
)
def test_of_when_the_prices_are_is_told_where_there_are_any(date: str | None, unknown: list[str], said: str) -> None:
    assert _dated(date, unknown).startswith(said)
    assert "USD" not in _total(0.0, ["ebs"])
    assert _total(1.0, ["ebs"]).startswith("at least 1.00 USD/month")


def test_comparing_needs_a_plan(mina_infra: Command) -> None:
    answer = mina_infra("cost", "--type", "balanced")
    assert answer.code == 1
    assert "name it with -s STACK" in answer.err
