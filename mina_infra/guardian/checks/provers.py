"""Do producers make blocks of the slots that they win? (runbook: unstable criterion 5, prover failures)"""

from __future__ import annotations

from collections.abc import Mapping

from mina_infra.guardian.counters import Producers, Tally, producers_of
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some

CHECK = CheckInfo(
    name="provers",
    needs=("producers",),
    warm_up=Slots(8),
    runbook="unstable criterion 5: prover failures",
)

FAILURES, LOST = "prover-failures", "blocks-lost"


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.producers, Producers)
    names = [node.name for node in producers_of(evidence.outputs)]
    if not names:
        return Finding(CHECK.name, State.UNKNOWN, "no running producer has a metrics port", asked=False)
    return judge(names, evidence.producers, evidence.criteria)


def judge(names: list[str], producers: Producers, criteria: Criteria) -> Finding:
    """A producer that lost 2 blocks within 20 slots fails, and one whose prover or verifier failed on a slot it won.

    Counters begin with the process: of one that has long run a single look only knows the rate and the share.
    """
    rows: list[Row] = []
    warnings: list[str] = []
    young: list[str] = []
    for node, tally in producers.tallies.items():
        said = producers.errors.get(node, ())
        if not said and tally.gap >= criteria.lost_blocks and tally.up_slots < CHECK.warm_up.count:
            young.append(node)  # its first blocks may all still be proved
        elif said or loses(node, tally, producers, criteria):
            rows.append(_row(node, tally, said))
        elif tally.gap >= criteria.lost_blocks:
            warnings.append(f"{node} made {tally.made} blocks of {tally.won} slots since it started")
    won = sum(tally.won for tally in producers.tallies.values())
    made = sum(tally.made for tally in producers.tallies.values())
    if producers.forbidden:
        words = "these credentials may not reach the metrics ports of pods; the alerts on slots won look at them"
        return Finding(CHECK.name, State.UNKNOWN, words, asked=False)
    if not producers.tallies:
        return Finding(
            CHECK.name, State.UNKNOWN, f"the metrics of none of {len(names)} producers can be read",
            seen=some([f"{node} ({why})" for node, why in producers.unread.items()], 2), silent=tuple(producers.unread),
            settling=True,
        )  # fmt: skip
    return Finding(
        check=CHECK.name,
        state=State.FAIL if rows else State.UNKNOWN if young else State.PASS,
        summary=_summary(len(rows), len(names), won, made),
        settling=bool(young),
        expected=f"less than {criteria.lost_blocks} slots without a block in {criteria.lost_blocks_slots}",
        seen=some([f"{row['node']} ({row['found']})" for row in rows], 3),
        action="look for the prover's error in the log; want of memory or CPU is the usual cause" if rows else "",
        evidence=tuple(rows),
        silent=tuple(producers.unread),
        warnings=tuple(warnings),
        problems=(FAILURES,) * any(producers.errors.values()) + (LOST,) * any("detail" not in row for row in rows),
        figures={"producers": len(names), "read": len(producers.tallies), "won": won, "made": made},
    )


def _summary(losing: int, producers: int, won: int, made: int) -> str:
    if losing:
        return f"{losing} of {producers} producers lose blocks"
    return f"{made} blocks of {won} slots won" if won else "no slot had been won when the counters were read"


def loses(node: str, tally: Tally, producers: Producers, criteria: Criteria) -> bool:
    """Whether it loses blocks now: by readings of the whole window, else by rate or share since its start."""
    start = _reading(node, tally, producers.earlier)
    if start is not None and (
        tally.gap - start.gap >= criteria.lost_blocks or tally.up_slots - start.up_slots >= criteria.lost_blocks_slots
    ):
        return tally.gap - start.gap >= criteria.lost_blocks
    by_rate = tally.gap * criteria.lost_blocks_slots / max(tally.up_slots, criteria.lost_blocks_slots)
    return tally.gap >= criteria.lost_blocks and (
        by_rate >= criteria.lost_blocks or tally.gap > criteria.lost_share * tally.won
    )


def _reading(node: str, now: Tally, earlier: tuple[tuple[float, Mapping[str, Tally]], ...]) -> Tally | None:
    """The oldest of the same process."""
    for _, tallies in earlier:
        found = tallies.get(node)
        if found is not None and found.pod == now.pod and found.won <= now.won:
            return found
    return None


def _row(node: str, tally: Tally, said: tuple[str, ...]) -> Row:
    row: dict[str, str | int] = {"node": node, "found": f"{tally.made} blocks of {tally.won} slots", "lost": tally.gap}
    if said:
        row["detail"] = " ".join(said[-1].split())[:200]
    return row
