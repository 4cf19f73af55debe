"""Objects of the Prometheus operator and of Grafana: rules, scrapes and the dashboard.

What the rules on the daemons are is the guardian's affair: they come as finished groups (docs/alerts.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mina_infra.plan import labels, ports
from mina_infra.plan.objects import Manifest, PlannedObject
from mina_infra.plan.prometheus import Group, rules
from mina_infra.spec import Monitoring, TestnetSpec
from mina_infra.spec.monitoring import PrometheusOperator
from mina_infra.storage.alerts import alerts

_API = "monitoring.coreos.com/v1"
_POD_LABELS = [labels.TESTNET, labels.APP, "role", labels.CLASS]
"""Labels of a pod that its series carry; the rules go by the first two."""


@dataclass(frozen=True)
class WatchedNetwork:
    """A testnet whose daemons are scraped: its rules, as groups, and seconds between two scrapes."""

    spec: TestnetSpec
    groups: Sequence[Group]
    scrape_s: int


def monitoring_objects(
    monitoring: Monitoring, networks: Sequence[WatchedNetwork], dashboard: str
) -> tuple[PlannedObject, ...]:
    """What a Prometheus and a Grafana in the cluster read; nothing where the monitoring names none."""
    if monitoring.prometheus is None:
        return ()
    return tuple(_objects(monitoring, monitoring.prometheus, networks, dashboard))


def _objects(
    monitoring: Monitoring, operator: PrometheusOperator, networks: Sequence[WatchedNetwork], dashboard: str
) -> Iterator[PlannedObject]:
    if operator.storage:
        storage = rules(alerts(monitoring, [each.spec for each in networks]))
        yield _planned("rules-storage", "mina-infra-storage", "PrometheusRule", operator, labels.of_cluster(), storage)
    for network in networks:
        name, own = f"mina-infra-{network.spec.name}", labels.of_testnet(network.spec)
        if network.groups:
            groups = {"groups": list(network.groups)}
            yield _planned(f"rules-{network.spec.name}", name, "PrometheusRule", operator, own, groups)
        yield _planned(f"scrape-{network.spec.name}", name, "PodMonitor", operator, own, _scrape(network))
    if operator.dashboard:
        yield PlannedObject("dashboard", _dashboard(operator, dashboard))


def _planned(
    key: str, name: str, kind: str, operator: PrometheusOperator, own: Mapping[str, str], spec: Manifest
) -> PlannedObject:
    metadata = {"name": name, "namespace": operator.namespace, "labels": {**operator.labels, **own}}
    return PlannedObject(key, {"apiVersion": _API, "kind": kind, "metadata": metadata, "spec": spec})


def _scrape(network: WatchedNetwork) -> Manifest:
    """Every daemon and archive process: ten pods or two hundred are one object. No port of that name, no target."""
    interval = f"{network.scrape_s}s"
    return {
        "namespaceSelector": {"matchNames": [network.spec.namespace]},
        "selector": {"matchLabels": {labels.TESTNET: network.spec.name}},
        "podTargetLabels": _POD_LABELS,
        "podMetricsEndpoints": [
            {"port": port, "path": "/metrics", "interval": interval}
            for port in (ports.METRICS_PORT, ports.ARCHIVE_METRICS_PORT)
        ],
    }


def _dashboard(operator: PrometheusOperator, content: str) -> Manifest:
    own = {**labels.of_cluster(), "grafana_dashboard": "1"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "mina-infra-dashboard", "namespace": operator.namespace, "labels": own},
        "data": {"mina-infra.json": content},
    }
