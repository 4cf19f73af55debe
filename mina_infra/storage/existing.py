"""Claims and volumes that are there already and take the place of one that the testnet would make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mina_infra.spec import Issue, NodeGroup, TestnetSpec, VolumeKind
from mina_infra.spec.errors import Path
from mina_infra.spec.models import VolumeOverride
from mina_infra.storage.needs import SHARED_CARRIER, claimed_kinds, need, overrides, places

_NAMES = (("existing_claim", "existingClaim"), ("existing_volume", "existingVolume"), ("storage_class", "storageClass"))
_IDLE = (("type", "type"), ("size", "size"), ("access_mode", "accessMode"), ("retention", "retention"),
         ("storage_class", "storageClass"))  # fmt: skip
"""What says nothing of a claim that is used as it is."""


@dataclass
class Use:
    """Who mounts or binds what exists, and where the document first says so."""

    path: Path
    users: list[str]


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """All issues; raises nothing."""
    for path, kind, override in _said(spec):
        yield from _override(path, kind, override)
    claims, volumes = uses(spec)
    for name, use in (*claims.items(), *volumes.items()):
        if len(use.users) > 1:
            yield _shared(name, use)


def _said(spec: TestnetSpec) -> Iterator[tuple[Path, VolumeKind, VolumeOverride]]:
    """Every override of the document with its place."""
    for kind, each in spec.volumes.items():
        yield ("volumes", kind.value), kind, each
    for role, settings in spec.roles.items():
        for kind, each in settings.volumes.items():
            yield ("roles", role.value, "volumes", kind.value), kind, each
    for index, group in enumerate(spec.nodes):
        for kind, each in group.volumes.items():
            yield ("nodes", index, "volumes", kind.value), kind, each
        for node, settings in group.overrides.items():
            for kind, each in settings.volumes.items():
                yield ("nodes", index, "overrides", node, "volumes", kind.value), kind, each


def _override(path: Path, kind: VolumeKind, override: VolumeOverride) -> Iterator[Issue]:
    for attribute, key in _NAMES:
        name = getattr(override, attribute)
        if name and "/" in name:  # docs/facts.md: refusal/V28
            yield Issue(
                (*path, key),
                f"'{name}' names a namespace: claims cannot be shared between namespaces, and volumes and classes "
                "have none.",
                "Write the name alone; use a shared artefact source for what several testnets read.",
            )
    if override.existing_claim and override.existing_volume:
        yield Issue(
            (*path, "existingVolume"),
            "`existingClaim` has a volume already; `existingVolume` is for a claim that the testnet makes.",
            "Keep one of them.",
        )
    elif override.existing_claim and kind is SHARED_CARRIER:
        yield Issue(
            (*path, "existingClaim"),
            "the genesis artefacts' claim is filled by a Job, and one that is full already is a source of its own.",
            "Use genesis.ledger: {source: existing-claim, claim: ...}.",
        )
    elif override.existing_claim:
        for attribute, key in _IDLE:
            if getattr(override, attribute) is not None:
                yield Issue(
                    (*path, key),
                    f"`existingClaim` is used as it is; `{key}` would change nothing.",
                    f"Remove `{key}`.",
                )


def uses(spec: TestnetSpec) -> tuple[dict[str, Use], dict[str, Use]]:
    """Who uses each existing claim, and each existing volume, by its name."""
    claims: dict[str, Use] = {}
    volumes: dict[str, Use] = {}
    shared = need(spec, SHARED_CARRIER)
    if shared.existing_volume:
        path = _place(spec, SHARED_CARRIER, "existing_volume", None, 0, "")
        volumes[shared.existing_volume] = Use((*path, "existingVolume"), ["the genesis artefacts"])
    for index, group in enumerate(spec.nodes):
        for kind in claimed_kinds(group):
            for node in _nodes_with_one(spec, group, kind):
                wanted = need(spec, kind, group, node)
                if wanted.existing_claim:
                    path = _place(spec, kind, "existing_claim", group, index, node)
                    claims.setdefault(wanted.existing_claim, Use((*path, "existingClaim"), [])).users.append(node)
                elif wanted.existing_volume:
                    path = _place(spec, kind, "existing_volume", group, index, node)
                    volumes.setdefault(wanted.existing_volume, Use((*path, "existingVolume"), [])).users.append(node)
    return claims, volumes


def _nodes_with_one(spec: TestnetSpec, group: NodeGroup, kind: VolumeKind) -> tuple[str, ...]:
    """The nodes of a group that may have an existing volume: all, or those that the document names singly."""
    wanted = need(spec, kind, group)
    if wanted.existing_claim or wanted.existing_volume:
        return group.node_names()
    return tuple(node for node in group.node_names() if node in group.overrides)


def _place(spec: TestnetSpec, kind: VolumeKind, attribute: str, group: NodeGroup | None, index: int, node: str) -> Path:
    said = zip(places(kind, group, index, node), overrides(spec, kind, group, node), strict=True)
    return next(path for path, each in said if each is not None and getattr(each, attribute))


def _shared(name: str, use: Use) -> Issue:
    """One volume for several nodes (docs/facts.md: refusal/V2)."""
    some = ", ".join(use.users[:3]) + (", ..." if len(use.users) > 3 else "")
    return Issue(
        use.path,
        f"'{name}' holds one node's state but {len(use.users)} nodes would mount it ({some}).",
        "Name it under `overrides` of a group, for one node.",
    )
