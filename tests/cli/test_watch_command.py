"""`watch` and `report` on a simulated network in place of a cluster."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random

import pytest

from mina_infra.cli.place import Place
from mina_infra.cluster import cluster as seam
from mina_infra.guardian import clock
from mina_infra.simulator.faults import inject
from tests.cli.conftest import Command
from tests.guardian.fake_cluster import SimulatedClock, World, world


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> World:
    """A network that has lived for a while, and every question goes to it."""
    network = world()
    monkeypatch.setattr(Place, "ask", lambda place, question: asyncio.run(question(None)))
    monkeypatch.setattr(seam, "KubeCluster", lambda api, namespace: network.cluster)
    monkeypatch.setattr(clock, "WallClock", lambda: SimulatedClock(network.network))
    return network


@pytest.fixture
def words(here: World, tmp_path: Path) -> list[str]:
    """Where the simulated network's document and history are."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(here.outputs.to_json_value()))
    return ["--outputs", str(file), "--state", str(tmp_path / "state")]


def test_a_healthy_network_is_watched_in_silence(mina_infra: Command, here: World, words: list[str]) -> None:
    answer = mina_infra("watch", *words, "--for", "30m")
    assert (answer.code, answer.out) == (0, "")
    assert "watching testnet: 11 daemons" in answer.err


def test_messages_are_lines_of_json(mina_infra: Command, here: World, words: list[str]) -> None:
    here.network.partition(["whale-1", "fish-1"])
    answer = mina_infra("watch", *words, "--for", "5m", "-o", "json")
    assert answer.code == 1
    changes = [change for line in answer.out.splitlines() for change in json.loads(line)["changes"]]
    assert [(each["kind"], each["check"], each["problem"]) for each in changes] == [("opened", "forks", "partition")]


def test_a_second_watch_goes_on_and_the_report_tells_both(mina_infra: Command, here: World, words: list[str]) -> None:
    here.network.partition(["whale-1", "fish-1"])
    assert "FAIL forks: partition (#1)" in mina_infra("watch", *words, "--for", "5m").out
    here.network.heal()
    answer = mina_infra("watch", *words, "--for", "40m")
    assert answer.code == 0
    assert answer.out.count("\n") == 1
    assert "OK forks: partition (#1) over after" in answer.out
    report = json.loads(mina_infra("report", *words, "--since", "50m", "-o", "json").out)
    assert (report["health"], len(report["incidents"])) == ("healthy", 1)
    assert "forks: partition" in mina_infra("report", *words, "--since", "50m").out
    assert "| over |" in mina_infra("report", *words, "-o", "markdown").out


def test_once_is_one_look(mina_infra: Command, here: World, words: list[str]) -> None:
    before = here.network.now_ms
    assert mina_infra("watch", *words, "--once").code == 0
    assert here.network.now_ms == before


def test_a_network_that_cannot_be_seen_is_2(mina_infra: Command, here: World, words: list[str]) -> None:
    here.cluster.blind_to = {"pods"}
    answer = mina_infra("watch", *words, "--for", "10m")
    assert answer.code == 2
    assert "BLIND watch: cannot-look" in answer.out


def test_a_document_that_changes_is_taken(
    mina_infra: Command, here: World, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is paused while the watch runs is not missed."""
    file = Path(words[1])
    looks = 0
    pods = here.cluster.pods

    async def counting() -> object:
        nonlocal looks
        looks += 1
        if looks == 5:
            nodes = [node.model_copy(update={"paused": node.name == "plain-1"}) for node in here.outputs.nodes]
            file.write_text(json.dumps(here.outputs.model_copy(update={"nodes": nodes}).to_json_value()))
            here.cluster.paused = {"plain-1"}
            here.network.crash("plain-1")
        return await pods()

    monkeypatch.setattr(here.cluster, "pods", counting)
    answer = mina_infra("watch", *words, "--for", "30m")
    assert (answer.code, answer.out) == (0, "")


@pytest.mark.parametrize(("limits", "severity"), [([], "FAIL"), (["--profile", "mina-alerts"], "WARN")])
def test_the_profile_of_a_watch(
    mina_infra: Command, here: World, words: list[str], limits: list[str], severity: str
) -> None:
    """A fork of 8 blocks: too deep for a QA testnet, and half of what Mina's own alert wants to see."""
    inject(here.cluster, "fork-8", Random(1))
    told = mina_infra("watch", *words, "--for", "90s", *limits).out
    assert f"{severity} forks:" in told


def test_the_address_of_a_webhook_is_never_shown(mina_infra: Command, here: World, words: list[str]) -> None:
    here.network.partition(["whale-1", "fish-1"])
    answer = mina_infra("watch", *words, "--for", "3m", "--notify", "http://127.0.0.1:9/S3CRET")
    assert answer.code == 1
    assert "partition" in answer.out
    assert "S3CRET" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--for", "soon"], "--for: 'soon' is not a duration; write it like 72h"),
        (["--poll", "0"], "--poll: found 0; allowed: 0.1 to 3600 seconds"),
        (["--notify", "S3CRET"], "--notify wants a URL"),
        (["--metrics-port", "99999"], "cannot serve metrics on 127.0.0.1:99999"),
    ],
)
def test_mistakes_are_told(mina_infra: Command, here: World, words: list[str], more: list[str], told: str) -> None:
    answer = mina_infra("watch", *words, *more)
    assert answer.code == 1
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_a_report_of_what_nobody_watched_is_told(mina_infra: Command, here: World, words: list[str]) -> None:
    answer = mina_infra("report", *words)
    assert answer.code == 1
    assert "nobody has watched this testnet from here" in answer.err


def test_a_report_of_a_time_in_which_nobody_looked_is_2(mina_infra: Command, here: World, words: list[str]) -> None:
    mina_infra("watch", *words, "--once")
    here.network.run(slots=100)
    answer = mina_infra("report", *words, "--since", "30m")
    assert answer.code == 2
    assert "nobody looked in the 30 min" in answer.out
