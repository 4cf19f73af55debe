"""The whole testnet."""

from __future__ import annotations

from mina_infra.plan import labels, names, outputs
from mina_infra.plan.access import service_account
from mina_infra.plan.common import Common, common
from mina_infra.plan.config import config_map
from mina_infra.plan.disruption import budgets
from mina_infra.plan.genesis import genesis
from mina_infra.plan.group import group_plan
from mina_infra.plan.namespace import namespace
from mina_infra.plan.objects import PlannedObject, TestnetPlan
from mina_infra.plan.quota import resource_quota
from mina_infra.plan.snapshots import snapshot_classes
from mina_infra.spec import TestnetSpec
from mina_infra.spec.job_run import JobRun


def plan_testnet(spec: TestnetSpec, run: JobRun | None = None) -> TestnetPlan:
    """Everything that a spec leads to, and the Jobs that this run makes. Pure: the same spec gives the same bytes."""
    shared = common(spec)
    groups = tuple(group_plan(shared, group, run) for group in spec.nodes)
    return TestnetPlan(
        spec=spec,
        base=_base(shared),
        classes=_classes(shared),
        genesis=genesis(shared),
        groups=groups,
        outputs=outputs.document(shared, groups),
    )


def _base(shared: Common) -> tuple[PlannedObject, ...]:
    spec = shared.spec
    return (
        namespace(spec),
        service_account(spec),
        resource_quota(spec),
        config_map(spec, shared.config_map, shared.config_data),
        *budgets(spec),
        *snapshot_classes(spec),
    )


def _classes(shared: Common) -> tuple[PlannedObject, ...]:
    """Protected with the claims that need them: an expanded claim whose class is gone cannot grow.

    None where the cluster's stack declares them.
    """
    own, needed = labels.of_testnet(shared.spec), shared.volumes.kept_classes()
    classes = [
        PlannedObject(names.class_key(each.key), each.manifest(own), each.name in needed)
        for each in shared.volumes.classes()
    ]
    kept = any(each.protect for each in classes)
    attributes = [
        PlannedObject(names.attributes_key(each.name), each.manifest(own), kept)
        for each in shared.volumes.attributes()
        if not each.shared
    ]
    return (*classes, *attributes)
