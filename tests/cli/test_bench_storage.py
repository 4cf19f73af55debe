"""The command that measures disks, as far as it goes without a cluster."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from mina_infra.cli.app import app
from mina_infra.errors import EngineError, MinaInfraError
from mina_infra.local.paths import checkout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose stack `qa` is meant for a real cluster that does not exist."""
    for name in ("Pulumi.yaml", "Pulumi.qa.yaml"):
        shutil.copy(checkout() / name, tmp_path / name)
    shutil.copytree(checkout() / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_is_no_image_by_default(project: Path) -> None:
    with pytest.raises(EngineError, match="no image to measure with"):
        app(["bench-storage", "-s", "qa", "--yes"], result_action="return_value")


def test_it_tells_how_long_it_takes_before_it_asks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "Pulumi.qa.yaml"
    document = yaml.safe_load(file.read_text())
    document["config"]["mina-infra:benchmark"] = {"image": f"registry.example/fio@sha256:{'1' * 64}"}
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(MinaInfraError, match="Nobody is there to answer"):
        app(["bench-storage", "-s", "qa"], result_action="return_value")
    said = capsys.readouterr().err
    assert "3 volumes" in said
    assert "about 81 minutes" in said


def test_a_result_that_is_none_is_told(project: Path) -> None:
    (project / "other.json").write_text("{}")
    with pytest.raises(EngineError, match="no result of bench-storage"):
        app(["bench-storage", "-s", "qa", "--with", "other.json"], result_action="return_value")
