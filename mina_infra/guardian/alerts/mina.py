"""Mina's own 37 alert rules, executable, each with what replaces it here and why.

Limits, signs and severities are those of `guardian/mina_alerts.py`; here are the queries as Mina's template has them,
with its parameters: which testnet, the look-back, and how long a condition must hold. The times that the template
writes for slots of 3 minutes follow the slot of the network (docs/facts.md: guardian/mina-alerts).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mina_infra.guardian.alerts.rule import TIME_OFFSET_S, Rule, Series
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.mina_alerts import ALERTS, Alert

TIMEFRAME = "1h"
HOLDS_S = 600

# What is wrong with the rules, each said once.
_DEAF = "its gauge keeps the last good value when nobody answers, so a dead network looks well"
_MIN = "`min by` lets one sick node page everybody"
_MAX = "`max by` lets one sick node page everybody"
_LATCH = "the metric is the least window since genesis: after one outage it stays low, and the alert stays on, for ever"
_AGE = "two slots without a block are common (6 % of all pairs), and then nothing new is due"
_NOT_OURS = "nothing here stores blocks in a bucket"


@dataclass(frozen=True)
class MinaRule:
    """One rule of the template. `query` has the placeholders {metrics...}, {w} look-back, {limit}; `holds` its `for:`.

    `replaced_by`: the rules here that ask the same; `why`: what is wrong with Mina's, or what is the same.
    """

    name: str
    query: str
    replaced_by: tuple[str, ...]
    why: str
    holds_s: int = 0

    @property
    def alert(self) -> Alert:
        return ALERTS[self.name]


def _rule(name: str, query: str, replaced_by: str, why: str, holds_s: int = 0) -> MinaRule:
    return MinaRule(name, query, tuple(replaced_by.split()), why, holds_s)


_OLD = "(time() - {offset}) - {m}_Transition_frontier_best_tip_slot_time_sec{s}"
_GROWTH = "min by (testnet) (increase({m}_Transition_frontier_max_blocklength_observed{s}[{w}])) < {limit}"
_FORK = "max by (testnet) ({m}_Transition_frontier_longest_fork{s}) >= {limit}"
_DENSITY = "min by (testnet) ({m}_Transition_frontier_min_window_density{s}) <= {limit}"


def _rejected(reason: str) -> str:
    return f"max by (testnet) (increase({{m}}_Rejected_blocks_{reason}{{s}}[{{w}}])) > {{limit}}"


_NO_ANCESTOR, _OLD_BLOCKS, _PROOF = _rejected("no_common_ancestor"), _rejected("worse_than_root"), _rejected("invalid_proof")  # fmt: skip  # noqa: E501

RULES: tuple[MinaRule, ...] = (
    _rule("WatchdogClusterCrashes", "max by (testnet) (max_over_time({m}_watchdog_cluster_crashes{s}[{w}])) > {limit}",
          "CrashBurst CrashLoop NodeRestarted",
          "half of all containers must be down, though the goal was none; a restart counts by when the dead container "
          "started, so a node that ran for long and then crashed never counts"),
    _rule("MultipleNodeRestarted",
          "count by (testnet) ({m}_Runtime_process_uptime_ms_total{s} < 600000) > {limit}", "CrashBurst",
          "it fires after each deployment and whenever nodes are added; ours asks whether the node was there before"),
    _rule("HighDisconnectedBlocksPerHour", _NO_ANCESTOR, "ChainSplit", f"{_MAX}; ours wants two witnesses"),
    _rule("HighOldBlocksPerHour", _OLD_BLOCKS, "ChainSplit DeepFork",
          f"{_MAX}; late blocks of a node that catches up are no fault of the network"),
    _rule("HighInvalidProofPerHour", _PROOF, "InvalidProofs", f"{_MAX}; ours wants two witnesses, and then one block"),
    _rule("WatchdogNoNewLogs", "max by (testnet) ({m}_watchdog_pods_with_no_new_logs{s}) > {limit}",
          "NodesWithoutMetrics NodesMissing MetricsAbsent",
          "one quiet pod (a worker without work) pages; a daemon that lives has metrics", 720),
    _rule("SeedListDown", "min by (testnet) (min_over_time({m}_watchdog_seeds_reachable{s}[{w}])) == {limit}",
          "CheckFailed TestnetUnstable FewPeers",
          f"seeds are asked once an hour, one after the other, without a limit of time; {_DEAF}"),
    _rule("BlockStorageBucketNoNewBlocks",
          "min by (testnet) (min_over_time({m}_watchdog_recent_google_bucket_blocks{s}[{w}])) >= {limit}",
          "ChainHalted", f"{_NOT_OURS}; what it finds otherwise is a halt"),
    _rule("ProverErrors", "max by (testnet) (max_over_time({m}_watchdog_prover_errors_total{s}[{w}])) > {limit}",
          "BlocksLost InvalidProofs", "the watchdog declares the metric and never sets it: the alert cannot fire"),
    _rule("NodesNotSynced", "min by (testnet) ({m}_watchdog_nodes_synced{s}) <= {limit}",
          "NodesOutOfSync NodesMissing", f"half of the nodes may be out; {_DEAF}"),
    _rule("NodesOutOfSync",
          "min by (testnet) (avg_over_time({m}_watchdog_nodes_synced_near_best_tip{s}[{w}])) < {limit}",
          "NodesOutOfSync WatchSeesOutOfSync",
          "90 % was wanted; 60 % is what remained when nodes did not answer their peers. It knows no tip before a node "
          "has 290 blocks, so a young network or a small k is never judged"),
    _rule("O1NodesOutOfSync", _GROWTH, "ChainHalted NodeStuck",
          f"{_MIN}, and the words say that all stand still; ours tells the two apart", HOLDS_S),
    _rule("LowPeerCount", "min by (testnet) ({m}_Network_peers{s}) < {limit}", "FewPeers PeersLost",
          f"{_MIN}; a testnet of three nodes is always below", HOLDS_S),
    _rule("CriticallyLowMinWindowDensity", _DENSITY, "ProductionSlow", _LATCH, HOLDS_S),
    _rule("LowFillRate", "min by (testnet) ({m}_Transition_frontier_slot_fill_rate{s}) < {limit}", "ProductionSlow",
          f"{_MIN}; the empty slots between genesis and deployment count, so a young network is always ill", HOLDS_S),
    _rule("NoTransactionsInSeveralBlocks",
          "max by (testnet) ({m}_Transition_frontier_empty_blocks_at_best_tip{s}) >= {limit}",
          "TransactionsNotIncluded", f"{_MAX}; without load every block is empty, and rightly so"),
    _rule("NoCoinbaseInBlocks", "min by (testnet) ({m}_Transition_frontier_best_tip_coinbase{s}) < {limit}",
          "CoinbaseMissing", _MIN, HOLDS_S),
    _rule("LongFork", _FORK, "DeepFork WatchSeesFork",
          f"{_MAX}; a side branch, and so the alert, stays for k blocks; ours asks whether it grew"),
    _rule("OldBestTip", f"min by (testnet) ({_OLD}) >= {{limit}} * {{slot}}", "ChainHalted",
          "fires on a deployment whose genesis is past, and on every resume; 15 slots are right for 70 % of the stake"),
    _rule("NoNewSnarks",
          "min by (testnet) ((time() - {offset}) - {m}_Snark_work_useful_snark_work_received_time_sec{s})"
          " >= {limit} * {slot} and max by (testnet) ({m}_Snark_work_pending_snark_work{s}) != 0", "NoSnarkWork",
          f"{_AGE}; on a node that never saw work the time is 2021"),
    _rule("NoNewTransactions",
          "min by (testnet) ((time() - {offset}) - {m}_Transaction_pool_useful_transactions_received_time_sec{s})"
          " >= {limit} * {slot}", "NoLoad TransactionsNotIncluded",
          "a testnet without senders is always ill; ours is there only where the document has senders"),
    _rule("HighUnparentedBlockCount", "max by (testnet) ({m}_Archive_unparented_blocks{s}) > {limit}", "ArchiveGaps",
          "30 gaps are 29 too many; ours names the archive", HOLDS_S),
    _rule("HighMissingBlockCount", "max by (testnet) ({m}_Archive_missing_blocks{s}) > {limit}", "ArchiveGaps",
          "30 gaps are 29 too many; ours names the archive", HOLDS_S),
    _rule("HighBlockGossipLatency", "max by (testnet) (max_over_time({m}_Block_latency_gossip_time{s}[{w}])) > {limit}",
          "GossipSlow", "200 what? The help says seconds, the alert says ms; slots have one meaning on every network",
          HOLDS_S),
    _rule("SomewhatOldBestTip", f"count by (testnet) (({_OLD}) >= {{limit}} * {{slot}}) > 1",
          "NodeStuck NodeCatchupHangs ChainHalted",
          "a bootstrapping node has the time 2021; by chance once in 180 days at full stake, every 3 weeks at 80 %"),
    _rule("MediumFork", _FORK, "DeepFork WatchSeesFork", "as LongFork"),
    _rule("NoTransactionsInAtLeastOneBlock",
          "max by (testnet) ({m}_Transition_frontier_empty_blocks_at_best_tip{s}) >= {limit}",
          "TransactionsNotIncluded", "one empty block is normal at low load"),
    _rule("LowMinWindowDensity", _DENSITY, "ProductionSlow", _LATCH, HOLDS_S),
    _rule("SeedListDegraded", "min by (testnet) ({m}_watchdog_seeds_reachable{s}) <= {limit}",
          "CheckFailed FewPeers", _DEAF),
    _rule("FewBlocksPerHour", _GROWTH, "ProductionSlow NodeStuck",
          "not a rate: it only asks for one block, in half an hour in spite of its name", HOLDS_S),
    _rule("LowDisconnectedBlocksPerHour", _NO_ANCESTOR, "ChainSplit", f"{_MAX}; ours wants two witnesses"),
    _rule("LowOldBlocksPerHour", _OLD_BLOCKS, "DeepFork",
          "every late block counts; what matters of it is a fork that grows"),
    _rule("LowInvalidProofPerHour", _PROOF, "InvalidProofs", f"{_MAX}; ours wants two witnesses"),
    _rule("LowPostgresBlockHeightGrowth", "min by (testnet) (increase({m}_Archive_max_block_height{s}[{w}])) < {limit}",
          "ArchiveBehind", "it blames the archive for a halt of the chain; ours compares with the chain", HOLDS_S),
    _rule("NodeRestarted", "count by (testnet) ({m}_Runtime_process_uptime_ms_total{s} < 360000) > {limit}",
          "NodeRestarted", "it does not say which node, and takes a new one for a restarted one"),
    _rule("UnparentedBlocksObserved", "max by (testnet) ({m}_Archive_unparented_blocks{s}) > {limit}", "ArchiveGaps",
          "ours waits 8 slots: a parent that is on its way is no gap", HOLDS_S),
    _rule("MissingBlocksObserved", "max by (testnet) ({m}_Archive_missing_blocks{s}) > {limit}", "ArchiveGaps",
          "ours waits 8 slots, and lets one be on its way", HOLDS_S),
)  # fmt: skip


def mina_rules(series: Series, criteria: Criteria) -> Iterator[Rule]:
    """The 37 as rules of one testnet."""
    for each in RULES:
        alert = each.alert
        yield Rule(
            alert.name, alert.severity, alert.check or "", "", query_of(each, series, criteria),
            f"{{{{ $labels.testnet }}}}: {alert.rule()} (Mina's own alert)",
            f"Found {{{{ $value }}}}. {each.why[0].upper()}{each.why[1:]}.",
            lasting_s=each.holds_s,
        )  # fmt: skip


def query_of(rule: MinaRule, series: Series, criteria: Criteria) -> str:
    """The PromQL of a rule; the look-back is an hour, as the template's parameter has it."""
    return rule.query.format(
        m=series.prefix,
        s=series.raw(""),
        w="30m" if rule.name == "FewBlocksPerHour" else TIMEFRAME,
        limit=f"{rule.alert.limit:g}",
        offset=TIME_OFFSET_S,
        slot=f"{criteria.seconds(1):g}",
    )
