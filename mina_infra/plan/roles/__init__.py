"""What each role puts into its nodes' pods: one module a role."""

from __future__ import annotations

from collections.abc import Callable

from mina_infra.plan.common import Common
from mina_infra.plan.nodes import Node
from mina_infra.plan.roles import (
    archive,
    block_producer,
    bots,
    plain,
    seed,
    snark_coordinator,
    snark_worker,
)
from mina_infra.plan.workload import Workload
from mina_infra.spec import Role

WORKLOADS: dict[Role, Callable[[Common, Node], Workload]] = {
    Role.SEED: seed.workload,
    Role.BLOCK_PRODUCER: block_producer.workload,
    Role.SNARK_COORDINATOR: snark_coordinator.workload,
    Role.SNARK_WORKER: snark_worker.workload,
    Role.ARCHIVE: archive.workload,
    Role.PLAIN: plain.workload,
    Role.USER_AGENT: bots.workload,
    Role.FAUCET: bots.workload,
    Role.ECHO: bots.workload,
}


def workload(common: Common, node: Node) -> Workload:
    return WORKLOADS[node.role](common, node)
