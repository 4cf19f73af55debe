"""From a spec to Kubernetes objects as plain dicts. Pure: the same spec gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mina_infra.plan import rules as plan_rules
from mina_infra.plan.cluster import plan_classes
from mina_infra.plan.group import plan_group
from mina_infra.plan.localize import localize
from mina_infra.plan.objects import GroupPlan, Manifest, PlannedObject, TestnetPlan
from mina_infra.plan.testnet import plan_testnet
from mina_infra.spec import ClusterStorage, TestnetSpec, load_stack_spec, load_storage, parse, parse_storage
from mina_infra.storage import cluster_rules
from mina_infra.storage import rules as storage_rules

__all__ = [
    "GroupPlan", "Manifest", "PlannedObject", "TestnetPlan", "load_classes", "load_stack", "localize", "parse_classes",
    "parse_document", "plan_classes", "plan_group", "plan_testnet",
]  # fmt: skip

RULES = (storage_rules.check, plan_rules.check)
"""What the layers above the spec know to be impossible; the spec's own rules come first."""
STORAGE_RULES = (cluster_rules.check,)


def load_stack(file: Path) -> TestnetSpec:
    """The checked testnet of a Pulumi stack file, every rule of every layer included. Raises SpecError."""
    return load_stack_spec(file, more_rules=RULES, storage_rules=STORAGE_RULES)


def load_classes(file: Path) -> ClusterStorage | None:
    """The checked `mina-infra:storage` of a stack file; None where it has none. Raises SpecError."""
    return load_storage(file, STORAGE_RULES)


def parse_classes(data: Any) -> ClusterStorage:
    """The checked `mina-infra:storage` given as data. Raises SpecError."""
    return parse_storage(data, STORAGE_RULES)


def parse_document(data: Any, base: Path) -> TestnetSpec:
    """The checked testnet of a document given as data; relative file names start at `base`. Raises SpecError."""
    return parse(data, base=base, more_rules=RULES)
