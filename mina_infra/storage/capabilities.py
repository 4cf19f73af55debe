"""What each provider's disks can do, as one table: validation, classes, sizes and cost all read it.

The drivers' own documentation and code say so
(docs/facts.md: storage/providers, storage/class-parameters, storage/access-modes, storage/minimum-sizes).
A new provider or disk type is a row here and, where it has a price, a list in `pricelists/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mina_infra.spec import AccessMode, DiskType, Provider, TestnetSpec
from mina_infra.spec.target import Target

RWOP, RWO = AccessMode.READ_WRITE_ONCE_POD, AccessMode.READ_WRITE_ONCE
ROX, RWX = AccessMode.READ_ONLY_MANY, AccessMode.READ_WRITE_MANY

WAIT_FOR_FIRST_CONSUMER, IMMEDIATE = "WaitForFirstConsumer", "Immediate"

ONE_NODE = frozenset({RWOP, RWO})
ONE_NODE_OR_READERS = frozenset({RWOP, RWO, ROX})
FILES = frozenset({RWO, ROX, RWX})


@dataclass(frozen=True)
class Capability:
    """One disk type of one provider.

    `product` is the provider's own name of it and the key of its price. `modes` are what the driver can do; read-only
    sharing of a block disk needs data from the start (`needs_data`: it cannot be filled by a Job).
    `min_gib` is the smallest volume; a driver that does not raise smaller requests by itself has `raises` False.
    `steps_gib`, where given, are the sizes that are billed. `zones` is how many zones hold a copy.
    `topology_key` names the node label of a zone; None where a volume can be reached from every zone.
    `readers` is how many nodes may read one disk that was made from data; 0 where that cannot be done.
    `write_iops_per_gib` is given where it is so low that a small volume is unusable for a database.
    `performance` names what can be asked for beyond the size, iops and throughput (MiB/s); `performance_floor` the
    least of both.
    """

    product: str
    driver: str
    parameters: Mapping[str, str]
    modes: frozenset[AccessMode] = ONE_NODE
    min_gib: int = 1
    raises: bool = True
    steps_gib: tuple[int, ...] = ()
    zones: int = 1
    topology_key: str | None = None
    binding: str = WAIT_FOR_FIRST_CONSUMER
    expandable: bool = True
    mount_options: tuple[str, ...] = ()
    readers: int = 0
    read_iops_per_gib: float | None = None
    write_iops_per_gib: float | None = None
    performance: tuple[str, ...] = ()
    performance_floor: tuple[int, int] = (1, 1)

    @property
    def block(self) -> bool:
        """A disk attached to one node, in contrast to a file backend that many nodes mount."""
        return RWX not in self.modes


@dataclass(frozen=True)
class ProviderInfo:
    """A provider's disks by type, those with a second copy in another zone, and how many a node can attach.

    `attach_limits`: volumes a node can attach on its smallest and on its usual machine types
    (docs/facts.md: storage/attach-slots). `buckets`: whether pods can mount a bucket.
    """

    zonal: Mapping[DiskType, Capability]
    regional: Mapping[DiskType, Capability] = field(default_factory=dict)
    attach_limits: tuple[int, int] = (15, 127)
    buckets: bool = False


_GKE_ZONE = "topology.gke.io/zone"
_FSTYPE = {"csi.storage.k8s.io/fstype": "ext4"}


READERS = 10
"""Machines that may attach one Persistent Disk read-only (docs/facts.md: storage/disk-readers)."""


def _pd(product: str, regional: bool = False, **more: Any) -> Capability:
    parameters = {"type": product, "replication-type": "regional-pd" if regional else "none", **_FSTYPE}
    return Capability(
        f"regional-{product}" if regional else product, "pd.csi.storage.gke.io", parameters, ONE_NODE_OR_READERS,
        zones=2 if regional else 1, topology_key=_GKE_ZONE, readers=READERS, **more,
    )  # fmt: skip


# What the driver changes; nothing of the High Availability disk (docs/facts.md: storage/performance).
_HYPERDISK_PERFORMANCE = {"hyperdisk-balanced": ("iops", "throughput"), "hyperdisk-throughput": ("throughput",)}


def _hyperdisk(product: str, min_gib: int, zones: int = 1) -> Capability:
    return Capability(
        product, "pd.csi.storage.gke.io", {"type": product, **_FSTYPE}, ONE_NODE, min_gib, raises=False, zones=zones,
        topology_key=_GKE_ZONE, performance=_HYPERDISK_PERFORMANCE.get(product, ()),
    )  # fmt: skip


# The only tier below 1 TiB in one zone; the driver makes 100 GiB of less (docs/facts.md: storage/minimum-sizes).
_FILESTORE = Capability(
    "filestore-basic-hdd", "filestore.csi.storage.gke.io", {"tier": "standard", "network": "default"}, FILES, 100
)
_SLOW: dict[str, Any] = {"read_iops_per_gib": 0.75, "write_iops_per_gib": 1.5}
"""Without a baseline (docs/facts.md: storage/slow-disks)."""

_GKE = ProviderInfo(
    zonal={
        DiskType.SSD: _pd("pd-ssd"),
        DiskType.BALANCED: _pd("pd-balanced"),
        DiskType.STANDARD: _pd("pd-standard", **_SLOW),
        DiskType.SHARED: _FILESTORE,
    },
    regional={
        DiskType.SSD: _pd("pd-ssd", True),
        DiskType.BALANCED: _pd("pd-balanced", True),
        DiskType.STANDARD: _pd("pd-standard", True, min_gib=200, raises=False, **_SLOW),
        DiskType.SHARED: _FILESTORE,
    },
    buckets=True,
)

# Nodes of the N4, C4 and later series take no Persistent Disk at all (docs/facts.md: storage/disk-families).
_GKE_HYPERDISK = ProviderInfo(
    zonal={
        DiskType.SSD: _hyperdisk("hyperdisk-balanced", 4),
        DiskType.BALANCED: _hyperdisk("hyperdisk-balanced", 4),
        DiskType.STANDARD: _hyperdisk("hyperdisk-throughput", 2048),
        DiskType.SHARED: _FILESTORE,
    },
    regional={
        DiskType.SSD: _hyperdisk("hyperdisk-balanced-high-availability", 4, zones=2),
        DiskType.BALANCED: _hyperdisk("hyperdisk-balanced-high-availability", 4, zones=2),
        DiskType.SHARED: _FILESTORE,
    },
    attach_limits=(15, 31),
    buckets=True,
)

# One product for all three: gp3 has 3,000 IOPS at every size and is the cheapest below st1's floor of 125 GiB.
_GP3 = Capability(
    "gp3", "ebs.csi.aws.com", {"type": "gp3", **_FSTYPE}, topology_key="topology.ebs.csi.aws.com/zone",
    performance=("iops", "throughput"), performance_floor=(3000, 125),
)  # fmt: skip
_EKS = ProviderInfo(
    zonal={
        DiskType.SSD: _GP3,
        DiskType.BALANCED: _GP3,
        DiskType.STANDARD: _GP3,
        # The file system itself is made outside of Kubernetes: target.fileSystem gives its id. Capacity is ignored.
        DiskType.SHARED: Capability(
            "efs", "efs.csi.aws.com", {"provisioningMode": "efs-ap", "directoryPerms": "755"}, FILES,
            binding=IMMEDIATE, expandable=False,
        ),
    },
    attach_limits=(24, 24),
)  # fmt: skip

_AZURE_SIZES = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32767)


def _azure(sku: str, zones: int = 1, min_gib: int = 4) -> Capability:
    return Capability(
        sku, "disk.csi.azure.com", {"skuName": sku, **_FSTYPE}, min_gib=min_gib, zones=zones,
        steps_gib=tuple(size for size in _AZURE_SIZES if size >= min_gib),
        topology_key="topology.disk.csi.azure.com/zone" if zones == 1 else None,
    )  # fmt: skip


_AZURE_FILES = Capability(
    "azure-files-standard", "file.csi.azure.com", {"skuName": "Standard_LRS"}, FILES,
    mount_options=("mfsymlinks", "cache=strict", "nosharesock"),
)  # fmt: skip
_AKS = ProviderInfo(
    zonal={
        DiskType.SSD: _azure("Premium_LRS"),
        DiskType.BALANCED: _azure("StandardSSD_LRS"),
        DiskType.STANDARD: _azure("Standard_LRS", min_gib=32),
        DiskType.SHARED: _AZURE_FILES,
    },
    regional={
        DiskType.SSD: _azure("Premium_ZRS", zones=3),
        DiskType.BALANCED: _azure("StandardSSD_ZRS", zones=3),
        DiskType.SHARED: _AZURE_FILES,
    },
    attach_limits=(4, 32),
)


def _local(disk: DiskType) -> Capability:
    shared = disk is DiskType.SHARED
    return Capability(
        f"local-{disk.value}", "local.mina-infra", {"type": disk.value}, FILES if shared else ONE_NODE_OR_READERS,
        topology_key=None if shared else "topology.kubernetes.io/zone",
    )  # fmt: skip


_LOCAL = ProviderInfo(zonal={disk: _local(disk) for disk in DiskType}, attach_limits=(127, 127))

_PROVIDERS = {Provider.GKE: _GKE, Provider.EKS: _EKS, Provider.AKS: _AKS, Provider.LOCAL: _LOCAL}


def provider_info(spec: TestnetSpec) -> ProviderInfo:
    """The row of the testnet's provider and disk family."""
    return provider_of(spec.target)


def provider_of(target: Target) -> ProviderInfo:
    """The row of a cluster's provider and disk family."""
    if target.provider is Provider.GKE and target.disk_family == "hyperdisk":
        return _GKE_HYPERDISK
    return _PROVIDERS[target.provider]


def capability(spec: TestnetSpec, disk: DiskType) -> Capability | None:
    """What `disk` is on the testnet's provider; None where the provider has no such disk with that replication."""
    return disks_of(spec.target).get(disk)


def disks_of(target: Target) -> Mapping[DiskType, Capability]:
    """What a cluster's provider has with the replication that the target asks for."""
    info = provider_of(target)
    return info.regional if target.replication == "regional" else info.zonal
