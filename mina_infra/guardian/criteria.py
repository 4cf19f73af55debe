"""What counts as healthy: every threshold of the guardian, in slots or blocks, with its source.

What a stack may set comes from the outputs document; the rest is fixed here, with its derivation beside it. Mina's own
alerts have other limits for some of it (docs/facts.md: guardian/mina-alerts).
"""

from __future__ import annotations

from dataclasses import dataclass

from mina_infra.outputs import OutputsDocument


@dataclass(frozen=True)
class Criteria:
    """The thresholds of one network."""

    slot_ms: int
    k: int
    active_slots: float  # f of Ouroboros Samasika
    online_stake: float  # 0..1: the share of all stake that this deployment should have online

    behind_blocks: int
    synced_share: float
    fork_depth: int
    production_window: int
    production_error: float

    # A node that lacks more than this for longer than that is not catching up: at a fill of 0.75, 5 blocks are 7 slots.
    behind_fail_blocks: int = 5
    behind_fail_slots: int = 4
    # An hour on networks of 3 minutes a slot (docs/facts.md: guardian/time-in-state).
    bootstrap_fail_slots: int = 20
    # A node that fetches many blocks may take this long (docs/facts.md: guardian/time-in-state).
    catchup_fail_slots: int = 24
    # Depth 1 is normal: most filled slots have two or more leaders (docs/facts.md: guardian/healthy-network). 2 or more
    # that lasts is not.
    fork_warn_depth: int = 2
    fork_warn_slots: int = 2
    fork_lasting_slots: int = 8
    # The newest slots: their blocks may still be proved or on their way.
    in_flight_slots: int = 2
    # From the start of the daemons to the first block that may be expected of them.
    warm_up_slots: int = 4
    # Errors of the sequential test that is used while the history is shorter than the window: the first is
    # `production_error`, this one is the chance to pass a network that produces at half its rate.
    half_rate_error: float = 1e-2
    # Of the stake that must have been running for a slot to be judged: after a redeployment earlier blocks prove
    # nothing, while one restarted whale with less than a third of the stake is no excuse and no reason to wait.
    started_stake: float = 2 / 3

    @property
    def fill(self) -> float:
        """The chance that a slot has at least one leader among the stake that should be online: 1 - (1-f)^a."""
        return float(1 - (1 - self.active_slots) ** self.online_stake)

    def slots(self, milliseconds: float) -> float:
        """A duration in slots."""
        return milliseconds / self.slot_ms


def criteria_of(outputs: OutputsDocument) -> Criteria:
    """The criteria of a deployed network.

    Online stake is what its block producers hold that are not paused; producers without a declared stake are taken to
    hold all of it.
    """
    limits = outputs.thresholds
    return Criteria(
        slot_ms=outputs.chain.slot_ms,
        k=outputs.chain.k,
        active_slots=outputs.chain.active_slots,
        online_stake=_online_stake(outputs),
        behind_blocks=limits.behind_blocks,
        synced_share=limits.synced_share,
        fork_depth=limits.fork_depth,
        production_window=limits.production_window,
        production_error=limits.production_error,
    )


def _online_stake(outputs: OutputsDocument) -> float:
    producers = [node for node in outputs.nodes if node.role == "block-producer"]
    running = [node for node in producers if not node.paused]
    if producers and not running:
        return 0.0
    if not any(node.stake for node in producers):
        return 1.0
    return min(sum(node.stake for node in running), 100.0) / 100
