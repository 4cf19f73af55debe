"""Does a testnet fit the quota of its region and the attach slots of its machines? Only as far as the document tells.

Other testnets of the project are not known here; what they use has to be taken off the limits that are given.
"""

from __future__ import annotations

from collections.abc import Iterator

from mina_infra.spec import Issue, Provider, TestnetSpec
from mina_infra.spec.target import Machines, Quota
from mina_infra.storage.classes import NoSuchDisk
from mina_infra.storage.volumes import Volume, Volumes

_SHARED_CORE = ("f1-micro", "g1-small", "e2-micro", "e2-small", "e2-medium")
# From this many virtual processors on; between two sizes the smaller figure (docs/facts.md: storage/attach-slots).
_BY_SIZE = {
    "n4": {0: 15, 9: 31},
    "n4d": {0: 15, 9: 31},
    "n4a": {0: 15, 9: 31},
    "c4": {0: 7, 4: 15, 24: 31, 48: 63, 96: 127},
    "c4d": {0: 3, 4: 7, 8: 15, 96: 31, 192: 63, 384: 127},
    "c4a": {0: 7, 8: 15, 48: 31, 72: 63},
}
_FIRST_THREE = ("e2", "n1", "n2", "n2d", "c2", "c2d", "c3", "c3d", "t2a", "t2d", "m1", "m2", "m3")

_FAMILIES = {
    "ssd_gib": ("ssdGib", "SSD_TOTAL_GB", "SSD/balanced", ("pd-ssd", "pd-balanced")),
    "standard_gib": ("standardGib", "DISKS_TOTAL_GB", "standard", ("pd-standard",)),
    "hyperdisk_gib": ("hyperdiskGib", "HDB_TOTAL_GB", "Hyperdisk Balanced", ("hyperdisk-balanced",)),
}
_BOOT = {"ssd": "pd-ssd", "balanced": "pd-balanced", "standard": "pd-standard"}


def attach_limit(machine: str) -> int | None:
    """Block disks that a machine type of Compute Engine attaches beside its boot disk; None where it is not known."""
    if machine in _SHARED_CORE:
        return 15
    series, _, size = machine.partition("-")
    processors = size.rpartition("-")[2]
    if series in _BY_SIZE and processors.isdigit():
        return [slots for least, slots in _BY_SIZE[series].items() if int(processors) >= least][-1]
    return 127 if series in _FIRST_THREE else None


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """What does not fit."""
    if spec.target.provider is not Provider.GKE:
        yield from _not_known_here(spec)
        return
    try:
        volumes = [each.volume for each in Volumes(spec).all() if each.volume.volume_name is None]
    except NoSuchDisk:
        return  # said for the volume itself
    yield from _quota(spec, volumes)
    if spec.target.machines is not None:
        yield from _slots(spec, spec.target.machines)


def _not_known_here(spec: TestnetSpec) -> Iterator[Issue]:
    """Limits that would be given in vain."""
    for key, given in (("machines", spec.target.machines is not None), ("quota", spec.target.quota != Quota())):
        if given:
            yield Issue(
                ("target", key),
                f"{key} of provider '{spec.target.provider.value}' are not known here; only gke's are reckoned with.",
                f"Remove `{key}`.",
            )


def _quota(spec: TestnetSpec, volumes: list[Volume]) -> Iterator[Issue]:
    """One issue for each family that is exceeded (docs/facts.md: refusal/V24, hygiene/quota)."""
    machines = spec.target.machines
    for field, (key, quota, name, products) in _FAMILIES.items():
        limit = getattr(spec.target.quota, field)
        claims = sum(each.effective_gib for each in volumes if _product(each) in products)
        boot = machines.count * machines.boot_disk_gib if machines and _boot(spec, machines) in products else 0
        if limit is not None and claims + boot > limit:
            yield Issue(
                ("target", "quota", key),
                f"region {spec.target.region}: planned {claims + boot} GiB of {name} disks (claims {claims} + boot "
                f"{boot}) exceed quota {quota} {limit}.",
                f"Request {claims + boot} or use fewer/smaller volumes.",
            )


def _slots(spec: TestnetSpec, machines: Machines) -> Iterator[Issue]:
    """Every block disk of every pod needs a slot at the same time (docs/facts.md: refusal/V23)."""
    limit = attach_limit(machines.type)
    per_pod = {
        node: sum(each.storage_class.capability.block for each in Volumes(spec).own(group, node))
        for group in spec.nodes
        for node in group.node_names()
    }
    most, need = max(per_pod.values(), default=0), sum(per_pod.values())
    if limit is None or not most:
        return
    if most > limit or need > limit * machines.count:
        yield Issue(
            ("target", "machines"),
            f"{machines.count} machines of type {machines.type} attach {limit} disks each; {len(per_pod)} pods with up "
            f"to {most} disks need {need}.",
            f"Use at least {-(-need // limit)} machines, reduce volumes, or pick a larger machine.",
        )


def _product(volume: Volume) -> str:
    return volume.storage_class.capability.product.removeprefix("regional-")


def _boot(spec: TestnetSpec, machines: Machines) -> str:
    """Machines that take no Persistent Disk boot from a Hyperdisk."""
    return "hyperdisk-balanced" if spec.target.disk_family == "hyperdisk" else _BOOT[machines.boot_disk]
