"""Does every block producer make its share of the blocks? (runbook: block production of each whale and fish)

A key without any block is no proof while its stake promises few: the expected number decides who is judged
(docs/facts.md: guardian/producers).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mina_infra.guardian.canonical import after_genesis, halted, slot_at, unjudged
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.survey import Survey
from mina_infra.outputs import NodeOutput

CHECK = CheckInfo(
    name="producers",
    needs=("survey", "history"),
    warm_up=Slots(20),
    runbook="monitoring: each block producer makes the blocks that its stake promises",
)

SILENT = "silent-producer"


@dataclass(frozen=True)
class Producer:
    """One node: share of all stake (0..1), the finished slots in which it ran, its canonical blocks in them."""

    node: str
    stake: float
    keys: tuple[str, ...]
    slots: int
    blocks: int


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.survey, Survey)
    survey, criteria = evidence.survey, evidence.criteria
    if evidence.history is None or halted(evidence.history, survey.now_ms, criteria):
        return unjudged(CHECK.name, evidence.history, survey, criteria)
    producers = producers_of(evidence.outputs.running(), survey, evidence.history, criteria)
    return judge(producers, criteria, silent=survey.silent)


def producers_of(nodes: Sequence[NodeOutput], survey: Survey, chain: Chain, criteria: Criteria) -> list[Producer]:
    """The producers that answer and follow the chain, with their blocks; whose key is whose, the daemons say."""
    blocks = after_genesis(chain)
    last = slot_at(chain, survey.now_ms, criteria) - criteria.in_flight_slots
    found = []
    for node in nodes:
        answer = survey.answers.get(node.name)
        if node.stake <= 0 or answer is None or not answer.synced or not blocks:
            continue
        up = int(criteria.slots(answer.status.uptime_secs * 1000)) - criteria.warm_up_slots
        first = max(blocks[0].slot, last + criteria.in_flight_slots - max(up, 0))
        creators = Counter(block.creator for block in blocks if block.slot > first)
        keys = answer.status.block_production_keys
        made = sum(creators[key] for key in set(keys))
        found.append(Producer(node.name, node.stake / 100, keys, max(0, last - first), made))
    return found


def expected_blocks(stake: float, slots: int, criteria: Criteria) -> float:
    """Canonical blocks of a key in so many slots: it leads with 1 - (1-f)^a, and wins ties among the leaders.

    The others' leaders are Poisson with mean L = -ln(1-f) (online - a); of the ties (1 - e^-L) / L are won.
    """
    lead: float = 1 - (1 - criteria.active_slots) ** stake
    others = max(0.0, criteria.rate + math.log1p(-criteria.active_slots) * stake)
    wins = 1.0 if others < 1e-9 else -math.expm1(-others) / others
    return slots * lead * wins


def judge(producers: Sequence[Producer], criteria: Criteria, silent: tuple[str, ...] = ()) -> Finding:
    """No block at all from a producer whose stake promises enough of them, or a producer without a key, fails.

    The chance of a false alarm is shared out among those who are judged.
    """
    if not producers:
        return Finding(
            CHECK.name, State.UNKNOWN, "no producer with declared stake to judge", silent=silent, asked=False
        )
    due = {each.node: expected_blocks(each.stake, each.slots, criteria) for each in producers}
    keyless = [each for each in producers if not each.keys and each.slots > 0]
    least = max(criteria.producer_blocks, math.log(len(producers) / criteria.production_error))
    judged = [each for each in producers if each.keys and due[each.node] >= least]
    mute = [each for each in judged if not each.blocks]
    bad = [*keyless, *mute]
    if not judged and not keyless:
        most = max(due.values())
        words = f"too early: the largest stake was due {most:.1f} blocks so far, {least:.0f} are needed to judge"
        return Finding(CHECK.name, State.UNKNOWN, words, silent=silent, asked=False, figures=_figures(producers, []))
    return Finding(
        check=CHECK.name,
        state=State.FAIL if bad else State.PASS,
        summary=f"{len(judged) - len(mute)} of {len(judged)} producers that can be judged make blocks"
        + (f"; {len(keyless)} without a key" if keyless else ""),
        expected=f"a block from each producer whose stake promises {least:.0f} or more",
        seen=some([each.node for each in bad]),
        action="are the key and the stake of the ledger the same? look at the producer's log" if bad else "",
        evidence=tuple(_row(each, due[each.node]) for each in (bad or judged)),
        silent=silent,
        problems=(SILENT,) if bad else (),
        figures=_figures(producers, judged),
    )


def _row(producer: Producer, due: float) -> Row:
    found = f"{producer.blocks} blocks, {due:.1f} expected in {producer.slots} slots"
    return {
        "node": producer.node,
        "found": found if producer.keys else "has no block production key",
        "blocks": producer.blocks,
        "expected": round(due, 2),
        "slots": producer.slots,
        "stake": round(100 * producer.stake, 4),
    }


def _figures(producers: Sequence[Producer], judged: Sequence[Producer]) -> dict[str, str | int | float | bool | None]:
    return {
        "producers": len(producers),
        "judged": len(judged),
        "slots": max(each.slots for each in producers),
    }
