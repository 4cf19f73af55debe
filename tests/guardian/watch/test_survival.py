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
from mina_infra.simulator.node import NodeSpec
from tests.guardian.fake_cluster import SimulatedClock
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
