"""From a spec to Kubernetes objects as plain dicts. Pure: the same spec gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mina_infra.plan import rules as plan_rules
from mina_infra.plan.group import plan_group
from mina_infra.plan.localize import localize
from mina_infra.plan.objects import GroupPlan, Manifest, PlannedObject, TestnetPlan
from mina_infra.plan.testnet import plan_testnet
from mina_infra.spec import TestnetSpec, load_stack_spec, parse
from mina_infra.storage import rules as storage_rules

__all__ = [
    "GroupPlan", "Manifest", "PlannedObject", "TestnetPlan", "load_stack", "localize", "parse_document", "plan_group",
    "plan_testnet",
]  # fmt: skip

RULES = (storage_rules.check, plan_rules.check)
"""What the layers above the spec know to be impossible; the spec's own rules come first."""


def load_stack(file: Path) -> TestnetSpec:
    """The checked testnet of a Pulumi stack file, every rule of every layer included. Raises SpecError."""
    return load_stack_spec(file, more_rules=RULES)


def parse_document(data: Any, base: Path) -> TestnetSpec:
    """The checked testnet of a document given as data; relative file names start at `base`. Raises SpecError."""
    return parse(data, base=base, more_rules=RULES)
