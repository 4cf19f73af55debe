"""What time it is, and by how much the daemons' clocks are off.

The API server's clock counts, not that of the machine that asks, which may be wrong (docs/facts.md: guardian/clock).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from mina_infra.cluster.cluster import Cluster
from mina_infra.cluster.fanout import gather_bounded
from mina_infra.daemon.replies import GraphQLError, decode_time_offset, query
from mina_infra.errors import ClusterError
from mina_infra.guardian.clock import Clock
from mina_infra.guardian.survey import ANSWER_SECONDS, CONCURRENCY, Answer, Survey
from mina_infra.outputs import OutputsDocument

_DATE_S = 1.0
"""A Date header counts whole seconds."""


@dataclass(frozen=True)
class Times:
    """The server's clock against ours: between `least` and `most` seconds ahead.

    `offsets`: the time offset in seconds that nodes say they were started with; only those that are off were asked.
    """

    least: float
    most: float
    offsets: Mapping[str, int] = field(default_factory=dict)


async def look(cluster: Cluster, outputs: OutputsDocument, survey: Survey, clock: Clock) -> Times:
    """Ask the server for its time, and the nodes that are off why. Raises ClusterError."""
    before = clock.now()
    told = (await cluster.server_time()).timestamp()
    times = Times(told - clock.now(), told + _DATE_S - before)
    off = [node for node in outputs.daemons() if node.name in survey.answers and skew(survey.answers[node.name], times)]
    if not off:
        return times
    replies = await gather_bounded(
        off,
        lambda node: cluster.graphql(survey.answers[node.name].pod, query("time_offset"), port=node.ports["graphql"]),
        limit=CONCURRENCY,
        per_item_timeout=ANSWER_SECONDS,
    )
    offsets = {}
    for node, reply in zip(off, replies, strict=True):
        if isinstance(reply, ClusterError):
            continue
        try:
            offsets[node.name] = decode_time_offset(reply)
        except GraphQLError:
            continue  # a daemon that does not know the question: its clock is off all the same
    return Times(times.least, times.most, offsets)


def skew(answer: Answer, times: Times) -> int:
    """By how many slots a daemon's clock is off: negative when it is slow; 0 within one slot, as slots end meanwhile.

    Its own slot is compared with those in which it can have answered, by the server's clock.
    """
    status = answer.status
    slot_ms, start = status.consensus_configuration.slot_duration, status.consensus_time_now.start_time
    if slot_ms <= 0:
        return 0
    phase = start % slot_ms
    told = (start - phase) // slot_ms
    first = math.floor(((answer.started + times.least) * 1000 - phase) / slot_ms)
    last = math.floor(((answer.ended + times.most) * 1000 - phase) / slot_ms)
    if told < first - 1:
        return int(told - first)
    return int(told - last) if told > last + 1 else 0
