"""Rules on what the daemons do: transactions, proofs, coinbase, provers, and whether they say anything at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mina_infra.guardian.alerts.daemons import HEIGHT, ILL_SHARE, UPTIME, Network
from mina_infra.guardian.alerts.rule import Rule
from mina_infra.guardian.mina_alerts import Severity

EMPTY = "Transition_frontier_empty_blocks_at_best_tip"
COINBASE = "Transition_frontier_best_tip_coinbase"
POOL = "Transaction_pool_size"
USEFUL_TRANSACTIONS = "Transaction_pool_useful_transactions_received_time_sec"
USEFUL_WORK = "Snark_work_useful_snark_work_received_time_sec"
PENDING_WORK = "Snark_work_pending_snark_work"
WON = "Block_producer_slots_won"
PRODUCED = "Block_producer_blocks_produced"
INVALID_PROOF = "Rejected_blocks_invalid_proof"
ARCHIVE = "Archive_"
ARCHIVE_HEIGHT = f"{ARCHIVE}max_block_height"
ARCHIVE_MISSING = f"{ARCHIVE}missing_blocks"
ARCHIVE_UNPARENTED = f"{ARCHIVE}unparented_blocks"

EMPTY_BLOCKS = 5
"""Mina's NoTransactionsInSeveralBlocks; judged only while transactions wait."""
WORK_SLOTS = 4
"""Twice Mina's NoNewSnarks: two slots in a row without a block, and so without new work, are common."""
LOAD_SLOTS = 8
"""In which the integration tests of the daemon expect a payment to be included."""
LOST_BLOCKS = 2
RECENT_SLOTS = 20
YOUNG_SLOTS = 4
"""A daemon that runs for less was just started: 12 minutes at 3 minutes a slot; Mina's MultipleNodeRestarted has 10."""
BURST = 3
LOOPS = 3

WORKERS = frozenset({"snark-coordinator", "snark-worker"})
SENDERS = frozenset({"user-agent"})


def work_rules(network: Network) -> Iterator[Rule]:
    """Inclusion, provers, crashes and missing nodes."""
    yield from _inclusion(network)
    yield from _provers(network)
    yield from _crashes(network)
    yield from _missing(network)
    if "archive" in network.roles:
        yield from _archive(network)


def _inclusion(network: Network) -> Iterator[Rule]:
    series, pace = network.series, network.pace
    waiting = f"max by (testnet, app) (min_over_time({series.one(POOL)}[{pace.span(2)}]))"
    yield Rule(
        "TransactionsNotIncluded", Severity.CRITICAL, "inclusion", "no-transactions",
        f"{series.middle(series.node(EMPTY))} >= {EMPTY_BLOCKS}\nand on (testnet) {series.middle(waiting)} > 0",
        "{{ $labels.testnet }}: {{ $value }} empty blocks at the tip while transactions wait",
        "Do the blocks lack proofs (a full scan state takes no transactions), or are the fees too low?",
    )  # fmt: skip
    yield Rule(
        "CoinbaseMissing", Severity.CRITICAL, "inclusion", "no-coinbase",
        f"{series.middle(series.node(COINBASE))} < 1",
        "{{ $labels.testnet }}: the newest block has no coinbase",
        "Every block must have one: a full scan state, or a producer of another version.",
        lasting_s=pace.seconds(network.criteria.in_flight_slots),
    )  # fmt: skip
    if network.roles & WORKERS:
        window = pace.span(WORK_SLOTS)
        pending = f"max by (testnet, app) (min_over_time({series.one(PENDING_WORK)}[{window}]))"
        yield Rule(
            "NoSnarkWork", Severity.CRITICAL, "inclusion", "no-proofs",
            f"{series.age(USEFUL_WORK)} > {pace.seconds(WORK_SLOTS)}\n"
            f"and on (testnet) {series.middle(pending)} > 0\nand {network.grown_up(WORK_SLOTS)}",
            f"{{{{ $labels.testnet }}}}: work is pending, and nobody proved any for {WORK_SLOTS} slots",
            "Are the workers up, and does the coordinator hand out work? The scan state fills, then blocks go empty.",
        )  # fmt: skip
    if network.roles & SENDERS:
        yield Rule(
            "NoLoad", Severity.WARNING, "gossip", "pool-flat",
            f"{series.age(USEFUL_TRANSACTIONS)} > {pace.seconds(LOAD_SLOTS)}\nand {network.grown_up(LOAD_SLOTS)}",
            f"{{{{ $labels.testnet }}}}: no new transaction in any pool for {LOAD_SLOTS} slots",
            "The testnet has senders: look at their logs and balances.",
        )  # fmt: skip


def _provers(network: Network) -> Iterator[Rule]:
    series, pace = network.series, network.pace
    # The least of two slots: a block that is being proved is not lost. Both counters begin anew together.
    gap = f"{series.node(WON)} - {series.node(PRODUCED)}"
    window = f"[{pace.span(2)}:{pace.scrape_s}s]"
    yield Rule(
        "BlocksLost", Severity.WARNING, "provers", "blocks-lost",
        f"min_over_time(({gap}){window})\n"
        f"  - min_over_time(({gap}){window} offset {pace.span(RECENT_SLOTS)}) >= {LOST_BLOCKS}",
        f"{{{{ $labels.app }}}} won slots and made no block of {{{{ $value }}}} of the last {RECENT_SLOTS}",
        "Prover errors in its log, or a machine too slow to prove within a slot.",
    )  # fmt: skip
    rejected = f"max by (testnet, app) (increase({series.one(INVALID_PROOF)}[{pace.span(RECENT_SLOTS)}])) > 0"
    yield Rule(
        "InvalidProofs", Severity.WARNING, "provers", "prover-failures",
        f"count by (testnet) ({rejected}) >= {network.witnesses}",
        "{{ $labels.testnet }}: {{ $value }} nodes refused a block for its proof",
        "A producer of another version, or a broken prover. Whose blocks are missing?",
    )  # fmt: skip


def _crashes(network: Network) -> Iterator[Rule]:
    series, pace = network.series, network.pace
    limit, recent = 1000 * pace.seconds(YOUNG_SLOTS), pace.span(YOUNG_SLOTS)
    # Known before and young now; a node that was added is no crash, and where all are young somebody redeployed.
    restarted = (
        f"{series.node(UPTIME)} < {limit}\n  and on (testnet, app) {series.node(UPTIME, f'offset {recent}')}\n"
        f"  and on (testnet) {series.top(UPTIME)} >= {limit}"
    )
    many = max(BURST, int(ILL_SHARE * network.daemons) + 1)
    yield Rule(
        "CrashBurst", Severity.CRITICAL, "crashes", "crash-burst",
        f"count by (testnet) ({restarted}) >= {many}",
        "{{ $labels.testnet }}: {{ $value }} nodes restarted at about the same time",
        "`mina-infra verify` groups their crashes by fingerprint: one bug, or one machine?",
    )  # fmt: skip
    yield Rule(
        "NodeRestarted", Severity.WARNING, "crashes", "restart-unexplained",
        restarted,
        "{{ $labels.app }} restarted",
        "`kubectl logs --previous` has its last words, unless its pod was replaced on purpose.",
    )  # fmt: skip
    yield Rule(
        "CrashLoop", Severity.CRITICAL, "crashes", "crash",
        f"max by (testnet, app) (resets({series.one(UPTIME)}[{pace.span(RECENT_SLOTS)}])) >= {LOOPS}",
        f"{{{{ $labels.app }}}} restarted {{{{ $value }}}} times in {RECENT_SLOTS} slots",
        "It will not mend itself: file the crash, and look for the block or the state that it dies of.",
    )  # fmt: skip


def _missing(network: Network) -> Iterator[Rule]:
    """Nodes that have vanished from the metrics."""
    series, pace, expected = network.series, network.pace, network.daemons
    long = pace.seconds(network.criteria.behind_fail_slots)
    present = f"count by (testnet) ({series.node(UPTIME)})"
    yield Rule(
        "NodesWithoutMetrics", Severity.WARNING, "answers", "silent",
        f"{expected} - {present} > 0",
        "{{ $labels.testnet }}: {{ $value }} nodes have no metrics",
        "They are down, or Prometheus does not reach them: `mina-infra verify` tells which.",
        lasting_s=long,
    )  # fmt: skip
    yield Rule(
        "NodesMissing", Severity.CRITICAL, "answers", "silent",
        f"({expected} - {present}) / {expected} > {ILL_SHARE:g}",
        "{{ $labels.testnet }}: {{ $value | humanizePercentage }} of the nodes have no metrics",
        "They are down, or Prometheus does not reach them: `mina-infra verify` tells which.",
        lasting_s=long,
    )  # fmt: skip


def _archive(network: Network) -> Iterator[Rule]:
    """Of the archive process, whose metrics are not its daemon's (docs/facts.md: mina/archive-metrics)."""
    series, pace, criteria = network.series, network.pace, network.criteria
    yield Rule(
        "ArchiveBehind", Severity.WARNING, "archive", "archive-behind",
        f"(max by (testnet, app) ({series.one(ARCHIVE_HEIGHT)}) > 0)\n"
        f"  < on (testnet) group_left () ({series.top(HEIGHT)} - {criteria.behind_fail_blocks})",
        "{{ $labels.app }}: the database ends at height {{ $value }}, more than 5 blocks behind the chain",
        "Does a daemon send it blocks, and does Postgres take them?",
        lasting_s=pace.seconds(criteria.behind_fail_slots),
    )  # fmt: skip
    gaps = " or ".join(series.one(name) for name in (ARCHIVE_MISSING, ARCHIVE_UNPARENTED))
    yield Rule(
        "ArchiveGaps", Severity.WARNING, "archive", "archive-gaps",
        f"max by (testnet, app) ({gaps}) > 1",
        "{{ $labels.app }}: {{ $value }} blocks are missing or have no parent",
        "One that is on its way is no gap. Fill them from the precomputed blocks or another archive.",
        lasting_s=pace.seconds(criteria.fork_lasting_slots),
    )  # fmt: skip


def absent_rule(network: Network, rules: Iterable[Rule]) -> Rule:
    """The twin of every rule that compares: what is not there is neither small nor large.

    Of an archive's metrics there is none, because not every archive exposes them.
    """
    prefix = f"{network.series.prefix}_"
    used = dict.fromkeys(name for rule in rules for name in re.findall(rf"\b{prefix}(\w+)\{{", rule.expr))
    window = network.pace.span(network.criteria.behind_fail_slots)
    parts = [
        f'label_replace(absent_over_time({network.series.one(name)}[{window}]), "metric", "{name}", "", "")'
        for name in used
        if not name.startswith(ARCHIVE)
    ]
    return Rule(
        "MetricsAbsent", Severity.CRITICAL, "answers", "no-metrics",
        "\nor ".join(parts),
        "{{ $labels.testnet }}: no node has the metric {{ $labels.metric }}; its alerts are blind",
        "Does Prometheus scrape this testnet, and is the prefix of the metrics right?",
    )  # fmt: skip
