"""The command line in this process: what it prints and how it exits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mina_infra.cli.app import run
from mina_infra.cli.place import Place
from mina_infra.cluster import cluster as seam
from mina_infra.guardian import verify as verification
from tests.guardian.fake_cluster import SimulatedClock, World, world

ROOT = Path(__file__).resolve().parents[2]


class Answer(NamedTuple):
    """What one command came to."""

    code: int
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture
def mina_infra(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """`mina_infra("plan", "-s", "qa")`, in the checkout unless the test has changed the folder."""
    monkeypatch.chdir(ROOT)

    def call(*words: str) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(list(words))
        printed = capsys.readouterr()
        return Answer(int(ended.value.code or 0), printed.out, printed.err)

    return call


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> World:
    """A network that has lived for a while, and every question goes to it."""
    network = world()
    monkeypatch.setattr(Place, "ask", lambda place, question: asyncio.run(question(None)))
    monkeypatch.setattr(seam, "KubeCluster", lambda api, namespace, roads=None: network.cluster)
    monkeypatch.setattr(verification, "WallClock", lambda: SimulatedClock(network.network))
    return network


@pytest.fixture
def document(here: World, tmp_path: Path) -> str:
    """The file with the outputs document of the simulated network."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(here.outputs.to_json_value()))
    return str(file)
