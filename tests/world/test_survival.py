"""Whatever happens to a testnet: the same command again converges, and every node keeps its claim and its chain.

One network with `retention: retain` lives through all disturbances, one after the other, while a witness looks at its
volumes and logs. What a node has told lies on its volume (simulator/store.py), so heights are read there.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from mina_infra.cluster.api import CLAIM, DEPLOYMENT, JOB, POD, SERVICE, Kind
from mina_infra.engine.process import leftovers
from mina_infra.engine.state import recorded
from mina_infra.errors import EngineError
from mina_infra.guardian.report import text
from mina_infra.local import kwokctl, processes
from mina_infra.local.control_plane import own_processes
from mina_infra.local.world import world_processes
from tests.world.survivors import PATIENCE_S, Network, Objects, Witness, engines, kill, wait_for_nothing, when

# pytest sets the filters of warnings anew for each test.
pytestmark = pytest.mark.filterwarnings("ignore:Error in event stream")


class Survived(NamedTuple):
    """A row of the matrix."""

    case: str
    claims_kept: str
    heights_fallen: int
    bootstraps: int
    seconds: float


@dataclass(frozen=True)
class Survivor:
    """The network that lives through everything."""

    network: Network
    witness: Witness
    rows: list[Survived]


@pytest.fixture(scope="module")
def cluster(start):
    return start("survival")


@pytest.fixture(scope="module")
def survivor(cluster, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Survivor]:
    network = Network("keep", cluster, tmp_path_factory.mktemp("project"), {"retention": "retain"})
    witness = Witness(cluster, tmp_path_factory.mktemp("evidence") / "logs")
    rows: list[Survived] = []
    try:
        assert network.up() == 0
        daemons = network.env.plan.outputs.daemons()
        assert witness.look().bootstraps == len(daemons), "a witness that sees what there is to see"
        yield Survivor(network, witness, rows)
    finally:
        witness.close()
        print_matrix(rows, pytestconfig)


def print_matrix(rows: list[Survived], config: pytest.Config) -> None:
    """To the terminal, past the capturing of output."""
    line = "{:<46}{:>12}{:>16}{:>12}{:>9}".format
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + line("disturbance", "claims kept", "heights fallen", "bootstraps", "seconds"))
        for row in rows:
            print(line(row.case, row.claims_kept, row.heights_fallen, row.bootstraps, f"{row.seconds:.1f}"))


# --- disturbances: each leaves the network as somebody's mishap would -------------------------------------------------


def one_pod_deleted(network: Network) -> None:
    pod = next(name for name in network.names(POD) if name.startswith("whale-1-"))
    network.ask(lambda api: api.delete(POD, pod, network.name, grace_seconds=0))


def all_pods_deleted(network: Network) -> None:
    async def delete_collection(api) -> None:
        await api.request("DELETE", POD.path(network.name), params={"gracePeriodSeconds": "0"})

    network.ask(delete_collection)


def another_image(network: Network) -> None:
    network.change(image="registry.example/mina-daemon:3.0.2")


def the_world_killed(network: Network) -> None:
    processes.end(world_processes(network.cluster.paths), grace_seconds=0)


def destroyed_with_retention(network: Network) -> None:
    assert network.destroy() == 0
    assert network.names(DEPLOYMENT) == []


def the_control_plane_killed(network: Network) -> None:
    components = kwokctl.component_processes(network.cluster.paths)
    victims = [*components["etcd"], *components["kube-apiserver"]]
    processes.end(victims, grace_seconds=0)


def everything_killed_in_up(network: Network) -> None:
    """As when the machine loses its power: the command, its engine, the control plane and the simulator, at once."""
    destroyed_with_retention(network)

    def the_rest() -> None:
        kill(*leftovers(network.env.lock))
        processes.end(own_processes(network.cluster.paths), grace_seconds=0)

    kill_command_when(network, ("local", "up"), JOB, at_least(1), the_rest)


def the_engine_killed_in_up(network: Network) -> None:
    """Twice in a row: the second up goes on from where the first was killed."""
    destroyed_with_retention(network)
    for kind in (SERVICE, JOB):  # in the order in which they are made; the Job is waited for, then come Deployments
        with the_engine_killed_when(network, kind, at_least(1)):
            network.up()


def the_engine_killed_in_an_update(network: Network) -> None:
    network.change(image="registry.example/mina-daemon:3.0.3")
    with the_engine_killed_when(network, DEPLOYMENT, with_image("3.0.3", 1)):
        network.up()


def the_command_killed_in_up(network: Network) -> None:
    destroyed_with_retention(network)
    for kind, count in ((JOB, 1), (DEPLOYMENT, 10)):
        kill_command_when(network, ("local", "up"), kind, at_least(count))


def the_command_and_its_engine_killed_in_up(network: Network) -> None:
    destroyed_with_retention(network)
    kill_command_when(network, ("local", "up"), DEPLOYMENT, at_least(3), lambda: kill(*leftovers(network.env.lock)))


def the_engine_killed_in_destroy(network: Network) -> None:
    some_are_gone = at_most(len(network.names(DEPLOYMENT)) - 1)
    with the_engine_killed_when(network, DEPLOYMENT, some_are_gone):
        network.destroy()


def the_command_killed_in_destroy(network: Network) -> None:
    some_are_gone = at_most(len(network.names(DEPLOYMENT)) - 1)
    kill_command_when(network, ("destroy", "--yes"), DEPLOYMENT, some_are_gone)


@contextmanager
def the_engine_killed_when(network: Network, kind: Kind, reached: Callable[[Objects], bool]) -> Iterator[None]:
    """The engine of the command in the body is killed, and the command says so."""
    env = network.env
    said = pytest.raises(EngineError, match="the engine was killed")
    with when(network, kind, reached, lambda: kill(*engines(env))), said:
        yield


def kill_command_when(
    network: Network,
    words: tuple[str, ...],
    kind: Kind,
    reached: Callable[[Objects], bool],
    and_then: Callable[[], object] = lambda: None,
) -> None:
    """Start `mina-infra WORDS` and kill it; its engine is interrupted by that, if `and_then` does not kill it too."""

    def act() -> None:
        kill(process.pid)
        process.wait()
        and_then()

    with when(network, kind, reached, act):
        process = network.start(*words)
        assert process.wait(PATIENCE_S) == -signal.SIGKILL, network.printed()


def at_least(count: int) -> Callable[[Objects], bool]:
    return lambda objects: len(objects) >= count


def at_most(count: int) -> Callable[[Objects], bool]:
    return lambda objects: len(objects) <= count


def with_image(tag: str, count: int) -> Callable[[Objects], bool]:
    """So many objects have a container with an image of this tag."""

    def reached(objects: Objects) -> bool:
        pods = [item["spec"]["template"]["spec"] for item in objects.values()]
        return sum(any(each["image"].endswith(tag) for each in pod["containers"]) for pod in pods) >= count

    return reached


DISTURBANCES = {
    "one pod deleted": one_pod_deleted,
    "all pods deleted": all_pods_deleted,
    "another image": another_image,
    "simulator killed": the_world_killed,
    "destroyed with retention": destroyed_with_retention,
    "API server and etcd killed": the_control_plane_killed,
    "engine killed in up, twice": the_engine_killed_in_up,
    "engine killed in an update": the_engine_killed_in_an_update,
    "command killed in up, twice": the_command_killed_in_up,
    "command and engine killed in up": the_command_and_its_engine_killed_in_up,
    "everything killed in up, the cluster too": everything_killed_in_up,
    "engine killed in destroy": the_engine_killed_in_destroy,
    "command killed in destroy": the_command_killed_in_destroy,
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", DISTURBANCES, ids=lambda case: case.replace(",", "").replace(" ", "-"))
def test_the_next_up_converges_and_every_node_keeps_its_chain(survivor: Survivor, case: str) -> None:
    network, witness = survivor.network, survivor.witness
    claims, before = network.claims(), witness.look()
    assert len(before.heights) == len(network.env.plan.outputs.daemons())

    DISTURBANCES[case](network)
    began = time.monotonic()
    code = network.up()
    seconds = time.monotonic() - began
    verdict = network.verdict()
    changes = dict(network.up_again())

    after = witness.look()
    kept = [name for name, uid in network.claims().items() if claims.get(name) == uid]
    falls = [volume for volume, height in before.heights.items() if after.heights[volume] < height]
    falls += after.falls[len(before.falls) :]
    bootstraps = after.bootstraps - before.bootstraps
    survivor.rows.append(Survived(case, f"{len(kept)}/{len(claims)}", len(falls), bootstraps, seconds))
    assert (len(kept), falls, bootstraps) == (len(claims), [], 0)
    assert code == 0
    assert verdict.healthy, text(verdict)
    told = [node.height for node in verdict.nodes if node.height is not None]
    assert len(told) == len(before.heights)
    assert min(before.heights.values()) <= min(told) <= max(told) <= max(after.heights.values())
    assert changes == {"same": len(network.env.plan.objects())}
    assert leftovers(network.env.lock) == {}


# --- retention: delete ------------------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
def test_nothing_is_left_of_a_testnet_that_is_not_retained(cluster, tmp_path: Path) -> None:
    """Killed while it is made for the first time, killed while it is taken away, and then taken away."""
    network = Network("throwaway", cluster, tmp_path / "project")
    kill_command_when(network, ("local", "up"), CLAIM, at_least(1), lambda: kill(*leftovers(network.env.lock)))
    claims = network.claims()
    assert claims
    assert network.up() == 0
    assert {name: uid for name, uid in network.claims().items() if name in claims} == claims

    the_engine_killed_in_destroy(network)
    assert network.destroy() == 0
    assert wait_for_nothing(network.remains, 10) == []
    assert recorded(network.env).resources == 0
    assert network.destroy() == 0, "there is nothing more to destroy, which is no mistake"
