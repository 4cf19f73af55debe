"""Performance beyond a disk's size: VolumeAttributesClasses, the one thing about a disk's kind that changes in place.

Only for disks whose driver takes iops or throughput (docs/facts.md: storage/performance), and on a cluster that is
said to know the kind. A class never changes: another performance is another class, named by its content.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mina_infra.spec import ClusterStorage, Issue, TestnetSpec
from mina_infra.spec.errors import Path
from mina_infra.spec.storage import Performance
from mina_infra.spec.target import Target
from mina_infra.storage.capabilities import Capability, disks_of
from mina_infra.storage.classes import CLUSTER, named_by_content, targets

RELEASE = (1, 34)
"""Release of Kubernetes with VolumeAttributesClass in storage.k8s.io/v1 (docs/facts.md: rule/37)."""


@dataclass(frozen=True)
class AttributesClass:
    """One class of attributes, for disks of one driver."""

    name: str
    driver: str
    parameters: Mapping[str, str]
    shared: bool = False

    def manifest(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """The VolumeAttributesClass object."""
        return {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "VolumeAttributesClass",
            "metadata": {"name": self.name, "labels": dict(labels)},
            "driverName": self.driver,
            "parameters": dict(self.parameters),
        }


def attributes_class(spec: TestnetSpec, found: Capability, wanted: Performance) -> AttributesClass:
    """The class of a performance for this testnet."""
    shared = spec.target.storage_classes == "shared"
    return _made(CLUSTER if shared else spec.name, found, wanted, shared)


def cluster_attributes(storage: ClusterStorage) -> tuple[AttributesClass, ...]:
    """Every class of attributes that a cluster's stack declares."""
    made: dict[str, AttributesClass] = {}
    for found in _capabilities(storage):
        for wanted in storage.performances:
            if not _problem(found, wanted):
                each = _made(CLUSTER, found, wanted, True)
                made.setdefault(each.name, each)
    return tuple(made.values())


def check(target: Target, found: Capability, wanted: Performance, path: Path) -> Iterator[Issue]:
    """What speaks against a performance of a disk (docs/facts.md: refusal/V30)."""
    problem = _problem(found, wanted)
    if problem:
        yield Issue(path, *problem)
    yield from _release(target, path)


def check_cluster(storage: ClusterStorage) -> Iterator[Issue]:
    """What speaks against the performances of a cluster: no disk takes one, or Kubernetes is too old."""
    capabilities = list(_capabilities(storage))
    for index, wanted in enumerate(storage.performances):
        problems = [_problem(found, wanted) for found in capabilities]
        if all(problems):
            yield Issue(("performances", index), *next(each for each in problems if each))
    if storage.performances:
        yield from _release(storage.target, ("performances",))


def _capabilities(storage: ClusterStorage) -> Iterator[Capability]:
    for target in targets(storage):
        disks = disks_of(target)
        yield from (disks[each] for each in storage.types or disks if each in disks)


def _asked(wanted: Performance) -> dict[str, int]:
    return {key: value for key in ("iops", "throughput") if (value := getattr(wanted, key)) is not None}


def _problem(found: Capability, wanted: Performance) -> tuple[str, str] | None:
    """Why a disk cannot have a performance, and what to do; None where it can."""
    if not found.performance:
        return (
            "iops/throughput can be changed only on Hyperdisk Balanced and Throughput (gke) and gp3 (eks); "
            f"'{found.product}' is fixed by size.",
            "Remove `performance`, or ask for a larger disk or another type.",
        )
    least = dict(zip(("iops", "throughput"), found.performance_floor, strict=True))
    for key, value in _asked(wanted).items():
        if key not in found.performance:
            takes = ", ".join(found.performance)
            return f"'{found.product}' has no {key} of its own; it takes: {takes}.", f"Remove `{key}`."
        if value < least[key]:
            return (
                f"'{found.product}' has {least[key]} {key} at every size; {value} is less.",
                "Ask for more, or remove it.",
            )
    return None


def _release(target: Target, path: Path) -> Iterator[Issue]:
    if target.release is None or target.release < RELEASE:
        yield Issue(
            ("target", "kubernetes") if target.release else path,
            "performance needs Kubernetes 1.34+ (VolumeAttributesClass; the cluster: "
            f"{target.kubernetes or 'not said'}).",
            'Set target.kubernetes: "1.34" where the cluster is that new, or remove `performance`.',
        )


def _made(owner: str, found: Capability, wanted: Performance, shared: bool) -> AttributesClass:
    asked = _asked(wanted)
    values = {key: str(value) for key, value in asked.items()}
    if "throughput" in values and found.driver == "pd.csi.storage.gke.io":
        values["throughput"] += "Mi"  # a quantity here, MiB/s for EBS (docs/facts.md: storage/performance)
    body = "-".join([owner, *(f"{key}-{value}" for key, value in asked.items())])
    return AttributesClass(named_by_content(body, [body, found.driver, values, shared]), found.driver, values, shared)
