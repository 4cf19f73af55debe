"""Does a testnet fit its machines and the quota of its region? Only as far as the document tells.

Other testnets of the project are not known here; what they use has to be taken off the limits that are given.
"""

from __future__ import annotations

from collections.abc import Iterator

from mina_infra.spec import Issue, Provider, TestnetSpec
from mina_infra.spec.target import Machines, Quota
from mina_infra.storage.classes import NoSuchDisk
from mina_infra.storage.machines import REGIONAL_SERIES, attach_limit, disks_of, series
from mina_infra.storage.volumes import Volume, Volumes

_FAMILIES = {
    "ssd_gib": ("ssdGib", "SSD_TOTAL_GB", "SSD/balanced", ("pd-ssd", "pd-balanced")),
    "standard_gib": ("standardGib", "DISKS_TOTAL_GB", "standard", ("pd-standard",)),
    "hyperdisk_gib": ("hyperdiskGib", "HDB_TOTAL_GB", "Hyperdisk Balanced", ("hyperdisk-balanced",)),
}
_BOOT = {"ssd": "pd-ssd", "balanced": "pd-balanced", "standard": "pd-standard"}


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """What does not fit."""
    yield from _not_known_here(spec)
    machines = spec.target.machines
    try:
        volumes = [each.volume for each in Volumes(spec).all() if each.volume.volume_name is None]
    except NoSuchDisk:
        return  # said for the volume itself
    if spec.target.provider is Provider.GKE:
        yield from _quota(spec, volumes)
    if machines is not None and spec.target.provider is not Provider.LOCAL:
        yield from _disks(spec, machines, volumes)
        yield from _slots(spec, machines)


def _not_known_here(spec: TestnetSpec) -> Iterator[Issue]:
    """Limits that would be given in vain."""
    provider = spec.target.provider
    if spec.target.machines is not None and provider is Provider.LOCAL:
        yield Issue(
            ("target", "machines"),
            "the machines of provider 'local' are not real and attach what they are given.",
            "Remove `machines`.",
        )
    if spec.target.quota != Quota() and provider is not Provider.GKE:
        yield Issue(
            ("target", "quota"),
            f"quota of provider '{provider.value}' is not known here; only gke's is reckoned with.",
            "Remove `quota`.",
        )


def _quota(spec: TestnetSpec, volumes: list[Volume]) -> Iterator[Issue]:
    """One issue for each family that is exceeded (docs/facts.md: refusal/V24, hygiene/quota)."""
    machines = spec.target.machines
    for field, (key, quota, name, products) in _FAMILIES.items():
        limit = getattr(spec.target.quota, field)
        claims = sum(each.effective_gib for each in volumes if _family(each) in products)
        boot = machines.count * machines.boot_disk_gib if machines and _boot(spec, machines) in products else 0
        if limit is not None and claims + boot > limit:
            yield Issue(
                ("target", "quota", key),
                f"region {spec.target.region}: planned {claims + boot} GiB of {name} disks (claims {claims} + boot "
                f"{boot}) exceed quota {quota} {limit}.",
                f"Request {claims + boot} or use fewer/smaller volumes.",
            )


def _disks(spec: TestnetSpec, machines: Machines, volumes: list[Volume]) -> Iterator[Issue]:
    """Disks that no machine of this type attaches: their pods would wait for ever."""
    known = disks_of(spec.target.provider, machines.type)
    if known is None:
        return
    # Of a class that the cluster has already, nobody here knows what it makes.
    own = (each.storage_class.capability for each in volumes if each.of_own_class)
    wanted = dict.fromkeys(each.product for each in own if each.block)
    for product in wanted:
        if product.startswith("regional-") and product not in known:
            yield _no_regional(machines)
            return
        if product not in known:
            yield _not_attached(machines, ("target", "machines", "type"), product, known)
    boot = _boot(spec, machines)
    if boot not in known and boot not in wanted and any(product in known for product in _BOOT.values()):
        yield _not_attached(machines, ("target", "machines", "bootDisk"), boot, known)


def _not_attached(machines: Machines, path: tuple[str, ...], product: str, known: frozenset[str]) -> Issue:
    """(docs/facts.md: refusal/V8, storage/machine-disks)"""
    zonal = sorted(each for each in known if not each.startswith("regional-"))
    if product.startswith("pd-") and "hyperdisk-balanced" in known:
        hint = "Set target.diskFamily: hyperdisk, or choose machines of another series."
    elif product.startswith("hyperdisk-"):
        hint = "Remove target.diskFamily, or choose machines of another series."
    else:
        hint = "Choose a type whose disk is among these, or machines of another series."
    where = " as its boot disk" if path[-1] == "bootDisk" else ""
    return Issue(
        path,
        f"machine type {machines.type} cannot attach {product}{where}. {series(machines.type).upper()} supports: "
        f"{', '.join(zonal)}.",
        hint,
    )


def _no_regional(machines: Machines) -> Issue:
    """(docs/facts.md: refusal/V9, storage/machine-disks)"""
    names = [each.upper() for each in REGIONAL_SERIES]
    return Issue(
        ("target", "replication"),
        f"replication: regional needs {', '.join(names[:-1])} or {names[-1]} nodes (or type "
        f"hyperdisk-balanced-high-availability); the machines are {machines.type}.",
        "Set target.diskFamily: hyperdisk for machines that take it, or replication: zonal.",
    )


def _slots(spec: TestnetSpec, machines: Machines) -> Iterator[Issue]:
    """Every block disk of every pod needs a slot at the same time (docs/facts.md: refusal/V23)."""
    limit = attach_limit(spec.target.provider, machines.type)
    volumes = Volumes(spec)
    per_pod = {
        node: sum(each.storage_class.capability.block for each in volumes.own(group, node))
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


def _family(volume: Volume) -> str:
    return volume.storage_class.capability.product.removeprefix("regional-")


def _boot(spec: TestnetSpec, machines: Machines) -> str:
    """Machines that take no Persistent Disk boot from a Hyperdisk."""
    return "hyperdisk-balanced" if spec.target.disk_family == "hyperdisk" else _BOOT[machines.boot_disk]
