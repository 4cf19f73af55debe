"""What would lose a volume ends the program before anything is registered, and so before anything is changed.

The engine deletes at the end of an update what its program did not declare, and only when the program ended well. So
this holds for a plain `pulumi up` as well. It knows the engine's record alone; `mina-infra up`, which looks at the
cluster, says so and is not asked again.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pulumi

from components.objects import plan_of
from mina_infra.plan import TestnetPlan
from mina_infra.plan.labels import MANAGED_BY, TESTNET
from mina_infra.plan.losses import ALLOW, CLAIM, Held, held, judge, losses, message, patterns, resource_of
from mina_infra.spec import parse_cluster

_READ = "pulumi:pulumi:readStackResourceOutputs"
_CORE = f"kubernetes:core/v1:{CLAIM}"
_CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
_PROVIDER = "pulumi:providers:kubernetes"


def guard_volumes(documents: Iterable[Mapping[str, Any]], cluster: Any = None) -> None:
    """Refuse to lose a volume that this stack has on record. For a program whose testnets are `documents` and no more.

    `cluster`: the stack's `mina-infra:cluster`; another identifier would make everything anew. Claims that the variable
    MINA_INFRA_ALLOW_VOLUMES names may go. Raises SpecError, or RunError with each volume, what happens to it and why.
    """
    plans = [plan_of(document) for document in documents]
    if not _is_guarded():
        _refuse(_record(), plans, parse_cluster(cluster).identity if cluster else None)


def guard_testnet(plan: TestnetPlan) -> None:
    """The same for one testnet of any program; claims of others are none of its business."""
    if not _is_guarded():
        record = {
            urn: each for urn, each in _record().items() if _labels(each).get(TESTNET) in (plan.spec.name, None)
        }  # fmt: skip
        _refuse(record, [plan], None)


def _is_guarded() -> bool:
    return os.environ.get("MINA_INFRA_GUARDED") == "1"


def _record() -> Mapping[str, Any]:
    """Type and outputs of each resource by URN, as the last update of this stack left them; none in a new stack.

    Not the stack's own outputs: an update that failed may have none (docs/facts.md: pulumi/own-record).
    """
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    found: Mapping[str, Any] = pulumi.runtime.invoke(_READ, {"stackName": name}).value or {}
    return found.get("outputs") or {}


def _refuse(record: Mapping[str, Any], plans: list[TestnetPlan], cluster: str | None) -> None:
    classes = [
        each["outputs"]["metadata"]["name"]
        for each in record.values()
        if each["type"] == _CLASS and TESTNET in _labels(each)  # the cluster's own are not a testnet's to lose
    ]
    found = losses(_held(record), plans, classes=classes, moved=_moved(record, cluster))
    verdict = judge(found, patterns(os.environ.get(ALLOW, "")))
    if verdict.refused:
        raise pulumi.RunError(message(verdict.refused))


def _held(record: Mapping[str, Any]) -> Iterator[Held]:
    for urn, each in record.items():
        if each["type"] == _CORE and MANAGED_BY in _labels(each):
            yield held(each["outputs"], resource_of(urn))


def _labels(recorded: Mapping[str, Any]) -> Mapping[str, str]:
    metadata = recorded["outputs"].get("metadata")
    return (metadata.get("labels") or {}) if isinstance(metadata, Mapping) else {}


def _moved(record: Mapping[str, Any], cluster: str | None) -> tuple[str, str] | None:
    known = [each["outputs"].get("clusterIdentifier") for each in record.values() if each["type"] == _PROVIDER]
    before = next((each for each in known if each), None)
    return (before, cluster) if before and cluster and before != cluster else None
