"""The runbook's eight criteria of an unstable testnet, each stable, unstable or unknown, with the evidence for it.

A criterion is concluded from what the checks found and from the survey. What one sweep shows is only half an answer: a
condition counts when sweeps in a row show it, and clears after some good slots (docs/facts.md: guardian/instability).
What must be remembered between sweeps is plain data, so that a watch can keep it over a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from mina_infra.guardian import conditions, runbook
from mina_infra.guardian.conditions import Condition, Seen, Sight
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import Finding, Row


class Stability(StrEnum):
    """A criterion whose check could not look, or did not, is UNKNOWN."""

    STABLE = "stable"
    UNSTABLE = "unstable"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Criterion:
    """One line of the runbook's list: number and words, the checks it is concluded from, the rule, and who looks."""

    number: int
    name: str
    title: str
    checks: tuple[str, ...]
    rule: str
    observe: Callable[[Sight], Seen] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Judgement:
    """Where one criterion stands. `number`: as the runbook counts them, 1 to 8.

    `since`: since when it stands so, UTC; for an unstable one from the chain where that tells. `chance`: that a network
    in order shows this. `asked`: False where nothing on this network, or in this run, looks at it. `confirmed`: False
    while an UNKNOWN one waits for a second sweep.
    """

    criterion: Criterion
    state: Stability
    summary: str
    since: datetime | None = None
    evidence: tuple[Row, ...] = ()
    confidence: str = ""
    chance: float | None = None
    asked: bool = True
    confirmed: bool = True
    event: runbook.Event = field(default_factory=lambda: runbook.unstable("qa"))

    @property
    def number(self) -> int:
        return self.criterion.number

    @property
    def name(self) -> str:
        return self.criterion.name


@dataclass(frozen=True)
class Memory:
    """What is known of one criterion between two sweeps. Times in seconds since 1970; None: not now."""

    state: Stability = Stability.UNKNOWN
    since: float | None = None
    shown: int = 0
    """Sweeps in a row, up to now, that showed the condition."""
    first_shown: float | None = None
    good_since: float | None = None


Memories = Mapping[str, Memory]
"""By the name of the criterion; empty before the first sweep."""

CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        1,
        "network-forks",
        "Network forks",
        ("forks",),
        "split, or fork_depth deep on fork_stake of the stake, or fork_warn_depth deep on fork_witnesses nodes for "
        "more than fork_lasting_slots",
        conditions.network_forks,
    ),
    Criterion(
        2,
        "not-produced",
        "Blocks are not being created",
        ("production",),
        "so few filled slots, or so long a silence, that a network in order does not show it",
        conditions.not_produced,
    ),
    Criterion(
        3,
        "not-gossiped",
        "Blocks, transactions or snark work not being gossiped",
        ("gossip",),
        "the check gossip fails",
        conditions.not_gossiped,
    ),
    Criterion(
        4,
        "not-included",
        "Transactions not getting included in a block",
        ("inclusion",),
        "the check inclusion fails for lack of transactions, with load",
        conditions.not_included,
    ),
    Criterion(
        5,
        "prover-failures",
        "Prover failures",
        ("provers",),
        "the check provers fails",
        conditions.prover_failures,
    ),
    Criterion(
        6,
        "crashes-halt-production",
        "Other persistent crashes halting block production",
        ("crashes", "pods", "production"),
        "production fails, and one crash comes in a burst or producers with crash_stake of the stake crash in a loop",
        conditions.crashes_halt_production,
    ),
    Criterion(
        7,
        "cannot-join",
        "New nodes unable to join the network, stuck in bootstrap or catchup",
        ("join", "sync"),
        "an outside node does not sync, or nodes of the testnet hang in bootstrap for more than bootstrap_fail_slots "
        "or in catchup for more than catchup_fail_slots",
        conditions.cannot_join,
    ),
    Criterion(
        8,
        "joins-fork",
        "New nodes not syncing to the main chain and causing forks",
        ("join", "forks"),
        "a node younger than new_node_slots, and than half of what most nodes are, is fork_warn_depth off the main "
        "chain, new_fork_nodes nodes with it; or an outside node follows another chain",
        conditions.joins_fork,
    ),
)
"""The list of the runbook, in its order."""


def judge(
    evidence: Evidence, findings: Sequence[Finding], before: Memories, *, hysteresis: bool = False
) -> tuple[tuple[Judgement, ...], dict[str, Memory]]:
    """The eight judgements after one more sweep, and what to remember for the next.

    With `hysteresis` an unstable criterion clears only after `clear_slots` good slots, so that a watch does not flap;
    a single verification believes its last sweep.
    """
    sight = Sight(evidence, {finding.check: finding for finding in findings})
    judgements: list[Judgement] = []
    memories: dict[str, Memory] = {}
    for criterion in CRITERIA:
        seen = criterion.observe(sight)
        memory = follow(before.get(criterion.name, Memory()), seen, evidence.at, evidence.criteria, hysteresis)
        memories[criterion.name] = memory
        judgements.append(_judgement(criterion, seen, memory, evidence))
    return tuple(judgements), memories


def follow(memory: Memory, seen: Seen, at: float, criteria: Criteria, hysteresis: bool) -> Memory:
    """One sweep later, at `at`."""
    if seen.condition is Condition.SHOWN:
        return _shown(memory, seen, at, criteria)
    if memory.state is Stability.UNSTABLE and hysteresis:
        if seen.condition is Condition.OPEN:  # who cannot look cannot give the all-clear
            return replace(memory, shown=0, good_since=None)
        good_since = at if memory.good_since is None else memory.good_since
        if criteria.slots((at - good_since) * 1000) < criteria.clear_slots:
            return replace(memory, shown=0, good_since=good_since)
        return Memory(Stability.STABLE, good_since, good_since=good_since)
    state = Stability.STABLE if seen.condition is Condition.ABSENT else Stability.UNKNOWN
    return Memory(state, memory.since if memory.state is state else at)


def _shown(memory: Memory, seen: Seen, at: float, criteria: Criteria) -> Memory:
    shown = memory.shown + 1
    first = memory.first_shown if memory.shown and memory.first_shown is not None else at
    counts = shown >= criteria.confirm_sweeps or seen.at_once or memory.state is Stability.UNSTABLE
    if not counts:
        return Memory(Stability.UNKNOWN, at, shown, first)
    since = memory.since if memory.state is Stability.UNSTABLE else None
    if since is None:
        since = first if seen.since_slots is None else at - criteria.seconds(seen.since_slots)
    return Memory(Stability.UNSTABLE, since, shown, first)


def _judgement(criterion: Criterion, seen: Seen, memory: Memory, evidence: Evidence) -> Judgement:
    waits = seen.condition is Condition.SHOWN and memory.state is Stability.UNKNOWN
    summary = seen.summary
    if waits:
        summary += "; one sweep shows it, a second must confirm it"
    elif memory.state is Stability.UNSTABLE and memory.good_since is not None:
        good = evidence.criteria.slots((evidence.at - memory.good_since) * 1000)
        summary = f"good for {good:.0f} of {evidence.criteria.clear_slots} slots: {summary}"
    return Judgement(
        criterion=criterion,
        state=memory.state,
        summary=summary,
        since=None if memory.since is None else datetime.fromtimestamp(memory.since, UTC),
        evidence=seen.evidence,
        confidence=seen.confidence,
        chance=seen.chance,
        asked=seen.asked,
        confirmed=not waits,
        event=runbook.unstable(evidence.criteria.profile),
    )
