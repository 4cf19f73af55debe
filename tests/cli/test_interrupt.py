"""Ctrl-C at any time: the command ends with 130, leaves no process, and goes on from there when it is typed again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mina_infra.cluster.api import DEPLOYMENT, JOB, POD, Kind
from mina_infra.engine import run
from mina_infra.engine.process import leftovers
from mina_infra.local import processes
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import STATE_VARIABLE
from tests.engine.testnets import SmallTestnet
from tests.world.survivors import when

PATIENCE_S = 60.0


@pytest.mark.parametrize(
    ("words", "kind"), [(["up"], JOB), (["local", "up"], POD)], ids=["while the engine works", "while pods start"]
)
def test_interrupted(embedded_cluster: EmbeddedCluster, tmp_path: Path, words: list[str], kind: Kind) -> None:
    testnet = SmallTestnet(f"interrupted-{'-'.join(words)}", embedded_cluster, tmp_path / "project")
    env = testnet.env
    command = [sys.executable, "-m", "mina_infra.cli", *words, "-s", testnet.name, "--cluster", embedded_cluster.name]

    def press() -> None:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everything in the foreground

    enough = 1 if kind is JOB else len(env.plan.outputs.nodes)
    with when(testnet, kind, lambda objects: len(objects) >= enough, press):
        process = subprocess.Popen(
            command, cwd=testnet.project, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env=os.environ | {STATE_VARIABLE: str(embedded_cluster.state.parent)},
        )  # fmt: skip
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "interrupted; the same command goes on from here"
    assert "Traceback" not in said
    assert leftovers(env.lock) == {}
    assert not [each for each in processes.running() if str(testnet.project) in each.command]

    assert run.up(testnet.env).outputs.testnet == testnet.name
    assert len(testnet.ask(lambda api: api.objects(DEPLOYMENT, testnet.name))) == len(env.plan.outputs.nodes)
    run.destroy(testnet.env)
    assert testnet.remains() == []
