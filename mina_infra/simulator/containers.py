"""The pods of a simulated network: one for each node, with the lives of its daemon's container and their logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.objects import Container, Pod, Program
from mina_infra.simulator.joining import Happening
from mina_infra.simulator.log_lines import line, lines_of
from mina_infra.simulator.pods import CONTAINER
from mina_infra.simulator.simulated import Entry, SimulatedNetwork

IMAGE = "mina"
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
RELIED_ON = {"-log-txn-pool-gossip": "true", "-log-snark-work-gossip": "true", "-limited-graphql-port": "3095"}
"""Flags that operation relies on, as the outputs document tells them."""
ARGUMENTS = ("daemon", "-log-json", "-log-level", "Info", *(word for flag in RELIED_ON.items() for word in flag))
"""Of a daemon that was deployed as the plan says."""


@dataclass(frozen=True)
class Life:
    """One run of a container that has ended; times in ms since 1970, `log` as it stood at the end."""

    exit_code: int
    reason: str
    started_ms: float
    ended_ms: float
    log: tuple[Entry, ...] = ()


@dataclass
class PodRecord:
    """One node's pod. `number` counts the pods that this node has had, so that each has its own name and uid."""

    node: str
    number: int = 0
    created: datetime = CREATED
    phase: str = "Running"
    waiting: str | None = None
    """Why its container does not run: CrashLoopBackOff, ImagePullBackOff, ...; None while it does."""
    unschedulable: str | None = None
    deleting: bool = False
    ready: bool | None = None
    """None: as the daemon's life says."""
    image: str = IMAGE
    arguments: tuple[str, ...] = ARGUMENTS
    restarts: int = 0
    lives: list[Life] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.node}-{self.number}"

    @property
    def uid(self) -> str:
        return f"uid-{self.node}" + (f"-{self.number}" if self.number else "")

    def pod(self, network: SimulatedNetwork, labels: dict[str, str]) -> Pod:
        """The object, as the API server would show it."""
        runs = network.network.nodes[self.node].running and self.waiting is None
        ready = runs if self.ready is None else self.ready
        started = self.phase == "Running" or self.waiting is not None
        return Pod(
            self.name, self.uid, self.node, self.phase, ready and self.phase == "Running", self.deleting, self.created,
            (self._container(network, runs, ready),) if started else (), self.unschedulable, labels, self.annotations,
            programs={CONTAINER: Program(self.image, self.arguments)},
        )  # fmt: skip

    def _container(self, network: SimulatedNetwork, runs: bool, ready: bool) -> Container:
        last = self.lives[-1] if self.lives else None
        crashed = 3 if not runs and self.waiting is None else 0  # a node that was killed and stays down crash-loops
        return Container(
            name=CONTAINER,
            ready=ready,
            restarts=max(self.restarts, crashed),
            waiting=self.waiting or (None if runs else "CrashLoopBackOff"),
            last_exit=last.exit_code if last else None,
            last_reason=last.reason if last else None,
            image=self.image,
            started=moment(network.network.nodes[self.node].started_ms) if runs else None,
            last_started=moment(last.started_ms) if last else None,
            last_ended=moment(last.ended_ms) if last else None,
        )


def moment(ms: float) -> datetime:
    """A time of the network as the API server writes it: UTC, whole seconds."""
    return datetime.fromtimestamp(ms // 1000, UTC)


def log_text(network: SimulatedNetwork, entries: Sequence[Entry], part: LogRange) -> bytes:
    """What reading that part of a log gives: JSON lines, as with -log-json."""
    lines = [
        (when, text)
        for when, entry in entries
        if part.since is None or when >= part.since.timestamp() * 1000
        for text in texts(network, when, entry)
    ]
    if part.tail_lines is not None:
        lines = lines[max(len(lines) - part.tail_lines, 0) :]
    stamped = (f"{_stamp(when)} {text}" if part.timestamps else text for when, text in lines)
    data = "".join(f"{text}\n" for text in stamped).encode()
    return data if part.limit_bytes is None else data[: part.limit_bytes]


def texts(network: SimulatedNetwork, when: float, entry: str | Happening) -> list[str]:
    """The lines of one entry; a happening is written as the daemon would."""
    if isinstance(entry, str):
        return entry.split("\n")
    sender = network.network.nodes.get(entry.sender or "")
    return [line(template, when, entry.node, metadata, as_json=True) for template, metadata in lines_of(entry, sender)]


def _stamp(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="microseconds")[:26] + "000Z"
