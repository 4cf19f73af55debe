"""`mina-infra alerts`: what it prints, and that it asks nobody."""

from __future__ import annotations

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
    (group,) = yaml.safe_load(printed(capsys, "-s", "qa", "--format", "prometheus"))["groups"]
    names = {rule["alert"] for rule in group["rules"]}
    assert {"TestnetAllocation", "TestnetOverdue", "ClaimUnused", "VolumeNearlyFull", "VolumeOrphaned"} <= names


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
