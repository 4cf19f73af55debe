"""Do all daemons answer, and are they of one network? (runbook: ezcheck reaches every node)"""

from __future__ import annotations

from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.guardian.survey import Cause, Survey

CHECK = CheckInfo(
    name="answers",
    needs=("survey",),
    warm_up=Slots(0),
    runbook="sanity check 2: the status of every node can be read, and all name one chain id",
)

# What may be wrong, the gravest first. A daemon without a pod is named by the check `pods`.
OTHER_CHAIN = "other-chain"
BAD_REPLY = "bad-reply"
REFUSED = "refused"
SILENT = "silent"
ROAD = "road"
NO_POD = "no-pod"
_WORDS = {
    Cause.BAD_REPLY: BAD_REPLY,
    Cause.REFUSED: REFUSED,
    Cause.SILENT: SILENT,
    Cause.ROAD: ROAD,
    Cause.NO_POD: NO_POD,
}

# A silence of these causes is the node's; the others may be the road's, so they prove nothing.
_ITS_OWN = frozenset({Cause.NO_POD, Cause.REFUSED, Cause.BAD_REPLY})


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.survey, Survey)
    return judge(evidence.survey)


def judge(survey: Survey) -> Finding:
    """A daemon that refuses or talks nonsense fails; one that stays silent leaves the question open."""
    strangers = _strangers(survey)
    rows: list[Row] = [*strangers]
    rows += [
        {"node": node, "found": str(silence.cause), "detail": silence.detail, "problem": _WORDS[silence.cause]}
        for node, silence in ((node, survey.silences[node]) for node in survey.silent)
    ]
    total, answered = len(survey.expected), len(survey.answers)
    own_fault = any(silence.cause in _ITS_OWN for silence in survey.silences.values())
    state = State.FAIL if strangers or own_fault else State.UNKNOWN if survey.silences or not total else State.PASS
    return Finding(
        check=CHECK.name,
        state=state,
        summary=f"{answered} of {total} daemons answer" + (f"; {len(strangers)} of another chain" if strangers else ""),
        expected=f"{total} answers with one chain id",
        seen=some([f"{row['node']} ({row['found']})" for row in rows], 3),
        action=_action(bool(strangers), bool(survey.silences)),
        evidence=tuple(rows),
        silent=survey.silent,
        problems=(*[OTHER_CHAIN] * bool(strangers), *_causes(survey)),
        warnings=survey.notes,
        settling=bool(survey.silences) and not strangers,
        figures={
            "expected": total,
            "answered": answered,
            "other_chain": len(strangers),
            "slowest_s": round(max((each.ended - each.started for each in survey.answers.values()), default=0), 3),
            "sweep_s": round(survey.ended - survey.started, 3),
        },
    )


def _strangers(survey: Survey) -> list[Row]:
    """The nodes whose chain id is not the one that most nodes have."""
    return [
        {"node": node, "found": f"chain id {answer.status.chain_id}", "usual": survey.chain_id, "problem": OTHER_CHAIN}
        for node, answer in survey.answers.items()
        if answer.status.chain_id != survey.chain_id
    ]


def _causes(survey: Survey) -> list[str]:
    causes = {silence.cause for silence in survey.silences.values()}
    return [word for cause, word in _WORDS.items() if cause in causes]


def _action(strangers: bool, silences: bool) -> str:
    if strangers:
        return "these daemons run another genesis or protocol version: compare their daemon.json, image and volume"
    return "look at the pod's log and state; a daemon opens its port before it has synced" if silences else ""
