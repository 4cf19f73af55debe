"""How long things take in a simulated network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """How long things take, in ms."""

    connect: float
    bootstrap: float
    catchup: float
    catchup_block: float
    gossip: float
    """Median of the log-normal delay from a producer to one node."""
    proving: tuple[float, float]
    """Shortest and longest time to make a block, from the start of its slot."""

    @classmethod
    def for_slot(cls, slot_ms: int) -> Timing:
        """Proving 30-60 s, gossip 2 s at 180 s (docs/facts.md: guardian/healthy-network), scaled to the slot.

        Start-up does not take longer than a small ledger needs, however long the slots are.
        """
        return cls(
            connect=min(slot_ms * 0.1, 500),
            bootstrap=min(slot_ms * 1.0, 5_000),
            catchup=min(slot_ms * 0.25, 1_000),
            catchup_block=min(slot_ms * 0.004, 20),
            gossip=slot_ms / 90,
            proving=(slot_ms / 6, slot_ms / 3),
        )
