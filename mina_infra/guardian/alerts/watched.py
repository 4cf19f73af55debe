"""Rules on the metrics of `mina-infra watch`: its verdict is finer than any comparison of numbers; they carry it on.

The watch sees hashes, so it knows a fork from a lag, and it asks each node; but it is one process: first of all an
alert must say when it is silent.
"""

from __future__ import annotations

from collections.abc import Iterator

from mina_infra.guardian.alerts.daemons import ILL_SHARE, Network
from mina_infra.guardian.alerts.rule import Rule
from mina_infra.guardian.mina_alerts import Severity
from mina_infra.guardian.watch import metrics

CUSUM_WARNING = 7
"""Of the sum that tells half of the stake from all of it: by chance once in 13,000 slots. At 12 the watch itself calls
it an incident, which `TestnetUnstable` carries on (docs/facts.md: guardian/cusum)."""
STAKE_OFF = 0.10
"""Of all stake: criterion 6 of the runbook calls as much of it in a crash loop unstable."""
BLIND_SLOTS = 20


def watch_rules(network: Network) -> Iterator[Rule]:
    """What the watch says, and that it says something."""
    yield from _alive(network)
    yield from _verdicts(network)
    yield from _numbers(network)
    lost = _of(network, metrics.MESSAGES, 'result="given-up"')
    yield Rule(
        "WatchMute", Severity.WARNING, "watch", "given-up",
        f"sum by (testnet, sink) (increase({lost}[1h])) > 0",
        "{{ $labels.testnet }}: the watch could not deliver messages to {{ $labels.sink }}",
        "Whoever reads that sink does not know. Its address or its permission is wrong.",
    )  # fmt: skip


def _of(network: Network, metric: metrics.Metric, *matchers: str) -> str:
    return network.series.raw(metric.name, *matchers)


def _top(network: Network, metric: metrics.Metric) -> str:
    return f"max by (testnet) ({_of(network, metric)})"


def _alive(network: Network) -> Iterator[Rule]:
    """That it looks, and that it sees: figures that nobody renews may look as well as ever."""
    limit = max(network.pace.seconds(network.criteria.behind_fail_slots), 300)
    looked = _of(network, metrics.LAST_LOOK)
    yield Rule(
        "WatchSilent", Severity.CRITICAL, "watch", "no-metrics",
        f"time() - {_top(network, metrics.LAST_LOOK)} > {limit}\nor absent_over_time({looked}[{limit}s])",
        "{{ $labels.testnet }}: nobody watches; `mina-infra watch` does not look any more",
        "Start it again: it goes on where it was. Until then only the daemons' own metrics tell something.",
    )  # fmt: skip
    yield Rule(
        "WatchBlind", Severity.CRITICAL, "watch", "cannot-look",
        f"{_top(network, metrics.LAST_LOOK)} - {_top(network, metrics.LAST_COMPLETE_LOOK)} > {limit}",
        "{{ $labels.testnet }}: `mina-infra watch` looks and does not see the testnet",
        "Does the API server answer, and may the watch read pods, Deployments and claims? `mina-infra doctor` tells.",
        lasting_s=network.pace.seconds(1),
    )  # fmt: skip


def _verdicts(network: Network) -> Iterator[Rule]:
    slot = network.pace.seconds(1)
    unstable = _of(network, metrics.CRITERION_STATE, 'state="unstable"')
    # A verdict that no criterion explains counts too.
    verdict = _of(network, metrics.HEALTH, 'health="unstable"')
    yield Rule(
        "TestnetUnstable", Severity.CRITICAL, "verdict", "unstable",
        f"max by (testnet, criterion) ({unstable}) == 1\nor on (testnet) max by (testnet) ({verdict}) == 1",
        "{{ $labels.testnet }} is unstable{{ with $labels.criterion }} by criterion {{ . }} of the runbook{{ end }}",
        "`mina-infra verify` prints the evidence and the runbook's action.",
    )  # fmt: skip
    failed = _of(network, metrics.CHECK_STATE, 'state="fail"')
    yield Rule(
        "CheckFailed", Severity.WARNING, "verdict", "failed",
        f'label_replace(max by (testnet, check) ({failed}), "failed", "$1", "check", "(.*)") == 1',
        "{{ $labels.testnet }}: the check {{ $labels.failed }} fails",
        "`mina-infra verify` prints the evidence.",
        lasting_s=slot,
    )  # fmt: skip
    unknown = _of(network, metrics.CHECK_STATE, 'state="unknown"')
    yield Rule(
        "CheckBlind", Severity.WARNING, "verdict", "blind",
        f'label_replace(max by (testnet, check) ({unknown}), "blind", "$1", "check", "(.*)") == 1',
        "{{ $labels.testnet }}: the check {{ $labels.blind }} could not tell for long",
        "`mina-infra verify` says what it could not see; no answer is not a pass.",
        lasting_s=network.pace.seconds(BLIND_SLOTS),
    )  # fmt: skip


def _numbers(network: Network) -> Iterator[Rule]:
    criteria, pace = network.criteria, network.pace
    if criteria.online_stake > 0:
        yield Rule(
            "WatchSeesHalt", Severity.CRITICAL, "production", "halt",
            f"{_top(network, metrics.EMPTY_SLOTS)} >= {criteria.silence_slots}",
            "{{ $labels.testnet }}: {{ $value }} finished slots without a block",
            "Look at the block producers: are they up, synced, do their provers work?",
        )  # fmt: skip
        yield Rule(
            "WatchSeesDecay", Severity.WARNING, "production", "slow-production",
            f"{_top(network, metrics.CUSUM)} >= {CUSUM_WARNING}",
            "{{ $labels.testnet }}: too many empty slots for the stake that is due",
            "Which producers are down, behind, or lose their blocks?",
        )  # fmt: skip
        yield Rule(
            "StakeOffline", Severity.WARNING, "producers", "silent-producer",
            f"{_top(network, metrics.EXPECTED_STAKE)} - {_top(network, metrics.ONLINE_STAKE)} > {STAKE_OFF:g}",
            "{{ $labels.testnet }}: {{ $value | humanizePercentage }} of the stake cannot produce",
            "`mina-infra verify` names the producers that are down, behind or without a key.",
            lasting_s=pace.seconds(criteria.behind_fail_slots),
        )  # fmt: skip
    yield Rule(
        "WatchSeesFork", Severity.CRITICAL, "forks", "deep-fork",
        f"{_top(network, metrics.FORK_DEPTH)} >= {criteria.fork_depth}",
        "{{ $labels.testnet }}: a fork of {{ $value }} blocks",
        "Two groups built on different blocks: compare their peers, clocks and gossip times.",
    )  # fmt: skip
    yield Rule(
        "WatchSeesSplit", Severity.CRITICAL, "forks", "split",
        f"{_top(network, metrics.SPLIT_NODES)} >= {network.witnesses}",
        "{{ $labels.testnet }}: {{ $value }} nodes share no block with the network",
        "It cannot heal by itself: their volumes must be emptied, or theirs is the chain to keep.",
    )  # fmt: skip
    expected = f"({_top(network, metrics.NODES_EXPECTED)} > 0)"
    yield Rule(
        "WatchSeesOutOfSync", Severity.CRITICAL, "sync", "behind",
        f"{_top(network, metrics.NODES_SYNCED)} / {_top(network, metrics.NODES_ANSWERING)} < {criteria.synced_share:g}",
        "{{ $labels.testnet }}: only {{ $value | humanizePercentage }} of the answering nodes are at the tip",
        "`mina-infra verify` names the others.",
        lasting_s=pace.seconds(criteria.behind_fail_slots),
    )  # fmt: skip
    yield Rule(
        "NodesSilent", Severity.WARNING, "answers", "silent",
        f"{_top(network, metrics.NODES_SILENT)} / {expected} > {ILL_SHARE:g}",
        "{{ $labels.testnet }}: {{ $value | humanizePercentage }} of the nodes do not answer",
        "`mina-infra verify` says whether it is they or the road to them.",
        lasting_s=pace.seconds(criteria.behind_fail_slots),
    )  # fmt: skip
