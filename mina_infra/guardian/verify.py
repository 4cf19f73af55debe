"""Look, judge, and look again until the network is healthy, surely ill, or time is up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass

from mina_infra.cluster.cluster import Cluster
from mina_infra.errors import ClusterError
from mina_infra.guardian.checks import judge_all, needs
from mina_infra.guardian.clock import Clock, WallClock
from mina_infra.guardian.crashes.known import KnownIssue
from mina_infra.guardian.criteria import Criteria, criteria_of
from mina_infra.guardian.evidence import Evidence, gather
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.instability import Memories, judge
from mina_infra.guardian.verdict import Health, Verdict, health_of, verdict_of
from mina_infra.outputs import OutputsDocument, Profile

MANAGED_BY = "app.kubernetes.io/managed-by"
US = "mina-infra"
TESTNET = "testnet"


@dataclass(frozen=True)
class Progress:
    """Where a verification stands. `waiting`: for each check that is not content, its name and what it waits for."""

    sweep: int
    elapsed_s: float
    deadline_s: float
    findings: tuple[Finding, ...]

    @property
    def waiting(self) -> list[tuple[str, str]]:
        return [(each.check, each.summary) for each in self.findings if each.state is not State.PASS and each.asked]

    def line(self) -> str:
        """One line for a person: `inventory ✓  sync … 9 of 12 daemons at the tip`; without what is not asked."""
        marks = {State.PASS: "✓", State.FAIL: "✗", State.UNKNOWN: "…"}
        return "  ".join(
            f"{finding.check} {marks[finding.state]}" + ("" if finding.state is State.PASS else f" {finding.summary}")
            for finding in self.findings
            if finding.asked
        )


Report = Callable[[Progress], None]


async def verify(
    cluster: Cluster,
    outputs: OutputsDocument,
    deadline_s: float,
    report: Report | None = None,
    *,
    clock: Clock | None = None,
    known: tuple[KnownIssue, ...] = (),
    profile: Profile | None = None,
    skipped: Set[str] = frozenset(),
    outsider: Callable[[], Awaitable[Finding]] | None = None,
) -> Verdict:
    """Sweep until every check passes, a failure that waiting cannot mend shows twice, or `deadline_s` is over.

    A network that starts leaves questions open (settling findings); after the deadline they are answered as they stand.
    `known`: crashes that are known. `profile`: whose limits hold instead of those of the document. `skipped`: checks
    that are left out; what they alone need is not asked for. `outsider`: a visit that is made at the end
    and judged with the rest; the network is looked at again after it.
    Raises ClusterError when the cluster does not answer at all, or the namespace is not this testnet's.
    """
    clock = clock or WallClock()
    await refuse_foreign(cluster, outputs)
    criteria = criteria_of(outputs, profile)
    started = clock.now()
    failed_before: frozenset[str] = frozenset()
    sweeps = 0
    evidence: Evidence | None = None
    memories: Memories = {}
    visited: tuple[Finding, ...] = ()
    while True:
        evidence = await gather(cluster, outputs, criteria, clock, needs=needs(skipped), before=evidence, known=known)
        findings = (*judge_all(evidence, skipped), *visited)
        judgements, memories = judge(evidence, findings, memories)
        sweeps += 1
        elapsed = clock.now() - started
        if report:
            report(Progress(sweeps, elapsed, deadline_s, findings))
        failed = _hard_failures(findings)
        confirmed = failed & failed_before
        unconfirmed = failed - failed_before
        done = health_of(findings) is Health.HEALTHY or bool(confirmed) or elapsed >= deadline_s
        # Where something is paused, what is open may be so for good: nobody waits for that.
        done = done or not any(each.settling for each in findings if each.state is not State.PASS)
        # The last look of all may not accuse on its own: one more sweep confirms or clears.
        sure = done and not (unconfirmed and not confirmed) and all(each.confirmed for each in judgements)
        if sure and outsider and not visited:
            visited = (await outsider(),)
            continue
        if sure:
            return verdict_of(
                evidence,
                findings,
                server=cluster.server,
                started=started,
                sweeps=sweeps,
                criteria=judgements,
                skipped=tuple(sorted(skipped)),
            )
        failed_before = failed
        await clock.sleep(pause_seconds(criteria))


def _hard_failures(findings: tuple[Finding, ...]) -> frozenset[str]:
    return frozenset(each.check for each in findings if each.state is State.FAIL and not each.settling)


def pause_seconds(criteria: Criteria) -> float:
    """Between two sweeps: a sixth of a slot sees every change in time; never less than 1 s nor more than 30 s."""
    return min(max(criteria.slot_ms / 6000, 1.0), 30.0)


async def refuse_foreign(cluster: Cluster, outputs: OutputsDocument) -> None:
    """Raise ClusterError unless the namespace was made by us for this testnet: a wrong context judges a stranger."""
    labels = await cluster.namespace_labels()
    where = f"namespace {outputs.namespace!r} on {cluster.server}"
    advice = "Is it the right cluster (mina-infra:cluster in the stack file)?"
    if labels is None:
        raise ClusterError(f"{where} does not exist, but the outputs of testnet {outputs.testnet!r} name it. {advice}")
    owner = labels.get(MANAGED_BY)
    if owner != US:
        raise ClusterError(
            f"{where} is not managed by {US} ({MANAGED_BY}: {owner or 'no such label'}), "
            f"so it is not testnet {outputs.testnet!r}. {advice}"
        )
    if labels.get(TESTNET) != outputs.testnet:
        raise ClusterError(
            f"{where} belongs to testnet {labels.get(TESTNET)!r}, the outputs document to {outputs.testnet!r}. {advice}"
        )
