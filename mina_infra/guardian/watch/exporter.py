"""`/metrics` over HTTP, on this machine only unless another address is named; and what a look means in metrics."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from mina_infra.errors import MinaInfraError
from mina_infra.guardian.clock import Clock, WallClock
from mina_infra.guardian.findings import State
from mina_infra.guardian.instability import Stability
from mina_infra.guardian.verdict import Health
from mina_infra.guardian.watch import metrics
from mina_infra.guardian.watch.look import fill_of
from mina_infra.guardian.watch.metrics import CONTENT_TYPE, Metric, Sample, render
from mina_infra.guardian.watch.symptoms import Severity
from mina_infra.guardian.watch.watcher import NOT_ASKED, Looked

LOCALHOST = "127.0.0.1"
_REQUEST_S = 5.0
_HEALTH = {Health.HEALTHY: "healthy", Health.UNSTABLE: "unstable", Health.UNKNOWN: "unknown"}
_FIGURES: tuple[tuple[str, Metric], ...] = (
    ("expected", metrics.NODES_EXPECTED),
    ("answering", metrics.NODES_ANSWERING),
    ("synced", metrics.NODES_SYNCED),
    ("silent", metrics.NODES_SILENT),
    ("forked", metrics.NODES_FORKED),
    ("height", metrics.BEST_HEIGHT),
    ("deepest", metrics.FORK_DEPTH),
    ("split", metrics.SPLIT_NODES),
    ("active_stake", metrics.ACTIVE_STAKE),
    ("due_stake", metrics.EXPECTED_STAKE),
    ("online_stake", metrics.ONLINE_STAKE),
    ("empty_slots", metrics.EMPTY_SLOTS),
    ("cusum", metrics.CUSUM),
)


class ExporterError(MinaInfraError):
    """The address for the metrics cannot be listened on."""


@dataclass
class Exported:
    """What is exported now; `take` is the watcher's `on_look`, `count` the post's `counted`."""

    testnet: str
    clock: Clock = field(default_factory=WallClock)
    looks: int = 0
    last: Looked | None = None
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, looked: Looked) -> None:
        self.looks += 1
        self.last = looked

    def count(self, sink: str, result: str) -> None:
        self.messages[(sink, result)] += 1

    def text(self) -> str:
        """The page. Before the first look it has only counters; a look that is too old says only when it was."""
        samples = [Sample(metrics.LOOKS, self.looks)]
        samples += [Sample(metrics.MESSAGES, count, labels) for labels, count in sorted(self.messages.items())]
        if self.last is not None:
            samples += moments_of(self.last)
            samples += samples_of(self.last) if self.clock.now() <= self.last.holds_until else ()
        return render(samples, {"testnet": self.testnet})


def moments_of(looked: Looked) -> Iterator[Sample]:
    """When there was a look, and when one that saw everything."""
    yield Sample(metrics.LAST_LOOK, looked.moment.at)
    yield Sample(metrics.LAST_COMPLETE_LOOK, looked.memory.complete or 0)


def samples_of(looked: Looked) -> Iterator[Sample]:
    """One look as samples; what it did not see has none."""
    judged = looked.judged
    for health, word in _HEALTH.items():
        yield Sample(metrics.HEALTH, looked.health is health, (word,))
    for finding in judged.findings:
        state = str(finding.state) if finding.asked else NOT_ASKED
        for each in (*map(str, State), NOT_ASKED):
            yield Sample(metrics.CHECK_STATE, state == each, (finding.check, each))
    for judgement in judged.judgements:
        for stability in Stability:
            labels = (str(judgement.number), str(stability))
            yield Sample(metrics.CRITERION_STATE, judgement.state is stability, labels)
    for symptom in judged.seen.symptoms.values():
        yield Sample(metrics.PROBLEM_NODES, len(symptom.nodes) or 1, (symptom.check, symptom.problem))
    for name, metric in _FIGURES:
        value = judged.figures.get(name)
        if value is not None:
            yield Sample(metric, value)
    filled, expected = fill_of(judged.figures, judged.evidence.criteria)
    if filled is not None:
        yield Sample(metrics.FILLED_SHARE, filled)
    yield Sample(metrics.EXPECTED_FILL, expected)
    open_now = Counter(track.severity for track in looked.memory.book.open)
    for severity in Severity:
        yield Sample(metrics.INCIDENTS_OPEN, open_now[severity], (str(severity),))
    yield Sample(metrics.LOOK_DURATION, looked.took)


@asynccontextmanager
async def serving(exported: Exported, port: int, host: str = LOCALHOST) -> AsyncIterator[int]:
    """Serve while inside; gives the port, which the system chooses for 0. Raises ExporterError."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, TimeoutError, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_reply(head, exported))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=16_384)
    except (OSError, OverflowError) as error:
        raise ExporterError(
            f"cannot serve metrics on {host}:{port}: {getattr(error, 'strerror', None) or error}. "
            "Name another port: --metrics-port"
        ) from error
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def _reply(head: bytes, exported: Exported) -> bytes:
    method, _, rest = head.split(b"\r\n", 1)[0].partition(b" ")
    path = rest.split(b" ")[0].split(b"?")[0]
    if method not in (b"GET", b"HEAD"):
        return _http("405 Method Not Allowed", "text/plain", b"GET only\n", method)
    if path != b"/metrics":
        return _http("404 Not Found", "text/plain", b"metrics are at /metrics\n", method)
    return _http("200 OK", CONTENT_TYPE, exported.text().encode(), method)


def _http(status: str, kind: str, body: bytes, method: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if method == b"HEAD" else body)
