"""The two tests that may be asked again at every slot: silence, and the cumulative sum of Bernoulli trials. Pure.

A fixed window that is judged every minute is not the test that its error promises; these are built for watching
(docs/facts.md: guardian/cusum, guardian/silence).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.forks import Chain

ALARM = 12.0
"""By chance once in about a million slots, so 1 % in a month, as for silence. Half of the stake gone is found in 80."""


@dataclass(frozen=True)
class Rate:
    """What is remembered of the slots so far. `judged` is the newest slot that was counted, `score` the sum."""

    judged: int | None = None
    score: float = 0.0

    def take(self, slots: Iterable[tuple[int, bool]], criteria: Criteria) -> Rate:
        """Count finished slots, in order; those counted before are left out. Slots that nobody saw begin it anew."""
        filled, empty = _steps(criteria)
        rate = self
        for slot, full in slots:
            if rate.judged is not None and slot <= rate.judged:
                continue
            before = rate.score if rate.judged is not None and slot == rate.judged + 1 else 0.0
            rate = replace(rate, judged=slot, score=max(0.0, before + (filled if full else empty)))
        return rate

    @property
    def alarm(self) -> bool:
        return self.score >= ALARM


def _steps(criteria: Criteria) -> tuple[float, float]:
    """Log likelihood ratios of a filled and an empty slot: half of the due stake against all of it."""
    p0 = criteria.fill
    p1 = 1 - (1 - criteria.active_slots) ** (criteria.online_stake / 2)
    return math.log(p1 / p0), math.log((1 - p1) / (1 - p0))


def finished_slots(chain: Chain, now_ms: int, up_slots: float, criteria: Criteria) -> list[tuple[int, bool]]:
    """The slots that the chain tells about and in which the producers were up, oldest first, with whether they have a
    block; without the newest, whose blocks may be on their way."""
    tip = chain.tip
    now = tip.slot + round(criteria.slots(now_ms - tip.date_ms))
    start = max(chain.oldest.slot, now - int(up_slots) + criteria.warm_up_slots)
    filled = {block.slot for block in chain.blocks}
    return [(slot, slot in filled) for slot in range(start + 1, now - criteria.in_flight_slots + 1)]


def empty_since_tip(slots: list[tuple[int, bool]]) -> int:
    """How many of the newest finished slots in a row are empty."""
    count = 0
    for _, full in reversed(slots):
        if full:
            break
        count += 1
    return count
