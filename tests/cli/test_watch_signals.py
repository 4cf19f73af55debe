"""A watch in a process of its own: Ctrl-C and SIGTERM end it in good order, kill -9 leaves nothing in the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT
from tests.guardian.fake_cluster import outputs_of, world

PROGRAM = """
import asyncio, sys
from mina_infra.cli.app import run
from mina_infra.cli.place import Place
from mina_infra.cluster import cluster as seam
from tests.guardian.fake_cluster import world
here = world()
if "cut" in sys.argv[1]:
    here.network.partition(["whale-1", "fish-1"])
Place.ask = lambda place, question: asyncio.run(question(None))
seam.KubeCluster = lambda api, namespace: here.cluster
run(sys.argv[2:])
"""


def start(folder: Path, how: str) -> subprocess.Popen[str]:
    """A watch that looks ten times a second, after its first words."""
    document = folder / "outputs.json"
    document.write_text(json.dumps(outputs_of(world(slots=0).network).to_json_value()))
    words = ["watch", "--outputs", str(document), "--state", str(folder / "state"), "--poll", "0.1", "-o", "json"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how, *words], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert "watching testnet" in process.stderr.readline()
    return process


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_code_of_the_last_look(tmp_path: Path, how: signal.Signals) -> None:
    process = start(tmp_path, "cut")
    assert process.stdout is not None
    assert "partition" in process.stdout.readline()
    process.send_signal(how)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert "Traceback" not in err


def test_a_killed_one_is_followed_by_one_that_opens_nothing_twice(tmp_path: Path) -> None:
    """Killed right after it wrote, before it noted so: the one line that may come twice comes with the same id."""
    killed = start(tmp_path, "cut")
    assert killed.stdout is not None
    told = json.loads(killed.stdout.readline())
    killed.kill()
    killed.communicate(timeout=30)
    follower = start(tmp_path, "cut")
    follower.send_signal(signal.SIGINT)
    out, err = follower.communicate(timeout=30)
    assert {json.loads(line)["id"] for line in out.splitlines()} <= {told["id"]}
    assert "Traceback" not in err
