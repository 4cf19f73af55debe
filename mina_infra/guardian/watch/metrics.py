"""The metrics that `mina-infra watch` exports: their names, and the text that Prometheus reads.

Every sample carries the label `testnet`. States are one gauge for each state, 1 for the one that holds, so that a rule
reads `mina_infra_check_state{check="forks", state="fail"} == 1`. What was not seen in a look has no sample: a rule that
compares needs its `absent_over_time` twin (docs/facts.md: guardian/metrics). Nor has anything but the moments of the
looks when the last one is too old to speak of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Kind(StrEnum):
    """What Prometheus calls the type of a metric."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True)
class Metric:
    """One metric: what it means, and which labels its samples have beside `testnet`."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.GAUGE


HEALTH = Metric("mina_infra_health", "Verdict of the last look, 1 for: healthy, unstable or unknown", ("health",))
CHECK_STATE = Metric(
    "mina_infra_check_state", "State of a check, 1 for: pass, fail, unknown or not-asked", ("check", "state")
)
CRITERION_STATE = Metric(
    "mina_infra_criterion_state",
    "State of an instability criterion (1 to 8), 1 for: stable, unstable or unknown",
    ("criterion", "state"),
)
PROBLEM_NODES = Metric(
    "mina_infra_problem_nodes",
    "Nodes that a check names for a problem, 1 for a problem of the whole network; no sample without the problem",
    ("check", "problem"),
)
NODES_EXPECTED = Metric("mina_infra_nodes_expected", "Daemons that the deployment should run")
NODES_ANSWERING = Metric("mina_infra_nodes_answering", "Daemons that answered the last look")
NODES_SYNCED = Metric("mina_infra_nodes_synced", "Daemons at the tip of the chain, by their blocks, not by their word")
NODES_SILENT = Metric("mina_infra_nodes_silent", "Daemons that did not answer the last look")
NODES_FORKED = Metric("mina_infra_nodes_forked", "Daemons on a branch of two or more blocks, or split off")
BEST_HEIGHT = Metric("mina_infra_best_height", "Height of the best tip")
FORK_DEPTH = Metric("mina_infra_fork_depth", "Depth in blocks of the deepest fork")
SPLIT_NODES = Metric("mina_infra_split_nodes", "Daemons whose chain has no common block with the network's")
FILLED_SHARE = Metric("mina_infra_filled_share", "Share of the judged slots that have a block")
EXPECTED_FILL = Metric("mina_infra_expected_fill", "Share of slots that should have a block at the stake that is due")
ACTIVE_STAKE = Metric("mina_infra_active_stake_share", "Share of all stake that would explain the filled slots")
EXPECTED_STAKE = Metric("mina_infra_expected_stake_share", "Share of all stake that should be online")
ONLINE_STAKE = Metric(
    "mina_infra_online_stake_share", "Share of all stake whose producers answer, follow the chain, have keys and peers"
)
EMPTY_SLOTS = Metric("mina_infra_empty_slots", "Finished slots since the newest block")
CUSUM = Metric(
    "mina_infra_production_cusum", "Cumulative sum of the production test: 7 is worth a look, 12 an incident"
)
INCIDENTS_OPEN = Metric(
    "mina_infra_incidents_open", "Open incidents by severity: failure, warning, blind", ("severity",)
)
LAST_LOOK = Metric("mina_infra_last_look_timestamp_seconds", "When the last look ended, seconds since 1970")
LAST_COMPLETE_LOOK = Metric(
    "mina_infra_last_complete_look_timestamp_seconds",
    "When a look last could see all that it looks at, seconds since 1970; 0: none ever could",
)
LOOK_DURATION = Metric("mina_infra_last_look_duration_seconds", "How long the last look took")
LOOKS = Metric("mina_infra_looks_total", "Looks since this process started", kind=Kind.COUNTER)
MESSAGES = Metric(
    "mina_infra_messages_total",
    "Messages since this process started, by sink and result: delivered or given-up",
    ("sink", "result"),
    Kind.COUNTER,
)

METRICS: tuple[Metric, ...] = (
    HEALTH, CHECK_STATE, CRITERION_STATE, PROBLEM_NODES, NODES_EXPECTED, NODES_ANSWERING, NODES_SYNCED, NODES_SILENT,
    NODES_FORKED, BEST_HEIGHT, FORK_DEPTH, SPLIT_NODES, FILLED_SHARE, EXPECTED_FILL, ACTIVE_STAKE, EXPECTED_STAKE,
    ONLINE_STAKE, EMPTY_SLOTS, CUSUM, INCIDENTS_OPEN, LAST_LOOK, LAST_COMPLETE_LOOK, LOOK_DURATION,
    LOOKS, MESSAGES,
)  # fmt: skip


_Family = CounterMetricFamily | GaugeMetricFamily


@dataclass(frozen=True)
class Sample:
    """One value; `labels` are those of the metric, in its order."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


class _Page:
    """A collector of one page, for a registry of our own: nothing of this process is exported with it."""

    def __init__(self, families: list[_Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[_Family]:
        return self._families


def render(samples: Iterable[Sample], common: Mapping[str, str]) -> str:
    """Prometheus' text format 0.0.4, metrics in their order here; `common` are labels of every sample."""
    families = {metric: _family(metric, common) for metric in METRICS}
    for sample in samples:
        families[sample.metric].add_metric([*common.values(), *sample.labels], float(sample.value))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Page([family for family in families.values() if family.samples]))
    return generate_latest(registry).decode()


def _family(metric: Metric, common: Mapping[str, str]) -> _Family:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=[*common, *metric.labels])
