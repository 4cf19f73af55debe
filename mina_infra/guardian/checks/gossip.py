"""Do blocks, transactions and snark work travel? (runbook: blocks are received; unstable criterion 3)

The limits come from the healthy model (docs/facts.md: guardian/gossip).
"""

from __future__ import annotations

from collections.abc import Sequence

from mina_infra.guardian.canonical import halted, unjudged
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.gossip import (
    Arrival,
    FlatPool,
    agreed_share,
    arrivals,
    flat_pools,
    is_late,
    listeners,
)
from mina_infra.guardian.past import Past, agreement
from mina_infra.guardian.survey import Survey

CHECK = CheckInfo(
    name="gossip",
    needs=("survey", "history"),
    warm_up=Slots(4),
    runbook="sanity check 3: blocks are received; unstable criterion 3: blocks or transactions are not gossiped",
)

# What may be wrong, the gravest first.
NO_GOSSIP = "no-gossip"
SLOW_GOSSIP = "slow-gossip"
POOL_FLAT = "pool-flat"


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.survey, Survey)
    survey, criteria = evidence.survey, evidence.criteria
    if evidence.history is None or halted(evidence.history, survey.now_ms, criteria):
        return unjudged(CHECK.name, evidence.history, survey, criteria)
    return judge(survey, evidence.history, evidence.past, criteria)


def judge(survey: Survey, chain: Chain, past: Past, criteria: Criteria) -> Finding:
    """Canonical blocks on most nodes within a slot of their own; tips that agree now and then; pools that rise.

    One look sees the blocks that are missing now; that others came late is told by the looks before.
    """
    hearing = listeners(survey, criteria)
    if len(hearing) < 2:
        return Finding(
            CHECK.name, State.UNKNOWN, f"{len(hearing)} synced daemons: nobody to hear blocks from", asked=False,
            silent=survey.silent,
        )  # fmt: skip
    seen = arrivals(survey, chain, criteria)
    late = [each for each in seen if is_late(each, criteria)]
    before = frozenset().union(*(look.late for look in past.looks)) - {each.block.state_hash for each in late}
    agreed = agreed_share(past, agreement(survey), survey.now_ms, criteria)
    flat = flat_pools(past, survey, criteria)
    problems = _problems(late, len(before), agreed, flat, criteria)
    deaf = _deaf(seen, criteria)
    tolerated = not problems and deaf
    return Finding(
        check=CHECK.name,
        state=State.FAIL if problems else State.PASS,
        summary=_summary(seen, late, len(hearing), agreed, flat, criteria),
        expected=f"each block on {criteria.gossip_share:.0%} of the nodes one slot after its own",
        seen=some([f"{pool.pool} pool still on {len(pool.nodes)} of {pool.of}" for pool in flat]),
        action="compare the peers of the nodes named with the others'; look at their network and seeds"
        if problems
        else "",
        evidence=(*_block_rows(late), *_deaf_rows(deaf), *_pool_rows(flat)),
        silent=survey.silent,
        warnings=(f"has not heard the newest blocks: {some(sorted(deaf))}",) if tolerated else (),
        problems=problems or ((NO_GOSSIP,) if tolerated else ()),
        figures={
            "listeners": len(hearing),
            "blocks": len(seen),
            "late": len(late),
            "late_before": len(before),
            "lowest_share": round(min((each.share for each in seen), default=1.0), 4),
            "agreement": round(agreement(survey), 4),
            "agreed_share": None if agreed is None else round(agreed, 3),
            "flat_nodes": max((len(pool.nodes) for pool in flat), default=0),
        },
    )


def _problems(
    late: Sequence[Arrival], before: int, agreed: float | None, flat: Sequence[FlatPool], criteria: Criteria
) -> tuple[str, ...]:
    missing = len(late) >= criteria.gossip_fail_blocks
    slow = not missing and len(late) + before >= criteria.gossip_fail_blocks
    slow = slow or (not missing and agreed is not None and agreed < criteria.agreement_floor)
    still = any(len(pool.nodes) > 1 and len(pool.nodes) >= criteria.pool_flat_share * pool.of for pool in flat)
    return (*[NO_GOSSIP] * missing, *[SLOW_GOSSIP] * slow, *[POOL_FLAT] * still)


def _deaf(seen: Sequence[Arrival], criteria: Criteria) -> dict[str, int]:
    """The nodes that lack at least as many due blocks as fail, and how many: those that hear nothing."""
    counts: dict[str, int] = {}
    for each in seen:
        for node in each.missing:
            counts[node] = counts.get(node, 0) + 1
    return {node: count for node, count in counts.items() if count >= criteria.gossip_fail_blocks}


def _summary(
    seen: Sequence[Arrival],
    late: Sequence[Arrival],
    hearing: int,
    agreed: float | None,
    flat: Sequence[FlatPool],
    criteria: Criteria,
) -> str:
    words = f"{len(seen) - len(late)} of {len(seen)} blocks on {criteria.gossip_share:.0%} of {hearing} nodes in time"
    if agreed is not None and agreed < criteria.agreement_floor:
        words += f", one tip everywhere in only {agreed:.0%} of the looks"
    return words + "".join(f", {pool.pool} pool still on {len(pool.nodes)} nodes" for pool in flat)


def _block_rows(late: Sequence[Arrival]) -> list[Row]:
    return [
        {
            "node": None,
            "height": each.block.height,
            "hash": each.block.state_hash,
            "found": f"on {each.share:.0%} of the nodes; not on {some(each.missing, 3)}",
        }
        for each in late
    ]


def _deaf_rows(deaf: dict[str, int]) -> list[Row]:
    return [{"node": node, "found": f"lacks {count} blocks that are due"} for node, count in sorted(deaf.items())]


def _pool_rows(flat: Sequence[FlatPool]) -> list[Row]:
    return [
        {"node": node, "found": f"{pool.pool} pool has received nothing while the others received {pool.risen:.0f}"}
        for pool in flat
        for node in pool.nodes
    ]
