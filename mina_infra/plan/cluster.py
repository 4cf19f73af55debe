"""What belongs to a cluster and not to one of its testnets: the storage classes that they share."""

from __future__ import annotations

from mina_infra.plan import labels
from mina_infra.plan.objects import PlannedObject
from mina_infra.spec import ClusterStorage
from mina_infra.storage.attributes import AttributesClass, cluster_attributes
from mina_infra.storage.classes import StorageClass, cluster_classes, content_name

NAMESAKE = "cluster"
"""What the engine's names of these objects begin with, as a testnet's begin with the testnet's name."""

REPLACED_ON = ("reclaimPolicy", "volumeBindingMode")
"""Fields of a class that the API server never changes and the provider tries to (docs/facts.md: rule/7)."""


def plan_classes(storage: ClusterStorage, stack: str) -> tuple[PlannedObject, ...]:
    """The classes that a stack declares for its cluster. Pure.

    Named by content they are retained: a class that left the document stays while claims may refer to it. One under a
    fixed name is replaced, the old one first; `mina-infra up` refuses that while anything refers to it, as it refuses
    what another stack declares already (docs/facts.md: refusal/V25, refusal/V26).
    """
    classes = [_class(storage, each, stack) for each in cluster_classes(storage)]
    return (*classes, *(_attributes(each, stack) for each in cluster_attributes(storage)))


def _class(storage: ClusterStorage, each: StorageClass, stack: str) -> PlannedObject:
    retention = "retain" if each.fields["reclaimPolicy"] == "Retain" else "delete"
    own = {**labels.of_cluster(), labels.TYPE: each.disk.value, labels.RETENTION: retention}
    annotations = {labels.STACK: stack}
    if each.named:
        own[labels.FIXED] = "true"
        annotations[labels.BY_CONTENT] = content_name(storage.target, each)
    manifest = each.manifest(own)
    manifest["metadata"]["annotations"] = annotations
    replaced_on = REPLACED_ON if each.named else ()
    return PlannedObject(f"class-{each.name}", manifest, retain=not each.named, replaced_on=replaced_on)


def _attributes(each: AttributesClass, stack: str) -> PlannedObject:
    manifest = each.manifest(labels.of_cluster())
    manifest["metadata"]["annotations"] = {labels.STACK: stack}
    return PlannedObject(f"attributes-{each.name}", manifest, retain=True)
