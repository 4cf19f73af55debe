"""One look of the watch: what the checks find, what shows directly, what the slots so far add up to. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mina_infra.guardian import instability
from mina_infra.guardian.checks.production import producers_up_ms
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import Finding, State, Value
from mina_infra.guardian.forks import Standing
from mina_infra.guardian.instability import Judgement, Memories, Stability
from mina_infra.guardian.survey import Survey
from mina_infra.guardian.watch.direct import (
    HALT,
    PRODUCTION,
    SLOW,
    OnlineStake,
    announced_slots,
    broken_announcements,
    fork_symptoms,
    online_stake,
    partition_symptoms,
    stake_symptoms,
)
from mina_infra.guardian.watch.rate import Rate, empty_since_tip, finished_slots
from mina_infra.guardian.watch.symptoms import Key, Onset, Seen, Severity, Symptom, gravity, symptoms_of

CRITERIA = "criteria"
"""The check that stands for the runbook's eight criteria of an unstable testnet."""

Figures = Mapping[str, float | int | None]


@dataclass(frozen=True)
class Slots:
    """What the watch remembers of the chain. Another chain (a new era) begins it anew."""

    chain: str = ""
    rate: Rate = field(default_factory=Rate)
    announced: Mapping[int, str] = field(default_factory=dict)
    began: bool = False
    """The chain has had a block after its genesis: from then on producers that are down are a halt, no start."""


@dataclass(frozen=True)
class Judged:
    """A look after everything was concluded from it."""

    evidence: Evidence
    findings: tuple[Finding, ...]
    seen: Seen
    slots: Slots
    figures: Figures
    judgements: tuple[Judgement, ...] = ()
    memories: Memories = field(default_factory=dict)


def judge(evidence: Evidence, findings: tuple[Finding, ...], slots: Slots, open_now: Collection[Key] = ()) -> Judged:
    """Conclude from one look, given what was remembered of the slots before it.

    `open_now`: the incidents that are open, so that what is still waited for does not fail a check yet.
    """
    direct: list[Symptom] = []
    figures = _of_findings(findings) | _constants(evidence.criteria)
    if isinstance(evidence.survey, Survey):
        survey, criteria = evidence.survey, evidence.criteria
        slots = _of_chain(slots, survey)
        stake = online_stake(evidence.outputs.nodes, survey, criteria)
        direct += partition_symptoms(survey, evidence.outputs.nodes, criteria)
        direct += fork_symptoms(survey, criteria)
        if slots.began and criteria.online_stake > 0:
            direct += stake_symptoms(stake)
            slots, told = _count(slots, survey, evidence, figures)
            direct += told
            sure = [each for each in direct if each.onset is Onset.AT_ONCE or each.key in open_now]
            findings = tuple(_by_slots(each, sure) for each in findings)
        figures |= _of_survey(survey, stake)
    return Judged(evidence, findings, symptoms_of(evidence, findings, direct), slots, figures)


def with_criteria(judged: Judged, before: Memories) -> Judged:
    """The same with the runbook's criteria of an unstable testnet, given what was remembered of them."""
    judgements, memories = instability.judge(judged.evidence, judged.findings, before, hysteresis=True)
    shown = {symptom.key: symptom for symptom in _unstable(judgements, memories)}
    seen = judged.seen
    seen = replace(
        seen, symptoms={**seen.symptoms, **shown}, blind={**seen.blind, **_undecided(judgements)}
    )  # fmt: skip
    return replace(judged, seen=seen, judgements=judgements, memories=memories)


def _unstable(judgements: Iterable[Judgement], memories: Memories) -> Iterable[Symptom]:
    """The runbook's criteria that are shown now; their own confirmation has been waited for already."""
    for each in judgements:
        if each.state is Stability.UNSTABLE and memories[each.name].good_since is None:
            words = f"unstable by criterion {each.number}, {each.criterion.title}: {each.summary}"
            action = f"{each.event.action} ({each.event.criticality}; {each.event.owner})"
            yield Symptom(CRITERIA, each.name, Severity.FAILURE, Onset.AT_ONCE, words, action=action)


def _undecided(judgements: Iterable[Judgement]) -> Mapping[str, frozenset[str]]:
    """Whether some criterion that was asked cannot be told: then its absence proves nothing."""
    unknown = [each for each in judgements if each.asked and each.state is Stability.UNKNOWN]
    return {CRITERIA: frozenset()} if unknown else {}


def _of_chain(slots: Slots, survey: Survey) -> Slots:
    ids = sorted(answer.status.chain_id for answer in survey.answers.values())
    chain = max(ids, key=ids.count, default=slots.chain)
    if slots.chain and chain != slots.chain:
        slots = Slots()
    reference = survey.reference_chain
    began = slots.began or (reference is not None and len(reference.blocks) > 1)
    return replace(slots, chain=chain, began=began)


def _count(
    slots: Slots, survey: Survey, evidence: Evidence, figures: dict[str, float | int | None]
) -> tuple[Slots, list[Symptom]]:
    """The tests by slots: announced ones that stayed empty, silence, and the cumulative sum."""
    criteria = evidence.criteria
    chain = survey.reference_chain
    promised = {**slots.announced, **announced_slots(survey, criteria)}
    announced, told = broken_announcements(promised, survey, evidence.outputs.nodes, criteria)
    slots = replace(slots, announced=announced)
    if chain is None:
        return slots, told
    up_slots = criteria.slots(producers_up_ms(evidence.outputs.nodes, survey, criteria))
    finished = finished_slots(chain, survey.now_ms, up_slots, criteria)
    slots = replace(slots, rate=slots.rate.take(finished, criteria))
    empty = empty_since_tip(finished)
    figures |= {"empty_slots": empty, "cusum": round(slots.rate.score, 3)}
    return slots, [*told, *_silence(empty, criteria), *_slow(slots.rate)]


def _by_slots(finding: Finding, direct: Iterable[Symptom]) -> Finding:
    """Production with what the watch saw itself, so that its state and the incidents say the same."""
    found = [each for each in direct if each.check == PRODUCTION]
    if finding.check != PRODUCTION or finding.state is not State.PASS or not found:
        return finding
    worst = min(found, key=lambda each: gravity(PRODUCTION, each.problem))
    return replace(
        finding, state=State.FAIL, problems=(worst.problem,), summary=worst.summary, action=worst.action, settling=True
    )


def _silence(empty: int, criteria: Criteria) -> Iterable[Symptom]:
    limit = criteria.silence_slots
    if empty >= limit:
        words = f"no block for {empty} finished slots; a month of chance does not explain {limit}"
        yield Symptom(PRODUCTION, HALT, Severity.FAILURE, Onset.AT_ONCE, words, action=_ACTION)


def _slow(rate: Rate) -> Iterable[Symptom]:
    if rate.alarm:
        words = f"too many empty slots: their cumulative sum is {rate.score:.1f}, as if half of the stake were off"
        yield Symptom(PRODUCTION, SLOW, Severity.FAILURE, Onset.AT_ONCE, words, action=_ACTION)


_ACTION = "look at the block producers: are they up, synced, do their provers work?"


def _of_findings(findings: Iterable[Finding]) -> dict[str, float | int | None]:
    """The figures that checks have counted already."""
    by_check = {finding.check: finding.figures for finding in findings}
    sync, production, forks = by_check.get("sync", {}), by_check.get("production", {}), by_check.get("forks", {})
    filled, judged = _number(production.get("filled")), _number(production.get("slots"))
    return {
        "synced": _number(sync.get("at_tip")),
        "height": _number(forks.get("height")),
        "deepest": _number(forks.get("deepest")),
        "split": _number(forks.get("split")),
        "filled": filled,
        "slots": judged,
        "active_stake": _number(production.get("active_stake")),
    }


def _constants(criteria: Criteria) -> dict[str, float | int | None]:
    """What a reader of the history needs to make rates of heights and stake of rates."""
    return {
        "slot_s": criteria.slot_ms / 1000,
        "active_slots": criteria.active_slots,
        "expected_fill": round(criteria.fill, 6),
    }


def _number(value: Value) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _of_survey(survey: Survey, stake: OnlineStake) -> dict[str, float | int | None]:
    relations = survey.relations.values()
    forked = sum(
        relation.standing is Standing.SPLIT or (relation.standing is Standing.FORKED and (relation.own or 0) >= 2)
        for relation in relations
    )
    return {
        "expected": len(survey.expected),
        "answering": len(survey.answers),
        "silent": len(survey.silences),
        "forked": forked,
        "online_stake": round(stake.able / 100, 4) if stake.due else None,
        "due_stake": round(stake.due / 100, 4) if stake.due else None,
    }


def fill_of(figures: Figures, criteria: Criteria) -> tuple[float | None, float]:
    """The share of filled slots, None before there are any, and what it should be."""
    filled, judged = figures.get("filled"), figures.get("slots")
    share = filled / judged if filled is not None and judged else None
    return share, criteria.fill
