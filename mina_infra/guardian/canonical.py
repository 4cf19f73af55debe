"""What several checks read off the canonical chain."""

from __future__ import annotations

from collections.abc import Sequence

from mina_infra.daemon.replies import Block
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.survey import Survey

PAUSED = "paused: no running block producer holds stake"


def after_genesis(chain: Chain) -> Sequence[Block]:
    """The blocks that somebody produced: the genesis block is in slot 0 and holds nothing."""
    first = chain.oldest
    return chain.blocks[1:] if first.epoch == 0 and first.slot_in_epoch == 0 else chain.blocks


def slot_at(chain: Chain, now_ms: float, criteria: Criteria) -> int:
    """The slot of a moment (ms since 1970), counted from the tip's own slot and date.

    After a hard fork slot numbers do not start at the current genesis (docs/facts.md: mina/global-slot).
    """
    return chain.tip.slot + round(criteria.slots(now_ms - chain.tip.date_ms))


def halted(chain: Chain | None, now_ms: int, criteria: Criteria) -> str | None:
    """Why nothing about new blocks can be judged; None while blocks come.

    A check whose question is pointless because of that says so and does not fail: the check `production` does.
    """
    if criteria.online_stake <= 0:
        return PAUSED
    if chain is None:
        return "no daemon has a synced chain"
    if not after_genesis(chain):
        return "no block yet"
    silence = criteria.slots(now_ms - chain.tip.date_ms) - criteria.in_flight_slots
    if silence >= criteria.silence_slots:
        return f"the chain has halted: no block for {silence:.0f} slots"
    return None


def unjudged(check: str, chain: Chain | None, survey: Survey, criteria: Criteria) -> Finding:
    """The answer of a check about new blocks while there are none. Only a start is waited for."""
    why = halted(chain, survey.now_ms, criteria) or ""
    starting = why != PAUSED and (chain is None or not after_genesis(chain))
    return Finding(check, State.UNKNOWN, why, silent=survey.silent, settling=starting)
