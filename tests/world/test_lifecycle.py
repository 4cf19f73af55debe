"""Pause and resume on the embedded cluster: nothing of a node's state is lost while it sleeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mina_infra.cluster.api import DEPLOYMENT, POD
from mina_infra.engine.process import leftovers
from mina_infra.errors import EngineError
from mina_infra.spec import SpecError
from tests.world.marks import heights, mark, marks
from tests.world.survivors import Network, Objects, kill, when
from tests.world.witness import Witness


@dataclass(frozen=True)
class Sleeper:
    """A network that is put to sleep and woken, and who watches its volumes."""

    network: Network
    witness: Witness

    def stopped(self) -> set[str]:
        items = self.network.ask(lambda api: api.objects(DEPLOYMENT, self.network.name))
        return {item["metadata"]["name"] for item in items if item["spec"]["replicas"] == 0}

    def pods(self) -> set[str]:
        items = self.network.ask(lambda api: api.objects(POD, self.network.name))
        return {app_ for item in items if (app_ := item["metadata"]["labels"].get("app"))}


@pytest.fixture(scope="module")
def sleeper(start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sleeper]:
    network = Network("sleepy", start("lifecycle"), tmp_path_factory.mktemp("project"))
    witness = Witness(network.cluster, tmp_path_factory.mktemp("evidence") / "logs")
    try:
        assert network.up() == 0
        yield Sleeper(network, witness)
    finally:
        witness.close()


@pytest.mark.timeout(180)
def test_a_paused_node_keeps_its_state_and_the_rest_is_judged(sleeper: Sleeper, capfd) -> None:
    network, before = sleeper.network, sleeper.witness.look()
    marked, claims = mark(network), network.claims()
    assert network.command("pause", "--node", "whale-1", "--group", "archive") == 0
    told = capfd.readouterr().err
    assert "overrides: {whale-1: {paused: true}}" in told
    assert "group archive: paused: true" in told
    assert sleeper.stopped() == {"whale-1", "archive-1"}
    assert not sleeper.pods() & {"whale-1", "archive-1"}, "pods are really gone when the command returns"
    assert network.command("verify") == 0

    assert network.command("pause", "--node", "archive-1") == 0, "what is paused stays so"
    assert sleeper.stopped() == {"whale-1", "archive-1"}
    assert network.command("resume") == 0
    assert sleeper.stopped() == set()
    assert network.command("verify") == 0
    after = sleeper.witness.look()
    assert (network.claims(), marks(network)) == (claims, marked)
    assert (after.falls, after.bootstraps) == (before.falls, before.bootstraps)


@pytest.mark.timeout(180)
def test_a_wholly_paused_testnet_sleeps_and_wakes_with_its_heights(sleeper: Sleeper, capfd) -> None:
    network, before = sleeper.network, sleeper.witness.look()
    marked = mark(network)
    assert network.command("pause") == 0
    assert sleeper.pods() == set()
    assert "paused: true" in capfd.readouterr().err
    asleep = heights(network)
    assert network.command("verify") == 2, "never healthy by vacuity"
    assert "could not tell: paused" in capfd.readouterr().err

    assert network.command("resume", "--node", "seed-1") == 0
    assert sleeper.pods() == {"seed-1"}
    assert network.command("resume") == 0
    assert network.command("verify") == 0
    awake = heights(network)
    assert [claim for claim, height in asleep.items() if awake[claim] < height] == []
    assert marks(network) == marked
    assert sleeper.witness.look().bootstraps == before.bootstraps


@pytest.mark.timeout(240)
@pytest.mark.parametrize("again", ["pause", "resume"])
def test_a_pause_that_was_killed_is_completed_or_taken_back(sleeper: Sleeper, again: str) -> None:
    network, before = sleeper.network, sleeper.witness.look()
    claims, planned = network.claims(), len(network.env.plan.objects())

    def some_sleep(objects: Objects) -> bool:
        return sum(item["spec"]["replicas"] == 0 for item in objects.values()) >= 4

    def act() -> None:
        kill(process.pid)
        process.wait()
        kill(*leftovers(network.env.lock))

    with when(network, DEPLOYMENT, some_sleep, act):
        process = network.start("pause")
        process.wait(60)
    assert network.command(again) == 0
    assert sleeper.stopped() == (set() if again == "resume" else {node.name for node in network.env.plan.outputs.nodes})
    assert network.up() == 0, "a plain up starts everything"
    assert sleeper.stopped() == set()
    assert network.claims() == claims
    after = sleeper.witness.look()
    assert (after.falls, after.bootstraps) == (before.falls, before.bootstraps)
    assert dict(network.up_again()) == {"same": planned}


def test_what_the_document_pauses_is_not_resumed_behind_its_back(sleeper: Sleeper) -> None:
    network = sleeper.network
    nodes = [{**group} for group in network.document["nodes"]]
    for group in nodes:
        if group.get("group") == "whale":
            group["paused"] = True
    awake = network.document["nodes"]
    network.change(nodes=nodes)
    try:
        with pytest.raises(EngineError, match="the document itself pauses whale-1"):
            network.command("resume", "--node", "whale-1")
        with pytest.raises(SpecError, match="no node 'wale-1'"):
            network.command("pause", "--node", "wale-1")
        with pytest.raises(EngineError, match="has no group 'shoal'"):
            network.command("pause", "--group", "shoal")
    finally:
        network.change(nodes=awake)
