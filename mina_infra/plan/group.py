"""One role group: for each node its claims, its Service, its Deployment."""

from __future__ import annotations

from collections.abc import Iterator

from mina_infra.plan import genesis, jobs, names, nodes, roles
from mina_infra.plan.claims import node_claim
from mina_infra.plan.common import Common, common
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import GroupPlan, PlannedObject
from mina_infra.plan.services import service
from mina_infra.plan.workload import deployment
from mina_infra.spec import NodeGroup, TestnetSpec
from mina_infra.spec.job_run import JobRun


def plan_group(spec: TestnetSpec, group_name: str, run: JobRun | None = None) -> GroupPlan:
    """The plan of one group, the same as within the whole testnet. Raises KeyError for an unknown group."""
    groups = {group.name: group for group in spec.nodes}
    return group_plan(common(spec), groups[group_name], run)


def group_plan(common: Common, group: NodeGroup, run: JobRun | None = None) -> GroupPlan:
    objects = [each for node in nodes.of_group(group) for each in _node(common, node, run)]
    return GroupPlan(group.name, group.role.value, group.node_names(), tuple(objects))


def _node(common: Common, node: Node, run: JobRun | None) -> Iterator[PlannedObject]:
    workload = roles.workload(common, node)
    volumes = common.volumes.own(node.group, node.name)
    era = common.spec.era
    claims = [node_claim(common.spec, node, volume, era) for volume in volumes if volume.existing_claim is None]
    yield from claims
    for kept_era in common.spec.kept_eras:
        kept = common.volumes.kept(node.group, node.name)
        yield from (node_claim(common.spec, node, volume, kept_era) for volume in kept)
    after = tuple(claim.key for claim in claims)
    if workload.service_ports:
        offered = service(common.spec, node, workload.service_ports)
        after = (*after, offered.key)
        yield offered
    if node.daemon:
        after = (*after, names.CONFIG_KEY)
        after += genesis.keys(common, node)
    yield deployment(common, node, workload, after)
    yield from jobs.of_node(common, node, run, (*(claim.key for claim in claims), node.name))
