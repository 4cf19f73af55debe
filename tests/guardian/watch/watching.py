"""A watch on a simulated network in virtual time, which a test may kill and start again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mina_infra.guardian.watch.history import History
from mina_infra.guardian.watch.messages import Message
from mina_infra.guardian.watch.sinks import Lines, Post
from mina_infra.guardian.watch.watcher import Watcher
from tests.guardian.fake_cluster import SimulatedClock, World, world

IDENTITY = {"testnet": "testnet", "namespace": "testnet"}


@dataclass
class Watching:
    """`printed`: all messages since the beginning, over all lives of the watch."""

    here: World
    file: Path
    poll_s: float | None = None
    printed: list[Message] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    """The health of each look."""
    write: Callable[[Message], None] | None = None

    @property
    def slot_s(self) -> float:
        return self.here.network.constants.slot_ms / 1000

    @property
    def now(self) -> float:
        return self.here.network.now_ms / 1000

    def watch(self, slots: float, *, once: bool = False) -> int:
        """Watch for so long, in a new process as it were. The exit code."""
        with History.open(self.file, IDENTITY) as history:
            return asyncio.run(self.watcher(history).run(until=self.now + slots * self.slot_s, once=once))

    def watcher(self, history: History) -> Watcher:
        clock = SimulatedClock(self.here.network)
        post = Post(history, Lines(self.write or self.printed.append), clock=clock, warn=self.warnings.append)
        return Watcher(
            self.here.cluster, self.here.outputs, history, post, clock, self.poll_s,
            on_look=lambda looked: self.looks.append(str(looked.health)), warn=self.warnings.append,
        )  # fmt: skip

    def told(self) -> list[tuple[str, str, str]]:
        """What became of which incident, in the order of telling: `("opened", "forks", "partition")`."""
        return [(str(each.kind), each.check, each.problem) for message in self.printed for each in message.changes]

    def opened_at(self, check: str, problem: str) -> float:
        """When it was told that this opened, in seconds since 1970."""
        return next(
            message.at
            for message in self.printed
            for each in message.changes
            if (str(each.kind), each.check, each.problem) == ("opened", check, problem)
        )


def watching(
    folder: Path, seed: int = 1, *, slots: float = 30, poll_s: float | None = None, **more: object
) -> Watching:
    """A network that has lived for a while, and nobody watches yet."""
    return Watching(world(seed, slots=slots, **more), folder / "testnet.db", poll_s)  # type: ignore[arg-type]
