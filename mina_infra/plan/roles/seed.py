"""A seed: whom every other node contacts first."""

from __future__ import annotations

from mina_infra.plan.common import Common
from mina_infra.plan.daemon import daemon
from mina_infra.plan.nodes import Node
from mina_infra.plan.workload import Workload

CONNECTIONS = "200"
"""Seeds hold more peers than the default of 50, as Mina's charts set it."""


def workload(common: Common, node: Node) -> Workload:
    """`-seed`: starts without anybody to contact. The other seeds are its peers all the same."""
    return daemon(common, node, arguments=["-seed", "-max-connections", CONNECTIONS])
