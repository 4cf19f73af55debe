"""The alerts on storage as alert policies of Google Cloud Monitoring: one set for a cluster and its project.

Threshold conditions and PromQL only: MQL is deprecated for new policies (docs/facts.md: monitoring/policies).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mina_infra.spec import Monitoring, TestnetSpec
from mina_infra.spec.monitoring import GoogleCloud, WatchedTestnet
from mina_infra.storage import alerts
from mina_infra.storage.alerts import CLAIM, OWN_STATE, SETTLE_S, Alert, Kind, Metrics

Condition = dict[str, Any]

EVALUATION = "300s"
"""A multiple of 30 s; nothing here changes faster than a disk fills."""

AUTO_CLOSE = "86400s"

QUOTAS = ("ssd_total_storage", "disks_total_storage")
"""pd-ssd and pd-balanced with the machines' boot disks; pd-standard (docs/facts.md: monitoring/quota)."""


@dataclass(frozen=True)
class Policy:
    """One alert policy: the name of its alert and what `gcp:monitoring/alertPolicy:AlertPolicy` is given."""

    name: str
    inputs: Mapping[str, Any]


def policies(monitoring: Monitoring, testnets: Iterable[TestnetSpec]) -> tuple[Policy, ...]:
    """The policies of a cluster; none where the monitoring names no Google Cloud project."""
    google = monitoring.google
    if google is None:
        return ()
    watched = alerts.watch_list(monitoring, testnets)
    # Managed Prometheus puts the cluster's name on what it collects; Google's own metrics have it as another label
    # (docs/facts.md: monitoring/managed-metrics).
    metrics, system = Metrics((f'cluster="{google.cluster}"',)), Metrics((f'cluster_name="{google.cluster}"',))
    idle = str(monitoring.idle)
    found = [
        alerts.total(monitoring, metrics),
        _quota(monitoring, google),
        alerts.allocation(watched, metrics),
        _overdue(watched, system),
        Alert(alerts.UNUSED, _unused(idle, metrics, system)),
        Alert(alerts.IDLE, _untouched(idle, metrics)),
        alerts.out_of_files(monitoring, metrics),
        Alert(alerts.STUCK, _stuck(metrics)),
        alerts.lost(metrics),
        alerts.orphaned(metrics),
    ]
    queries = [_policy(each.kind, google, promql(each)) for each in found if each is not None]
    return (*queries, _policy(alerts.NEARLY_FULL, google, _nearly_full(monitoring, google)))


def _policy(kind: Kind, google: GoogleCloud, condition: Condition) -> Policy:
    inputs = {
        "project": google.project,
        "displayName": f"{kind.title} ({google.cluster})",
        "combiner": "OR",
        "conditions": [{"displayName": kind.title, **condition}],
        "notificationChannels": list(google.channels),
        "severity": kind.severity.value.upper(),
        "userLabels": {"managed-by": "mina-infra", "alert": kind.name, "cluster": google.cluster},
        "alertStrategy": {"autoClose": AUTO_CLOSE},
        "documentation": {"content": f"{kind.title}. {kind.advice}", "mimeType": "text/markdown"},
    }
    return Policy(kind.name, inputs)


def promql(alert: Alert) -> Condition:
    """A PromQL condition. Without disableMetricValidation a metric that has no data yet makes the policy fail."""
    return {
        "conditionPrometheusQueryLanguage": {
            "query": alert.query,
            "duration": f"{alert.lasting_s}s",
            "evaluationInterval": EVALUATION,
            "disableMetricValidation": True,
        }
    }


def _nearly_full(monitoring: Monitoring, google: GoogleCloud) -> Condition:
    """A threshold on Google's own metric: it needs no agent. Every volume of a pod has it, Secrets too: claims only
    (docs/facts.md: monitoring/signals)."""
    return {
        "conditionThreshold": {
            "filter": 'resource.type="k8s_pod" AND metric.type="kubernetes.io/pod/volume/utilization"'
            f' AND resource.labels.cluster_name="{google.cluster}"'
            ' AND metric.labels.persistentvolumeclaim_name!=""',
            "comparison": "COMPARISON_GT",
            "thresholdValue": monitoring.utilization,
            "duration": f"{SETTLE_S}s",
            "aggregations": [
                {
                    "alignmentPeriod": EVALUATION,
                    "perSeriesAligner": "ALIGN_MAX",
                    "crossSeriesReducer": "REDUCE_MAX",
                    "groupByFields": ["resource.label.namespace_name", "metric.label.persistentvolumeclaim_name"],
                }
            ],
        }
    }


def _quota(monitoring: Monitoring, google: GoogleCloud) -> Alert:
    """Of the whole project, unattached disks included: no other built-in metric counts those.

    Usage is written about once a day, so the last value of a day is looked up.
    """
    names = "|".join(f"compute.googleapis.com/{name}" for name in QUOTAS)
    which = f'{{monitored_resource="consumer_quota",project_id="{google.project}",quota_metric=~"{names}"}}[1d]'
    usage, limit = (
        f"max by (quota_metric, location) (last_over_time(serviceruntime_googleapis_com:{metric}{which}))"
        for metric in ("quota_allocation_usage", "quota_limit")
    )
    return Alert(alerts.DISK_QUOTA, f"{usage}\n/ ({limit} > 0) > {monitoring.quota:g}")


def _overdue(watched: Mapping[str, WatchedTestnet], system: Metrics) -> Alert | None:
    """The oldest container of a testnet: Google has no metric of a namespace's age."""
    parts = [
        "max by (namespace_name) ("
        + system(
            "kubernetes_io:container_uptime",
            'monitored_resource="k8s_container"',
            alerts.in_namespaces(pattern, "namespace_name"),
        )
        + f") > {ttl.seconds}"
        for pattern, ttl in alerts.ttls(watched)
    ]
    return Alert(alerts.OVERDUE, "\nor ".join(parts)) if parts else None


def _unused(idle: str, metrics: Metrics, system: Metrics) -> str:
    """Claims without a series of a pod's volume: it exists only while a pod mounts the claim.

    Never a metric of a disk: one that no machine has attached has none at all (docs/facts.md: rule/34).
    """
    requests = metrics("kube_persistentvolumeclaim_resource_requests_storage_bytes")
    mounts = system("kubernetes_io:pod_volume_utilization", 'monitored_resource="k8s_pod"')
    mounted = f"present_over_time({mounts}[{idle}])"
    for label, source in (("namespace", "namespace_name"), ("persistentvolumeclaim", "persistentvolumeclaim_name")):
        mounted = f'label_replace({mounted}, "{label}", "$1", "{source}", "(.+)")'
    return (
        f"sum by (namespace) ({requests}\n"
        f"  and on ({CLAIM}) {requests} offset {idle}\n"
        f"  unless on ({CLAIM}) {mounted}) > 0\n"
        f"and on () count({mounts}) > 0"
    )


def _untouched(idle: str, metrics: Metrics) -> str:
    """Attached disks without one operation, back to their claims by the disk's name, which is the volume's."""
    operations = " + ".join(
        f"sum by (device_name) (increase(compute_googleapis_com:instance_disk_{way}_ops_count"
        f'{{monitored_resource="gce_instance",device_name=~"pvc-.*"}}[{idle}]))'
        for way in ("read", "write")
    )
    claims = metrics("kube_persistentvolumeclaim_info", f'persistentvolumeclaim=~"{OWN_STATE}"')
    return (
        f"count by (namespace) ({claims}\n"
        f'  and on (volumename) label_replace({operations} == 0, "volumename", "$1", "device_name",'
        ' "(.+?)(_regional)?")) > 0'
    )


def _stuck(metrics: Metrics) -> str:
    """Google's set has no metric of which pod waits for which claim: a waiting pod of the same testnet has to do."""
    claim = metrics("kube_persistentvolumeclaim_status_phase", 'phase="Pending"')
    pod = metrics("kube_pod_status_phase", 'phase="Pending"')
    return f"max by ({CLAIM}) ({claim} == 1 and on (namespace) {pod} == 1)"
