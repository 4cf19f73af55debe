"""Days in which the watch is killed again and again, at any point: nothing is told twice and nothing is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from mina_infra.guardian.watch.history import History
from mina_infra.guardian.watch.messages import Message
from mina_infra.simulator.faults import inject, staged
from mina_infra.simulator.node import NodeSpec
from tests.guardian.fake_cluster import SimulatedClock, World
from tests.guardian.watch.watching import IDENTITY, Watching, watching

DAY = 480
NODES = [
    NodeSpec("seed-1", seed=True),
    NodeSpec("seed-2", seed=True),
    *(NodeSpec(f"whale-{number}", stake=1) for number in range(1, 4)),
]


class Killed(BaseException):
    """As kill -9 is: nothing of ours runs after it."""


@dataclass
class Killer:
    """Kills at the n-th of the points that it is asked at."""

    rng: Random
    left: int = 0
    kills: Counter[str] = field(default_factory=Counter)

    def arm(self) -> None:
        self.left = self.rng.randint(1, 150)

    def at(self, where: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.kills[where] += 1
            raise Killed


@dataclass
class Mortal:
    """A clock whose waits may be the last."""

    clock: SimulatedClock
    killer: Killer

    def now(self) -> float:
        return self.clock.now()

    async def sleep(self, seconds: float) -> None:
        self.killer.at("waiting")
        await self.clock.sleep(seconds)
        self.killer.at("after waiting")


def break_something(run: Watching, rng: Random) -> None:
    network, cluster = run.here.network, run.here.cluster
    choice = rng.randrange(3)
    if choice == 0:
        network.partition(["whale-1", "seed-1"])
    elif choice == 1:
        network.crash(rng.choice(network.running))
    else:
        cluster.blind_to = {"pods"}


def mend_all(run: Watching) -> None:
    network = run.here.network
    network.heal()
    run.here.cluster.blind_to = set()
    for name in set(network.names) - set(network.running):
        network.restart(name)


def live(run: Watching, killer: Killer, until: float) -> None:
    """One life of the watch; it may end anywhere."""
    history = History.open(run.file, IDENTITY)
    record = history.record

    def mortal_record(look: object) -> None:
        killer.at("before remembering")
        record(look)  # type: ignore[arg-type]
        killer.at("before telling")

    history.record = mortal_record  # type: ignore[method-assign, assignment]
    watcher = run.watcher(history)
    watcher.clock = Mortal(SimulatedClock(run.here.network), killer)
    try:
        killer.arm()
        asyncio.run(watcher.run(until=until))
    except Killed:
        pass
    finally:
        history.close()  # as the system does


@pytest.mark.parametrize("seed", range(8))
def test_a_day_of_faults_and_kills(tmp_path: Path, seed: int) -> None:
    rng = Random(seed)
    killer = Killer(rng)
    run = watching(tmp_path, seed, nodes=NODES, poll_s=180.0)
    told: list[tuple[int, Message]] = []
    again: set[int] = set()

    def write(message: Message) -> None:
        killer.at("before writing")
        told.append((message.id, message))
        try:
            killer.at("after writing")
        except Killed:
            again.add(message.id)  # written, and not noted: the one message that may come twice
            raise

    run.write = write
    end = run.now + DAY * run.slot_s
    while run.now < end:
        mend_all(run) if rng.random() < 0.5 else break_something(run, rng)
        live(run, killer, min(end, run.now + rng.randint(3, 40) * run.slot_s))
        if rng.random() < 0.3:
            run.here.network.run(slots=rng.randint(1, 10))
    killer.left = 0
    run.write = lambda message: told.append((message.id, message))
    run.watch(2)

    assert sum(killer.kills.values()) >= 5
    counts = Counter(number for number, _ in told)
    assert {number for number, count in counts.items() if count > 1} <= again
    with History.open(run.file, IDENTITY, watching=False) as history:
        assert set(counts) == {number for (number,) in history.rows("SELECT id FROM messages")}
        incidents = history.rows("SELECT id, ended IS NULL FROM incidents")
    once = [message for _, message in {number: (number, message) for number, message in told}.values()]
    kinds: dict[int, list[str]] = {}
    for message in sorted(once, key=lambda message: message.id):
        for change in message.changes:
            kinds.setdefault(change.incident, []).append(str(change.kind))
    assert kinds.keys() == {number for number, _ in incidents}
    for number, is_open in incidents:
        assert kinds[number][0] == "opened"
        assert kinds[number].count("opened") == 1
        assert kinds[number].count("closed") == (0 if is_open else 1)
    assert len(kinds) >= 3


def lives(folder: Path, fault: str, slots: float, *, killed: bool) -> list[tuple[float, str, str, str]]:
    """What a watch tells of a fault and when, in slots; `killed` right after each of its looks."""
    scene = staged(3)
    run = Watching(World(scene.network, scene.cluster, scene.outputs), folder / "testnet.db")
    began, slot_s = run.now, run.slot_s

    def watch(slots: float) -> None:
        end = run.now + slots * slot_s
        while run.now < end:
            run.watch(0 if killed else slots)
            run.here.network.run(slots=LOOK_SLOTS)

    watch(SEEN_BEFORE)
    inject(scene.cluster, fault, Random(3))
    watch(slots)
    return [
        (round((message.at - began) / slot_s, 3), str(each.kind), each.check, each.problem)
        for message in run.printed
        for each in message.changes
    ]


LOOK_SLOTS = 1 / 6
SEEN_BEFORE = 10
"""More than the checks look back at."""


@pytest.mark.parametrize(("fault", "slots"), [("slow-gossip", 9), ("pool-flat", 5), ("prover-failures", 12)])
def test_a_watch_that_is_killed_after_each_look_tells_the_same_at_the_same_time(
    tmp_path: Path, fault: str, slots: float
) -> None:
    """Nothing lost, nothing twice, and no warm-up: what checks compare with lies in the history."""
    told = [lives(tmp_path / str(killed), fault, slots, killed=killed) for killed in (False, True)]
    assert told[0] == told[1]
    assert fault in {problem for _, _, _, problem in told[0]}
