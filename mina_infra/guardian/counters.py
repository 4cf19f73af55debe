"""What block producers count: slots that they won and blocks that they made of them, and what their provers said.

One request for each producer, at most every `FRESH_SLOTS`; logs are only read of producers that lost blocks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mina_infra.cluster.cluster import Cluster
from mina_infra.cluster.fanout import gather_bounded
from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.objects import Pod
from mina_infra.daemon.logs import Level, Record, parse_records
from mina_infra.errors import ClusterError
from mina_infra.guardian.clock import Clock
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.refusals import REFUSED_S, refused
from mina_infra.guardian.survey import newest_pods
from mina_infra.outputs import NodeOutput, OutputsDocument

CONCURRENCY = 16
READ_SECONDS = 6.0
FRESH_SLOTS, FRESH_S = 2, 30.0
_LOG_WINDOWS = 4
"""So many times the window of lost blocks is looked for the prover's words: they are rare where it fails sometimes."""
_LOG_BYTES, _LOG_LINES = 4_000_000, 2000
_WON = re.compile(rb"^Coda_Block_producer_slots_won(?:_total)?(?:\{[^}]*\})?\s+([0-9.eE+]+)", re.M)
_MADE = re.compile(rb"^Coda_Block_producer_blocks_produced(?:_total)?(?:\{[^}]*\})?\s+([0-9.eE+]+)", re.M)
_PROVER = re.compile(r"\b(?:prover|verifier)\b", re.I)


@dataclass(frozen=True)
class Tally:
    """Of one process, since it began: `up_slots` ago. Another `pod` begins at 0 again."""

    pod: str
    won: int
    made: int
    up_slots: float

    @property
    def gap(self) -> int:
        """Slots won without a block. One or two may be of blocks that are still proved."""
        return max(self.won - self.made, 0)


@dataclass(frozen=True)
class Producers:
    """What the producers count now, and what was read earlier, the oldest first; times in seconds since 1970."""

    at: float
    tallies: Mapping[str, Tally]
    unread: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What prover or verifier said at Error or worse, by node: of producers that lost blocks."""
    earlier: tuple[tuple[float, Mapping[str, Tally]], ...] = ()
    forbidden: bool = False
    """These credentials may not reach the ports of pods."""


async def look(
    cluster: Cluster,
    outputs: OutputsDocument,
    pods: Sequence[Pod],
    uptimes: Mapping[str, float],
    criteria: Criteria,
    clock: Clock,
    before: Producers | None = None,
) -> Producers:
    """Read the counters of every running producer that has a metrics port. `uptimes` in seconds. Never raises."""
    now = clock.now()
    slot_s = criteria.slot_ms / 1000
    if before is not None and before.forbidden and now - before.at < REFUSED_S:
        return before
    current = newest_pods(pods)
    asked = [node for node in producers_of(outputs) if node.name in current and node.name in uptimes]
    quiet = before is not None and all(tally.gap < criteria.lost_blocks for tally in before.tallies.values())
    same = before is not None and {node.name for node in asked} == before.tallies.keys()
    if before is not None and quiet and same and now - before.at < max(FRESH_SLOTS * slot_s, FRESH_S):
        return before
    replies = await gather_bounded(
        asked,
        lambda node: cluster.metrics(current[node.name].name, node.ports["metrics"]),
        limit=CONCURRENCY,
        per_item_timeout=READ_SECONDS,
    )
    tallies: dict[str, Tally] = {}
    unread: dict[str, str] = {}
    for node, reply in zip(asked, replies, strict=True):
        tally = (
            None
            if isinstance(reply, ClusterError)
            else tally_of(reply, current[node.name].name, uptimes[node.name] / slot_s)
        )
        if tally is None:
            unread[node.name] = str(reply) if isinstance(reply, ClusterError) else "no counters in its metrics"
        else:
            tallies[node.name] = tally
    losing = [node for node in asked if node.name in tallies and tallies[node.name].gap >= criteria.lost_blocks]
    since = datetime.fromtimestamp(now - _LOG_WINDOWS * criteria.lost_blocks_slots * slot_s, UTC)
    errors = await _errors(cluster, losing, current, since)
    earlier = _earlier(before, now - criteria.lost_blocks_slots * slot_s)
    return Producers(now, tallies, unread, errors, earlier, forbidden=not tallies and refused(replies))


def producers_of(outputs: OutputsDocument) -> list[NodeOutput]:
    """Running producers whose counters can be read at all."""
    return [node for node in outputs.running() if node.role == "block-producer" and "metrics" in node.ports]


def tally_of(metrics: bytes, pod: str, up_slots: float) -> Tally | None:
    """The counters in a daemon's /metrics; None where they are missing."""
    won, made = _WON.search(metrics), _MADE.search(metrics)
    try:
        return Tally(pod, int(float(won[1])), int(float(made[1])), up_slots) if won and made else None
    except (ValueError, OverflowError):
        return None


def prover_errors(records: Sequence[Record]) -> tuple[str, ...]:
    """What prover or verifier said at Error or worse (docs/facts.md: guardian/prover-errors)."""
    return tuple(
        record.line.text
        for record in records
        if Level.ERROR <= record.line.level != Level.FAULTY_PEER
        and (_PROVER.search(record.line.message) or _PROVER.search(record.line.source.module.replace("_", " ")))
    )


def _earlier(before: Producers | None, since: float) -> tuple[tuple[float, Mapping[str, Tally]], ...]:
    """Readings of the window, and the one before it."""
    if before is None:
        return ()
    readings = (*before.earlier, (before.at, before.tallies))
    inside = [index for index, (at, _) in enumerate(readings) if at >= since]
    return readings[max((inside[0] if inside else len(readings)) - 1, 0) :]


async def _errors(
    cluster: Cluster, nodes: Sequence[NodeOutput], pods: Mapping[str, Pod], since: datetime
) -> dict[str, tuple[str, ...]]:
    part = LogRange(since=since, limit_bytes=_LOG_BYTES, tail_lines=_LOG_LINES)
    logs = await gather_bounded(
        nodes,
        lambda node: cluster.read_log(pods[node.name].name, node.container, part),
        limit=CONCURRENCY,
        per_item_timeout=READ_SECONDS,
    )
    return {
        node.name: found
        for node, log in zip(nodes, logs, strict=True)
        if isinstance(log, bytes) and (found := prover_errors(list(parse_records(log.split(b"\n")))))
    }
