"""`mina-infra alerts` and `dashboard`: what they print, and that they ask nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from mina_infra.cli.app import run

ROOT = Path(__file__).parents[2]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        run(["alerts", *arguments])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_rules_file_is_all_that_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    (group,) = yaml.safe_load(printed(capsys, "-s", "qa", "--about", "storage", "--format", "prometheus"))["groups"]
    names = {rule["alert"] for rule in group["rules"]}
    assert {"TestnetAllocation", "TestnetOverdue", "ClaimUnused", "VolumeNearlyFull", "VolumeOrphaned"} <= names


def test_every_family_of_rules_is_a_group_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    def names(*arguments: str) -> list[str]:
        found = yaml.safe_load(printed(capsys, "-s", "qa", "--format", "prometheus", *arguments))
        return [group["name"] for group in found["groups"]]

    assert names() == ["mina-infra-storage", "mina-infra-qa-daemons", "mina-infra-qa-watch"]
    assert names("--about", "daemons") == ["mina-infra-qa-daemons"]
    assert names("--about", "watch") == ["mina-infra-qa-watch"]
    assert names("--about", "daemons", "--profile", "mina-alerts") == ["mina-infra-qa-mina-alerts"]


def test_the_table_has_a_line_for_each_alert(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    lines = printed(capsys, "-s", "qa").splitlines()
    rules = [line.split()[1] for line in lines]
    assert {"claim-lost", "ChainHalted", "WatchSilent"} <= set(rules)
    assert len(lines) == len(set(rules))
    assert any(line.split() == ["production", "ChainHalted", "critical", "at", "once", "halt"] for line in lines)


def test_the_objects_are_those_that_up_would_make(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found = list(yaml.safe_load_all(printed(capsys, "-s", "qa", "--format", "operator")))
    assert [each["kind"] for each in found] == ["PrometheusRule", "PrometheusRule", "PodMonitor", "ConfigMap"]


def test_the_dashboard_is_printed_with_the_prefix_of_the_stack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        run(["dashboard", "-s", "qa"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["uid"] == "mina-infra"


def test_what_is_watched_over_comes_from_the_stack_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stack = yaml.safe_load((ROOT / "Pulumi.qa.yaml").read_text())
    stack["config"]["mina-infra:testnet"]["genesis"]["runtimeConfig"] = str(ROOT / "config/qa/daemon.json")
    stack["config"]["mina-infra:monitoring"] = {"budget": "1Ti"}
    (tmp_path / "Pulumi.yaml").write_text("name: mina-infra\n")
    (tmp_path / "Pulumi.qa.yaml").write_text(yaml.safe_dump(stack))
    monkeypatch.chdir(tmp_path)
    assert "storage-total" in printed(capsys, "-s", "qa")
    monkeypatch.chdir(ROOT)
    assert "storage-total" not in printed(capsys, "-s", "qa")
