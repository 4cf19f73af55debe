"""How many transactions a chain can take: what its runtime config says of the scan state.

The arithmetic is the daemon's own (docs/facts.md: mina/scan-state).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What a daemon takes when the runtime config is silent (docs/facts.md: mina/scan-state).
DEFAULT_LOG2, DEFAULT_GOAL, DEFAULT_DELAY = 7, 0.2, 2
# Of a block's slots for transactions the coinbase takes one and the fees of the producer and the provers another.
RESERVED = 2


@dataclass(frozen=True)
class Capacity:
    """2^`log2` slots for transactions in a block; `goal` in transactions per second, where one is known."""

    log2: int
    goal: float | None
    work_delay: int

    @property
    def leaves(self) -> int:
        """Transactions that fit in a block, and in one tree of the scan state."""
        return int(2**self.log2)

    @property
    def commands(self) -> int:
        """User commands that fit in a block beside its coinbase and fees."""
        return self.leaves - RESERVED

    @property
    def waiting(self) -> int:
        """Transactions whose work need not have been bought yet: those of the newest trees."""
        return (self.work_delay + 1) * self.leaves


DEFAULT = Capacity(DEFAULT_LOG2, DEFAULT_GOAL, DEFAULT_DELAY)


def capacity_of(config: Mapping[str, Any]) -> Capacity:
    """The capacity of the chain with this daemon.json.

    A goal of x transactions in 10 s makes x * slot / 10 commands in a slot, and the next power of two above them with
    room for the rest; a power given directly is taken as made for the largest such goal.
    """
    proof = config.get("proof") or {}
    slot_ms = int(proof.get("block_window_duration_ms", 180_000))
    delay = int(proof.get("work_delay", DEFAULT_DELAY))
    given = proof.get("transaction_capacity") or {}
    if "txns_per_second_x10" in given:
        goal_x10 = int(given["txns_per_second_x10"])
        commands = goal_x10 * slot_ms // 10_000
        return Capacity(1 + (commands + 2 - 1).bit_length(), goal_x10 / 10, delay)
    log2 = next((int(given[name]) for name in ("2_to_the", "two_to_the", "log_2") if name in given), None)
    if log2 is None:
        return Capacity(DEFAULT_LOG2, DEFAULT_GOAL, delay)
    commands = 2 ** (log2 - 1) - 2
    return Capacity(log2, commands * 1000 / slot_ms if commands > 0 else None, delay)
