"""Do all daemons live in the same slot as the cluster? (runbook: none; without it heights and slots mean nothing)"""

from __future__ import annotations

from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.guardian.survey import Survey
from mina_infra.guardian.times import Times, skew

CHECK = CheckInfo(
    name="clocks",
    needs=("survey", "times"),
    warm_up=Slots(0),
    runbook="sanity check 2: the slot of every node is that of the clock, within one slot",
)

SKEW, OFFSET = "clock-skew", "time-offset"


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.survey, Survey)
    assert isinstance(evidence.times, Times)
    return judge(evidence.survey, evidence.times)


def judge(survey: Survey, times: Times) -> Finding:
    """A daemon's slot is the server's, give or take one. Nodes that are silent are a matter of the check `answers`."""
    if not survey.answers:
        return Finding(CHECK.name, State.UNKNOWN, "no daemon tells its slot", silent=survey.silent, settling=True)
    if _begins_later(survey, times):
        return Finding(CHECK.name, State.UNKNOWN, "the genesis lies ahead: there is no slot yet", settling=True)
    off = {node: slots for node, answer in survey.answers.items() if (slots := skew(answer, times))}
    rows = [_row(survey, node, slots, times) for node, slots in off.items()]
    offset = any(times.offsets.get(node) for node in off)
    total = len(survey.answers)
    return Finding(
        check=CHECK.name,
        state=State.FAIL if rows else State.PASS,
        summary=f"{total - len(rows)} of {total} clocks are right",
        expected="the slot of the API server's clock, give or take one",
        seen=some([f"{node} {slots:+d} slots" for node, slots in off.items()]),
        action=_ACTION_OFFSET if offset else _ACTION if rows else "",
        evidence=tuple(rows),
        silent=survey.silent,
        problems=((SKEW,) if any(not times.offsets.get(node) for node in off) else ()) + ((OFFSET,) if offset else ()),
        figures={"expected": len(survey.expected), "answered": total, "off": len(rows)},
    )


_ACTION = "look at the time of the machine: chrony or ntpd on it, the time zone plays no part"
_ACTION_OFFSET = "these daemons have a time offset of their own: MINA_TIME_OFFSET must be unset, or equal on all nodes"


def _row(survey: Survey, node: str, slots: int, times: Times) -> Row:
    told = times.offsets.get(node)
    return {
        "node": node,
        "found": f"{slots:+d} slots",
        "detail": f"it says slot {survey.answers[node].status.consensus_time_now.global_slot}"
        + (f", with a time offset of {told} s" if told else ""),
    }


def _begins_later(survey: Survey, times: Times) -> bool:
    """Before the genesis every daemon stands at slot 0, whatever its clock says."""
    for answer in survey.answers.values():
        try:
            genesis = answer.status.consensus_configuration.genesis_time.timestamp()
        except ValueError:
            continue
        return answer.started + times.least < genesis
    return False
