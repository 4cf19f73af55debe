"""A plain node: follows the chain, holds no key."""

from __future__ import annotations

from mina_infra.plan.common import Common
from mina_infra.plan.daemon import daemon
from mina_infra.plan.nodes import Node
from mina_infra.plan.workload import Workload


def workload(common: Common, node: Node) -> Workload:
    return daemon(common, node)
