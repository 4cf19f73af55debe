"""Does the network take as many transactions as it was built for, or as are sent? (runbook: TPS against the goal)

Four numbers belong together: the goal, which assumes a block in every slot; what is achievable with the blocks that
the stake makes; the hard cap of the scan state; and what is measured (docs/facts.md: guardian/tps).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mina_infra.daemon.replies import Block
from mina_infra.guardian.canonical import after_genesis, halted, unjudged
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Slots, State, Value
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.load import Sender, declared_tps, offered, senders
from mina_infra.guardian.past import Past
from mina_infra.guardian.survey import Survey
from mina_infra.outputs import ChainOutput

CHECK = CheckInfo(
    name="tps",
    needs=("survey", "history"),
    warm_up=Slots(20),
    runbook="monitoring: transactions per second against the goal",
)

LOW = "low-tps"
IMPOSSIBLE = "impossible-tps"
GROWS = "pool-grows"


@dataclass(frozen=True)
class Pool:
    """How the median transaction pool changed between two looks; times in ms since 1970."""

    growth: float
    from_ms: int
    to_ms: int


@dataclass(frozen=True)
class _Measure:
    """Between two canonical blocks: the first is not counted, so that the slots and what was sent in them belong to
    the same blocks. Rates in transactions per second."""

    slots: int
    seconds: float
    measured: float
    sent: float
    most: int


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.survey, Survey)
    survey, criteria = evidence.survey, evidence.criteria
    if evidence.history is None or halted(evidence.history, survey.now_ms, criteria):
        return unjudged(CHECK.name, evidence.history, survey, criteria)
    load = senders(evidence.outputs, survey, criteria)
    deployed = sum(node.load_tps > 0 for node in evidence.outputs.daemons())
    pool = pool_growth(evidence.past, survey, load, criteria) if len(load) == deployed else None
    return judge(evidence.history, load, evidence.outputs.chain, pool, criteria)


def pool_growth(past: Past, survey: Survey, load: Sequence[Sender], criteria: Criteria) -> Pool | None:
    """Against a look some slots ago, over the nodes that were seen in both.

    None unless all user agents sent all the time: of one that restarts nobody knows what it sends.
    """
    earlier = past.before(survey.now_ms - 2 * criteria.pool_slots * criteria.slot_ms)
    if earlier is None or any(each.from_ms > earlier.at_ms for each in load):
        return None
    both = [
        answer.status.metrics.transaction_pool_size - earlier.nodes[node].pool_size
        for node, answer in survey.answers.items()
        if node in earlier.nodes
    ]
    return Pool(median(both), earlier.at_ms, survey.now_ms) if both else None


def judge(
    chain: Chain, load: Sequence[Sender], capacity: ChainOutput, pool: Pool | None, criteria: Criteria
) -> Finding:
    """Measured against what is sent, or against the goal when more than that is sent; never on few slots."""
    blocks = after_genesis(chain)
    measure = _measure(blocks, load, criteria)
    cap = None if capacity.transaction_capacity_log2 is None else 2**capacity.transaction_capacity_log2
    goal = capacity.tps_goal
    figures = _figures(measure, goal, cap, load, criteria)
    over = [block for block in blocks if cap is not None and block.commands > cap]
    if over:
        words = f"a block with {over[-1].commands} transactions at height {over[-1].height}; at most {cap} fit"
        action = "our arithmetic or the runtime config is wrong: compare transaction_capacity with the daemons' own"
        rows = tuple({"node": None, "height": each.height, "transactions": each.commands} for each in over)
        return Finding(
            CHECK.name, State.FAIL, words, f"at most {cap} in a block", "", action, rows, problems=(IMPOSSIBLE,),
            figures=figures,
        )  # fmt: skip
    why = _not_asked(blocks, measure, load, goal, criteria)
    if why or measure is None or goal is None:
        return Finding(CHECK.name, State.UNKNOWN, why, asked=False, figures=figures)
    bound = _bound(measure, goal * criteria.fill, criteria)
    low = measure.measured < bound
    grows = _grows(pool, load, blocks[-2].date_ms) and measure.sent < goal * criteria.fill
    return Finding(
        check=CHECK.name,
        state=State.FAIL if low else State.PASS,
        summary=f"{measure.measured:.3g} transactions/s over {measure.slots} slots, {measure.sent:.3g} sent",
        expected=f"at least {bound:.3g}/s: goal {goal:.3g}, achievable with these blocks {goal * criteria.fill:.3g}",
        seen=f"{measure.measured:.3g}/s",
        action="look at the transaction pools, at fees, and whether blocks are short of snark work" if low else "",
        warnings=("the transaction pool grows though less is sent than fits",) if grows else (),
        problems=(*[LOW] * low, *[GROWS] * grows),
        figures={**figures, "bound_tps": round(bound, 6), "pool_growth": pool.growth if pool else None},
    )


def _measure(blocks: Sequence[Block], load: Sequence[Sender], criteria: Criteria) -> _Measure | None:
    if not blocks:
        return None
    window = [block for block in blocks if blocks[-1].slot - block.slot <= criteria.tps_slots]
    first, rest = window[0], window[1:]
    slots = blocks[-1].slot - first.slot
    if not slots:
        return None
    seconds = criteria.seconds(slots)
    sent = offered(load, first.date_ms, blocks[-1].date_ms) / seconds
    return _Measure(slots, seconds, sum(each.commands for each in rest) / seconds, sent, max(b.commands for b in rest))


def _not_asked(
    blocks: Sequence[Block], measure: _Measure | None, load: Sequence[Sender], goal: float | None, criteria: Criteria
) -> str:
    """Why nobody can tell with what this network does; empty where one can."""
    if measure is None or measure.slots < criteria.tps_least_slots:
        return f"{measure.slots if measure else 0} slots of blocks: too few for a rate"
    if not load:
        return f"{measure.measured:.3g} transactions/s; nobody is deployed to send them"
    if goal is None:
        return (
            f"{measure.measured:.3g} transactions/s and no goal to compare with: proof.transaction_capacity of the "
            "runtime config leaves a block no room; txns_per_second_x10 in its place names a goal"
        )
    newest = blocks[-criteria.empty_fail_blocks :]
    if not any(block.commands for block in newest):
        return f"the newest {len(newest)} blocks are empty: see inclusion"
    if measure.sent * measure.seconds < criteria.tps_sigmas**2:
        return f"{measure.sent:.3g} transactions/s are sent: too few for a rate over {measure.slots} slots"
    if measure.sent >= goal * criteria.fill and measure.slots < criteria.tps_goal_slots:
        return f"{measure.slots} of {criteria.tps_goal_slots} slots to compare with the goal"
    return ""


def _bound(measure: _Measure, achievable: float, criteria: Criteria) -> float:
    """Below it chance is no excuse: what is sent has Poisson noise; in overload nearly all that is achievable fits."""
    if measure.sent >= achievable:
        return criteria.tps_share * achievable
    return max(0.0, measure.sent - criteria.tps_sigmas * math.sqrt(measure.sent / measure.seconds))


def _grows(pool: Pool | None, load: Sequence[Sender], block_ms: int) -> bool:
    """At least half of what was sent stayed, and too many for chance. What came since the last block but one may wait:
    most nodes have not heard the newest one when it has just been made."""
    if pool is None:
        return False
    arrived, waiting = offered(load, pool.from_ms, pool.to_ms), offered(load, block_ms, pool.to_ms)
    return pool.growth - waiting >= max(arrived / 2, 4 * math.sqrt(arrived), 10)


def _figures(
    measure: _Measure | None, goal: float | None, cap: int | None, load: Sequence[Sender], criteria: Criteria
) -> dict[str, Value]:
    return {
        "goal_tps": goal,
        "achievable_tps": None if goal is None else round(goal * criteria.fill, 6),
        "cap_tps": None if cap is None else round(cap * criteria.fill / criteria.seconds(1), 6),
        "measured_tps": round(measure.measured, 6) if measure else None,
        "sent_tps": round(measure.sent, 6) if measure else None,
        "declared_tps": round(declared_tps(load), 6),
        "slots": measure.slots if measure else 0,
        "largest_block": measure.most if measure else None,
    }
