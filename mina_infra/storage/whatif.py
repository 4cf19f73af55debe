"""The same testnet on other disks: what a change of type would cost, before anybody makes it."""

from __future__ import annotations

from collections.abc import Mapping

from mina_infra.spec import VOLUMES, DiskType, SpecError, TestnetSpec, VolumeKind
from mina_infra.spec.models import VolumeOverride
from mina_infra.spec.roles import Backing
from mina_infra.storage import rules

NODES_OWN = tuple(kind for kind, each in VOLUMES.items() if each.backing is Backing.CLAIM and not each.shared)
"""The kinds of which each node has its own: those that a type can be chosen for."""

Overrides = Mapping[VolumeKind, VolumeOverride]


def with_type(spec: TestnetSpec, disk: DiskType) -> TestnetSpec:
    """All nodes' own volumes on disks of one type, everything else as it is.

    Raises SpecError where the document would be refused with it: an estimate of what cannot be made helps nobody.
    """
    everywhere = {kind: spec.volumes.get(kind, VolumeOverride()) for kind in NODES_OWN}
    changed = spec.model_copy(
        update={
            "volumes": {**spec.volumes, **{k: v.model_copy(update={"type": disk}) for k, v in everywhere.items()}},
            "roles": {
                role: each.model_copy(update={"volumes": _any_type(each.volumes)}) for role, each in spec.roles.items()
            },
            "nodes": tuple(
                group.model_copy(
                    update={
                        "volumes": _any_type(group.volumes),
                        "overrides": {
                            node: each.model_copy(update={"volumes": _any_type(each.volumes)})
                            for node, each in group.overrides.items()
                        },
                    }
                )
                for group in spec.nodes
            ),
        }
    )
    issues = list(rules.check(changed))
    if issues:
        raise SpecError(issues)
    return changed


def _any_type(volumes: Overrides) -> Overrides:
    """The overrides of one place, those of nodes' own volumes without a type."""
    return {
        kind: each.model_copy(update={"type": None}) if kind in NODES_OWN else each for kind, each in volumes.items()
    }
