"""Commands that only look start at once: each loads what it needs, and nothing for the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Command

# What is heavy, and which commands need it: Pulumi takes a second, models and schemas a quarter of one.
HEAVY = {"pulumi", "grpc", "pydantic", "yaml", "httpx2", "lightkube", "msgspec"}


@pytest.mark.parametrize("command", ["verify", "seeds", "publish"])
def test_the_help_of_an_operators_command_loads_nothing_heavy(command: str) -> None:
    """`mina-infra verify` must be there in less than 0.3 s (benchmarks/verify.py measures it)."""
    code = (
        "import sys\n"
        "from mina_infra.cli.app import app\n"
        f"app(['{command}', '--help'], result_action='return_value')\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stderr.split()) == set()


def test_asking_a_cluster_loads_neither_engine_nor_models(tmp_path: Path) -> None:
    """A look at a network whose outputs document is at hand needs the address of its cluster, and no plan."""
    (tmp_path / "Pulumi.yaml").write_text("name: mina-infra\nruntime: python\n")
    (tmp_path / "Pulumi.far.yaml").write_text("config: {mina-infra:cluster: {kubeconfig: none, context: far}}\n")
    code = (
        "import sys\n"
        "from mina_infra.cli.place import place_of\n"
        "from mina_infra.errors import ClusterError\n"
        "try:\n"
        "    place_of('far', local=False, cluster='local').ask(None)\n"
        "except ClusterError:\n"
        "    print(*sys.modules)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "mina_infra.cluster.api" in loaded
    assert {"mina_infra.engine", "mina_infra.plan", "mina_infra.spec.models", "mina_infra.storage"} & loaded == set()


def test_the_first_page_still_says_what_each_command_does(mina_infra: Command) -> None:
    """Commands are named and not imported until they are called; for this page they are."""
    said = " ".join(mina_infra("--help").out.split())
    assert "verify Is the network healthy?" in said
