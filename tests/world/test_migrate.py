"""Volumes move to another type and back, with everything on them, wherever the command is killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mina_infra.cluster.api import CLAIM, PERSISTENT_VOLUME, POD, VOLUME_SNAPSHOT
from mina_infra.errors import EngineError, MinaInfraError
from mina_infra.persistence import migrate as steps
from mina_infra.persistence.moves import look, moves
from tests.world.survivors import PATIENCE_S, Network, kill, wait_for_nothing, when
from tests.world.witness import Witness, height_on

pytestmark = pytest.mark.filterwarnings("ignore:Error in event stream")

MARKER = "marker-of-the-test"


class Killed(BaseException):
    """The command ends here, and nothing of it is tidied up."""


@pytest.fixture(scope="module")
def network(start, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """Twelve nodes with a chain, and a marker on the volume of each that has one."""
    found = Network("moving", start("migrate"), tmp_path_factory.mktemp("project"))
    assert found.up() == 0
    for claim, folder in folders(found).items():
        (folder / MARKER).write_text(claim)
    return found


@pytest.fixture(scope="module")
def witness(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    found = Witness(network.cluster, tmp_path_factory.mktemp("evidence") / "logs")
    yield found
    found.close()


def claims(network: Network) -> dict[str, dict[str, Any]]:
    items = network.ask(lambda api: api.objects(CLAIM, network.name))
    return {item["metadata"]["name"]: item for item in items if item["metadata"]["labels"].get("app")}


def folders(network: Network) -> dict[str, Path]:
    """What is behind each node's claim."""
    found = claims(network).items()
    return {name: network.cluster.paths.volumes / item["spec"]["volumeName"] for name, item in found}


def want(network: Network, disk: str, group: str | None = None) -> None:
    """Say in the document that runtime state is on that type, for all nodes or for one group."""
    volumes = {"runtime-state": {"type": disk}}
    if group is None:
        network.change(volumes=volumes)
        return
    groups = [dict(each) for each in network.document["nodes"]]
    next(each for each in groups if each.get("group", each["role"]) == group)["volumes"] = volumes
    network.change(nodes=groups)


def types(network: Network) -> dict[str, str]:
    """The type of disk that each claim really has."""
    volumes = network.ask(lambda api: api.objects(PERSISTENT_VOLUME))
    disks = {item["metadata"]["name"]: item["metadata"]["annotations"]["local.mina-infra/type"] for item in volumes}
    return {name: disks[item["spec"]["volumeName"]] for name, item in claims(network).items()}


def assert_nothing_lost(network: Network, before: dict[str, Path]) -> None:
    """Each node has its marker and is as high as its old volume, where its old volume is another one."""
    now = folders(network)
    assert now.keys() == before.keys()
    for claim, old in before.items():
        assert (now[claim] / MARKER).read_text() == claim
        tall = height_on(old)  # first: where it is the same volume, its node writes on
        assert height_on(now[claim]) >= tall


def test_v16_up_refuses_the_change_and_names_the_command(network, witness):
    want(network, "standard")
    with pytest.raises(EngineError, match="mina-infra migrate"):
        network.up()
    want(network, "ssd")


def test_v15_a_smaller_volume_is_refused_before_anything_is_stopped(network, witness):
    uids = network.claims()
    network.change(volumes={"runtime-state": {"type": "standard", "size": "1Gi"}})
    with pytest.raises(MinaInfraError, match="disks cannot shrink"):
        network.command("migrate")
    want(network, "ssd")
    assert network.claims() == uids


def test_rule_35_every_volume_moves_to_standard_in_waves_with_its_chain(network, witness):
    before, bootstraps = folders(network), witness.look().bootstraps
    want(network, "standard")
    assert network.command("migrate", "--batch", "4") == 0
    found = types(network)
    assert {disk for claim, disk in found.items() if "runtime-state" in claim} == {"standard"}
    assert found["archive-1-postgres-state-e1"] == "ssd"
    assert_nothing_lost(network, before)
    assert witness.look().bootstraps == bootstraps
    assert witness.look().falls == []
    assert network.verdict().healthy
    assert network.up_again().get("update", 0) == network.up_again().get("replace", 0) == 0


def test_old_volumes_stay_until_they_are_named(network, witness):
    def marked() -> list[str]:
        items = network.ask(lambda api: api.objects(PERSISTENT_VOLUME, labels="mina-infra/moved"))
        return [item["metadata"]["name"] for item in items]

    assert len(marked()) == sum("runtime-state" in claim for claim in claims(network))
    assert network.command("migrate", "--delete-old") == 0
    assert wait_for_nothing(marked, 30) == []
    assert wait_for_nothing(lambda: network.names(VOLUME_SNAPSHOT), 30) == []
    current = {folder.name for folder in folders(network).values()}
    assert current <= {folder.name for folder in network.cluster.paths.volumes.iterdir()}


POINTS = [
    ("_go", 1, "after"),
    ("_keep", 2, "after"),
    ("_remove_claim", 2, "after"),
    ("_restore", 1, "before"),
    ("_mark_done", 1, "before"),
    ("_go", 2, "before"),
]


@pytest.mark.parametrize(("step", "count", "side"), POINTS, ids=lambda value: str(value))
def test_killed_at_any_step_the_same_command_completes_it(network, witness, monkeypatch, step, count, side):
    """Before or after the step's so-manieth call; the three whales move to the type that they do not have."""
    before, bootstraps = folders(network), witness.look().bootstraps
    disk = "ssd" if types(network)["whale-1-runtime-state-e1"] == "standard" else "standard"
    want(network, disk, "whale")
    original, calls = getattr(steps, step), []

    def tripped(*arguments: Any, **more: Any) -> Any:
        calls.append(step)
        if len(calls) == count and side == "before":
            raise Killed
        result = original(*arguments, **more)
        if len(calls) == count and side == "after" and not hasattr(result, "__await__"):
            raise Killed
        return _then_killed(result) if len(calls) == count and side == "after" else result

    async def _then_killed(pending: Any) -> None:
        await pending
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(steps, step, tripped)
        with pytest.raises((Killed, BaseExceptionGroup)):
            network.command("migrate")
    between = network.ask(lambda api: look(api, network.env.plan))
    if any(each.claim is None for each in moves(network.env.plan, between)):
        with pytest.raises(EngineError, match="is being moved to another volume and would be made empty"):
            network.up()
    assert network.command("migrate") == 0
    found = types(network)
    assert {found[f"whale-{number}-runtime-state-e1"] for number in (1, 2, 3)} == {disk}
    assert_nothing_lost(network, before)
    assert witness.look().bootstraps == bootstraps
    assert moves(network.env.plan, network.ask(lambda api: look(api, network.env.plan))) == []
    network.command("migrate", "--delete-old")


def test_the_process_is_killed_while_a_claim_is_gone(network, witness):
    """kill -9, not only an exception."""
    before, bootstraps = folders(network), witness.look().bootstraps
    disk = "ssd" if types(network)["whale-1-runtime-state-e1"] == "standard" else "standard"
    want(network, disk, "whale")
    whole = set(claims(network))
    process = network.start("migrate")
    with when(network, CLAIM, lambda there: not whole <= set(there), lambda: kill(process.pid)):
        assert process.wait(PATIENCE_S) == -signal.SIGKILL
    assert network.command("migrate") == 0
    assert_nothing_lost(network, before)
    assert witness.look().bootstraps == bootstraps
    assert len(network.names(POD)) >= len(network.env.plan.outputs.nodes)


def test_a_document_that_was_taken_back_loses_nothing_and_is_not_restored_to_an_old_moment(network, witness):
    """Killed after the snapshots, started again as it was, then moved after all: the chain of today moves."""
    disk = "ssd" if types(network)["whale-1-runtime-state-e1"] == "standard" else "standard"
    other = "standard" if disk == "ssd" else "ssd"
    want(network, disk, "whale")
    patched = pytest.MonkeyPatch()
    patched.setattr(steps, "_keep", _kill)
    with pytest.raises((Killed, BaseExceptionGroup)):
        network.command("migrate")
    patched.undo()
    want(network, other, "whale")
    assert network.up() == 0
    before = folders(network)
    old = {claim: height_on(folder) for claim, folder in before.items()}
    want(network, disk, "whale")
    assert network.command("migrate") == 0
    assert_nothing_lost(network, before)
    assert all(height_on(folder) >= old[claim] for claim, folder in folders(network).items())


async def _kill(*_: Any) -> None:
    raise Killed
