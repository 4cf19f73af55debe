"""The snapshot classes of a document that asks for snapshots on a schedule."""

from __future__ import annotations

from mina_infra.plan import labels, names
from mina_infra.plan.objects import PlannedObject
from mina_infra.spec import TestnetSpec
from mina_infra.storage.snapshots import planned_classes


def snapshot_classes(spec: TestnetSpec) -> tuple[PlannedObject, ...]:
    """One for each driver. Never protected: a snapshot remembers what its class said, and outlives it."""
    own = labels.of_testnet(spec)
    return tuple(PlannedObject(names.class_key(each.key), each.manifest(own)) for each in planned_classes(spec))
