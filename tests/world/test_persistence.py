"""What is done to the volumes of a network that runs: snapshots taken and restored, whatever is killed meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.cluster.api import CLAIM, PERSISTENT_VOLUME, SNAPSHOT_CLASS, VOLUME_SNAPSHOT
from mina_infra.errors import EngineError
from tests.world.survivors import Network, wait_for_nothing
from tests.world.witness import height_on

pytestmark = pytest.mark.filterwarnings("ignore:Error in event stream")


@pytest.fixture(scope="module")
def network(start, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """Twelve nodes with a chain."""
    found = Network("lasting", start("persistence"), tmp_path_factory.mktemp("project"))
    assert found.up() == 0
    return found


def heights(network: Network) -> dict[str, int]:
    """The height on each node's volume, by claim."""

    async def volumes(api) -> dict[str, str]:
        claims = await api.objects(CLAIM, network.name)
        return {each["metadata"]["name"]: each["spec"]["volumeName"] for each in claims}

    found = network.ask(volumes)
    return {
        claim: height_on(network.cluster.paths.volumes / volume)
        for claim, volume in found.items()
        if "runtime-state" in claim
    }


def held(network: Network, snapshot: dict[str, Any]) -> int:
    """The height that a snapshot holds."""
    return height_on(network.cluster.paths.snapshots / f"snapshot-{snapshot['metadata']['uid']}" / "data")


def taken(network: Network) -> dict[str, dict[str, Any]]:
    items = network.ask(lambda api: api.objects(VOLUME_SNAPSHOT, network.name))
    return {item["metadata"]["name"]: item for item in items}


def test_snapshots_of_a_running_network_hold_whole_chains_and_are_taken_once(network, capsys):
    before = heights(network)
    assert network.command("snapshot", "--name", "first") == 0
    found = taken(network)
    assert len(found) == len(before) + 1, "the archive node's database as well"
    for claim, height in before.items():
        assert held(network, found[f"{claim}-first"]) >= height > 0
    uids = {name: item["metadata"]["uid"] for name, item in found.items()}
    assert network.command("snapshot", "--name", "first") == 0
    assert {name: item["metadata"]["uid"] for name, item in taken(network).items()} == uids

    capsys.readouterr()
    assert network.command("snapshots") == 0
    out = capsys.readouterr().out
    assert out.count(" ready,") == len(found)
    assert "of another genesis" not in out
    with pytest.raises(EngineError, match="has no snapshot 'second'; nothing was deleted"):
        network.command("snapshots", "--delete", "second")
    assert network.command("snapshots", "--delete", "first") == 0
    assert wait_for_nothing(lambda: list(taken(network)), 20) == []
    assert list(network.cluster.paths.snapshots.iterdir()) == []


def test_the_schedule_takes_what_is_due_keeps_so_many_and_leaves_the_rest(network):
    node = ("--node", "seed-1")
    with pytest.raises(EngineError, match="has no schedule"):
        network.command("snapshot", "--due")
    assert network.command("snapshot", "--name", "by-hand", *node) == 0
    network.change(snapshots={"every": "1s", "keep": 2})
    try:
        assert network.up() == 0
        classes = network.ask(lambda api: api.objects(SNAPSHOT_CLASS))
        assert len(classes) == 2, "the document's own, and the one that the command made before"
        for _ in range(4):
            assert network.command("snapshot", "--due") == 0
        claims = len(heights(network)) + 1

        def scheduled() -> list[str]:
            found = taken(network).items()
            return [name for name, item in found if "mina-infra/scheduled" in item["metadata"]["labels"]]

        assert wait_for_nothing(lambda: scheduled() if len(scheduled()) > 2 * claims else [], 20) == []
        assert len(scheduled()) == 2 * claims
        assert "seed-1-runtime-state-e1-by-hand" in taken(network)
    finally:
        del network.document["snapshots"]
        network.change()


def test_a_stopped_node_says_its_last_word_in_its_snapshot_and_another_node_goes_on_from_it(network):
    assert network.command("snapshot", "--name", "still", "--stop", "--node", "plain-1") == 0
    held_height = held(network, taken(network)["plain-1-runtime-state-e1-still"])
    assert heights(network)["plain-1-runtime-state-e1"] >= held_height > 0
    groups = [dict(group) for group in network.document["nodes"]]
    plain = next(group for group in groups if group["role"] == "plain")
    plain["count"] = 2
    start = {"fromSnapshot": "plain-1-runtime-state-e1-still"}
    plain["overrides"] = {"plain-2": {"volumes": {"runtime-state": start}}}
    network.change(nodes=groups)
    assert network.up() == 0
    assert heights(network)["plain-2-runtime-state-e1"] >= held_height
    assert network.up_again().get("update", 0) == 0
    del plain["overrides"]
    network.change(nodes=groups)
    assert network.up_again().get("replace", 0) == 0, "what it started with may leave the document"
    assert heights(network)["plain-2-runtime-state-e1"] >= held_height


def test_a_destroyed_testnet_leaves_neither_snapshots_nor_classes(network):
    assert network.destroy() == 0
    assert wait_for_nothing(network.remains, 30) == []
    assert network.ask(lambda api: api.objects(PERSISTENT_VOLUME)) == []

    def classes() -> list[str]:
        return [item["metadata"]["name"] for item in network.ask(lambda api: api.objects(SNAPSHOT_CLASS))]

    assert wait_for_nothing(classes, 30) == []
