"""The rules made from the criteria, judged by promtool: exactly which alerts fire, and which come near."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import yaml

from mina_infra.guardian.alerts.groups import daemon_rules, groups, watch_metric_rules
from mina_infra.guardian.alerts.rule import Pace
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.watch.metrics import METRICS
from mina_infra.outputs import ChainOutput
from tests.guardian.alerts.cases import CASES
from tests.guardian.alerts.judge import case_test, judged, outputs
from tests.guardian.alerts.recorded import simulated_names

ARCHIVE = {f"Coda_Archive_{name}" for name in ("max_block_height", "missing_blocks", "unparented_blocks")}
"""Of the archive process, which nobody simulates."""


def test_each_rule_fires_when_it_should_and_no_other_does(tool: Path, tmp_path: Path) -> None:
    cases = [case for case in CASES if not case.watched]
    tests = [case_test(case) for case in cases]
    code, words = judged(tool, tmp_path, groups(outputs(), watch=False), tests, every="6m")
    assert code == 0, words


def test_each_rule_on_the_watch_fires_when_it_should_and_no_other_does(tool: Path, tmp_path: Path) -> None:
    cases = [case for case in CASES if case.watched]
    code, words = judged(tool, tmp_path, groups(outputs())[1:], [case_test(case) for case in cases])
    assert code == 0, words


def test_a_case_that_expects_the_wrong_thing_is_noticed(tool: Path, tmp_path: Path) -> None:
    """The cases prove something: turned round, each fails."""
    quiet, loud = (next(case for case in CASES[1:] if bool(case.fires) is fires) for fires in (False, True))
    for wrong in (replace(quiet, fires=("ChainHalted",)), replace(loud, fires=())):
        code, words = judged(tool, tmp_path, groups(outputs(), watch=False), [case_test(wrong)])
        assert code == 1, words


def test_every_rule_has_cases_that_fire_it() -> None:
    rules = {rule.name for rule in (*daemon_rules(outputs()), *watch_metric_rules(outputs()))}
    assert {name for case in CASES for name in case.fires} == rules


def test_promtool_accepts_the_rules(tool: Path, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    for profile in ("guardian", "mina-alerts"):
        found = groups(outputs(), profile=profile)
        file.write_text(yaml.safe_dump({"groups": found}))
        done = subprocess.run([tool, "check", "rules", "--lint-fatal", file], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{sum(len(group['rules']) for group in found)} rules found" in done.stdout


def test_durations_follow_the_slot_and_what_a_scrape_can_see() -> None:
    fast = outputs().model_copy(update={"chain": ChainOutput(slot_ms=5000, k=290)})
    halt = {rule.name: rule for rule in daemon_rules(fast)}["ChainHalted"]
    assert "> 65\n" in halt.expr
    assert Pace(criteria_of(fast)).span(1) == "1m"
    assert Pace(criteria_of(outputs())).span(77) == "231m"


def test_a_network_without_stake_online_is_not_asked_for_blocks() -> None:
    nodes = [node.model_copy(update={"paused": node.role == "block-producer"}) for node in outputs().nodes]
    names = {rule.name for rule in daemon_rules(outputs().model_copy(update={"nodes": nodes}))}
    assert not names & {"ChainHalted", "ProductionSlow"}
    assert "NodesOutOfSync" in names
    paused = [node.model_copy(update={"paused": True}) for node in outputs().nodes]
    assert groups(outputs().model_copy(update={"nodes": paused})) == []


def test_only_what_the_document_has_is_asked_for() -> None:
    bare = [node for node in outputs().nodes if node.role in ("seed", "block-producer", "plain")]
    names = {rule.name for rule in daemon_rules(outputs().model_copy(update={"nodes": bare}))}
    assert not names & {"NoSnarkWork", "NoLoad", "ArchiveBehind", "ArchiveGaps"}


def test_the_prefix_of_the_metrics_is_a_parameter() -> None:
    found = daemon_rules(outputs(), prefix="Mina")
    assert all("Coda_" not in rule.expr for rule in found)
    assert any('Mina_Network_peers{testnet="qa"}' in rule.expr for rule in found)


def test_every_metric_that_a_rule_compares_is_missed_when_it_vanishes() -> None:
    *rules, absent = daemon_rules(outputs())
    compared = {name for rule in rules for name in re.findall(r"\b(Coda_\w+)\{", rule.expr)} - ARCHIVE
    assert absent.name == "MetricsAbsent"
    assert set(re.findall(r"absent_over_time\((Coda_\w+)\{", absent.expr)) == compared
    assert len(compared) > 15


def test_the_rules_use_only_metrics_that_exist() -> None:
    """Those of the simulated daemon, which are mina's, and those that the watch exports."""
    known = simulated_names() | {metric.name for metric in METRICS} | ARCHIVE
    for rule in (*daemon_rules(outputs()), *watch_metric_rules(outputs())):
        used = set(re.findall(r"\b((?:Coda|mina_infra)_\w+)\{", rule.expr))
        assert used - known == set(), rule.name
        assert used, rule.name
