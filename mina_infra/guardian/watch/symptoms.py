"""What one look shows, in the words that incidents are made of: check and problem, how grave, how soon it counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mina_infra.guardian.evidence import Evidence, Unseen
from mina_infra.guardian.findings import Finding, State

WATCH = "watch"
"""The check that stands for the watch itself: can it look at all?"""

CANNOT_LOOK = "cannot-look"
CANNOT_TELL = "cannot-tell"
FAILED = "failed"
"""The problem of a check that fails and has no word for it."""


class Severity(StrEnum):
    """FAILURE: the network is ill. WARNING: within the criteria, yet not as it should be. BLIND: nobody can tell."""

    FAILURE = "failure"
    WARNING = "warning"
    BLIND = "blind"


class Onset(StrEnum):
    """When a symptom becomes an incident.

    AT_ONCE: the evidence cannot be chance. CONFIRMED: seen in two looks in a row. LASTING: also for two slots.
    SETTLING: also for half a minute, because a restarted pod mends itself, however short the slots are. SLOW: what a
    starting network may leave open for long.
    """

    AT_ONCE = "at-once"
    CONFIRMED = "confirmed"
    LASTING = "lasting"
    SETTLING = "settling"
    SLOW = "slow"


Key = tuple[str, str]
"""Check, and the gravest problem of the family."""

_UNSEEN = frozenset({"silent", "road"})
"""What may be the road's fault and not the node's, whatever else the same check found."""

FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("production", ("halt", "slow-production")),
    ("forks", ("split", "deep-fork", "fork")),
    ("sync", ("stuck", "behind")),
    ("gossip", ("no-gossip", "slow-gossip")),
    ("crashes", ("crash-burst", "crash")),
    ("seeds", ("too-few-seeds", "seed-down")),
    ("disk", ("disk-full", "disk-filling")),
)
"""Problems that are one illness at different stages, the gravest first: one incident that gets worse, not two."""


def key_of(check: str, problem: str) -> Key:
    """What incidents of that check and problem are found again by."""
    family = next((family for of, family in FAMILIES if of == check and problem in family), (problem,))
    return (check, family[0])


def gravity(check: str, problem: str) -> int:
    """The stage of an illness, 0 for the gravest."""
    return next((family.index(problem) for of, family in FAMILIES if of == check and problem in family), 0)


@dataclass(frozen=True)
class Symptom:
    """One thing that is wrong in one look; nodes that suffer from the same thing share it."""

    check: str
    problem: str
    severity: Severity
    onset: Onset
    summary: str
    nodes: tuple[str, ...] = ()
    action: str = ""

    @property
    def key(self) -> Key:
        return key_of(self.check, self.problem)


@dataclass(frozen=True)
class Seen:
    """The symptoms of a look, and what it could not see: for each check that could not tell, the silent nodes."""

    symptoms: Mapping[Key, Symptom] = field(default_factory=dict)
    blind: Mapping[str, frozenset[str]] = field(default_factory=dict)
    nothing: bool = False
    """Nothing could be looked at."""

    def is_blind_to(self, check: str, nodes: Iterable[str]) -> bool:
        """Whether the absence of that check's symptom on those nodes proves nothing in this look.

        A check that cannot tell because some nodes are silent still sees the others.
        """
        if self.nothing or check not in self.blind:
            return self.nothing and check != WATCH
        suffering = set(nodes)
        return not suffering or not self.blind[check] or bool(suffering & self.blind[check])


def symptoms_of(evidence: Evidence, findings: Iterable[Finding], direct: Iterable[Symptom] = ()) -> Seen:
    """The findings of the checks and what the watch saw itself; the graver of two with the same words stays."""
    findings = tuple(findings)
    found: dict[Key, Symptom] = {}
    for symptom in (*_of_findings(findings), *direct, *_unseen(evidence, findings)):
        known = found.get(symptom.key)
        if known is None or _rank(symptom) < _rank(known):
            found[symptom.key] = symptom
    if not evidence.outputs.running():
        return Seen(found)  # paused as a whole: what is not expected cannot be wrong any longer
    blind = {each.check: frozenset(each.silent) for each in findings if each.asked and each.state is State.UNKNOWN}
    return Seen(found, blind, nothing=isinstance(evidence.pods, Unseen))


def _rank(symptom: Symptom) -> tuple[int, int, int]:
    stage = gravity(symptom.check, symptom.problem)
    return list(Severity).index(symptom.severity), stage, list(Onset).index(symptom.onset)


def _of_findings(findings: Iterable[Finding]) -> Iterable[Symptom]:
    for finding in findings:
        for problem in _told_apart(finding) if finding.asked else ():
            yield _symptom(finding, problem)


def _told_apart(finding: Finding) -> tuple[str, ...]:
    """The problems whose nodes the rows tell apart; else the gravest one, which comes first and stands for all."""
    named = {row.get("problem") for row in finding.evidence}
    apart = tuple(problem for problem in finding.problems if problem in named)
    return apart or finding.problems[:1] or ((FAILED,) if finding.state is State.FAIL else ())


def _symptom(finding: Finding, problem: str) -> Symptom:
    nodes, words = _nodes(finding, problem), finding.summary
    if finding.state is State.UNKNOWN or problem in _UNSEEN:
        severity, onset = Severity.BLIND, Onset.SETTLING
    elif finding.state is State.PASS:
        severity, onset = Severity.WARNING, Onset.CONFIRMED
        words = "; ".join((words, *finding.warnings))  # the summary of a pass may not name what is tolerated
    else:
        severity, onset = Severity.FAILURE, Onset.SETTLING if finding.settling else Onset.CONFIRMED
        if problem == "split" and len(nodes) >= 2:
            onset = Onset.AT_ONCE  # two witnesses (docs/facts.md: guardian/instability)
    return Symptom(finding.check, problem, severity, onset, words, nodes, finding.action)


def _nodes(finding: Finding, problem: str) -> tuple[str, ...]:
    """The nodes of the rows that name this problem; of all rows where rows name none."""
    named = [row for row in finding.evidence if row.get("problem") == problem]
    rows = named or finding.evidence
    return tuple(dict.fromkeys(str(row["node"]) for row in rows if row.get("node") is not None))


def _unseen(evidence: Evidence, findings: tuple[Finding, ...]) -> Iterable[Symptom]:
    parts = (evidence.deployments, evidence.pods, evidence.claims, evidence.survey)
    reasons = list(dict.fromkeys(part.reason for part in parts if isinstance(part, Unseen)))
    if reasons:
        action = "does the API server answer, and may these credentials read pods, Deployments and claims?"
        yield Symptom(WATCH, CANNOT_LOOK, Severity.BLIND, Onset.CONFIRMED, reasons[0], action=action)
        return
    unknown = [each for each in findings if each.asked and each.state is State.UNKNOWN]
    if not evidence.outputs.running() or any(each.problems for each in unknown):
        return  # paused as a whole, or the reason has its own word: silent daemons
    if unknown:
        words = "; ".join(f"{each.check}: {each.summary}" for each in unknown[:3])
        yield Symptom(WATCH, CANNOT_TELL, Severity.BLIND, Onset.SLOW, words)
