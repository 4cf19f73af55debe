"""Are blocks produced, at the rate that the stake promises? (runbook: blocks are created; unstable criterion 2)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mina_infra.guardian.canonical import PAUSED, after_genesis, slot_at
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Slots, State, Value
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.production import (
    Sequential,
    active_stake,
    binomial_at_most,
    sequential_test,
    silent_slots,
)
from mina_infra.guardian.survey import Survey
from mina_infra.outputs import NodeOutput

CHECK = CheckInfo(
    name="production",
    needs=("survey", "history"),
    warm_up=Slots(16),
    runbook="sanity check 3: blocks are created; unstable criterion 2: no new blocks",
)

# What may be wrong: no blocks at all, or too few.
HALT = "halt"
SLOW = "slow-production"

_ACTION = "look at the block producers: are they up, synced, do their keys hold the stake that the ledger gives them?"


@dataclass(frozen=True)
class History:
    """The slots that may be judged, oldest first: True where the canonical chain has a block.

    `began`: a block was seen since the start. Without one, `empty` counts the slots since the start, warm-up left out.
    `young`: the producers started so lately that their start may explain gaps.
    """

    filled: Sequence[bool]
    began: bool
    empty: int
    young: bool

    @property
    def silence(self) -> int:
        """Empty slots since the newest block."""
        return next((count for count, slot in enumerate(reversed(self.filled)) if slot), len(self.filled))


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.survey, Survey)
    survey, criteria = evidence.survey, evidence.criteria
    if criteria.online_stake <= 0:
        return Finding(CHECK.name, State.UNKNOWN, PAUSED, silent=survey.silent)
    chain = evidence.history or survey.reference_chain
    if chain is None:
        return Finding(CHECK.name, State.UNKNOWN, "no daemon has a synced chain", silent=survey.silent, settling=True)
    up_slots = criteria.slots(producers_up_ms(evidence.outputs.nodes, survey, criteria))
    return judge(history_of(chain, survey.now_ms, up_slots, criteria), criteria)


def producers_up_ms(nodes: Sequence[NodeOutput], survey: Survey, criteria: Criteria) -> float:
    """For how long producers with `started_stake` of the stake have been running, in ms.

    Slots before that belong to an earlier life: a network that was paused has a gap and is not ill.
    """
    producers = [node for node in nodes if node.role == "block-producer" and node.name in survey.answers]
    if not producers:
        return max((answer.status.uptime_secs * 1000 for answer in survey.answers.values()), default=0)
    weighted = any(node.stake for node in producers)
    shares = [
        (survey.answers[node.name].status.uptime_secs * 1000, node.stake if weighted else 1.0) for node in producers
    ]
    shares.sort(reverse=True)
    needed = criteria.started_stake * sum(stake for _, stake in shares)
    for up, stake in shares:
        needed -= stake
        if needed <= 1e-9:
            return up
    return shares[-1][0]


def history_of(chain: Chain, now_ms: int, up_slots: float, criteria: Criteria) -> History:
    """The finished slots after the first block since the start: before it, a new chain has only empty ones."""
    now = slot_at(chain, now_ms, criteria)
    last = now - criteria.in_flight_slots
    blocks = after_genesis(chain)
    # The slot in which the producers started is theirs only in part.
    start = max(now - int(up_slots), chain.oldest.slot if chain.to_root else 0)
    young = up_slots < criteria.production_window + criteria.bootstrap_fail_slots
    slots = {block.slot for block in blocks}
    first = min((slot for slot in slots if slot > start), default=None)
    if first is None:
        return History((), False, max(0, last - start - criteria.warm_up_slots), young)
    # The first block's own slot is filled by definition, so it proves nothing.
    return History([slot in slots for slot in range(first + 1, last + 1)], True, 0, young)


def judge(history: History, criteria: Criteria) -> Finding:
    """Exact binomial test on the last `production_window` slots; a sequential test while the history is shorter.

    A silence that no chance explains fails in either case: a window that began well would hide it for a while.
    """
    if not history.began:
        return _no_block_yet(history, criteria)
    window = criteria.production_window
    seen = list(history.filled)[-window:]
    if history.silence >= criteria.silence_slots:
        return _finding(State.FAIL, history, criteria, seen, f"no block for {history.silence} slots")
    if len(history.filled) < window:
        return _short(history, criteria)
    filled = sum(seen)
    bound = criteria.production_bound(window)
    if bound < 0 and filled == 0:
        return _finding(
            State.UNKNOWN, history, criteria, seen, f"no block in {window} slots, as may be with this stake"
        )
    return _finding(State.FAIL if filled <= bound else State.PASS, history, criteria, seen)


def _short(history: History, criteria: Criteria) -> Finding:
    outcome = sequential_test(
        history.filled, criteria.fill, false_alarm=criteria.production_error, missed=criteria.half_rate_error
    )
    if outcome is Sequential.UNDECIDED:
        words = f"{len(history.filled)} of about {criteria.production_window} finished slots to judge by"
        return _finding(State.UNKNOWN, history, criteria, history.filled, words)
    return _finding(State.PASS if outcome is Sequential.HEALTHY else State.FAIL, history, criteria, history.filled)


def _no_block_yet(history: History, criteria: Criteria) -> Finding:
    enough = silent_slots(criteria.fill, criteria.production_error)
    words = f"no block since the start, {history.empty} slots after warm-up; from {enough} on that is a halt"
    state = State.FAIL if history.empty >= enough else State.UNKNOWN
    return _finding(state, history, criteria, (), words)


def _finding(
    state: State, history: History, criteria: Criteria, seen: Sequence[bool], words: str | None = None
) -> Finding:
    filled, slots = sum(seen), len(seen)
    silence = history.silence if history.began else history.empty
    figures: dict[str, Value] = {
        "filled": filled,
        "slots": slots,
        "expected_fill": round(criteria.fill, 4),
        "bound": criteria.production_bound(slots) if slots else None,
        "silence_slots": silence,
        "silence_limit": criteria.silence_slots,
    }
    if slots:
        figures["chance"] = binomial_at_most(filled, slots, criteria.fill)
        figures["active_stake"] = round(active_stake(filled / slots, criteria.active_slots), 3)
    return Finding(
        check=CHECK.name,
        state=state,
        summary=words or f"{filled} of {slots} slots have a block",
        expected=f"about {criteria.fill:.0%} of the slots: {criteria.online_stake:.0%} of the stake should be online",
        seen=f"{filled} of {slots} slots; {figures['active_stake']:.0%} of the stake would explain that"
        if slots
        else "",
        action=_ACTION if state is State.FAIL else "",
        evidence=({"node": None, "strip": "".join("■" if slot else "·" for slot in seen)},) if slots else (),
        problems=(_word(history, criteria),) if state is State.FAIL else (),
        settling=state is State.UNKNOWN or (state is State.FAIL and history.young),
        figures=figures,
    )


def _word(history: History, criteria: Criteria) -> str:
    """A halt when even the newest empty slots alone are no chance."""
    halted = history.silence >= silent_slots(criteria.fill, criteria.production_error)
    return HALT if halted or not history.began else SLOW
