"""Pausing and resuming with the real engine: nothing but the number of pods changes, and a killed run is completed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from mina_infra.engine import run
from mina_infra.engine.report import Silent
from mina_infra.engine.settle import wait_until_running
from mina_infra.engine.state import outputs
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.spec import SpecError
from mina_infra.spec.pause import ALL
from tests.engine.killed import CODES
from tests.engine.testnets import ROOT, SmallTestnet


def stopped(testnet: SmallTestnet) -> set[str]:
    """The nodes that are scaled to zero in the cluster."""
    return {name for name, item in testnet.deployments().items() if item["spec"]["replicas"] == 0}


def settle(testnet: SmallTestnet) -> None:
    """Until every pod that should be is there, and no other."""

    async def wait() -> None:
        async with testnet.cluster.api() as api:
            names = [node.name for node in testnet.env.plan.outputs.nodes]
            await wait_until_running(api, testnet.name, names, Silent(), deadline_s=60)

    asyncio.run(wait())


def test_a_run_pauses_and_the_next_plain_one_resumes(embedded_cluster: EmbeddedCluster, tmp_path: Path) -> None:
    testnet = SmallTestnet("paused", embedded_cluster, tmp_path / "project")
    run.up(testnet.env, testnet)
    claims, planned = testnet.claims(), len(testnet.env.plan.objects())

    changes = run.up(testnet.env, testnet, paused={"whale-1", "whale-2"}).changes
    assert dict(changes) == {"update": 2, "same": planned - 2}
    assert stopped(testnet) == {"whale-1", "whale-2"}
    assert [node.name for node in outputs(testnet.env).paused()] == ["whale-1", "whale-2"]
    assert dict(run.up(testnet.env, testnet, paused={"whale-2", "whale-1"}).changes) == {"same": planned}
    settle(testnet)

    run.up(testnet.env, testnet, paused=ALL)
    assert stopped(testnet) == set(testnet.deployments())
    settle(testnet)
    run.up(testnet.env, testnet)
    assert stopped(testnet) == set()
    settle(testnet)
    assert testnet.claims() == claims
    run.destroy(testnet.env, testnet)
    assert testnet.remains() == []


def test_what_the_document_pauses_is_never_started(embedded_cluster: EmbeddedCluster, tmp_path: Path) -> None:
    testnet = SmallTestnet("paused-by-word", embedded_cluster, tmp_path / "project")
    testnet.change(paused=True)
    planned = len(testnet.env.plan.objects())
    run.up(testnet.env, testnet)
    assert stopped(testnet) == set(testnet.deployments())
    settle(testnet)
    testnet.change()
    run.up(testnet.env, testnet)
    settle(testnet)
    assert stopped(testnet) == set()
    assert dict(run.up(testnet.env, testnet).changes) == {"same": planned}
    run.destroy(testnet.env, testnet)


def test_an_unknown_node_is_refused_before_anything_is_changed(
    embedded_cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    testnet = SmallTestnet("paused-wrongly", embedded_cluster, tmp_path / "project")
    with pytest.raises(SpecError, match="no node 'wale-1'"):
        run.up(testnet.env, testnet, paused={"wale-1"})
    assert testnet.remains() == []


@pytest.mark.parametrize(("victim", "again"), [("engine", True), ("engine", False), ("run", False)])
def test_a_killed_pause_is_completed_or_taken_back(
    embedded_cluster: EmbeddedCluster, tmp_path: Path, victim: str, again: bool
) -> None:
    """A killed engine stopped pods and did not record it: the next run must start them all the same."""
    testnet = SmallTestnet(f"paused-killed-{victim}-{again}".lower(), embedded_cluster, tmp_path / "project")
    run.up(testnet.env, testnet)
    claims, planned = testnet.claims(), len(testnet.env.plan.objects())
    everyone = set(testnet.deployments())

    command = [sys.executable, "-m", "tests.engine.killed", "up", victim, str(planned - 3)]
    done = subprocess.run(
        [*command, str(testnet.cluster.state), str(testnet.project), testnet.name, "*"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == CODES[victim], done.stdout + done.stderr
    assert stopped(testnet), "something was paused before the kill"

    run.up(testnet.env, testnet, paused=ALL if again else frozenset())
    assert stopped(testnet) == (everyone if again else set())
    settle(testnet)
    assert testnet.claims() == claims
    changes = run.up(testnet.env, testnet, paused=ALL if again else frozenset()).changes
    assert dict(changes) == {"same": planned}
    run.destroy(testnet.env, testnet)
