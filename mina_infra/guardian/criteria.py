"""What counts as healthy: every limit of the guardian, in slots or blocks, with the derivation beside the number.

What a stack may set comes from the outputs document; the rest is fixed here. A profile says whose limits hold: `qa`
and `public` are ours, `mina-alerts` has Mina's own wherever it has one (docs/facts.md: guardian/profiles).
When a criterion of the runbook counts is here too (docs/facts.md: guardian/instability).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, get_args, get_type_hints

from mina_infra.guardian.mina_alerts import ALERTS
from mina_infra.guardian.production import fails_at, silence_limit
from mina_infra.outputs import OutputsDocument, Profile, Thresholds

PROFILES: tuple[Profile, ...] = get_args(Profile)


@dataclass(frozen=True)
class Limit:
    """What a number of Criteria means: its unit, where it comes from, and the checks or criteria that use it."""

    unit: str
    why: str
    of: tuple[str, ...]


@dataclass(frozen=True)
class Criteria:
    """The limits of one network. Every field says its unit and derivation; `explain` prints them."""

    slot_ms: Annotated[int, Limit("ms", "the slot of this chain, from its runtime config", ())]
    k: Annotated[int, Limit("blocks", "finality of this chain: what lies deeper never changes", ("forks",))]
    active_slots: Annotated[
        float, Limit("of all slots", "f: chance of a leader at full stake (mina/consensus-constants)", ("production",))
    ]
    online_stake: Annotated[
        float, Limit("of all stake", "what the producers that are not paused hold", ("production", "not-produced"))
    ]
    behind_blocks: Annotated[
        int, Limit("blocks", "as gossip takes seconds, more than this is not gossip's delay", ("sync",))
    ]
    synced_share: Annotated[float, Limit("of the daemons", "Mina wanted 90 % and settled for 60 %", ("sync",))]
    fork_depth: Annotated[
        int, Limit("blocks", "MediumFork is 8, LongFork 16; never more than k, for that is a split", ("forks",))
    ]
    production_window: Annotated[
        int,
        Limit("slots", "20 prove that blocks come, 77 a decent rate, 290 the design; at most k", ("production",)),
    ]
    production_error: Annotated[
        float, Limit("chance", "of a false alarm in one look at a healthy network", ("production",))
    ]
    profile: Annotated[str, Limit("", "whose limits hold", ())] = "qa"

    behind_fail_blocks: Annotated[
        int, Limit("blocks", "at a fill of 0.75, 5 blocks are 7 slots: no delay explains that", ("sync",))
    ] = 5
    behind_fail_slots: Annotated[
        int, Limit("slots", "a node that lacks more than that for longer is not catching up", ("sync",))
    ] = 4
    bootstrap_fail_slots: Annotated[
        int, Limit("slots", "an hour at 3 minutes a slot (guardian/time-in-state)", ("sync", "cannot-join"))
    ] = 20
    catchup_fail_slots: Annotated[
        int, Limit("slots", "a node that fetches many blocks (guardian/time-in-state)", ("sync", "cannot-join"))
    ] = 24
    fork_warn_depth: Annotated[
        int,
        Limit("blocks", "1 is normal: 54 % of the filled slots have two leaders or more", ("forks", "joins-fork")),
    ] = 2
    fork_warn_slots: Annotated[int, Limit("slots", "two more blocks settle nearly every tie", ("forks",))] = 2
    fork_lasting_slots: Annotated[
        int, Limit("slots", "a depth of 2 is never seen in the healthy model (guardian/fork-depth)", ("forks",))
    ] = 8
    in_flight_slots: Annotated[
        int, Limit("slots", "blocks of the newest slots may still be proved or on their way", ("production",))
    ] = 2
    warm_up_slots: Annotated[
        int, Limit("slots", "from the start of the daemons to the first block expected of them", ("production",))
    ] = 4
    half_rate_error: Annotated[
        float, Limit("chance", "to pass half the rate while the history is shorter than the window", ("production",))
    ] = 1e-2
    started_stake: Annotated[
        float,
        Limit("of the stake", "that must have run in a slot: one restarted whale is no excuse", ("production",)),
    ] = 2 / 3
    fill_floor: Annotated[
        float, Limit("of the slots", "0: none. Mina's LowFillRate is 0.75 squared", ("production",))
    ] = 0.0
    old_tip_slots: Annotated[
        int, Limit("slots", "0: by chance, see `silence`. Mina's OldBestTip is 15", ("production", "not-produced"))
    ] = 0
    silence_error: Annotated[
        float, Limit("chance", "of one false alarm by silence within the horizon", ("production", "not-produced"))
    ] = 1e-2
    horizon_slots: Annotated[
        int, Limit("slots", "for which somebody watches: 30 days at 3 minutes a slot", ("production", "not-produced"))
    ] = 14_400
    fork_stake: Annotated[
        float, Limit("of the stake", "a deep fork of less is an ill node, not an ill network", ("network-forks",))
    ] = 0.05
    fork_witnesses: Annotated[
        int, Limit("nodes", "on a fork that lasts, or that say the network is split", ("network-forks",))
    ] = 2
    crash_stake: Annotated[
        float, Limit("of the stake", "in CrashLoopBackOff: takes 7 % of the blocks", ("crashes-halt-production",))
    ] = 0.10
    new_node_slots: Annotated[
        int, Limit("slots", "a node is new for two hours at 3 minutes a slot", ("cannot-join", "joins-fork"))
    ] = 40
    new_fork_nodes: Annotated[
        int, Limit("nodes", "on the branch of a new node, so that it is a fork that others follow", ("joins-fork",))
    ] = 2
    confirm_sweeps: Annotated[
        int, Limit("sweeps", "in a row that must show a criterion before it counts", ("every criterion",))
    ] = 2
    clear_slots: Annotated[
        int, Limit("slots", "that must be good before a criterion is called stable again", ("every criterion",))
    ] = 4
    crash_window_s: Annotated[
        float,
        Limit("s", "a day, the time between two reports: a crash is not over when its node runs", ("crashes",)),
    ] = 86_400.0
    join_connect_s: Annotated[
        float,
        Limit("s", "for an outsider to find its first peer, once its pod runs (guardian/join)", ("join",)),
    ] = 120.0
    join_sync_slots: Annotated[
        int, Limit("slots", "for it to be at the tip: 30 minutes in slots of 3 minutes (guardian/join)", ("join",))
    ] = 10
    join_sync_least_s: Annotated[
        float, Limit("s", "the same on networks with short slots, where starting alone takes as long", ("join",))
    ] = 120.0
    burst_crashes: Annotated[
        int, Limit("in an hour", "of one fingerprint are persistent (guardian/crash-burst)", ("crashes",))
    ] = 3
    lost_blocks: Annotated[
        int, Limit("blocks", "one or two won slots may still be proved (guardian/prover-errors)", ("provers",))
    ] = 2
    lost_blocks_slots: Annotated[int, Limit("slots", "in which that many may not be lost", ("provers",))] = 20
    lost_share: Annotated[
        float, Limit("of the won slots", "lost since the start: a producer in order loses none", ("provers",))
    ] = 0.1
    disk_filling: Annotated[
        float, Limit("of a volume", "used: time to let it grow before it is full (guardian/disk)", ("disk",))
    ] = 0.80
    disk_full: Annotated[
        float, Limit("of a volume", "used: a compaction of the database may need the rest (guardian/disk)", ("disk",))
    ] = 0.90
    burst_nodes: Annotated[
        int, Limit("nodes", "that one bug must meet to be the network's (guardian/crash-burst)", ("crashes",))
    ] = 2

    inclusion_blocks: Annotated[
        int, Limit("blocks", "27 slots at a fill of 0.75: an hour and 20 minutes", ("inclusion", "gossip"))
    ] = 20
    empty_fail_blocks: Annotated[
        int, Limit("blocks", "in a row at the tip: Mina's NoTransactionsInSeveralBlocks", ("inclusion", "tps"))
    ] = 5
    coinbase_fail_blocks: Annotated[
        int, Limit("blocks", "every block has a coinbase; 1 warns, 3 of the newest are no accident", ("inclusion",))
    ] = 3
    proof_blocks: Annotated[
        int,
        Limit("blocks", "each block adds a coinbase, which needs work: 10 without any never happen", ("inclusion",)),
    ] = 10
    agent_sleep_s: Annotated[
        float, Limit("s", "a user agent sleeps 20 minutes before it sends (mina/user-agent)", ("inclusion", "tps"))
    ] = 1200.0
    arrival_slots: Annotated[
        int, Limit("slots", "from the start of a block's slot: its own, in which it is proved, and one", ("gossip",))
    ] = 2
    gossip_share: Annotated[
        float, Limit("of the nodes", "that have a due block: the healthy model has all of them", ("gossip",))
    ] = 0.9
    gossip_fail_blocks: Annotated[
        int, Limit("blocks", "that came late or not at all: one may be a late proof", ("gossip",))
    ] = 3
    agreement_share: Annotated[
        float, Limit("of the nodes", "on one tip: 92 % of the instants, 58 % with slow gossip", ("gossip", "sync"))
    ] = 0.95
    agreement_slots: Annotated[
        int, Limit("slots", "over which agreement is counted: 6 blocks at a fill of 0.75", ("gossip",))
    ] = 8
    agreement_looks: Annotated[
        int, Limit("looks", "at least, two a slot, so that a few unlucky moments are no verdict", ("gossip",))
    ] = 16
    agreement_floor: Annotated[
        float, Limit("of the looks", "with one tip: 0.9 at worst when healthy, 0.8 with slots of 30 s", ("gossip",))
    ] = 0.5
    pool_slots: Annotated[int, Limit("slots", "Mina's NoNewSnarks has 2, which is noisy", ("gossip", "tps"))] = 4
    pool_rise: Annotated[
        int, Limit("messages", "that others received (median) while a node had none: chance e^-12", ("gossip",))
    ] = 12
    pool_flat_share: Annotated[
        float, Limit("of the nodes", "whose pool stands still while others rise", ("gossip",))
    ] = 0.2
    tps_slots: Annotated[int, Limit("slots", "measured at most: two hours at 3 minutes a slot", ("tps",))] = 40
    tps_least_slots: Annotated[
        int, Limit("slots", "36 transactions a slot vary by a tenth over 20 slots, by more over fewer", ("tps",))
    ] = 20
    tps_goal_slots: Annotated[
        int, Limit("slots", "to compare with the goal: the number of blocks itself varies", ("tps",))
    ] = 36
    tps_sigmas: Annotated[
        float, Limit("deviations", "of a Poisson count below what is sent: chance 5e-4", ("tps",))
    ] = 3.3
    tps_share: Annotated[
        float, Limit("of what is achievable", "when more is sent than fits into the goal", ("tps",))
    ] = 0.9
    producer_blocks: Annotated[
        float, Limit("blocks", "expected of a producer before none is strange: chance e^-7 = 9e-4", ("producers",))
    ] = 7.0

    @property
    def fill(self) -> float:
        """The chance that a slot has at least one leader among the stake that should be online: 1 - (1-f)^a."""
        return float(1 - (1 - self.active_slots) ** self.online_stake)

    @property
    def rate(self) -> float:
        """Leaders of a slot on average: Poisson with -ln(1-f) a."""
        return -math.log1p(-self.active_slots) * self.online_stake

    @property
    def silence_slots(self) -> int:
        """Empty slots in a row that are a halt. Raises ValueError without stake online."""
        return self.old_tip_slots or silence_limit(self.fill, self.silence_error, self.horizon_slots)

    def production_bound(self, slots: int) -> int:
        """The largest number of filled slots of `slots` that is a failure; -1 when none is.

        Exact, at `production_error`. A floor only ever makes it milder: on a short history chance alone goes below it.
        """
        exact = fails_at(slots, self.fill, self.production_error)
        return min(exact, math.ceil(self.fill_floor * slots) - 1) if self.fill_floor else exact

    def slots(self, milliseconds: float) -> float:
        """A duration in slots."""
        return milliseconds / self.slot_ms

    def seconds(self, slots: float) -> float:
        """A number of slots in seconds."""
        return slots * self.slot_ms / 1000

    def watching(self) -> Criteria:
        """The same for somebody who looks at every slot: a test repeated so often must err more rarely each time.

        The false alarms that the whole horizon may have (`silence_error`) are shared out among its slots.
        """
        return replace(self, production_error=min(self.production_error, self.silence_error / self.horizon_slots))


_OF_PROFILE: Mapping[str, Mapping[str, Any]] = {
    "qa": {},
    "public": {},
    "mina-alerts": {
        "fill_floor": ALERTS["LowFillRate"].limit,
        "old_tip_slots": int(ALERTS["OldBestTip"].limit),
    },
}
"""What no document sets and yet is different by profile; the rest of a profile is in `Thresholds`."""


def criteria_of(outputs: OutputsDocument, profile: Profile | None = None) -> Criteria:
    """The criteria of a deployed network: what its document says, or all that another profile says.

    Online stake is what its block producers hold that are not paused; producers without a declared stake are taken to
    hold all of it. Networks with a small k are judged by as many blocks as they keep.
    """
    limits = outputs.thresholds if profile is None else Thresholds(profile=profile)
    k = outputs.chain.k
    return Criteria(
        slot_ms=outputs.chain.slot_ms,
        k=k,
        active_slots=outputs.chain.active_slots,
        online_stake=_online_stake(outputs),
        behind_blocks=limits.behind_blocks,
        synced_share=limits.synced_share,
        fork_depth=max(2, min(limits.fork_depth, k)),
        production_window=max(1, min(limits.production_window, k)),
        production_error=limits.production_error,
        profile=limits.profile,
        **_OF_PROFILE[limits.profile],
    )


def limits_of(name: str) -> dict[str, Limit]:
    """The fields of Criteria that a check or criterion uses, in order, with what they mean."""
    hints = get_type_hints(Criteria, include_extras=True)
    limits = {each.name: limit for each in fields(Criteria) for limit in get_args(hints[each.name])[1:]}
    return {field: limit for field, limit in limits.items() if isinstance(limit, Limit) and name in limit.of}


def _online_stake(outputs: OutputsDocument) -> float:
    producers = [node for node in outputs.nodes if node.role == "block-producer"]
    running = [node for node in producers if not node.paused]
    if producers and not running:
        return 0.0
    if not any(node.stake for node in producers):
        return 1.0
    return min(sum(node.stake for node in running), 100.0) / 100
