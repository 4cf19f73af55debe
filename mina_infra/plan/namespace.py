"""The namespace of a testnet, with who answers for it and how long it is meant to live."""

from __future__ import annotations

from mina_infra.plan import labels, names
from mina_infra.plan.objects import PlannedObject
from mina_infra.spec import TestnetSpec
from mina_infra.storage.volumes import Volumes


def namespace(spec: TestnetSpec) -> PlannedObject:
    """Protected where it holds a claim that stays: a namespace that goes takes every claim along."""
    annotations = {}
    if spec.owner:
        annotations[labels.OWNER] = spec.owner
    if spec.ttl:
        annotations[labels.TTL] = str(spec.ttl)
    if spec.automated:
        annotations[labels.AUTOMATED] = "true"
    metadata = {"name": spec.namespace, "labels": labels.of_testnet(spec), "annotations": annotations}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    return PlannedObject(names.NAMESPACE_KEY, manifest, protect=Volumes(spec).keeps())
