"""Sources of the genesis artefacts: what each provider can bind, and how many read-only disks their readers need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mina_infra.spec import ROLES, Issue, NodeGroup, Provider, TestnetSpec
from mina_infra.spec.models import LedgerSource
from mina_infra.storage.capabilities import READERS, Capability, capability, provider_info
from mina_infra.storage.needs import SHARED_CARRIER, need

IMAGE_VOLUMES = (1, 35)
"""Release of Kubernetes with image volumes on by default (docs/facts.md: kubernetes/image-volumes)."""

COPIES = 6
"""Disks that one snapshot seeds within an hour (docs/facts.md: storage/disk-readers)."""

_PATH = ("genesis", "ledger")


@dataclass(frozen=True)
class Copy:
    """A read-only disk with the genesis artefacts: the `number`th of a group, counted from 1.

    Groups have copies of their own, so that a group that grows moves no node of another one to another disk.
    """

    group: str
    number: int


def copies(spec: TestnetSpec) -> Iterator[Copy]:
    """As many as it takes for at most READERS nodes to read one."""
    for group in _readers(spec):
        for number in range(1, -(-group.count // READERS) + 1):
            yield Copy(group.name, number)


def copy_of(group: NodeGroup, index: int) -> Copy:
    """The disk that the `index`th node of a group, counted from 1, reads."""
    return Copy(group.name, (index - 1) // READERS + 1)


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """All issues of the source that depend on the provider and the cluster."""
    source = spec.genesis.ledger.source
    yield from _built_by_the_daemon(spec)
    if source == "image":
        yield from _image_volumes(spec)
    elif source == "bucket":
        yield from _bucket(spec)
    elif source == "disk-copies":
        yield from _disk_copies(spec)


def _readers(spec: TestnetSpec) -> list[NodeGroup]:
    return [group for group in spec.nodes if ROLES[group.role].daemon]


def _built_by_the_daemon(spec: TestnetSpec) -> Iterator[Issue]:
    """A ledger that the daemon would write where the artefacts are read-only (docs/facts.md: refusal/V35)."""
    source = spec.genesis.ledger.source
    if source in ("config-map", "init-copy"):
        return
    config = spec.genesis.config()
    for place in (("ledger",), ("epoch_data", "staking"), ("epoch_data", "next")):
        section: Any = config
        for key in place:
            section = section.get(key) if isinstance(section, dict) else None
        if isinstance(section, dict) and section.get("accounts") and not section.get("hash"):
            what = f"the ledger that it builds from {'.'.join(place)}.accounts"
            yield Issue(
                (*_PATH, "source"),
                f"artifact 'genesis ledger' is read-only with source {source}, but its directory is one that the "
                f"daemon writes ({what}, which the runtime config does not name by its hash).",
                f"Ship that ledger in the artifact and name it by {'.'.join(place)}.hash, or use source: init-copy.",
            )


def _image_volumes(spec: TestnetSpec) -> Iterator[Issue]:
    """docs/facts.md: refusal/V19"""
    release = spec.target.release
    if release is None or release < IMAGE_VOLUMES:
        yield Issue(
            ("target", "kubernetes") if release else (*_PATH, "source"),
            f"image volumes need Kubernetes 1.35+ (the cluster: {spec.target.kubernetes or 'not said'}).",
            'Set target.kubernetes: "1.35" where the cluster is that new, or use source: init-copy.',
        )


def _bucket(spec: TestnetSpec) -> Iterator[Issue]:
    """docs/facts.md: refusal/V36, refusal/V39"""
    if not provider_info(spec).buckets:
        yield _not_here(spec, "bucket", "Cloud Storage FUSE is a driver of gke")
    elif spec.genesis.ledger.workload_identity is None:
        yield Issue(
            (*_PATH, "workloadIdentity"),
            "bucket source needs the Cloud Storage FUSE addon and a workload identity for namespace "
            f"'{spec.namespace}'.",
            "Turn the addon on and set genesis.ledger.workloadIdentity: name@project.iam.gserviceaccount.com.",
        )


def _disk_copies(spec: TestnetSpec) -> Iterator[Issue]:
    """docs/facts.md: refusal/V5, refusal/V39"""
    wanted = need(spec, SHARED_CARRIER)
    found = capability(spec, wanted.disk)
    if found is None or not found.readers:
        yield _not_here(spec, "disk-copies", _why(spec, found))
        return
    zones, readers = spec.target.zones, sum(group.count for group in _readers(spec))
    if spec.target.replication == "regional" or len(zones) != 1:
        yield Issue(
            ("target", "zones") if zones else ("target",),
            "disk-copies lie in one zone, and so must every node that reads them; "
            f"got {', '.join(zones) or 'all zones'}.",
            "Set replication: zonal and zones: to one zone, or use source: image.",
        )
    wanted_copies = len(list(copies(spec)))
    if wanted_copies > COPIES:
        yield Issue(
            (*_PATH, "source"),
            f"{readers} nodes read the artefacts, but one persistent disk attaches read-only to at most {READERS} VMs; "
            f"the {wanted_copies} copies that the groups need are more than one snapshot seeds in an hour ({COPIES}).",
            "Use source: image, init-copy or bucket.",
        )


def _why(spec: TestnetSpec, found: Capability | None) -> str:
    if found is not None and not found.block:
        return f"'{found.product}' is a file backend, which needs no copies"
    if spec.target.provider is Provider.GKE:
        return "its disks of this family cannot be read by several nodes"
    return "no disk of it can be read by several nodes"


def _not_here(spec: TestnetSpec, source: LedgerSource, detail: str) -> Issue:
    known: list[LedgerSource] = ["shared-claim", "config-map", "image", "init-copy", "existing-claim"]
    if provider_info(spec).buckets and source != "bucket":
        known.append("bucket")
    return Issue(
        (*_PATH, "source"),
        f"provider '{spec.target.provider.value}' has no '{source}' ({detail}); supported here: {', '.join(known)}.",
        "Choose one of these.",
    )
