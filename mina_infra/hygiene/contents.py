"""What one cluster holds, as far as volumes and their cost are concerned; and what can be read from it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mina_infra.persistence import objects
from mina_infra.plan import labels
from mina_infra.spec import Provider, VolumeKind
from mina_infra.storage.prices import SNAPSHOT, usd_a_month
from mina_infra.storage.products import product_of

Manifest = Mapping[str, Any]
Claim = tuple[str, str]
"""Namespace and name."""

LOCAL = "local.mina-infra"
REGION = "topology.kubernetes.io/region"
_CLAIM = rf"(.+-)?({'|'.join(kind.value for kind in VolumeKind)})-e\d+"
_OUR_CLAIM, _OUR_SNAPSHOT = re.compile(_CLAIM), re.compile(rf"{_CLAIM}-.+")


@dataclass(frozen=True)
class Contents:
    """The objects by kind."""

    namespaces: tuple[Manifest, ...] = ()
    claims: tuple[Manifest, ...] = ()
    volumes: tuple[Manifest, ...] = ()
    classes: tuple[Manifest, ...] = ()
    pods: tuple[Manifest, ...] = ()
    deployments: tuple[Manifest, ...] = ()
    machines: tuple[Manifest, ...] = ()
    snapshots: tuple[Manifest, ...] = ()
    snapshot_contents: tuple[Manifest, ...] = ()

    @cached_property
    def region(self) -> str | None:
        """The region that the machines say they are in; None where they say none or several."""
        said = {(each["metadata"].get("labels") or {}).get(REGION) for each in self.machines}
        return said.pop() if len(said) == 1 else None

    def region_or(self, said: Collection[str]) -> str:
        """The region, or the only one of those that the cluster's stacks name; empty where it cannot be told."""
        return self.region or (next(iter(said)) if len(said) == 1 else "")

    def product(self, of: Manifest) -> tuple[Provider, str] | None:
        """What a claim or volume is billed as, by its class; None where the class is gone or its driver not known."""
        if objects.annotation(of, objects.PROVISIONED_BY) == LOCAL:
            return Provider.LOCAL, "local"
        name = of["spec"].get("storageClassName")
        found = next((each for each in self.classes if each["metadata"]["name"] == name), None)
        return product_of(found) if found else None

    def usd(self, of: Manifest, gib: int, regions: Collection[str]) -> float | None:
        """A month of a claim or volume, None where the class is gone, no list has it, or the region cannot be told."""
        found = self.product(of)
        return usd_a_month(found[0], self.region_or(regions), found[1], gib) if found else None

    def usd_of_snapshot(self, content: Manifest, gib: int, regions: Collection[str]) -> float | None:
        """A month of a snapshot at most: providers bill what it holds, and no cluster knows how much that is."""
        found = product_of({"provisioner": content["spec"]["driver"]})
        return usd_a_month(found[0], self.region_or(regions), SNAPSHOT, gib) if found else None

    @cached_property
    def testnets(self) -> frozenset[str]:
        """The namespaces that are ours."""
        return frozenset(each["metadata"]["name"] for each in self.namespaces if is_labelled(each))

    @cached_property
    def mounted(self) -> frozenset[Claim]:
        """The claims that pods mount."""
        specs = ((pod["metadata"]["namespace"], pod.get("spec") or {}) for pod in self.pods)
        return frozenset(claim for namespace, spec in specs for claim in claims_of_pod(namespace, spec))

    @cached_property
    def snapshot_names(self) -> frozenset[Claim]:
        """Namespace and name of every snapshot."""
        return frozenset((each["metadata"]["namespace"], each["metadata"]["name"]) for each in self.snapshots)

    def content_of(self, snapshot: Manifest) -> Manifest | None:
        """The content that a snapshot is bound to."""
        name = (snapshot.get("status") or {}).get("boundVolumeSnapshotContentName")
        return next((each for each in self.snapshot_contents if each["metadata"]["name"] == name), None)


def moved_from(volume: Manifest) -> str:
    """Namespace and name of the claim whose data `migrate` moved away from this volume; empty for any other volume."""
    return objects.annotation(volume, labels.MOVED_FROM) if objects.label(volume, labels.MOVED) else ""


def claims_of_pod(namespace: str, pod: Manifest) -> set[Claim]:
    """The claims that a pod's spec mounts."""
    sources = (each.get("persistentVolumeClaim") for each in pod.get("volumes") or ())
    return {(namespace, source["claimName"]) for source in sources if source}


def is_labelled(manifest: Manifest) -> bool:
    return objects.label(manifest, labels.MANAGED_BY) == labels.MINA_INFRA


def is_ours(volume: Manifest, contents: Contents) -> bool:
    """Provisioners give volumes none of our labels; their class or their claim's name tells."""
    own = {each["metadata"]["name"] for each in contents.classes if is_labelled(each)}
    name = (volume["spec"].get("claimRef") or {}).get("name", "")
    return (
        is_labelled(volume) or volume["spec"].get("storageClassName") in own or _OUR_CLAIM.fullmatch(name) is not None
    )


def is_our_snapshot(name: str) -> bool:
    """Whether a snapshot's name is one that our commands give: its claim's, and the occasion."""
    return _OUR_SNAPSHOT.fullmatch(name) is not None


def is_our_claim(name: str) -> bool:
    """Whether a claim's name is one that our plans give."""
    return _OUR_CLAIM.fullmatch(name) is not None
