"""What a machine type can attach: which disks, and how many beside its boot disk. One table for each provider.

A type that is in no table is not judged: nothing is refused for it, and nothing promised.
(docs/facts.md: storage/machine-disks, storage/attach-slots)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mina_infra.spec import Provider

_STANDARD, _BALANCED, _SSD = "pd-standard", "pd-balanced", "pd-ssd"
_ALL_PD = frozenset({_STANDARD, _BALANCED, _SSD})
_REGIONAL_PD = frozenset(f"regional-{product}" for product in _ALL_PD)
_HYPERDISK, _HIGH_AVAILABILITY = "hyperdisk-balanced", "hyperdisk-balanced-high-availability"
_THROUGHPUT = "hyperdisk-throughput"
_HYPERDISKS = frozenset({_HYPERDISK, _HIGH_AVAILABILITY, _THROUGHPUT})
_NEWEST = frozenset({_HYPERDISK, _HIGH_AVAILABILITY})

DISKS_OF_SERIES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("e2", "n1", "n2"), _ALL_PD | _REGIONAL_PD),
    "n2d": _ALL_PD | _REGIONAL_PD | {_THROUGHPUT},
    **dict.fromkeys(("c2", "c2d", "t2a"), _ALL_PD),
    "t2d": _ALL_PD | {_THROUGHPUT},
    **dict.fromkeys(("m1", "m2"), _ALL_PD | {_HYPERDISK}),
    "m3": _ALL_PD | _HYPERDISKS,
    **dict.fromkeys(("c3", "c3d", "z3"), frozenset({_BALANCED, _SSD}) | _HYPERDISKS),
    "h3": frozenset({_BALANCED, _HYPERDISK, _THROUGHPUT}),
    **dict.fromkeys(("n4", "n4a", "n4d", "c4", "c4a"), _HYPERDISKS),
    **dict.fromkeys(("c4d", "h4d", "m4", "x4"), _NEWEST),
}
"""Compute Engine: the products that machines of a series attach, for everybody and without confidential mode.

Where two sources differ, N4 and C4A, the one without Persistent Disk was taken.
"""

REGIONAL_SERIES = tuple(sorted(series for series, disks in DISKS_OF_SERIES.items() if disks & _REGIONAL_PD))
"""Machines of these attach a regional Persistent Disk."""

_SHARED_CORE = ("f1-micro", "g1-small", "e2-micro", "e2-small", "e2-medium")
_FIRST_THREE = ("e2", "n1", "n2", "n2d", "c2", "c2d", "c3", "c3d", "t2a", "t2d", "m1", "m2", "m3")

Steps = Mapping[int, int]
"""From this many processors on, so many slots; between two sizes the smaller figure."""

_GCE_BY_SIZE: Mapping[str, Steps] = {
    "n4": {0: 15, 9: 31},
    "n4d": {0: 15, 9: 31},
    "n4a": {0: 15, 9: 31},
    "c4": {0: 7, 4: 15, 24: 31, 48: 63, 96: 127},
    "c4d": {0: 3, 4: 7, 8: 15, 96: 31, 192: 63, 384: 127},
    "c4a": {0: 7, 8: 15, 48: 31, 72: 63},
}

_EC2_TYPE = re.compile(r"([cmrt]\d+)([a-z]*)(?:-flex)?\.(?:(\d*)x)?(large|medium)")
_EC2_OWN_SLOTS = re.compile(r"[cmr](7(i|a)|[89][a-z]+)")
"""Families whose slots are for disks alone; those of older ones are shared with network interfaces."""
_EC2_OWN: Steps = {0: 31, 16: 47, 24: 63, 32: 87, 48: 127}
_EC2_SHARED: Steps = {0: 24, 1: 23, 4: 19, 16: 12}
"""By size (large: 0, xlarge: 1, 16xlarge: 16): 27 without the boot disk and with all network interfaces attached."""

_AZURE_TYPE = re.compile(r"standard_([debf])(\d+)([a-z]*)(?:_v(\d))?")
_AZURE_OLDER: Steps = {0: 4, 4: 8, 8: 16, 16: 32}
_AZURE_NEWER: Steps = {0: 8, 4: 12, 8: 24, 16: 48, 32: 64}


def series(machine: str) -> str:
    """The series of a machine type of Compute Engine: `n2-standard-8` is n2."""
    return machine.partition("-")[0].lower()


def disks_of(provider: Provider, machine: str) -> frozenset[str] | None:
    """The products that a machine type attaches; None where it is not known. Others than GCE's attach every type."""
    return DISKS_OF_SERIES.get(series(machine)) if provider is Provider.GKE else None


def attach_limit(provider: Provider, machine: str) -> int | None:
    """Block disks that a machine type attaches beside its boot disk; None where it is not known."""
    judge = _LIMITS.get(provider)
    return judge(machine) if judge else None


def _compute_engine(machine: str) -> int | None:
    if machine in _SHARED_CORE:
        return 15
    size = machine.rpartition("-")[2]
    if series(machine) in _GCE_BY_SIZE and size.isdigit():
        return _step(_GCE_BY_SIZE[series(machine)], int(size))
    return 127 if series(machine) in _FIRST_THREE else None


def _ec2(machine: str) -> int | None:
    found = _EC2_TYPE.fullmatch(machine)
    if found is None:
        return None
    family, kind, times, _ = found.groups()
    size = 0 if times is None else int(times or 1)
    if _EC2_OWN_SLOTS.fullmatch(family + kind):
        return _step(_EC2_OWN, size)
    if "d" in kind:
        return None  # its own disks take slots too, by size
    return _step(_EC2_SHARED, size) if size <= 24 else None


def _azure(machine: str) -> int | None:
    """The families D, E, B and F with premium disks (an `s` in the name), from version 2 on."""
    found = _AZURE_TYPE.fullmatch(machine.lower())
    if found is None or "s" not in found[3]:
        return None
    processors, kind, version = int(found[2]), found[3], int(found[4] or 0)
    if "i" in kind or (found[1] == "f" and version > 6 and "a" in kind):
        return None  # a whole machine, or a family with figures of its own
    if found[1] == "b":
        return _step(_AZURE_OLDER, processors) if processors > 1 and version else None
    if processors < 2 or processors > 96 or version < 2:
        return None
    newer = (version == 6 and "a" not in kind) or (version > 6 and "an" not in kind)
    return _step(_AZURE_NEWER if newer else _AZURE_OLDER, processors)


def _step(steps: Steps, size: int) -> int:
    return [slots for least, slots in sorted(steps.items()) if size >= least][-1]


_LIMITS: Mapping[Provider, Callable[[str], int | None]] = {
    Provider.GKE: _compute_engine,
    Provider.EKS: _ec2,
    Provider.AKS: _azure,
}
