"""Collecting crashes, the free sources first: pod statuses, then events and the previous logs of what was restarted.

A network without restarts costs no request at all here: its pods were listed anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mina_infra.cluster.cluster import Cluster
from mina_infra.cluster.fanout import gather_bounded
from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.objects import Event, Pod
from mina_infra.errors import ClusterError
from mina_infra.guardian.crashes.ends import Disruption, End, ends_of, explained, judge
from mina_infra.guardian.crashes.model import Crash, Crashes, Explained, Key
from mina_infra.guardian.crashes.records import Words, words_of
from mina_infra.outputs import OutputsDocument

CONCURRENCY = 16
READ_SECONDS = 20.0
LOG_BYTES = 1_000_000
# The oldest bytes of a range come first, so the number of lines has to keep a crash, which stands at the end, within
# the bytes. One line may have a mebibyte; where the first range was cut, the second is short enough nearly always.
_TAILS = (300, 20)


@dataclass(frozen=True)
class Context:
    """What explains an end: what was done on purpose, and the builds of the daemons by node."""

    disruptions: Sequence[Disruption] = ()
    commits: Mapping[str, str] = field(default_factory=dict)
    since: float | None = None
    """Ends before this (seconds since 1970) are left aside."""


NOTHING = Context()


async def look(
    cluster: Cluster,
    outputs: OutputsDocument,
    pods: Sequence[Pod],
    context: Context = NOTHING,
    before: Crashes | None = None,
) -> Crashes:
    """What the pods' containers ended of. What was found `before` is not read again. Never raises ClusterError."""
    ends = ends_of(pods, (node.name for node in outputs.running()))
    ends = [end for end in ends if context.since is None or end.at is None or end.at >= context.since]
    known = _known(before)
    fresh = [end for end in ends if end.key not in known]
    results = [known[end.key] for end in ends if end.key in known]
    unread: list[tuple[str, str]] = []
    if fresh:
        events = await _events(cluster)
        open_ends = []
        for end in fresh:
            if why := explained(end, context.disruptions, events):
                results.append(Explained(end.node, end.container.name, why, end.key))
            else:
                open_ends.append(end)
        logs = await gather_bounded(
            open_ends, lambda end: _words(cluster, end), limit=CONCURRENCY, per_item_timeout=READ_SECONDS
        )
        for end, words in zip(open_ends, logs, strict=True):
            if isinstance(words, ClusterError):
                unread.append((end.node, str(words)))
                words = Words()
            results.append(judge(end, words, events, context.commits.get(end.node, "")))
    found = tuple(each for each in results if isinstance(each, Crash))
    return Crashes(found, tuple(each for each in results if isinstance(each, Explained)), tuple(unread))


def _known(before: Crashes | None) -> dict[Key, Crash | Explained]:
    """What need not be looked at again: all but the ends whose log could not be read."""
    if before is None:
        return {}
    again = {node for node, _ in before.unread}
    every: Iterable[Crash | Explained] = (*before.found, *before.explained)
    return {each.key: each for each in every if each.key is not None and each.node not in again}


async def _events(cluster: Cluster) -> list[Event]:
    """They give reasons only: what ended without one is judged without them."""
    try:
        return await cluster.events()
    except ClusterError:
        return []


async def _words(cluster: Cluster, end: End) -> Words:
    """The words of the run before this one. Raises ClusterError."""
    log = b""
    for lines in _TAILS:
        part = LogRange(previous=True, limit_bytes=LOG_BYTES, tail_lines=lines)
        log = await cluster.read_log(end.pod.name, end.container.name, part)
        if len(log) < LOG_BYTES:
            break
    return words_of(log)
