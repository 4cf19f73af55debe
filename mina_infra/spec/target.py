"""Where a testnet runs: provider, place and machines, as far as its volumes are concerned."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mina_infra.spec import fields
from mina_infra.spec.fields import DnsLabel, Network, Number, _Model


class Provider(StrEnum):
    """Where a cluster runs; `local` is the embedded cluster."""

    GKE = "gke"
    EKS = "eks"
    AKS = "aks"
    LOCAL = "local"


class Retention(StrEnum):
    """Whether volumes outlive the deployment: one switch for reclaim policy and protection together."""

    DELETE = "delete"
    RETAIN = "retain"


Gib = Annotated[int, Field(ge=0, le=10**9), Number]


class Machines(_Model):
    """The machines that carry the testnet, as far as disks are concerned."""

    type: Annotated[str, StringConstraints(pattern=fields.MACHINE)]
    """Machine type, e.g. n2-standard-8, m6i.2xlarge, Standard_D8s_v5: decides which disks it attaches and how many."""
    count: Annotated[int, Field(ge=1, le=10_000), Number]
    """How many there are, or how far the cluster may grow."""
    boot_disk_gib: Gib = 100
    """Boot disk of each, in GiB: it counts against the quota of the region (gke)."""
    boot_disk: Literal["ssd", "balanced", "standard"] = "balanced"
    """Type of the boot disks (gke)."""


class Quota(_Model):
    """Limits of the project in the region, in GiB; what is left out is not checked."""

    ssd_gib: Gib | None = None
    """SSD_TOTAL_GB: ssd and balanced disks together."""
    standard_gib: Gib | None = None
    """DISKS_TOTAL_GB: standard disks."""
    hyperdisk_gib: Gib | None = None
    """HDB_TOTAL_GB: Hyperdisk Balanced."""


class Target(_Model):
    """The cluster's provider and place."""

    provider: Provider
    """gke, eks, aks or local."""
    region: DnsLabel
    """Region of the cluster; part of the storage class names for humans."""
    zones: tuple[DnsLabel, ...] = ()
    """Zones in which volumes may be made; empty means all zones of the cluster."""
    replication: Literal["zonal", "regional"] = "zonal"
    """regional keeps a copy of each block volume in two zones."""
    disk_family: Literal["persistent-disk", "hyperdisk"] = "persistent-disk"
    """Block disks of gke: hyperdisk for nodes of the N4, C4 and later series, which take no Persistent Disk."""
    file_system: Annotated[str, StringConstraints(pattern=fields.FILE_SYSTEM)] | None = None
    """Id of the EFS file system that carries shared volumes on eks: fs-0123456789abcdef0."""
    kubernetes: Annotated[str, StringConstraints(pattern=fields.KUBERNETES)] | None = None
    """Oldest release of Kubernetes that the cluster runs: "1.35". Said where the document needs a new one."""
    networks: tuple[Network, ...] = ("10.0.0.0/8",)
    """Pod and Service address ranges (CIDR) of the cluster: daemons trust and dial private addresses only in these."""
    storage_classes: Literal["own", "shared"] = "own"
    """own: the testnet makes its classes. shared: it refers to those that the cluster's stack declares
    (`mina-infra:storage`), and makes none."""
    class_parameters: dict[str, str] = Field(default_factory=dict)
    """More parameters of the classes, as the provider's driver names them: {disk-encryption-kms-key: projects/...,
    labels: "team=infra"}. They are part of what never changes about a class."""
    machines: Machines | None = None
    """Machines of the cluster; given, their disk types, attach slots and boot disks are reckoned with."""
    quota: Quota = Quota()
    """Limits of a gke project in the region, as `gcloud compute regions describe` prints them."""

    @property
    def release(self) -> tuple[int, ...] | None:
        """The release of Kubernetes as numbers, to be compared; None where the document does not say it."""
        return tuple(map(int, self.kubernetes.split("."))) if self.kubernetes else None
