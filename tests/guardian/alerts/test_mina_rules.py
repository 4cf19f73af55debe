"""Mina's own 37 alert rules, executed at their thresholds, and the table that says what replaces each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mina_infra.guardian.alerts.groups import daemon_rules, groups, watch_metric_rules
from mina_infra.guardian.alerts.mina import RULES
from mina_infra.guardian.mina_alerts import ALERTS
from tests.guardian.alerts.judge import firing_at, judged, outputs
from tests.guardian.alerts.mina_cases import MINUTE, Valued, valued
from tests.guardian.alerts.recorded import simulated_names
from tools import alert_tables

WATCHDOG_AND_ARCHIVE = re.compile(r"Coda_(watchdog|Archive)_")


def one_test(case: Valued) -> dict[str, object]:
    firing = f'group by (alertname) (ALERTS{{alertstate="firing",alertname="{case.rule.name}"}})'
    return {
        "name": f"{case.rule.name} {case.where}: {case.value:g}",
        "interval": "1m",
        "input_series": [
            {"series": n, "values": v.replace("x900", f"x{MINUTE + 1}")} for n, v in case.series().items()
        ],
        "promql_expr_test": [firing_at(f"{MINUTE}m", (case.rule.name,) if case.fires else (), firing)],
    }


def test_each_of_the_37_fires_as_its_threshold_says(tool: Path, tmp_path: Path) -> None:
    cases = list(valued())
    assert len(cases) == 3 * 37
    found = groups(outputs(), profile="mina-alerts", watch=False)
    code, words = judged(tool, tmp_path, found, [one_test(case) for case in cases])
    assert code == 0, words


def test_each_of_the_37_is_seen_firing_and_not_firing() -> None:
    states: dict[str, set[bool]] = {}
    for case in valued():
        states.setdefault(case.rule.name, set()).add(case.fires)
    assert states == {name: {True, False} for name in ALERTS}


def test_all_37_are_there_once() -> None:
    assert [rule.name for rule in RULES] == list(ALERTS)
    assert len(RULES) == 37


def test_what_replaces_a_rule_exists() -> None:
    ours = {rule.name for rule in (*daemon_rules(outputs()), *watch_metric_rules(outputs()))}
    for rule in RULES:
        assert rule.replaced_by, rule.name
        assert set(rule.replaced_by) <= ours, rule.name
        assert rule.why, rule.name


def test_the_queries_use_metrics_that_exist() -> None:
    for group in groups(outputs(), profile="mina-alerts", watch=False):
        for rule in group["rules"]:
            used = set(re.findall(r"\bCoda_\w+", rule["expr"]))
            assert {name for name in used if not WATCHDOG_AND_ARCHIVE.match(name)} <= simulated_names(), rule["alert"]


@pytest.mark.parametrize("name", ["CriticallyLowMinWindowDensity", "LowMinWindowDensity"])
def test_the_density_alerts_latch(tool: Path, tmp_path: Path, name: str) -> None:
    """Why they are replaced: the least window since genesis never rises again, however well the network is."""
    series = [{"series": 'Coda_Transition_frontier_min_window_density{testnet="qa"}', "values": "60x20 28x2000"}]
    firing = f'group by (alertname) (ALERTS{{alertstate="firing",alertname="{name}"}})'
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [firing_at("30h", (name,), firing)]}
    code, words = judged(tool, tmp_path, groups(outputs(), profile="mina-alerts", watch=False), [test], every="30m")
    assert code == 0, words


def test_the_document_has_the_tables_of_the_rules() -> None:
    """`make schema` writes them anew."""
    assert alert_tables.FILE.read_text() == alert_tables.filled(alert_tables.FILE.read_text())
    assert alert_tables.FILE.read_text().count("\n| `") == 26 + 13 + 37 + 1
