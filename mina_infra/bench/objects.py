"""What a benchmark makes in a cluster: a namespace and classes of its own; for each volume a claim and a Job. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from mina_infra.bench.fio import BEGIN, END
from mina_infra.bench.profiles import PROFILES, fio_options, seconds
from mina_infra.plan import timeouts
from mina_infra.spec import AccessMode, DiskType, Retention, TestnetSpec
from mina_infra.spec.benchmark import Benchmark
from mina_infra.spec.values import Size
from mina_infra.storage.capabilities import Capability, capability
from mina_infra.storage.classes import storage_class
from mina_infra.storage.sizes import effective_gib

Manifest = dict[str, Any]

CONTAINER = "fio"
LABEL = "mina-infra/benchmark"
"""On everything that a benchmark makes: whose it is."""


@dataclass(frozen=True)
class Case:
    """One volume to measure."""

    disk: DiskType
    capability: Capability
    gib: int

    @property
    def name(self) -> str:
        return f"{self.disk.value}-{self.gib}"


def namespace_of(spec: TestnetSpec) -> str:
    """The benchmark's own namespace: nothing of the testnet is in the way, and it goes as a whole."""
    return f"{spec.name}-bench"


def labels(spec: TestnetSpec) -> dict[str, str]:
    return {"app.kubernetes.io/managed-by": "mina-infra", LABEL: spec.name}


def cases(spec: TestnetSpec, benchmark: Benchmark) -> tuple[list[Case], list[str]]:
    """The volumes, each size as it is billed, and the types that this provider has not got."""
    found: dict[str, Case] = {}
    missing = []
    for disk in benchmark.types:
        has = capability(spec, disk)
        if has is None:
            missing.append(disk.value)
            continue
        for size in benchmark.sizes:
            case = Case(disk, has, effective_gib(Size(size), has))
            found.setdefault(case.name, case)
    return list(found.values()), missing


def namespace(spec: TestnetSpec) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_of(spec), "labels": labels(spec)}}


def class_of(spec: TestnetSpec, case: Case) -> Manifest:
    """The class that a testnet's claims of this type have, under a name of the benchmark's; volumes go with claims."""
    manifest = storage_class(spec, case.disk, Retention.DELETE).manifest(labels(spec))
    manifest["metadata"]["name"] = f"{namespace_of(spec)}-{case.disk.value}"
    return manifest


def claim(spec: TestnetSpec, case: Case) -> Manifest:
    mode = AccessMode.READ_WRITE_ONCE if AccessMode.READ_WRITE_ONCE in case.capability.modes else None
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": case.name, "namespace": namespace_of(spec), "labels": labels(spec)},
        "spec": {
            "accessModes": [(mode or sorted(case.capability.modes)[0]).value],
            "storageClassName": f"{namespace_of(spec)}-{case.disk.value}",
            "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": f"{case.gib}Gi"}},
        },
    }


def deadline_s(spec: TestnetSpec, benchmark: Benchmark) -> int:
    """Seconds for one Job: its volume, laying out the file, twice the time of its measurements."""
    return timeouts.jobs(spec) + 2 * seconds(benchmark)


def job(spec: TestnetSpec, benchmark: Benchmark, case: Case) -> Manifest:
    """Measures one volume. Never tried again: a second try would measure a file that lies there already."""
    container = {
        "name": CONTAINER,
        "image": benchmark.image,
        "command": ["sh", "-ceu", script(benchmark, case)],
        "resources": {"requests": {"cpu": "1", "memory": "512Mi"}},
        "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": case.name}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": case.name, "namespace": namespace_of(spec), "labels": labels(spec)},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": deadline_s(spec, benchmark),
            "template": {"metadata": {"labels": labels(spec)}, "spec": pod},
        },
    }


def script(benchmark: Benchmark, case: Case) -> str:
    """Every load, as often as wanted; each run's JSON between two lines that say what it is."""
    lines = []
    for run in range(benchmark.runs):
        for name in benchmark.profiles:
            command = shlex.join(["fio", *fio_options(PROFILES[name], benchmark, case.gib)])
            lines += [f"echo '{BEGIN}{name}'", command, f"echo '{END} {run + 1}'"]
    return "\n".join(lines) + "\n"
