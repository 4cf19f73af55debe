"""What a plan is made of: Kubernetes objects as plain dicts, with what the engine must know of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mina_infra.outputs import OutputsDocument
from mina_infra.spec import TestnetSpec

Manifest = dict[str, Any]

SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""On everything that a daemon's readiness decides: waiting Services starve the engine's parallel slots, and claims
that are bound at first sight (adopted ones) are waited for in vain. `mina-infra verify` judges readiness."""

FIELD_MANAGER = {"pulumi.com/patchFieldManager": "mina-infra"}
"""On every object. Without it the provider makes up a manager's name for each object that it creates or adopts and
keeps it in the engine's record alone; what a killed run applied then belongs to a name that nobody knows any more, and
every later change of those fields is a conflict."""


@dataclass(frozen=True)
class PlannedObject:
    """One object. `key` is its stable, unique name in the testnet's plan and never follows content.

    `protect`: the engine refuses to delete it. `after`: keys, planned earlier, that must exist before it.
    `retain`: the engine forgets it where it would delete it. `replaced_on`: fields, besides those that the provider
    knows, whose change takes the old object away before the new one is made. `kept`: of an earlier era; what
    the document says of volumes now changes nothing about it.
    `timeout_s`: seconds that the engine waits for it; 0 for the provider's own.
    """

    key: str
    manifest: Manifest
    protect: bool = False
    after: tuple[str, ...] = ()
    retain: bool = False
    replaced_on: tuple[str, ...] = ()
    kept: bool = False
    timeout_s: int = 0

    def __post_init__(self) -> None:
        metadata = self.manifest["metadata"]
        metadata["annotations"] = {**metadata.get("annotations", {}), **FIELD_MANAGER}


@dataclass(frozen=True)
class GroupPlan:
    """The nodes of one role group and their objects: for each node its claims, its Service, its Deployment."""

    name: str
    role: str
    node_names: tuple[str, ...]
    objects: tuple[PlannedObject, ...]


@dataclass(frozen=True)
class TestnetPlan:
    """A whole testnet as data."""

    __test__ = False  # not a test class, whatever its name looks like to pytest

    spec: TestnetSpec
    base: tuple[PlannedObject, ...]
    classes: tuple[PlannedObject, ...]
    genesis: tuple[PlannedObject, ...]
    groups: tuple[GroupPlan, ...]
    outputs: OutputsDocument

    @property
    def keeps(self) -> bool:
        """Whether a destroy leaves something behind: the volumes that are kept, and what they need."""
        return any(each.protect for each in self.objects())

    def objects(self) -> tuple[PlannedObject, ...]:
        """All objects in the order of their registration: whatever an object needs comes before it."""
        return tuple(each for _, each in self.registered())

    def of_kind(self, kind: str) -> list[PlannedObject]:
        """The objects of one Kubernetes kind, in the same order."""
        return [each for each in self.objects() if each.manifest["kind"] == kind]

    def claims(self) -> list[Manifest]:
        """The manifests of all claims, in the same order."""
        return [each.manifest for each in self.of_kind("PersistentVolumeClaim")]

    def namespace(self) -> Manifest:
        """The manifest of its namespace."""
        return self.of_kind("Namespace")[0].manifest

    def registered(self) -> Iterator[tuple[str, PlannedObject]]:
        """All objects in that order, each with the type of the component that registers it."""
        parts = (("Testnet", self.base), ("RegionalStorageClasses", self.classes), ("GenesisLedger", self.genesis))
        yield from ((component, each) for component, objects in parts for each in objects)
        for group in sorted(self.groups, key=lambda group: group.role != "seed"):
            component = "SeedNodes" if group.role == "seed" else "RoleDeployment"
            yield from ((component, each) for each in group.objects)
