"""Rules on the daemons' own metrics, made from the criteria: production, sync, forks and gossip.

They hold on any network that Prometheus scrapes, also while no `mina-infra watch` runs. Shares and medians, never the
best or the worst of all nodes: the best one hides a sick minority, the worst one pages for a single sick node. What
vanishes is neither small nor large: `work.py` has the rules that miss it (docs/facts.md: guardian/metrics).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mina_infra.guardian.alerts.rule import Pace, Rule, Series
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.mina_alerts import Severity
from mina_infra.guardian.production import fails_at
from mina_infra.outputs import OutputsDocument

HEIGHT = "Transition_frontier_best_tip_block_height"
TIP_TIME = "Transition_frontier_best_tip_slot_time_sec"
UPTIME = "Runtime_process_uptime_ms_total"
LONGEST_FORK = "Transition_frontier_longest_fork"
NO_ANCESTOR = "Rejected_blocks_no_common_ancestor"
RECEIVED = "Network_new_state_received"
GOSSIP_SLOTS = "Block_latency_gossip_slots"
PEERS = "Network_peers"
EARLY = "Rejected_blocks_received_early"

DENSITY_WINDOW = 77
"""Slots of one window of the consensus. Its own metric, min_window_density, is the least of all windows since genesis
and so never rises again; this window moves on (docs/facts.md: guardian/latching-metrics)."""
RECENT_WINDOW = 20
# A long window is slow to forget: it counts only while the newest slots are poor too, at a bound that chance crosses
# in one look of ten.
RECENT_ERROR = 0.1
FEW_PEERS = 3
"""Mina's LowPeerCount: with fewer, one more loss may cut a node off."""
LOST_PEERS = 0.6
"""Of the peers that a node had in the last 20 slots: losing 40 % at once is a cut, not churn."""
ILL_SHARE = 0.1
"""Of the nodes: one of ten is an ill node, more an ill network, as Mina wished (docs/facts.md: guardian/profiles)."""


@dataclass(frozen=True)
class Network:
    """What the rules of one testnet are made from."""

    criteria: Criteria
    series: Series
    daemons: int
    roles: frozenset[str]

    @property
    def pace(self) -> Pace:
        return Pace(self.criteria)

    @property
    def witnesses(self) -> int:
        return min(self.criteria.fork_witnesses, self.daemons)

    def share(self, counted: str) -> str:
        """The share of the nodes that have metrics for which an expression by node has a series."""
        return f"count by (testnet) ({counted})\n  / count by (testnet) ({self.series.node(UPTIME)})"

    def grown_up(self, slots: float) -> str:
        """A guard: half of the daemons run for longer than so many slots."""
        milliseconds = 1000 * self.pace.seconds(slots)
        return f"on (testnet) {self.series.middle(self.series.node(UPTIME))} > {milliseconds}"


def network_of(outputs: OutputsDocument, criteria: Criteria, prefix: str) -> Network:
    """What is known of a deployed testnet before anything is asked."""
    return Network(
        criteria=criteria,
        series=Series(outputs.testnet, prefix),
        daemons=len(outputs.daemons()),
        roles=frozenset(node.role for node in outputs.running()),
    )


def chain_rules(network: Network) -> Iterator[Rule]:
    """Production, sync, forks, gossip and clocks."""
    if network.criteria.online_stake > 0:
        yield _halt(network)
        yield from _slow(network)
    yield from _sync(network)
    yield from _forks(network)
    yield from _gossip(network)
    yield _clocks(network)


def _halted(network: Network) -> str:
    """No block for as long as chance shows once in a hundred months; the newest slots may still be proved."""
    slots = network.criteria.silence_slots + network.criteria.in_flight_slots
    return f"{network.series.age(TIP_TIME)} > {network.pace.seconds(slots)}"


def _halt(network: Network) -> Rule:
    criteria, series = network.criteria, network.series
    slots = criteria.silence_slots + criteria.in_flight_slots
    # Daemons that have not run for as long have had no time to make a block: a genesis time before the deployment, a
    # testnet that was paused.
    up = f"on (testnet) {series.top(UPTIME)} > {1000 * network.pace.seconds(slots)}"
    return Rule(
        "ChainHalted", Severity.CRITICAL, "production", "halt",
        f"{_halted(network)}\nand {up}",
        f"{{{{ $labels.testnet }}}}: no block for {criteria.silence_slots} slots",
        "Look at the block producers: are they up, synced, do their provers work?",
    )  # fmt: skip


def _slow(network: Network) -> Iterator[Rule]:
    """Filled slots of the last 77, as the growth of the best height; a halt is told by its own name."""
    criteria, series, pace = network.criteria.watching(), network.series, network.pace
    bound = criteria.production_bound(DENSITY_WINDOW)
    recent = fails_at(RECENT_WINDOW, criteria.fill, RECENT_ERROR)
    if bound < 0 or recent < 0:
        return
    then = f"offset {pace.span(DENSITY_WINDOW)}"
    grown = f"{series.top(HEIGHT)} - {series.top(HEIGHT, f'offset {pace.span(RECENT_WINDOW)}')} <= {recent}"
    yield Rule(
        "ProductionSlow", Severity.CRITICAL, "production", "slow-production",
        f"{series.top(HEIGHT)} - ({series.top(HEIGHT, then)} > 0) <= {bound}\n"
        f"and on (testnet) {grown}\nunless on (testnet) {_halted(network)}",
        f"{{{{ $labels.testnet }}}}: {{{{ $value }}}} blocks in {DENSITY_WINDOW} slots, more than {bound} are due",
        f"Chance does that once in {round(criteria.horizon_slots / criteria.silence_error):,} slots. Which producers "
        "are down, behind, or lose their blocks?",
        lasting_s=pace.seconds(1),
    )  # fmt: skip


def _sync(network: Network) -> Iterator[Rule]:
    criteria, series, pace = network.criteria, network.series, network.pace
    far = criteria.behind_fail_blocks
    behind = f"({series.node(HEIGHT)} > 0) < on (testnet) group_left () ({series.top(HEIGHT)} - {far})"
    near = f"{series.node(HEIGHT)} >= on (testnet) group_left () ({series.top(HEIGHT)} - {far})"
    then = f"offset {pace.span(criteria.behind_fail_slots)}"
    flat = f"{series.node(HEIGHT)} - {series.node(HEIGHT, then)} <= 0"
    going_on = f"{series.top(HEIGHT)} - {series.top(HEIGHT, then)} >= 2"
    yield Rule(
        "NodesOutOfSync", Severity.CRITICAL, "sync", "behind",
        f"{network.share(near)} < {criteria.synced_share:g}\nand {network.grown_up(criteria.bootstrap_fail_slots)}",
        "{{ $labels.testnet }}: only {{ $value | humanizePercentage }} of the nodes are near the best tip",
        "`mina-infra verify` names them and says whether they are behind or on another chain.",
        lasting_s=pace.seconds(criteria.behind_fail_slots),
    )  # fmt: skip
    yield Rule(
        "NodeStuck", Severity.WARNING, "sync", "stuck",
        f"{behind}\nand on (testnet, app) {flat}\nand on (testnet) {going_on}",
        f"{{{{ $labels.app }}}} stands still at height {{{{ $value }}}}, more than {far} blocks behind",
        "Its own word SYNCED proves nothing. Look at its log; a restart makes it catch up.",
        lasting_s=pace.seconds(1),
    )  # fmt: skip
    yield Rule(
        "NodeCatchupHangs", Severity.WARNING, "sync", "catchup-hangs", behind,
        f"{{{{ $labels.app }}}} is more than {far} blocks behind and does not get nearer",
        "Is its machine too slow, or is it cut off with a minority?",
        lasting_s=pace.seconds(criteria.catchup_fail_slots),
    )  # fmt: skip
    yield Rule(
        "NodeBootstrapHangs", Severity.WARNING, "sync", "bootstrap-hangs",
        f"{series.node(HEIGHT)} == 0\nand on (testnet) {series.top(HEIGHT)} > 0",
        "{{ $labels.app }} has no chain",
        "It bootstraps for too long: has it peers, and do they answer?",
        lasting_s=pace.seconds(criteria.bootstrap_fail_slots),
    )  # fmt: skip


def _forks(network: Network) -> Iterator[Rule]:
    criteria, series, pace = network.criteria, network.series, network.pace
    window = pace.span(criteria.fork_lasting_slots)
    longer = f"{series.node(LONGEST_FORK)} > {series.node(LONGEST_FORK, f'offset {window}')}"
    yield Rule(
        "DeepFork", Severity.CRITICAL, "forks", "deep-fork",
        f"count by (testnet) ({series.node(LONGEST_FORK)} >= {criteria.fork_depth}\n"
        f"  and on (testnet, app) {longer}) >= {network.witnesses}",
        f"{{{{ $labels.testnet }}}}: {{{{ $value }}}} nodes see a fork of {criteria.fork_depth} blocks or more",
        "Two groups built on different blocks: compare their peers, clocks and gossip times.",
    )  # fmt: skip
    rejected = f"max by (testnet, app) (increase({series.one(NO_ANCESTOR)}[{window}])) > 0"
    yield Rule(
        "ChainSplit", Severity.CRITICAL, "forks", "split",
        f"count by (testnet) ({rejected}) >= {network.witnesses}",
        "{{ $labels.testnet }}: {{ $value }} nodes refuse blocks that share no ancestor with theirs",
        "It cannot heal by itself. Which side is the smaller one? Its nodes must start anew, on empty volumes.",
    )  # fmt: skip


def _gossip(network: Network) -> Iterator[Rule]:
    criteria, series, pace = network.criteria, network.series, network.pace
    if network.daemons < 2:
        return
    slots = criteria.silence_slots if criteria.online_stake > 0 else RECENT_WINDOW
    window = pace.span(slots)
    deaf = (
        f"max by (testnet, app) (increase({series.one(RECEIVED)}[{window}])) == 0\n"
        f"  and on (testnet, app) {series.node(UPTIME)} > {1000 * pace.seconds(slots)}"
    )
    yield Rule(
        "BlocksNotGossiped", Severity.CRITICAL, "gossip", "no-gossip",
        f"{network.share(deaf)} > {ILL_SHARE:g}\n"
        f"and on (testnet) {series.top(HEIGHT)} - {series.top(HEIGHT, f'offset {window}')} >= 2",
        "{{ $labels.testnet }}: {{ $value | humanizePercentage }} of the nodes receive no block, and some are made",
        "Have these nodes peers? A firewall, a wrong peer list or a ban keeps them out.",
    )  # fmt: skip
    yield Rule(
        "GossipSlow", Severity.WARNING, "gossip", "slow-gossip",
        f"{network.share(f'{series.node(GOSSIP_SLOTS)} >= 1')} > {ILL_SHARE:g}",
        "{{ $labels.testnet }}: at {{ $value | humanizePercentage }} of the nodes blocks arrive a slot late",
        "Slow proofs or a slow network: both make forks. Compare block_production_delay of the producers.",
        lasting_s=pace.seconds(criteria.behind_fail_slots),
    )  # fmt: skip
    least = min(FEW_PEERS, network.daemons - 1)
    yield Rule(
        "FewPeers", Severity.WARNING, "gossip", "few-peers",
        f"{network.share(f'{series.node(PEERS)} < {least}')} > {ILL_SHARE:g}",
        f"{{{{ $labels.testnet }}}}: {{{{ $value | humanizePercentage }}}} of the nodes have fewer than {least} peers",
        "Are the seeds up, and do these nodes reach them?",
        lasting_s=pace.seconds(criteria.behind_fail_slots),
    )  # fmt: skip
    if network.daemons > FEW_PEERS:
        before = f"max by (testnet, app) (max_over_time({series.one(PEERS)}[{pace.span(RECENT_WINDOW)}]))"
        fewer = f"{series.node(PEERS)} < {LOST_PEERS:g} * {before}"
        yield Rule(
            "PeersLost", Severity.CRITICAL, "gossip", "peers-lost",
            f"{network.share(fewer)} > {ILL_SHARE:g}",
            "{{ $labels.testnet }}: {{ $value | humanizePercentage }} of the nodes lost 40 % of their peers",
            "A partition, or as many nodes went down. The sides build chains of their own until it ends.",
            lasting_s=4 * pace.scrape_s,
        )  # fmt: skip


def _clocks(network: Network) -> Rule:
    window = network.pace.span(network.criteria.fork_lasting_slots)
    return Rule(
        "ClockSkew", Severity.WARNING, "clocks", "clock-skew",
        f"max by (testnet, app) (increase({network.series.one(EARLY)}[{window}])) > 0",
        "{{ $labels.app }} refuses blocks that come from the future",
        "If most nodes say it, a producer's clock is fast; if one does, its own is slow.",
    )  # fmt: skip
