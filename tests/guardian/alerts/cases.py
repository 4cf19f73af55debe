"""For each rule: series just within its limit and just beyond, and what looks like its fault and is not."""

from __future__ import annotations

from tests.guardian.alerts.judge import Case, flat, moment

HEIGHT = "Transition_frontier_best_tip_block_height"
TIP = "Transition_frontier_best_tip_slot_time_sec"
UPTIME = "Runtime_process_uptime_ms_total"
FORK = "Transition_frontier_longest_fork"
ANCESTOR = "Rejected_blocks_no_common_ancestor"
EARLY = "Rejected_blocks_received_early"
PROOF = "Rejected_blocks_invalid_proof"
RECEIVED = "Network_new_state_received"
PEERS = "Network_peers"
GOSSIP = "Block_latency_gossip_slots"
EMPTY = "Transition_frontier_empty_blocks_at_best_tip"
COINBASE = "Transition_frontier_best_tip_coinbase"
POOL = "Transaction_pool_size"
TRANSACTIONS = "Transaction_pool_useful_transactions_received_time_sec"
WORK = "Snark_work_useful_snark_work_received_time_sec"
PENDING = "Snark_work_pending_snark_work"
WON = "Block_producer_slots_won"

ARCHIVE = 'Coda_Archive_{}{{testnet="qa",app="archive-1"}}'
YOUNG = "0+60000x900"
GROWN = "1000+0.25x900"


def rise(by: float, at: int = 27) -> str:
    """A value that rises once, at a minute."""
    return f"1x{at} {1 + by:g}x900"


def count(by: float, at: int = 27) -> str:
    return f"0x{at} {by:g}x900"


def restarted(at: int = 32, times: int = 1) -> str:
    """An uptime that begins anew, every five minutes up to a minute."""
    first = at - 5 * (times - 1)
    return f"360000000+60000x{first - 1} " + "0+60000x4 " * (times - 1) + "0+60000x900"


def behind(blocks: float) -> str:
    """A height that stays so many blocks below the others'."""
    return f"{1000 - blocks:g}+0.25x900"


def stands(at: int) -> str:
    """A height that grows until a minute."""
    return f"1000+0.25x{at} {1000 + at / 4:g}x900"


def dense(blocks: int, minutes: int = 231, start: int = 300) -> str:
    """A height that grows by so many blocks in so many minutes from a start on, and before as it should."""
    return f"1000+0.25x{start} {1000 + start / 4:g}+{blocks / minutes:.6f}x900"


CASES: tuple[Case, ...] = (
    Case("a healthy network", minute=300),
    Case("13 slots since the newest block are chance, at the limit", nodes={TIP: moment(13 * 180)}),
    Case("13 slots and a second are a halt", ("ChainHalted",), {TIP: moment(13 * 180 + 1)}),
    Case("one node has a fresh tip: a lagging majority is no halt", (),
         {TIP: moment(13 * 180 + 1), f"{TIP}@whale-1": moment(100)}),
    Case("daemons that run for 13 slots or less have had no time", (),
         {TIP: moment(20000), UPTIME: f"{13 * 180000 - 36 * 60000}+60000x900"}),
    Case("38 blocks in 77 slots are rare and possible", (), {HEIGHT: dense(38)}, minute=540),
    Case("37 blocks in 77 slots are not", ("ProductionSlow",), {HEIGHT: dense(37)}, minute=540),
    Case("the last 20 slots were good again: the outage is over", (),
         {HEIGHT: "1000+0.25x300 1075+0.12x210 1100.2+0.5x300"}, minute=560),
    Case("a halt is not called slow as well", ("ChainHalted",),
         {HEIGHT: stands(300), TIP: f"{-1609459200 - 240}+60x300 {-1609459200 - 240 + 18000}x900",
          RECEIVED: "500+0.5x300 650x900"}, minute=520),
    Case("one of ten nodes behind is an ill node", ("NodeCatchupHangs",),
         {f"{HEIGHT}@whale-1": behind(6)}, minute=78),
    Case("two of ten behind are an ill network", ("NodesOutOfSync",),
         {f"{HEIGHT}@whale-1,whale-2": behind(6)}),
    Case("five blocks behind are gossip and catch-up", (), {f"{HEIGHT}@whale-1,whale-2": behind(5)}),
    Case("two of ten behind for less than 12 minutes", (), {f"{HEIGHT}@whale-1,whale-2": behind(6)}, minute=9),
    Case("a node that stands still", ("NodeStuck",), {f"{HEIGHT}@plain-1": stands(6)}),
    Case("a node that stands still and is 5 blocks behind", (), {f"{HEIGHT}@plain-1": stands(16)}),
    Case("a node without a chain for an hour and a minute", ("NodeBootstrapHangs",),
         {f"{HEIGHT}@plain-1": "1000+0.25x10 0x900"}, minute=75),
    Case("a node without a chain for less than an hour", (), {f"{HEIGHT}@plain-1": "1000+0.25x20 0x900"}, minute=75),
    Case("a fork of 7 blocks", (), {FORK: rise(6)}),
    Case("a fork of 8 blocks", ("DeepFork",), {FORK: rise(7)}),
    Case("a fork of 9 blocks", ("DeepFork",), {FORK: rise(8)}),
    Case("a fork of 8 blocks that one node sees", (), {f"{FORK}@plain-1": rise(7)}),
    Case("a fork of 8 blocks that ended hours ago stays in the frontiers for k blocks", (), {FORK: rise(7, at=9)}),
    Case("a block without common ancestor at one node", (), {f"{ANCESTOR}@plain-1": count(1)}),
    Case("blocks without common ancestor at two nodes", ("ChainSplit",), {f"{ANCESTOR}@plain-1,whale-1": count(1)}),
    Case("one node receives nothing", (), {f"{RECEIVED}@plain-1": flat(500)}),
    Case("two nodes receive nothing", ("BlocksNotGossiped",), {f"{RECEIVED}@plain-1,whale-1": flat(500)}),
    Case("two nodes that have just begun", (),
         {f"{RECEIVED}@plain-1,whale-1": flat(0), f"{UPTIME}@plain-1,whale-1": f"_x16 {YOUNG}"}),
    Case("blocks arrive within their slot", (), {GOSSIP: flat(0.9)}),
    Case("blocks arrive a slot late", ("GossipSlow",), {GOSSIP: flat(1)}),
    Case("blocks arrive a slot late at one node", (), {f"{GOSSIP}@plain-1": flat(3)}),
    Case("three peers", (), {PEERS: flat(3)}),
    Case("two peers at two nodes", ("FewPeers",), {f"{PEERS}@plain-1,whale-1": flat(2)}),
    Case("two peers at one node", (), {f"{PEERS}@plain-1": flat(2)}),
    Case("a partition in two halves", ("PeersLost",), {PEERS: "9x27 4x900"}),
    Case("a third of the peers went", (), {PEERS: "9x27 6x900"}),
    Case("clocks in order", (), {EARLY: flat(3)}),
    Case("a block from the future", ("ClockSkew",), {f"{EARLY}@whale-1": count(1)}),
    Case("four empty blocks while transactions wait", (), {EMPTY: flat(4)}),
    Case("five empty blocks while transactions wait", ("TransactionsNotIncluded",), {EMPTY: flat(5)}),
    Case("empty blocks of a network without load", (), {EMPTY: flat(50), POOL: flat(0)}),
    Case("one node that sees empty blocks only", (), {f"{EMPTY}@plain-1": flat(50)}),
    Case("a block without coinbase, as half of the nodes and one see it", ("CoinbaseMissing",), {COINBASE: flat(0)}),
    Case("a block without coinbase at one node", (), {f"{COINBASE}@plain-1": flat(0)}),
    Case("a block without coinbase, two slots ago and no longer", (), {COINBASE: "1x30 0x2 1x900"}),
    Case("work pending, and the newest is four slots old", (), {WORK: moment(4 * 180)}),
    Case("work pending, and the newest is older than four slots", ("NoSnarkWork",), {WORK: moment(4 * 180 + 1)}),
    Case("no work pending", (), {WORK: moment(9999), PENDING: flat(0)}),
    Case("a transaction in eight slots", (), {TRANSACTIONS: moment(8 * 180)}),
    Case("no transaction for eight slots though there are senders", ("NoLoad",), {TRANSACTIONS: moment(8 * 180 + 1)}),
    Case("one block lost", (), {f"{WON}@whale-1": "50+0.05x100 56+0.05x900"}, minute=120),
    Case("two blocks lost", ("BlocksLost",), {f"{WON}@whale-1": "50+0.05x100 57.06+0.05x900"}, minute=120),
    Case("a block that is being proved is not lost", (), {f"{WON}@whale-1": "50+0.05x116 58+0.05x2 56+0.05x900"},
         minute=120),
    Case("an invalid proof at one node", (), {f"{PROOF}@whale-1": count(1)}),
    Case("an invalid proof at two nodes", ("InvalidProofs",), {f"{PROOF}@whale-1,whale-2": count(1)}),
    Case("two restarts at once", ("NodeRestarted",), {f"{UPTIME}@whale-1,whale-2": restarted()}),
    Case("three restarts at once", ("NodeRestarted", "CrashBurst"), {f"{UPTIME}@whale-1,whale-2,whale-3": restarted()}),
    Case("a restart 13 minutes ago", (), {f"{UPTIME}@whale-1": restarted(23)}),
    Case("everything was redeployed", (), {UPTIME: restarted()}),
    Case("three nodes are new", (), {f"{UPTIME}@whale-1,whale-2,whale-3": f"_x31 {YOUNG}"}),
    Case("a node restarts twice in an hour", (), {f"{UPTIME}@whale-1": restarted(21, 2)}),
    Case("a node restarts three times in an hour", ("CrashLoop",), {f"{UPTIME}@whale-1": restarted(21, 3)}),
    Case("one node without metrics", ("NodesWithoutMetrics",), {f"{m}@plain-1": None for m in (UPTIME, HEIGHT)}),
    Case("two nodes without metrics", ("NodesWithoutMetrics", "NodesMissing"),
         {f"{UPTIME}@plain-1,whale-1": None}),
    Case("a node without metrics for ten minutes", (), {f"{UPTIME}@plain-1": "360000000+60000x28 _x900"}),
    Case("nobody has metrics", ("MetricsAbsent",),
         dict.fromkeys((UPTIME, HEIGHT, TIP, PEERS, RECEIVED, EMPTY, COINBASE, POOL, PENDING, WON))),
    Case("a metric lost its name in a new version", ("MetricsAbsent",), {POOL: None}),
    Case("and so did that of an alert which fires rarely", ("MetricsAbsent",), {FORK: None}),
    Case("an archive five blocks behind", more={ARCHIVE.format("max_block_height"): behind(5)}),
    Case("an archive six blocks behind", ("ArchiveBehind",),
         more={ARCHIVE.format("max_block_height"): behind(6)}),
    Case("an archive that waits for one parent", more={ARCHIVE.format("unparented_blocks"): flat(1)}),
    Case("an archive with gaps", ("ArchiveGaps",),
         more={ARCHIVE.format("missing_blocks"): flat(2)}),
    Case("another testnet is ill", more={'Coda_Network_peers{testnet="other",app="x"}': flat(0)}),
    Case("the watch looked twelve minutes ago", watched={"mina_infra_last_look_timestamp_seconds": "-720+60x900"}),
    Case("the watch looked longer ago", ("WatchSilent",),
         watched={"mina_infra_last_look_timestamp_seconds": "-721+60x900"}),
    Case("there is no watch", ("WatchSilent",), watched={"mina_infra_last_look_timestamp_seconds": None}),
    Case("the watch has not seen the testnet for twelve minutes",
         watched={"mina_infra_last_complete_look_timestamp_seconds": "-720+60x900"}),
    Case("the watch has not seen it for longer", ("WatchBlind",),
         watched={"mina_infra_last_complete_look_timestamp_seconds": "-721+60x900"}),
    Case("the watch has never seen it", ("WatchBlind",),
         watched={"mina_infra_last_complete_look_timestamp_seconds": flat(0)}),
    Case("each criterion is unknown", watched={'mina_infra_criterion_state,criterion="1",state="unknown"': flat(1)}),
    Case("a criterion is unstable", ("TestnetUnstable",),
         watched={'mina_infra_criterion_state,criterion="1",state="unstable"': flat(1)}),
    Case("the verdict is unstable", ("TestnetUnstable",), watched={'mina_infra_health,health="unstable"': flat(1)}),
    Case("a check fails", ("CheckFailed",), watched={'mina_infra_check_state,check="forks",state="fail"': flat(1)}),
    Case("a check failed for a moment", watched={'mina_infra_check_state,check="forks",state="fail"': "0x34 1x900"}),
    Case("a check is blind for an hour", ("CheckBlind",),
         watched={'mina_infra_check_state,check="forks",state="unknown"': flat(1)}, minute=63),
    Case("a check is blind for half an hour",
         watched={'mina_infra_check_state,check="forks",state="unknown"': "0x15 1x900"}),
    Case("10 empty slots", watched={"mina_infra_empty_slots": flat(10)}),
    Case("11 empty slots", ("WatchSeesHalt",), watched={"mina_infra_empty_slots": flat(11)}),
    Case("a sum of 6.9", watched={"mina_infra_production_cusum": flat(6.9)}),
    Case("a sum of 7", ("WatchSeesDecay",), watched={"mina_infra_production_cusum": flat(7)}),
    Case("9 % of the stake are off", watched={"mina_infra_online_stake_share": flat(0.91)}),
    Case("11 % of the stake are off", ("StakeOffline",), watched={"mina_infra_online_stake_share": flat(0.89)}),
    Case("the watch sees a fork of 7", watched={"mina_infra_fork_depth": flat(7)}),
    Case("the watch sees a fork of 8", ("WatchSeesFork",), watched={"mina_infra_fork_depth": flat(8)}),
    Case("one node is split off", watched={"mina_infra_split_nodes": flat(1)}),
    Case("two nodes are split off", ("WatchSeesSplit",), watched={"mina_infra_split_nodes": flat(2)}),
    Case("nine of ten are at the tip", watched={"mina_infra_nodes_synced": flat(9)}),
    Case("eight of ten are at the tip", ("WatchSeesOutOfSync",), watched={"mina_infra_nodes_synced": flat(8)}),
    Case("one node is silent", watched={"mina_infra_nodes_silent": flat(1)}),
    Case("two nodes are silent", ("NodesSilent",), watched={"mina_infra_nodes_silent": flat(2)}),
    Case("a message was given up", ("WatchMute",),
         watched={'mina_infra_messages_total,sink="chat",result="given-up"': count(1)}),
)  # fmt: skip
