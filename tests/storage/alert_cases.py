"""Series that make an alert fire, and near misses that do not: cases for promtool's `test rules`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GIB = 2**30
STATE = 'namespace="qa",persistentvolumeclaim="whale-1-runtime-state-e1"'
OTHER = 'namespace="qa",persistentvolumeclaim="whale-2-runtime-state-e1"'
LEDGER = 'namespace="qa",persistentvolumeclaim="genesis-ledger-e1"'
ONE = {"namespace": "qa", "persistentvolumeclaim": "whale-1-runtime-state-e1"}
QA = {"namespace": "qa"}
REQUESTS = "kube_persistentvolumeclaim_resource_requests_storage_bytes"
PHASE = "kube_persistentvolumeclaim_status_phase"
MOUNT = "kube_pod_spec_volumes_persistentvolumeclaims_info"
USED, CAPACITY = "kubelet_volume_stats_used_bytes", "kubelet_volume_stats_capacity_bytes"
FREE_FILES, FILES = "kubelet_volume_stats_inodes_free", "kubelet_volume_stats_inodes"

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """Series by name, one value a minute; which label sets of an alert fire at `minute`."""

    alert: str
    why: str
    series: Mapping[str, str]
    minute: int
    fires: Sequence[Labels] = ()


def flat(value: float, minutes: int = 600) -> str:
    """The same value all the time."""
    return f"{value:.15g}+0x{minutes}"


PODS = {'kube_pod_info{namespace="kube-system",pod="dns"}': flat(1)}

# The monitoring of these cases: budget 1 TiB, utilization 0.85, idle 2 h; ci-* may use 10 GiB for 1 h. The testnet qa
# plans 100 GiB and has a ttl of 6 h.
CASES = (
    Case(
        "storage-total", "all volumes above the budget, the Released ones too",
        {'kube_persistentvolume_capacity_bytes{persistentvolume="a"}': flat(1024 * GIB),
         'kube_persistentvolume_capacity_bytes{persistentvolume="b"}': flat(GIB)}, 16, [{}],
    ),
    Case("storage-total", "exactly the budget",
         {'kube_persistentvolume_capacity_bytes{persistentvolume="a"}': flat(1024 * GIB)}, 60),
    Case(
        "testnet-allocation", "more than planned, in this testnet alone",
        {f"{REQUESTS}{{{STATE}}}": flat(100 * GIB), f"{REQUESTS}{{{OTHER}}}": flat(GIB),
         f'{REQUESTS}{{namespace="ci-7",persistentvolumeclaim="x"}}': flat(10 * GIB)}, 16, [QA],
    ),
    Case(
        "testnet-allocation", "a run of a prefix above the allocation of the prefix",
        {f'{REQUESTS}{{namespace="ci-7",persistentvolumeclaim="x"}}': flat(11 * GIB),
         f'{REQUESTS}{{namespace="ci-8",persistentvolumeclaim="x"}}': flat(10 * GIB)}, 16, [{"namespace": "ci-7"}],
    ),
    Case("testnet-allocation", "exactly what was planned", {f"{REQUESTS}{{{STATE}}}": flat(100 * GIB)}, 60),
    Case("testnet-allocation", "for less than a quarter of an hour",
         {f"{REQUESTS}{{{STATE}}}": f"{101 * GIB}+0x13 {100 * GIB}+0x100"}, 20),
    Case("testnet-allocation", "somebody else's namespace",
         {f'{REQUESTS}{{namespace="shop",persistentvolumeclaim="x"}}': flat(5000 * GIB)}, 60),
    Case("testnet-overdue", "past its ttl and a quarter of an hour",
         {'kube_namespace_created{namespace="qa"}': flat(0)}, 6 * 60 + 16, [QA]),
    Case("testnet-overdue", "still within its ttl", {'kube_namespace_created{namespace="qa"}': flat(0)}, 6 * 60),
    Case("testnet-overdue", "an automated run past the ttl of its prefix",
         {'kube_namespace_created{namespace="ci-7"}': flat(0), 'kube_namespace_created{namespace="qa"}': flat(0)},
         60 + 16, [{"namespace": "ci-7"}]),
    Case("claim-unused", "no pod for two hours",
         {f"{REQUESTS}{{{STATE}}}": flat(GIB), **PODS}, 120 + 16, [QA]),
    Case("claim-unused", "one of two claims has its pod",
         {f"{REQUESTS}{{{STATE}}}": flat(GIB), f"{REQUESTS}{{{OTHER}}}": flat(GIB),
          f'{MOUNT}{{{OTHER},pod="p"}}': flat(1), **PODS}, 120 + 16, [QA]),
    Case("claim-unused", "a new claim", {f"{REQUESTS}{{{STATE}}}": f"_x100 {GIB}+0x600", **PODS}, 180),
    Case("claim-unused", "a pod an hour ago",
         {f"{REQUESTS}{{{STATE}}}": flat(GIB), f'{MOUNT}{{{STATE},pod="p"}}': "_x90 1+0x10 _x600", **PODS}, 160),
    Case("claim-unused", "pods are not observed at all", {f"{REQUESTS}{{{STATE}}}": flat(GIB)}, 300),
    Case("volume-idle", "a node that wrote nothing for two hours",
         {f"{USED}{{{STATE}}}": flat(5), f"{USED}{{{OTHER}}}": "5+1x600"}, 120 + 20, [QA]),
    Case("volume-idle", "one write an hour ago", {f"{USED}{{{STATE}}}": "5+0x80 6+0x600"}, 140),
    Case("volume-idle", "a new volume", {f"{USED}{{{STATE}}}": "_x100 5+0x600"}, 160),
    Case("volume-idle", "the genesis ledger is written once", {f"{USED}{{{LEDGER}}}": flat(5)}, 300),
    Case("volume-nearly-full", "above 85 percent for a quarter of an hour",
         {f"{USED}{{{STATE}}}": flat(86), f"{CAPACITY}{{{STATE}}}": flat(100),
          f"{USED}{{{OTHER}}}": flat(50), f"{CAPACITY}{{{OTHER}}}": flat(100)}, 16, [ONE]),
    Case("volume-nearly-full", "exactly 85 percent",
         {f"{USED}{{{STATE}}}": flat(85), f"{CAPACITY}{{{STATE}}}": flat(100)}, 60),
    Case("volume-nearly-full", "above it for fourteen minutes",
         {f"{USED}{{{STATE}}}": "86+0x14 80+0x60", f"{CAPACITY}{{{STATE}}}": flat(100)}, 20),
    Case("volume-out-of-files", "less than 15 percent of the files left",
         {f"{FREE_FILES}{{{STATE}}}": flat(14), f"{FILES}{{{STATE}}}": flat(100)}, 16, [ONE]),
    Case("volume-out-of-files", "16 percent of the files left",
         {f"{FREE_FILES}{{{STATE}}}": flat(16), f"{FILES}{{{STATE}}}": flat(100)}, 60),
    Case("volume-out-of-files", "a file system that does not count files",
         {f"{FREE_FILES}{{{STATE}}}": flat(0), f"{FILES}{{{STATE}}}": flat(0)}, 60),
    Case("claim-stuck", "Pending while a pod waits",
         {f'{PHASE}{{{STATE},phase="Pending"}}': flat(1), f'{MOUNT}{{{STATE},pod="p"}}': flat(1)}, 16, [ONE]),
    Case("claim-stuck", "a stopped testnet: Pending, and no pod waits",
         {f'{PHASE}{{{STATE},phase="Pending"}}': flat(1), f'{MOUNT}{{{OTHER},pod="p"}}': flat(1)}, 600),
    Case("claim-stuck", "bound after ten minutes",
         {f'{PHASE}{{{STATE},phase="Pending"}}': "1+0x10 0+0x60", f'{MOUNT}{{{STATE},pod="p"}}': flat(1)}, 20),
    Case("claim-lost", "at once", {f'{PHASE}{{{STATE},phase="Lost"}}': flat(1)}, 1, [ONE]),
    Case("claim-lost", "Bound", {f'{PHASE}{{{STATE},phase="Lost"}}': flat(0),
                                 f'{PHASE}{{{STATE},phase="Bound"}}': flat(1)}, 60),
    *(
        Case("volume-orphaned", f"{phase} for an hour",
             {'kube_persistentvolume_capacity_bytes{persistentvolume="pv"}': flat(GIB),
              f'kube_persistentvolume_status_phase{{persistentvolume="pv",phase="{phase}"}}': flat(1)},
             61, [{"persistentvolume": "pv"}])
        for phase in ("Released", "Failed", "Available")
    ),
    Case("volume-orphaned", "re-bound within the hour",
         {'kube_persistentvolume_capacity_bytes{persistentvolume="pv"}': flat(GIB),
          'kube_persistentvolume_status_phase{persistentvolume="pv",phase="Released"}': "1+0x59 0+0x60"}, 61),
    Case("volume-orphaned", "Bound",
         {'kube_persistentvolume_capacity_bytes{persistentvolume="pv"}': flat(GIB),
          'kube_persistentvolume_status_phase{persistentvolume="pv",phase="Bound"}': flat(1)}, 120),
)  # fmt: skip

HERE = 'cluster="main"'
THERE = 'cluster="spare"'
SYSTEM = 'cluster_name="main"'
UPTIME = 'kubernetes_io:container_uptime{monitored_resource="k8s_container"'
QUOTA_USAGE = "serviceruntime_googleapis_com:quota_allocation_usage"
QUOTA_LIMIT = "serviceruntime_googleapis_com:quota_limit"
SSD = 'monitored_resource="consumer_quota",project_id="mina-tests",location="us-east1",'
SSD += 'quota_metric="compute.googleapis.com/ssd_total_storage"'
SSD_LABELS = {"location": "us-east1", "quota_metric": "compute.googleapis.com/ssd_total_storage"}
MOUNTED = f'kubernetes_io:pod_volume_utilization{{monitored_resource="k8s_pod",{SYSTEM}'
POD_OF_STATE = 'namespace_name="qa",persistentvolumeclaim_name="whale-1-runtime-state-e1"'
READS = 'compute_googleapis_com:instance_disk_read_ops_count{monitored_resource="gce_instance"'
WRITES = 'compute_googleapis_com:instance_disk_write_ops_count{monitored_resource="gce_instance"'
INFO = f'kube_persistentvolumeclaim_info{{{HERE},{STATE},volumename="pvc-1a"}}'

GOOGLE_CASES = (
    Case("storage-total", "another cluster of the project",
         {f'kube_persistentvolume_capacity_bytes{{{THERE},persistentvolume="a"}}': flat(5000 * GIB)}, 60),
    Case("disk-quota", "above 80 percent, as it was said an hour ago",
         {f"{QUOTA_USAGE}{{{SSD}}}": "410 _x600", f'{QUOTA_LIMIT}{{{SSD},limit_name="l"}}': "500 _x600"},
         60, [SSD_LABELS]),
    Case("disk-quota", "exactly 80 percent",
         {f"{QUOTA_USAGE}{{{SSD}}}": "400 _x600", f'{QUOTA_LIMIT}{{{SSD},limit_name="l"}}': "500 _x600"}, 60),
    Case("disk-quota", "a quota without a limit",
         {f"{QUOTA_USAGE}{{{SSD}}}": "400 _x600", f'{QUOTA_LIMIT}{{{SSD},limit_name="l"}}': "-1 _x600"}, 60),
    Case("testnet-allocation", "a testnet of that name in another cluster",
         {f"{REQUESTS}{{{THERE},{STATE}}}": flat(500 * GIB)}, 60),
    Case("testnet-allocation", "more than planned", {f"{REQUESTS}{{{HERE},{STATE}}}": flat(101 * GIB)}, 16, [QA]),
    Case("testnet-overdue", "its oldest container runs longer than its ttl",
         {f'{UPTIME},{SYSTEM},namespace_name="qa",pod_name="a"}}': flat(6 * 3600 + 1),
          f'{UPTIME},{SYSTEM},namespace_name="ci-7",pod_name="b"}}': flat(3600)}, 16, [{"namespace_name": "qa"}]),
    Case("claim-unused", "no pod mounts it",
         {f"{REQUESTS}{{{HERE},{STATE}}}": flat(GIB), f'{MOUNTED},namespace_name="kube-system"}}': flat(0.1)},
         136, [QA]),
    Case("claim-unused", "a pod mounts it",
         {f"{REQUESTS}{{{HERE},{STATE}}}": flat(GIB), f"{MOUNTED},{POD_OF_STATE}}}": flat(0.1)}, 136),
    Case("claim-unused", "pods are not observed at all", {f"{REQUESTS}{{{HERE},{STATE}}}": flat(GIB)}, 136),
    Case("volume-idle", "an attached regional disk without an operation",
         {INFO: flat(1), f'{READS},device_name="pvc-1a_regional"}}': flat(7),
          f'{WRITES},device_name="pvc-1a_regional"}}': flat(7)}, 136, [QA]),
    Case("volume-idle", "it writes",
         {INFO: flat(1), f'{READS},device_name="pvc-1a"}}': flat(7), f'{WRITES},device_name="pvc-1a"}}': "7+1x600"},
         136),
    Case("volume-idle", "an unattached disk has no metric, and is not called idle", {INFO: flat(1)}, 600),
    Case("claim-stuck", "Pending, and so is a pod",
         {f'{PHASE}{{{HERE},{STATE},phase="Pending"}}': flat(1),
          f'kube_pod_status_phase{{{HERE},namespace="qa",pod="p",phase="Pending"}}': flat(1)}, 16, [ONE]),
    Case("claim-stuck", "a stopped testnet",
         {f'{PHASE}{{{HERE},{STATE},phase="Pending"}}': flat(1),
          f'kube_pod_status_phase{{{HERE},namespace="qa",pod="p",phase="Pending"}}': flat(0)}, 600),
)  # fmt: skip
