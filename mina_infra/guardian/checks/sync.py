"""Are all nodes at the tip of the chain? (runbook: ezcheck, every node is synced)

A node's own word (SYNCED) is no proof: what counts is which blocks of the reference chain it lacks, and since when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from mina_infra.daemon.replies import SyncStatus
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.guardian.past import Past, agreement
from mina_infra.guardian.survey import Answer, Survey

CHECK = CheckInfo(
    name="sync",
    needs=("survey",),
    warm_up=Slots(4),
    runbook="sanity check 2: all nodes are synced to the best tip",
)


# What may be wrong, the gravest first.
STUCK = "stuck"
BOOTSTRAP_HANGS = "bootstrap-hangs"
CATCHUP_HANGS = "catchup-hangs"
BEHIND = "behind"
PROBLEMS = (STUCK, BOOTSTRAP_HANGS, CATCHUP_HANGS, BEHIND)


class _Place(Enum):
    AT_TIP = "at the tip"
    UNDER_WAY = "on the way"  # bootstraps or fetches many blocks, within the time that this may take
    BEHIND = "behind"  # by a few blocks, which a share of the nodes may be
    STUCK = "stuck"  # for longer than any start or catch-up takes


@dataclass(frozen=True)
class _Position:
    place: _Place
    found: str
    lag: int = 0
    since_slots: float = 0.0


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.survey, Survey)
    return judge(evidence.survey, evidence.criteria, evidence.past)


def judge(survey: Survey, criteria: Criteria, past: Past | None = None) -> Finding:
    """All expected daemons within `behind_blocks` of the reference tip; since when one lags is read off the chain.

    Earlier looks tell since when a node is not synced any more, and whether one that catches up gets on.
    """
    positions = {node: _position(survey, node, criteria, past or Past()) for node in survey.answers}
    at = {place: [node for node, each in positions.items() if each.place is place] for place in _Place}
    total, synced = len(survey.expected), len(at[_Place.AT_TIP])
    enough = total > 0 and synced / total >= criteria.synced_share
    lasting = any(positions[node].since_slots > criteria.behind_fail_slots for node in at[_Place.BEHIND])
    state = _state(bool(at[_Place.STUCK]), bool(survey.silences or at[_Place.UNDER_WAY]) or not total, enough, lasting)
    off = [node for node in survey.expected if node in positions and positions[node].place is not _Place.AT_TIP]
    tolerated = state is State.PASS and off
    return Finding(
        check=CHECK.name,
        state=state,
        summary=f"{synced} of {total} daemons at the tip" + _rest(at, survey),
        expected=f"{total} daemons within {criteria.behind_blocks} blocks of the best tip",
        seen=some([f"{node} ({positions[node].found})" for node in off], 3),
        action="a node that does not move: look at its peers and catchup status, then restart it" if off else "",
        evidence=tuple(_row(node, positions[node], survey) for node in off),
        silent=survey.silent,
        warnings=(f"behind, within the criteria: {some(off)}",) if tolerated else (),
        problems=_problems(survey, positions),
        settling=state is not State.PASS and not at[_Place.STUCK],
        figures={
            "expected": total,
            "at_tip": synced,
            "reference": survey.reference,
            "agreement": round(agreement(survey), 4),
        },
    )


def _state(stuck: bool, unseen: bool, enough: bool, lasting: bool) -> State:
    if stuck:
        return State.FAIL
    if unseen:
        return State.UNKNOWN
    if enough:
        return State.PASS
    return State.FAIL if lasting else State.UNKNOWN


def _problems(survey: Survey, positions: Mapping[str, _Position]) -> tuple[str, ...]:
    words = set()
    for node, position in positions.items():
        if position.place is _Place.BEHIND:
            words.add(BEHIND)
        elif position.place is _Place.STUCK:
            words.add(_hang(survey.answers[node].status.sync_status))
    return tuple(word for word in PROBLEMS if word in words)


def _hang(status: SyncStatus) -> str:
    if status is SyncStatus.CATCHUP:
        return CATCHUP_HANGS
    return STUCK if status is SyncStatus.SYNCED else BOOTSTRAP_HANGS


def _position(survey: Survey, node: str, criteria: Criteria, past: Past) -> _Position:
    answer = survey.answers[node]
    up = criteria.slots(answer.status.uptime_secs * 1000)
    if not answer.synced or survey.reference is None:
        synced = past.synced_ms.get(node)
        return _starting(answer, up if synced is None else min(up, criteria.slots(answer.now_ms - synced)), criteria)
    lag, first_missing = survey.lag(node)
    if lag <= criteria.behind_blocks:
        return _Position(_Place.AT_TIP, "at the tip", lag)
    since = up
    if first_missing is not None:
        since = min(up, criteria.slots(answer.now_ms - first_missing.date_ms))
    catching_up = answer.status.sync_status is SyncStatus.CATCHUP
    limit = criteria.catchup_fail_slots if catching_up else criteria.behind_fail_slots
    found = f"{lag} blocks behind for {since:.0f} slots, says {answer.status.sync_status}"
    if lag <= criteria.behind_fail_blocks:
        return _Position(_Place.BEHIND, found, lag, since)
    hangs = since > limit and not (catching_up and _gets_on(survey, node, lag, criteria, past))
    return _Position(_Place.STUCK if hangs else _Place.UNDER_WAY, found, lag, since)


def _gets_on(survey: Survey, node: str, lag: int, criteria: Criteria, past: Past) -> bool:
    """Whether a node lacks fewer blocks than a slot ago."""
    look = past.before(survey.now_ms - criteria.slot_ms)
    if look is None or node not in look.nodes:
        return False
    return lag < max(counts.height for counts in look.nodes.values()) - look.nodes[node].height


def _starting(answer: Answer, since: float, criteria: Criteria) -> _Position:
    found = f"{answer.status.sync_status} for {since:.0f} slots"
    stuck = since > criteria.bootstrap_fail_slots
    return _Position(_Place.STUCK if stuck else _Place.UNDER_WAY, found, since_slots=since)


def _row(node: str, position: _Position, survey: Survey) -> Row:
    answer = survey.answers[node]
    return {
        "node": node,
        "found": position.found,
        "status": str(answer.status.sync_status),
        "height": answer.chain.tip.height if answer.chain else None,
        "behind": position.lag,
        "since_slots": round(position.since_slots, 1),
    }


def _rest(at: dict[_Place, list[str]], survey: Survey) -> str:
    counts = [(len(at[place]), place.value) for place in (_Place.UNDER_WAY, _Place.BEHIND, _Place.STUCK)]
    counts.append((len(survey.silences), "silent"))
    return "".join(f", {count} {word}" for count, word in counts if count)
