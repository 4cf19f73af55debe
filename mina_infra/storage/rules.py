"""What a provider cannot bind is refused by name, before anything is planned.

Each message says what would have happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mina_infra.spec import AccessMode, DiskType, Issue, NodeGroup, Provider, TestnetSpec, VolumeKind
from mina_infra.spec.errors import Path
from mina_infra.spec.storage import Performance
from mina_infra.spec.target import Target
from mina_infra.storage import attributes, automated, existing, parameters, preflight, snapshots, sources
from mina_infra.storage.capabilities import Capability, capability, provider_info, provider_of
from mina_infra.storage.cost import price
from mina_infra.storage.needs import SHARED_CARRIER, Need, claimed_kinds, need, overrides, places
from mina_infra.storage.sizes import effective_gib

ONE_POD = (1, 29)
"""Release of Kubernetes in which ReadWriteOncePod is stable (docs/facts.md: storage/access-modes)."""

DATABASE_WRITE_IOPS = 500
"""Below this a database's log cannot keep up; on the slowest disks it takes some hundred GiB
(docs/facts.md: storage/slow-disks)."""


@dataclass(frozen=True)
class _Case:
    """One need of a group (None: the whole testnet's), or of one `node` of it, and where the document speaks of it."""

    spec: TestnetSpec
    need: Need
    users: int
    group: NodeGroup | None = None
    index: int = 0
    node: str | None = None

    @property
    def name(self) -> str:
        return self.need.kind.value

    def path(self, attribute: str, key: str) -> Path:
        """Where the value was written, the nearest place first, or else the target that makes it impossible."""
        kind, node = self.need.kind, self.node
        said = overrides(self.spec, kind, self.group, node)
        where = places(kind, self.group, self.index, node or "")
        for path, override in zip(where, said, strict=True):
            if override is not None and getattr(override, attribute) is not None:
                return (*path, key)
        return ("target",)


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """All issues of a spec's volumes; raises nothing."""
    yield from check_target(spec.target)
    yield from existing.check(spec)
    yield from sources.check(spec)
    if _regional_is_unknown(spec.target):
        return  # said once for the target, instead of for every volume
    yield from automated.check(spec)
    yield from preflight.check(spec)
    yield from snapshots.check(spec)
    seen: set[tuple[Path, str]] = set()
    for case in _cases(spec):
        for issue in _case(case):
            if (issue.path, issue.message) not in seen:
                seen.add((issue.path, issue.message))
                yield issue


def _cases(spec: TestnetSpec) -> Iterator[_Case]:
    daemons = sum(group.count for group in spec.nodes if VolumeKind.RUNTIME_STATE in claimed_kinds(group))
    if spec.genesis.ledger.source == "shared-claim":
        yield _Case(spec, need(spec, SHARED_CARRIER), daemons)
    for index, group in enumerate(spec.nodes):
        for kind in claimed_kinds(group):
            single = [name for name in group.node_names() if name in group.overrides]
            if len(single) < group.count:
                yield _Case(spec, need(spec, kind, group), group.count - len(single), group, index)
            for name in single:
                yield _Case(spec, need(spec, kind, group, name), 1, group, index, name)


def _regional_is_unknown(target: Target) -> bool:
    return target.replication == "regional" and not provider_of(target).regional


def check_target(target: Target) -> Iterator[Issue]:
    """All issues of a target by itself, be it a testnet's or a cluster's."""
    provider = target.provider.value
    if target.disk_family != "persistent-disk" and target.provider is not Provider.GKE:
        yield Issue(
            ("target", "diskFamily"),
            f"provider '{provider}' has no '{target.disk_family}' (a disk family of gke).",
            "Remove `diskFamily`.",
        )
    if target.file_system and target.provider is not Provider.EKS:
        yield Issue(
            ("target", "fileSystem"),
            f"provider '{provider}' makes shared volumes by itself; an EFS file system belongs to eks.",
            "Remove `fileSystem`.",
        )
    if _regional_is_unknown(target):
        yield Issue(
            ("target", "replication"),
            f"provider '{provider}' has no 'regional' replication of block disks (its disks live in one zone); "
            "supported here: zonal.",
            "Set replication: zonal.",
        )
    elif target.replication == "regional":
        yield from _regional_zones(target)
    yield from _zones(target)
    yield from parameters.check(target)


def _zones(target: Target) -> Iterator[Issue]:
    """As far as the spec alone can tell: a zone's name begins with its region's (docs/facts.md: refusal/V12)."""
    for index, zone in enumerate(target.zones):
        rest = zone.removeprefix(target.region)
        if rest in ("", zone) or rest[0].isdigit():  # us-east10-a is not in us-east1
            yield Issue(
                ("target", "zones", index),
                f"zone {zone} is not one of region '{target.region}'; claims would never be scheduled.",
                "Name zones of the cluster's region, or leave `zones` out.",
            )


def _regional_zones(target: Target) -> Iterator[Issue]:
    """Two copies lie in two zones, neither fewer nor more (docs/facts.md: refusal/V11)."""
    zones = target.zones
    pairs = any(found.zones == 2 for found in provider_of(target).regional.values())
    if pairs and zones and len(set(zones)) != 2:
        yield Issue(
            ("target", "zones"),
            f"replication: regional needs exactly two zones of one region; got {', '.join(zones)}.",
            "Name two, or none: the driver then picks them.",
        )


def _case(case: _Case) -> Iterator[Issue]:
    if case.need.existing_claim:
        return  # it is what it is; `existing.check` looks at its name
    found = capability(case.spec, case.need.disk)
    if found is None:
        yield _no_such_disk(case)
        return
    yield from _sharing(case, found) if case.need.shared else _own(case, found)
    yield from _size(case, found)
    if case.need.performance:
        yield from _performance(case, found, case.need.performance)


def _performance(case: _Case, found: Capability, wanted: Performance) -> Iterator[Issue]:
    path = case.path("performance", "performance")
    if case.need.storage_class:
        yield Issue(
            path,
            f"volume '{case.name}': what the disks of class '{case.need.storage_class}' can do is not known here.",
            "Remove `performance` or `storageClass`.",
        )
        return
    for issue in attributes.check(case.spec.target, found, wanted, path):
        yield Issue(issue.path, f"volume '{case.name}': {issue.message}", issue.hint)


def _no_such_disk(case: _Case) -> Issue:
    """What the provider does not have (docs/facts.md: refusal/V39)."""
    info = provider_info(case.spec)
    known = info.regional if case.spec.target.replication == "regional" else info.zonal
    return Issue(
        case.path("type", "type"),
        f"volume '{case.name}': provider '{case.spec.target.provider.value}' has no "
        f"{case.spec.target.replication} '{case.need.disk.value}' disk; "
        f"supported here: {', '.join(disk.value for disk in known)}.",
        "Choose one of these types.",
    )


def _own(case: _Case, found: Capability) -> Iterator[Issue]:
    """One node's database: a block disk that this node alone writes."""
    wanted = case.need.access_mode
    if not found.block:
        yield Issue(
            case.path("type", "type"),
            f"volume '{case.name}': type 'shared' is a file backend ({found.product}), whose locks a database cannot "
            "rely on; this volume is one node's database.",
            "Use ssd or balanced.",
        )
    elif wanted is AccessMode.READ_WRITE_MANY:
        yield _many_writers(case)
    elif wanted is AccessMode.READ_WRITE_ONCE_POD and (case.spec.target.release or ONE_POD) < ONE_POD:
        yield Issue(
            ("target", "kubernetes"),
            f"volume '{case.name}': ReadWriteOncePod needs Kubernetes 1.29+ (the cluster: "
            f"{case.spec.target.kubernetes}).",
            f"Set volumes.{case.name}.accessMode: ReadWriteOnce, which keeps other machines away, but not a second pod "
            "on the same one.",
        )
    elif wanted is AccessMode.READ_ONLY_MANY:
        yield Issue(
            case.path("access_mode", "accessMode"),
            f"volume '{case.name}': ReadOnlyMany, but its node writes to it and would not start.",
            "Use ReadWriteOncePod.",
        )
    elif found.write_iops_per_gib is not None:
        yield from _slow(case, found)


def _sharing(case: _Case, found: Capability) -> Iterator[Issue]:
    """The genesis artefacts: filled by a Job, read by every daemon (docs/facts.md: refusal/V2, refusal/V3)."""
    wanted = case.need.access_mode
    if wanted in (AccessMode.READ_WRITE_ONCE, AccessMode.READ_WRITE_ONCE_POD):
        yield Issue(
            case.path("access_mode", "accessMode"),
            f"volume '{case.name}' is {wanted.value} but {case.users} daemons mount it.",
            "Leave accessMode out: a shared artefact is read by all.",
        )
    elif found.block and wanted is AccessMode.READ_WRITE_MANY:
        yield _many_writers(case)
    elif found.block:
        yield Issue(
            case.path("type", "type"),
            f"volume '{case.name}': a ReadOnlyMany disk must be created from data, and '{case.need.disk.value}' on "
            f"{case.spec.target.provider.value} is a block disk that no Job could fill "
            '("VolumeContentSource must be provided when AccessMode is set to read only").',
            "Use type: shared, or genesis.ledger.source: config-map.",
        )
    elif case.spec.target.provider is Provider.EKS and not case.spec.target.file_system:
        yield Issue(
            ("target", "fileSystem"),
            f"volume '{case.name}': eks shares volumes over EFS, and no file system is named.",
            "Set target.fileSystem: fs-..., or genesis.ledger.source: config-map.",
        )


def _many_writers(case: _Case) -> Issue:
    """ReadWriteMany on a block disk (docs/facts.md: refusal/V1)."""
    return Issue(
        case.path("access_mode", "accessMode"),
        f"volume '{case.name}': ReadWriteMany needs a shared file backend. '{case.need.disk.value}' on "
        f"{case.spec.target.provider.value} is a block disk and the claim would stay Pending "
        '("specified multi writer with mount access type").',
        "Use ReadWriteOncePod for one node's state, or type: shared for the genesis artefacts.",
    )


def _slow(case: _Case, found: Capability) -> Iterator[Issue]:
    """A database on a disk that is too slow for its log (docs/facts.md: refusal/V34)."""
    gib = effective_gib(case.need.size, found)
    reads, writes = (found.read_iops_per_gib or 0) * gib, (found.write_iops_per_gib or 0) * gib
    if writes < DATABASE_WRITE_IOPS:
        yield Issue(
            case.path("type", "type"),
            f"volume '{case.name}': {case.need.size} of {found.product} gives about {reads:.0f} read and "
            f"{writes:.0f} write IOPS; a database needs {DATABASE_WRITE_IOPS}.",
            "Use balanced, which is cheaper than a standard disk of that speed.",
        )


def _size(case: _Case, found: Capability) -> Iterator[Issue]:
    """What the provider does not round up by itself (docs/facts.md: refusal/V10, refusal/V13)."""
    if found.raises or case.need.size.gib >= found.min_gib:
        return
    path = case.path("size", "size")
    if case.need.disk is DiskType.STANDARD and case.spec.target.replication == "regional":
        yield Issue(
            path,
            f"volume '{case.name}': a regional pd-standard disk is at least {found.min_gib} GiB (you asked "
            f"{case.need.size}; {case.users} of them would cost {_cost(case, found)}).",
            "Use regional balanced, or replication: zonal.",
        )
    else:
        yield Issue(
            path,
            f"volume '{case.name}': {found.product} is at least {found.min_gib} GiB (you asked {case.need.size}); "
            "the driver does not round up.",
            f"Ask for {found.min_gib}Gi, or use another type.",
        )


def _cost(case: _Case, found: Capability) -> str:
    target = case.spec.target
    each = price(target.provider, target.region, found.product)
    if each is None:
        return f"an amount not known for {target.region}"
    return f"${each * found.min_gib * case.users:,.0f}/month"
