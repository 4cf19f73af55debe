"""What is wrong with a node or with a link: set by faults, obeyed by the network. The default is health."""

from __future__ import annotations

from dataclasses import dataclass

from mina_infra.daemon.replies import SyncStatus


@dataclass(frozen=True)
class Condition:
    """One node's illness. Times in ms unless they say otherwise.

    Shares and chances are 0..1; they are drawn by hashes of the block, so that nothing else is reshuffled.
    """

    frozen: bool = False
    """It takes no block from anybody and makes none, and says that it is synced."""
    deaf: bool = False
    """No gossip reaches it."""
    mute: bool = False
    """Nothing that it gossips reaches anybody."""
    absent: bool = False
    """It takes no part in this network: its pod runs, but it lives on another chain."""
    lag_blocks: int = 0
    """It takes a block only when so many newer ones are known."""
    hangs: SyncStatus | None = None
    """It never leaves this status (BOOTSTRAP or CATCHUP) once it has come to it."""
    flaps: bool = False
    """It says CATCHUP in some slots although it is in order (mina issues 5155, 6660)."""
    loss: float = 0.0
    """Chance that a gossiped block does not reach it."""
    gossip_factor: float = 1.0
    """How much longer gossip to it takes."""
    proving: tuple[float, float] | None = None
    """Shortest and longest time to make a block; None: as the network's timing."""
    prover_fails: float = 0.0
    """Chance that a block that it has won cannot be proved."""
    withholds: float = 0.0
    """Chance that it makes no block of a won slot, without a word."""
    dormant: bool = False
    """It does not look whether it has won slots: no key, or its VRF evaluator is dead."""
    skew_ms: float = 0.0
    """How far its clock is ahead of the true time."""
    time_offset_s: int = 0
    """What it says its configured time offset is; its clock goes by it (docs/facts.md: mina/time-offset)."""
    pool_frozen_at: tuple[float, float] | None = None
    """Transactions and snark work that had been gossiped when its pools heard the last; None: they hear."""

    @property
    def clock_ms(self) -> float:
        """How far ahead its clock is, with the offset: blockchain time is real time less the offset."""
        return self.skew_ms - self.time_offset_s * 1000

    @property
    def hears(self) -> bool:
        """Whether gossip may reach it at all."""
        return not (self.frozen or self.deaf or self.absent)

    def status(self, status: SyncStatus, slot: int) -> SyncStatus:
        """What it says of itself in a slot."""
        if self.flaps and status is SyncStatus.SYNCED and slot % 3 == 0:
            return SyncStatus.CATCHUP
        return SyncStatus.SYNCED if self.frozen else status


WELL = Condition()


@dataclass(frozen=True)
class Link:
    """One direction between two nodes."""

    factor: float = 1.0
    loss: float = 0.0
