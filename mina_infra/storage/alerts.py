"""Alerts on storage, as data: the RFC's four categories, and what stops a testnet before they do.

Here is what each alert is, and its PromQL over kube-state-metrics and the kubelets; `google_alerts` says the same in
the metrics of Google Cloud. An alert tells, a ResourceQuota prevents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mina_infra.spec import Monitoring, TestnetSpec, VolumeKind
from mina_infra.spec.monitoring import WatchedTestnet
from mina_infra.spec.values import Duration, Size
from mina_infra.storage.volumes import Volumes

SETTLE_S = 900
"""Seconds that a condition must hold: longer than a pod needs to move to another node, or a disk to be made."""

ORPHAN_S = 3600
"""Seconds in which a volume may be between two claims while somebody re-binds it by hand."""

CLAIM = "namespace, persistentvolumeclaim"
OWN_STATE = f".+-({VolumeKind.RUNTIME_STATE.value}|{VolumeKind.POSTGRES_STATE.value})-e[0-9]+"
"""Claims that a living node changes all the time; shared artefacts and keys are written once, and may be still."""


class Severity(StrEnum):
    """As Google Cloud Monitoring names them; Prometheus takes any word."""

    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Kind:
    """What an alert says. `finding` may name labels of the series in Prometheus' templates."""

    name: str
    category: str
    severity: Severity
    title: str
    finding: str
    advice: str


@dataclass(frozen=True)
class Alert:
    """One alert. It fires for each series of `query` that stayed for `lasting_s` seconds."""

    kind: Kind
    query: str
    lasting_s: int = SETTLE_S


_ONE = "{{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }}"

TOTAL = Kind(
    "storage-total", "totals", Severity.WARNING, "The cluster's volumes exceed their budget",
    "All volumes of the cluster hold {{ $value | humanize1024 }}B",
    "`mina-infra orphans` finds what no testnet owns. Else remove a testnet, or raise `budget`.",
)  # fmt: skip
DISK_QUOTA = Kind(
    "disk-quota", "totals", Severity.ERROR, "The project's disk quota is nearly used up", "",
    "The next deployment may be refused. Disks that no machine uses count too: remove those, or ask Google for more.",
)  # fmt: skip
ALLOCATION = Kind(
    "testnet-allocation", "testnets", Severity.WARNING, "A testnet claims more storage than was planned for it",
    "Testnet {{ $labels.namespace }} claims {{ $value | humanize1024 }}B, more than its allocation",
    "Remove the claims of an era that is over, or what was made by hand.",
)  # fmt: skip
OVERDUE = Kind(
    "testnet-overdue", "automated runs", Severity.WARNING, "A testnet outlived its time to live",
    "Testnet {{ $labels.namespace }} runs for {{ $value | humanizeDuration }}, longer than its ttl",
    "`mina-infra expire` removes it. To keep it, raise its `ttl`: a renewal is an annotation, which no metric shows.",
)  # fmt: skip
UNUSED = Kind(
    "claim-unused", "idle", Severity.WARNING, "Claims that no pod uses",
    "Claims of {{ $value | humanize1024 }}B in {{ $labels.namespace }} had no pod for long",
    "They cost as much as used ones. A paused testnet looks like this on purpose; else remove them through its stack.",
)  # fmt: skip
IDLE = Kind(
    "volume-idle", "idle", Severity.WARNING, "Volumes of nodes that write nothing",
    "{{ $value }} volumes of nodes in {{ $labels.namespace }} did not change for long",
    "A living node writes all the time: `mina-infra verify` says which ones do not.",
)  # fmt: skip
NEARLY_FULL = Kind(
    "volume-nearly-full", "volumes", Severity.CRITICAL, "A volume is nearly full",
    f"{_ONE} is {{{{ $value | humanizePercentage }}}} full",
    "Raise its `size` in the stack file and run `mina-infra up`: volumes grow in place.",
)  # fmt: skip
NO_FILES = Kind(
    "volume-out-of-files", "volumes", Severity.CRITICAL, "A volume is nearly out of files",
    f"{_ONE} has {{{{ $value | humanizePercentage }}}} of its files left",
    "Raise its `size`: the number of files follows.",
)  # fmt: skip
STUCK = Kind(
    "claim-stuck", "volumes", Severity.ERROR, "A claim waits in vain for its volume",
    f"{_ONE} is Pending, and a pod waits for it",
    "`kubectl describe pvc` names the cause: no such class, a quota, a mode that the disk has not, no machine there.",
)  # fmt: skip
LOST = Kind(
    "claim-lost", "volumes", Severity.CRITICAL, "A claim lost its volume",
    f"{_ONE} is Lost: its volume is gone", "Restore it from a snapshot, or start the node on a new, empty volume.",
)  # fmt: skip
ORPHAN = Kind(
    "volume-orphaned", "volumes", Severity.WARNING, "A volume that no claim holds",
    "Volume {{ $labels.persistentvolume }} of {{ $value | humanize1024 }}B has no claim",
    "It is kept, and paid for. `mina-infra orphans` says whose it was.",
)  # fmt: skip


def alerts(monitoring: Monitoring, testnets: Iterable[TestnetSpec]) -> tuple[Alert, ...]:
    """The alerts of a cluster, for Prometheus. `testnets`: those whose document is known."""
    watched = watch_list(monitoring, testnets)
    share, idle = monitoring.utilization, str(monitoring.idle)
    found = [
        total(monitoring, Metrics()),
        allocation(watched, Metrics()),
        _overdue(watched),
        Alert(UNUSED, _unused(idle)),
        Alert(IDLE, _unchanged(idle)),
        Alert(
            NEARLY_FULL,
            f"max by ({CLAIM}) (kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes) > {share:g}",
        ),
        out_of_files(monitoring, Metrics()),
        # A claim that binds with its first pod waits for ever in a stopped testnet: only a pod makes it late.
        Alert(
            STUCK,
            f'max by ({CLAIM}) (kube_persistentvolumeclaim_status_phase{{phase="Pending"}} == 1'
            f" and on ({CLAIM}) kube_pod_spec_volumes_persistentvolumeclaims_info)",
        ),
        lost(Metrics()),
        orphaned(Metrics()),
    ]
    return tuple(each for each in found if each is not None)


def watch_list(monitoring: Monitoring, testnets: Iterable[TestnetSpec]) -> Mapping[str, WatchedTestnet]:
    """What each testnet may use, by name or prefix: its own document's word before that of the monitoring."""
    known = {spec.namespace: WatchedTestnet(storage=_planned(spec), ttl=spec.ttl) for spec in testnets}
    return {**monitoring.testnets, **known}


def _planned(spec: TestnetSpec) -> Size:
    """What all claims of a testnet ask for; one that was there before counts too, at the size that it would have."""
    volumes = Volumes(spec)
    gib = sum(each.volume.effective_gib for each in (*volumes.all(), *volumes.existing()))
    return Size(f"{max(1, gib)}Gi")


@dataclass(frozen=True)
class Metrics:
    """Writes a metric with its label matchers; `always` are those of every metric, such as the cluster's."""

    always: tuple[str, ...] = ()

    def __call__(self, metric: str, *matchers: str) -> str:
        inner = ",".join((*self.always, *matchers))
        return f"{metric}{{{inner}}}" if inner else metric


def in_namespaces(pattern: str, label: str = "namespace") -> str:
    """The matcher of one testnet, or of all that begin alike."""
    return f'{label}=~"{pattern[:-1]}.*"' if pattern.endswith("*") else f'{label}="{pattern}"'


def total(monitoring: Monitoring, metrics: Metrics) -> Alert | None:
    """Volumes, not claims: what is Released has no claim and is paid for all the same."""
    if monitoring.budget is None:
        return None
    return Alert(TOTAL, f"sum({metrics('kube_persistentvolume_capacity_bytes')}) > {monitoring.budget.bytes}")


def allocation(watched: Mapping[str, WatchedTestnet], metrics: Metrics) -> Alert | None:
    """One alert for all testnets, a part for each: their allocations differ."""
    requests = "kube_persistentvolumeclaim_resource_requests_storage_bytes"
    parts = [
        f"sum by (namespace) ({metrics(requests, in_namespaces(pattern))}) > {each.storage.bytes}"
        for pattern, each in watched.items()
        if each.storage is not None
    ]
    return Alert(ALLOCATION, "\nor ".join(parts)) if parts else None


def _overdue(watched: Mapping[str, WatchedTestnet]) -> Alert | None:
    parts = [
        f"time() - min by (namespace) (kube_namespace_created{{{in_namespaces(pattern)}}}) > {ttl.seconds}"
        for pattern, ttl in ttls(watched)
    ]
    return Alert(OVERDUE, "\nor ".join(parts)) if parts else None


def ttls(watched: Mapping[str, WatchedTestnet]) -> list[tuple[str, Duration]]:
    """Testnets that are meant to end, with how long they are meant to last."""
    return [(pattern, each.ttl) for pattern, each in watched.items() if each.ttl is not None]


def _unused(idle: str) -> str:
    """Bytes of claims that exist for `idle` and had no pod in all that time, where pods are observed at all."""
    requests = "kube_persistentvolumeclaim_resource_requests_storage_bytes"
    pods = "kube_pod_spec_volumes_persistentvolumeclaims_info"
    return (
        f"sum by (namespace) ({requests}\n"
        f"  and on ({CLAIM}) {requests} offset {idle}\n"
        f"  unless on ({CLAIM}) present_over_time({pods}[{idle}])) > 0\n"
        "and on () count(kube_pod_info) > 0"
    )


def _unchanged(idle: str) -> str:
    """Mounted volumes of nodes whose size is what it was, at every look, for `idle`."""
    used = f'kubelet_volume_stats_used_bytes{{persistentvolumeclaim=~"{OWN_STATE}"}}'
    return (
        f"count by (namespace) (max by ({CLAIM}) (changes({used}[{idle}])) == 0\n"
        f"  and on ({CLAIM}) {used} offset {idle}) > 0"
    )


def out_of_files(monitoring: Monitoring, metrics: Metrics) -> Alert:
    """RocksDB makes many files."""
    free, all_files = metrics("kubelet_volume_stats_inodes_free"), metrics("kubelet_volume_stats_inodes")
    return Alert(NO_FILES, f"min by ({CLAIM}) ({free} / ({all_files} > 0)) < {1 - monitoring.utilization:g}")


def lost(metrics: Metrics) -> Alert:
    """At once: whatever writes there is failing already."""
    phase = metrics("kube_persistentvolumeclaim_status_phase", 'phase="Lost"')
    return Alert(LOST, f"max by ({CLAIM}) ({phase}) == 1", lasting_s=0)


def orphaned(metrics: Metrics) -> Alert:
    """Bytes of each volume without a claim; one that a claim is about to take is not one for long."""
    capacity = metrics("kube_persistentvolume_capacity_bytes")
    phase = metrics("kube_persistentvolume_status_phase", 'phase=~"Released|Failed|Available"')
    query = f"max by (persistentvolume) ({capacity} and on (persistentvolume) {phase} == 1)"
    return Alert(ORPHAN, query, lasting_s=ORPHAN_S)
