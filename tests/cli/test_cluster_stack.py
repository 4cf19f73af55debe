"""A stack without a testnet: the storage classes of its cluster."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from mina_infra.cli.place import Place, is_local, sites_of
from mina_infra.plan import load_classes, plan_classes
from tests.cli.conftest import ROOT, Command

STORAGE = {
    "target": {"provider": "local", "region": "local", "zones": ["local-a", "local-b"]},
    "fixed": {"testnet-ssd": {"type": "testnet-ssd"}},
}


@pytest.fixture
def project(tmp_path: Path, mina_infra: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a cluster's stack alone."""
    for file in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / "Pulumi.cluster.yaml").write_text(yaml.safe_dump({"config": {"mina-infra:storage": STORAGE}}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_plan_shows_the_classes_in_all_formats(mina_infra: Command, project: Path) -> None:
    answer = mina_infra("plan", "-s", "cluster")
    assert (answer.code, answer.err) == (0, "")
    assert "cluster: 9 storage classes for every testnet of the cluster (local local)" in answer.out
    assert "testnet-ssd" in answer.out
    storage = load_classes(project / "Pulumi.cluster.yaml")
    assert storage is not None
    planned = [each.manifest for each in plan_classes(storage, "cluster")]
    assert list(yaml.safe_load_all(mina_infra("plan", "-s", "cluster", "--format", "yaml").out)) == planned
    assert json.loads(mina_infra("plan", "-s", "cluster", "--format", "json").out)["objects"] == planned


def test_its_mistakes_are_told_with_their_line(mina_infra: Command, project: Path) -> None:
    file = project / "Pulumi.cluster.yaml"
    file.write_text(file.read_text().replace("type: testnet-ssd", "type: testnet-sdd"))
    answer = mina_infra("plan", "-s", "cluster")
    assert answer.code == 1
    assert "mina-infra:storage.fixed.testnet-ssd.type" in answer.err
    assert "Pulumi.cluster.yaml:5" in answer.err


def test_it_runs_where_its_target_says(project: Path) -> None:
    assert is_local(project / "Pulumi.cluster.yaml")
    assert Place("cluster", None, project).stack_file.exists()


def test_it_owns_nothing_that_could_be_an_orphan_expire_or_cost(project: Path) -> None:
    assert sites_of(None, only_local=False, cluster="no-such-cluster") == ([], {})
