"""Everything that one sweep gathered, for the checks to judge."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from mina_infra.cluster.cluster import Cluster
from mina_infra.cluster.objects import Claim, Deployment, Pod
from mina_infra.errors import ClusterError
from mina_infra.guardian.clock import Clock
from mina_infra.guardian.counters import Producers
from mina_infra.guardian.counters import look as look_at_producers
from mina_infra.guardian.crashes.ends import Disruption
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
    """What could not be looked at in this sweep, and why."""

    reason: str


_NOBODY = Unseen("nobody looked")


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
    crashes: Crashes | Unseen = _NOBODY
    known: tuple[KnownIssue, ...] = ()
    """The operators' list of known crashes."""
    past: Past = field(default_factory=Past)
    history: Chain | None = None
    times: Times | Unseen = _NOBODY
    disk: Disks | Unseen = _NOBODY
    producers: Producers | Unseen = _NOBODY

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
    before: Evidence | None = None,
    known: tuple[KnownIssue, ...] = (),
    disruptions: Sequence[Disruption] = (),
) -> Evidence:
    """Look at everything once. What cannot be looked at is Unseen; this never raises ClusterError.

    What does not change is taken from the look `before`, and what is small is kept of it. `disruptions` were made on
    purpose.
    """
    past = before.kept() if before else Past()
    deployments, pods, claims = await asyncio.gather(
        _seen(cluster.deployments()), _seen(cluster.pods()), _seen(cluster.claims())
    )
    blocks = max(FIRST_BLOCKS, criteria.production_window + criteria.in_flight_slots + 2)
    nowhere = Unseen("the pods could not be listed")
    asked: Survey | Unseen = nowhere
    crashes: Crashes | Unseen = nowhere
    times: Times | Unseen = nowhere
    disk: Disks | Unseen = nowhere
    producers: Producers | Unseen = nowhere
    history: Chain | None = None
    if not isinstance(pods, Unseen):
        last = before.survey if before and isinstance(before.survey, Survey) else None
        asked = await survey(cluster, outputs, pods, clock, first_blocks=blocks, before=last)
        commits = {name: answer.status.commit_id for name, answer in asked.answers.items()}
        context = Context(disruptions, commits, clock.now() - criteria.crash_window_s)
        uptimes = {name: float(answer.status.uptime_secs) for name, answer in asked.answers.items()}
        crashes, history, times, disk, producers = await asyncio.gather(
            look_for_crashes(cluster, outputs, pods, context, _of(Crashes, before.crashes) if before else None),
            read_history(cluster, outputs, asked, past.chain),
            _seen(look_at_times(cluster, outputs, asked, clock)),
            look_at_disks(cluster, outputs, pods, clock, _of(Disks, before.disk) if before else None),
            look_at_producers(
                cluster, outputs, pods, uptimes, criteria, clock, _of(Producers, before.producers) if before else None
            ),
        )
    return Evidence(
        outputs, criteria, clock.now(), deployments, pods, claims, asked, crashes, known, past, history, times, disk,
        producers,
    )  # fmt: skip


def _of(kind: type[T], part: T | Unseen) -> T | None:
    """What an earlier look saw, if it saw it."""
    return part if isinstance(part, kind) else None


async def _seen(question: Awaitable[T]) -> T | Unseen:
    try:
        return await question
    except ClusterError as error:
        return Unseen(str(error))
