"""Exact statistics of block production: no waiting, only the chain's own slot numbers.

Each finished slot has at least one leader with chance p0 (`Criteria.fill`); the question is whether so few filled slots
could be chance (docs/facts.md: guardian/fixed-window).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum


def binomial_at_most(filled: int, slots: int, p: float) -> float:
    """P(Bin(slots, p) <= filled), exactly; terms by logarithms, so that 290 slots neither over- nor underflow."""
    if filled >= slots:
        return 1.0
    if p <= 0.0:
        return 1.0
    if p >= 1.0:
        return 0.0
    log_p, log_q = math.log(p), math.log1p(-p)
    terms = (
        math.exp(_log_choose(slots, count) + count * log_p + (slots - count) * log_q) for count in range(filled + 1)
    )
    return min(1.0, math.fsum(terms))


def fails_at(slots: int, p: float, error: float) -> int:
    """The largest number of filled slots that is a failure; -1 when even none could be chance.

    For p = 0.75 and error 1e-3: 8 of 20, 44 of 77, 193 of 290.
    """
    bound = -1
    while bound + 1 < slots and binomial_at_most(bound + 1, slots, p) < error:
        bound += 1
    return bound


class Sequential(StrEnum):
    """Outcome of the sequential test so far."""

    HEALTHY = "healthy"
    SLOW = "slow"
    UNDECIDED = "undecided"


def sequential_test(filled: Sequence[bool], p0: float, *, false_alarm: float, missed: float) -> Sequential:
    """Wald's test of the rate p0 against half of it, slot by slot; the first boundary that is crossed decides.

    With p0 = 0.75 and errors 1e-3 and 1e-2: about 16 slots when healthy, 22 at half the rate, 8 in a halt.
    """
    p1 = p0 / 2
    slow, healthy = math.log((1 - missed) / false_alarm), math.log(missed / (1 - false_alarm))
    ratio = 0.0
    for slot in filled:
        ratio += math.log(p1 / p0) if slot else math.log((1 - p1) / (1 - p0))
        if ratio >= slow:
            return Sequential.SLOW
        if ratio <= healthy:
            return Sequential.HEALTHY
    return Sequential.UNDECIDED


def silent_slots(p: float, error: float) -> int:
    """How many empty slots in a row could be chance with less than `error`: (1-p)^n < error."""
    if p <= 0.0:
        raise ValueError("without stake online no number of empty slots is strange")
    if p >= 1.0:
        return 1
    return math.floor(math.log(error) / math.log1p(-p)) + 1


def silence_limit(p: float, error: float, horizon: int) -> int:
    """Empty slots in a row that chance shows with less than `error` in `horizon` watched slots; at least 1.

    A run of n begins in a slot with chance p (1-p)^n, so n = ceil(ln(error / (horizon p)) / ln(1-p)). For 1 % in 30
    days of 3 minutes a slot: 11, 12, 13, 20 at full, 0.9, 0.8 and half the stake (docs/facts.md: guardian/silence).
    """
    if p <= 0.0:
        raise ValueError("without stake online no number of empty slots is strange")
    if p >= 1.0:
        return 1
    return max(1, math.ceil(math.log(error / (horizon * p)) / math.log1p(-p)))


def active_stake(fill: float, f: float) -> float:
    """The share of stake that explains a fill: ln(1-fill) / ln(1-f), at most 1."""
    if fill >= f:
        return 1.0
    return math.log1p(-fill) / math.log1p(-f)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
