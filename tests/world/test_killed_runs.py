"""Runs killed at many points of their progress: the same command again converges, and every volume keeps what it has.

Four testnets of twelve nodes (at 200 nodes one point takes a minute) side by side on one cluster, because a run mostly
waits. Each is destroyed with its volumes kept, deployed again, paused, grown; every one of these runs is killed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from mina_infra.cluster.api import CLAIM, DEPLOYMENT
from mina_infra.engine import run
from mina_infra.engine.process import leftovers
from mina_infra.engine.state import recorded
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import checkout
from mina_infra.local.world import start_world
from tests.engine.killed import CODES
from tests.told import tell_at_the_end
from tests.world.survivors import Network, at_least, at_most, engines, kill, kill_command_when, wait_for_nothing, when
from tests.world.witness import Witness

POINTS = [round(100 * number / 21) for number in range(1, 21)]
"""In percent of an `up`'s objects, 5 to 95."""
PATIENCE_S = 120.0


class Point(NamedTuple):
    """One killed run and what came of it."""

    what: str
    claims: str
    lost: list[str]
    seconds: float


@dataclass
class Lane:
    """One testnet, whose runs are killed one after the other."""

    network: Network
    points: list[int]
    last: Callable[[Lane], None]
    done: list[Point] = field(default_factory=list)

    def run(self, operation: str, victim: str = "nobody", percent: int = 100, paused: str = "") -> None:
        """In a process of its own; fails unless it ends as it has to."""
        network = self.network
        network.env.plan  # noqa: B018  # writes the stack file where the engine reads it
        command = [sys.executable, "-m", "tests.engine.killed", operation, victim, f"{percent}%"]
        done = subprocess.run(
            [*command, str(network.cluster.state), str(network.project), network.name, *([paused] if paused else [])],
            cwd=checkout(), capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == CODES[victim], f"{operation} {victim} {percent} %: {done.stdout}{done.stderr}"

    def survive(self, operation: str, victim: str, percent: int, paused: str = "", what: str = "") -> None:
        """Kill a run, run it again, compare."""
        network = self.network
        claims, markers = network.claims(), network.markers()
        self.run(operation, victim, percent, paused)
        began = time.monotonic()
        self.run(operation, paused=paused)
        seconds = time.monotonic() - began
        now, words = network.claims(), network.markers()
        lost = [name for name, uid in claims.items() if now.get(name) != uid]
        kept = f"{len(claims) - len(lost)}/{len(claims)}"
        lost += [f"marker in {name}" for name, word in markers.items() if words.get(name) != word]
        lost += [f"process {each}" for each in leftovers(network.env.lock).values()]
        if operation == "up" and len(recorded(network.env).objects) != len(network.env.plan.objects()):
            lost.append("not everything is on record")
        what = "up, pausing all" if paused else what or operation
        self.done.append(Point(f"{what}, {victim} killed at {percent} %", kept, lost, seconds))

    def live(self) -> None:
        """All of the lane's runs."""
        self.run("up")
        assert self.network.wait() == 0
        self.network.mark()
        for number, percent in enumerate(self.points):
            victims = ("engine", "run") if number % 2 else ("run", "engine")
            if number % 2:
                self.survive("destroy", victims[0], 100 - percent)
                assert self.network.names(DEPLOYMENT) == []
            else:  # what a killed destroy has left is deployed again without more ado
                self.run("destroy", victims[0], 100 - percent)
            self.survive("up", victims[1], percent)
        self.last(self)


def pause_and_resume(lane: Lane) -> None:
    lane.survive("up", "engine", 50, paused="*")
    lane.survive("up", "run", 50, what="up, resuming all")


def resize(lane: Lane) -> None:
    lane.network.resize("archive", 1)
    lane.survive("up", "run", 60, what="up, one node more")


def grow(lane: Lane) -> None:
    lane.network.change(volumes={"runtime-state": {"size": "9Gi"}})
    lane.survive("up", "engine", 40, what="up, larger volumes")


def another_image(lane: Lane) -> None:
    lane.network.change(image="registry.example/mina-daemon:3.0.2")
    lane.survive("up", "ctrl-c", 70, what="up, another image")


LAST = (pause_and_resume, resize, grow, another_image)
"""What happens to the testnets at the end, each to one."""


@pytest.fixture(scope="module")
def cluster(start) -> EmbeddedCluster:
    cluster = start("killed")
    start_world(cluster)
    return cluster


@pytest.fixture(scope="module")
def witness(cluster: EmbeddedCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    witness = Witness(cluster, tmp_path_factory.mktemp("evidence") / "logs")
    yield witness
    witness.close()


@pytest.mark.timeout(600)
def test_every_killed_run_converges_and_every_volume_keeps_what_it_has(
    cluster: EmbeddedCluster, witness: Witness, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    keep = {"retention": "retain"}
    lanes = [
        Lane(Network(f"lane-{number}", cluster, tmp_path / f"{number}", keep), POINTS[number :: len(LAST)], last)
        for number, last in enumerate(LAST)
    ]
    try:
        with ThreadPoolExecutor(len(LAST)) as threads:
            for ended in [threads.submit(lane.live) for lane in lanes]:
                ended.result()
    finally:
        table = [f"{'killed run, 12 nodes':<40}{'claims':>9}{'lost':>6}{'again, s':>10}"]
        table += [f"{p.what:<40}{p.claims:>9}{len(p.lost):>6}{p.seconds:>10.1f}" for lane in lanes for p in lane.done]
        tell_at_the_end(pytestconfig, "\n".join(table))
    assert {point.what: point.lost for lane in lanes for point in lane.done if point.lost} == {}
    new = 0
    for lane in lanes:
        assert lane.network.wait() == 0, "every network is healthy"
        assert dict(lane.network.up_again()) == {"same": len(lane.network.env.plan.objects())}
        new += len(lane.network.env.plan.outputs.daemons())
    after = witness.look()
    assert after.falls == [], "no height has fallen"
    assert after.bootstraps == new, "each daemon had to bootstrap once, when its volume was new"


@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore:Error in event stream")  # pytest sets the filters of warnings anew for each test
def test_nothing_is_left_of_a_testnet_that_is_not_retained(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    """Killed while it is made for the first time, killed while it is taken away, and then taken away."""
    network = Network("throwaway", cluster, tmp_path / "project")
    kill_command_when(network, ("local", "up"), CLAIM, at_least(1), lambda: kill(*leftovers(network.env.lock)))
    claims = network.claims()
    assert claims
    run.up(network.env)
    assert {name: uid for name, uid in network.claims().items() if name in claims} == claims

    some_are_gone = at_most(len(network.names(DEPLOYMENT)) - 1)
    env = network.env
    with (
        when(network, DEPLOYMENT, some_are_gone, lambda: kill(*engines(env))),
        pytest.raises(Exception, match="killed"),
    ):
        network.destroy()
    assert network.destroy() == 0
    assert wait_for_nothing(network.remains, 10) == []
    assert recorded(network.env).resources == 0
    assert network.destroy() == 0, "there is nothing more to destroy, which is no mistake"
