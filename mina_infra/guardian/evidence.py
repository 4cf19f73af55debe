"""Everything that one sweep gathered, for the checks to judge."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mina_infra.cluster.cluster import Cluster
from mina_infra.cluster.objects import Claim, Deployment, Pod
from mina_infra.errors import ClusterError
from mina_infra.guardian.clock import Clock
from mina_infra.guardian.counters import Producers
from mina_infra.guardian.counters import look as look_at_producers
from mina_infra.guardian.crashes.intake import Context
from mina_infra.guardian.crashes.intake import look as look_for_crashes
from mina_infra.guardian.crashes.known import KnownIssue
from mina_infra.guardian.crashes.model import Crashes
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.disk import Disks
from mina_infra.guardian.disk import look as look_at_disks
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.gossip import late_blocks
from mina_infra.guardian.history import read_history
from mina_infra.guardian.past import Past
from mina_infra.guardian.survey import FIRST_BLOCKS, Survey, survey
from mina_infra.guardian.times import Times
from mina_infra.guardian.times import look as look_at_times
from mina_infra.outputs import OutputsDocument

T = TypeVar("T")


@dataclass(frozen=True)
class Unseen:
    """What was not looked at in this sweep, and why."""

    reason: str


UNASKED = Unseen("no check of this run needs it")

SOURCES: Mapping[str, frozenset[str]] = {
    "deployments": frozenset(),
    "pods": frozenset(),
    "claims": frozenset(),
    "survey": frozenset({"pods"}),
    "crashes": frozenset({"pods"}),
    "history": frozenset({"survey"}),
    "times": frozenset({"survey"}),
    "disk": frozenset({"pods"}),
    "producers": frozenset({"survey"}),
}
"""The fields of Evidence that are gathered, and which others each is gathered by."""


@dataclass(frozen=True)
class Evidence:
    """One look at the network. `at`: seconds since 1970 at its end.

    `past` is what the looks before left, `history` the canonical chain as far back as anybody told it.
    """

    outputs: OutputsDocument
    criteria: Criteria
    at: float
    deployments: list[Deployment] | Unseen
    pods: list[Pod] | Unseen
    claims: list[Claim] | Unseen
    survey: Survey | Unseen
    crashes: Crashes | Unseen = UNASKED
    known: tuple[KnownIssue, ...] = ()
    """The operators' list of known crashes."""
    past: Past = field(default_factory=Past)
    history: Chain | None = None
    times: Times | Unseen = UNASKED
    disk: Disks | Unseen = UNASKED
    producers: Producers | Unseen = UNASKED

    @classmethod
    def blind(cls, unseen: Unseen, outputs: OutputsDocument, criteria: Criteria, at: float, past: Past) -> Evidence:
        """A look in which nothing was seen."""
        return cls(
            outputs, criteria, at, deployments=unseen, pods=unseen, claims=unseen, survey=unseen, crashes=unseen,
            past=past, times=unseen, disk=unseen, producers=unseen,
        )  # fmt: skip

    def kept(self) -> Past:
        """What this look leaves to the next."""
        if isinstance(self.survey, Unseen):
            return self.past
        late = late_blocks(self.survey, self.history, self.criteria) if self.history else frozenset()
        return self.past.with_look(self.survey, self.history, late, self.criteria)


async def gather(
    cluster: Cluster,
    outputs: OutputsDocument,
    criteria: Criteria,
    clock: Clock,
    *,
    needs: Set[str] = SOURCES.keys(),
    before: Evidence | None = None,
    known: tuple[KnownIssue, ...] = (),
) -> Evidence:
    """Look once at what is needed. What cannot be looked at is Unseen; this never raises ClusterError.

    `needs` names SOURCES; what these are gathered by is asked as well, and nothing else. What does not change is taken
    from the look `before`, and what is small is kept of it.
    """
    past = before.kept() if before else Past()
    wanted = with_what_they_need(needs)
    deployments, pods, claims = await asyncio.gather(
        _seen(cluster.deployments()) if "deployments" in wanted else _unasked(),
        _seen(cluster.pods()) if "pods" in wanted else _unasked(),
        _seen(cluster.claims()) if "claims" in wanted else _unasked(),
    )
    if isinstance(pods, Unseen):
        nowhere = pods if pods is UNASKED else Unseen("the pods could not be listed")
        blind = Evidence.blind(nowhere, outputs, criteria, clock.now(), past)
        return replace(blind, deployments=deployments, pods=pods, claims=claims, known=known)
    asked: Survey | Unseen = UNASKED
    if "survey" in wanted:
        blocks = max(FIRST_BLOCKS, criteria.production_window + criteria.in_flight_slots + 2)
        last = _of(Survey, before and before.survey)
        asked = await survey(cluster, outputs, pods, clock, first_blocks=blocks, before=last)
    seen = asked if isinstance(asked, Survey) else None
    statuses = {name: answer.status for name, answer in seen.answers.items()} if seen else {}
    commits = {name: status.commit_id for name, status in statuses.items()}
    context = Context(commits=commits, since=clock.now() - criteria.crash_window_s)
    uptimes = {name: float(status.uptime_secs) for name, status in statuses.items()}
    crashes, history, times, disk, producers = await asyncio.gather(
        _seen(look_for_crashes(cluster, outputs, pods, context, _of(Crashes, before and before.crashes)))
        if "crashes" in wanted
        else _unasked(),
        _seen(read_history(cluster, outputs, seen, past.chain)) if seen and "history" in wanted else _unasked(),
        _seen(look_at_times(cluster, outputs, seen, clock)) if seen and "times" in wanted else _unasked(),
        _seen(look_at_disks(cluster, outputs, pods, clock, _of(Disks, before and before.disk)))
        if "disk" in wanted
        else _unasked(),
        _seen(
            look_at_producers(
                cluster, outputs, pods, uptimes, criteria, clock, _of(Producers, before and before.producers)
            )
        )
        if "producers" in wanted
        else _unasked(),
    )
    return Evidence(
        outputs, criteria, clock.now(), deployments, pods, claims, asked, crashes, known, past,
        _of(Chain, history), times, disk, producers,
    )  # fmt: skip


def with_what_they_need(sources: Set[str]) -> frozenset[str]:
    """These and all by which they are gathered."""
    wanted = frozenset(sources).union(*(SOURCES[each] for each in sources))
    return wanted if wanted == sources else with_what_they_need(wanted)


def _of(kind: type[T], part: object) -> T | None:
    """What was seen of it; None for nothing."""
    return part if isinstance(part, kind) else None


async def _seen(question: Awaitable[T]) -> T | Unseen:
    try:
        return await question
    except ClusterError as error:
        return Unseen(str(error))


async def _unasked() -> Unseen:
    return UNASKED
