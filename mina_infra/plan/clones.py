"""Volumes that start as clones of other volumes of the testnet, as far as drivers make them.

The driver clones a disk within its zone and type only (docs/facts.md: snapshots/clone); a snapshot has no such limits.
"""

from __future__ import annotations

from collections.abc import Iterator

from mina_infra.plan import names
from mina_infra.spec import Issue, NodeGroup, TestnetSpec, VolumeKind
from mina_infra.spec.errors import Path
from mina_infra.storage.capabilities import Capability, capability
from mina_infra.storage.needs import Need, claimed_kinds, need, overrides, places
from mina_infra.storage.sizes import effective_gib

DRIVERS = frozenset({"pd.csi.storage.gke.io", "disk.csi.azure.com", "local.mina-infra"})
"""Those that clone a volume."""

_OTHER_WAY = "Take a snapshot (`mina-infra snapshot`) and name it as `fromSnapshot`."


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """All issues; raises nothing."""
    for index, group in enumerate(spec.nodes):
        for kind in claimed_kinds(group):
            everywhere = need(spec, kind, group).from_claim is not None
            for node in group.node_names() if everywhere else group.overrides:
                wanted = need(spec, kind, group, node)
                if wanted.from_claim:
                    yield from _clone(spec, wanted, wanted.from_claim, _place(spec, kind, group, index, node))


def _place(spec: TestnetSpec, kind: VolumeKind, group: NodeGroup, index: int, node: str) -> Path:
    said = zip(places(kind, group, index, node), overrides(spec, kind, group, node), strict=True)
    return (*next(path for path, each in said if each is not None and each.from_claim), "fromClaim")


def _clone(spec: TestnetSpec, wanted: Need, source: str, path: Path) -> Iterator[Issue]:
    """One clone (docs/facts.md: refusal/V28, refusal/V29, refusal/V39)."""
    found = capability(spec, wanted.disk)
    if "/" in source:
        yield Issue(path, f"'{source}' is in another namespace; a claim is cloned in its own only.",
                    "`mina-infra clone` carries the state of another testnet over.")  # fmt: skip
    elif wanted.from_snapshot or wanted.existing_claim or wanted.existing_volume:
        yield Issue(path, "a volume starts from one thing only.", "Keep `fromClaim` or the other one.")
    elif found is not None and found.driver not in DRIVERS:
        yield Issue(
            path,
            f"provider '{spec.target.provider.value}' has no 'clones' of volumes of {found.driver}.",
            _OTHER_WAY,
        )
    elif found is not None:
        yield from _fit(spec, wanted, found, source, path)


def _fit(spec: TestnetSpec, wanted: Need, found: Capability, source: str, path: Path) -> Iterator[Issue]:
    origin = _origin(spec, source)
    if origin is None:
        yield Issue(path, f"no volume of this testnet is called '{source}'.", "`mina-infra plan` lists its claims.")
        return
    there = capability(spec, origin.disk)
    least = effective_gib(origin.size, there) if there else 0
    zones = spec.target.zones
    pinned = found.topology_key is None or len(zones) == 1
    if origin.disk is not wanted.disk or effective_gib(wanted.size, found) < least or not pinned:
        zone = f"zone {zones[0]}" if len(zones) == 1 else "its zone (name one in target.zones)"
        yield Issue(
            path,
            f"clone of '{source}' must keep type {origin.disk.value}, {zone} and size >= {least}Gi.",
            f"To change the type, or for another zone, use a snapshot. {_OTHER_WAY}",
        )


def _origin(spec: TestnetSpec, claim: str) -> Need | None:
    """What is asked for of the claim that has this name."""
    for group in spec.nodes:
        for kind in claimed_kinds(group):
            for node in group.node_names():
                if names.claim(node, kind, spec.era) == claim:
                    return need(spec, kind, group, node)
    return None
