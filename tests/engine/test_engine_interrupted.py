"""Runs killed with SIGKILL at many points, and completed by running the same command again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mina_infra.engine import run
from mina_infra.engine.process import leftovers
from mina_infra.engine.state import recorded
from mina_infra.local.control_plane import EmbeddedCluster
from tests.engine.killed import CODES
from tests.engine.testnets import ROOT, SmallTestnet

# Who is killed, after how many finished objects: of an up, then of a destroy. More points, with volumes that are kept:
# tests/world/test_killed_runs.py.
CASES = [("run", 0.05, 0.9), ("engine", 0.5, 0.5), ("ctrl-c", 0.3, 0.3)]


def killed(testnet: SmallTestnet, operation: str, victim: str, point: int) -> None:
    """Start the operation in a process of its own and see it killed."""
    command = [sys.executable, "-m", "tests.engine.killed", operation, victim, str(point)]
    done = subprocess.run(
        [*command, str(testnet.cluster.state), str(testnet.project), testnet.name],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == CODES[victim], done.stdout + done.stderr


@pytest.mark.parametrize(("victim", "up_at", "destroy_at"), CASES)
def test_killed_runs_converge(
    embedded_cluster: EmbeddedCluster, tmp_path: Path, victim: str, up_at: float, destroy_at: float
) -> None:
    testnet = SmallTestnet(f"killed-{victim}-{up_at * 100:.0f}", embedded_cluster, tmp_path / "project")
    planned = len(testnet.env.plan.objects())

    killed(testnet, "up", victim, max(1, int(planned * up_at)))
    claims = testnet.claims()
    result = run.up(testnet.env, testnet)
    assert len(recorded(testnet.env).objects) == planned
    assert {name: uid for name, uid in testnet.claims().items() if name in claims} == claims, "no claim was replaced"
    assert (result.adopted > 0) == any("adopting" in line for line in testnet.said)
    assert dict(run.up(testnet.env, testnet).changes) == {"same": planned}
    assert leftovers(testnet.env.lock) == {}

    killed(testnet, "destroy", victim, max(1, int(planned * destroy_at)))
    run.destroy(testnet.env, testnet)
    assert testnet.remains() == []
    assert recorded(testnet.env).resources == 0
    assert leftovers(testnet.env.lock) == {}


def test_up_after_a_killed_destroy(embedded_cluster: EmbeddedCluster, tmp_path: Path) -> None:
    """The record says that everything is there, the cluster has half of it, or is still deleting the namespace."""
    testnet = SmallTestnet("killed-then-up", embedded_cluster, tmp_path / "project")
    run.up(testnet.env, testnet)
    planned = len(testnet.env.plan.objects())
    killed(testnet, "destroy", "run", planned // 2)
    run.up(testnet.env, testnet)
    assert set(testnet.deployments()) == {node.name for node in testnet.env.plan.outputs.nodes}
    assert dict(run.up(testnet.env, testnet).changes) == {"same": planned}
    run.destroy(testnet.env, testnet)
    assert testnet.remains() == []


def test_destroy_after_a_killed_first_up(embedded_cluster: EmbeddedCluster, tmp_path: Path) -> None:
    """Nothing is on record, so the engine alone would delete nothing."""
    testnet = SmallTestnet("killed-then-destroy", embedded_cluster, tmp_path / "project")
    killed(testnet, "up", "run", len(testnet.env.plan.objects()) // 2)
    assert testnet.remains() != []
    run.destroy(testnet.env, testnet)
    assert testnet.remains() == []
