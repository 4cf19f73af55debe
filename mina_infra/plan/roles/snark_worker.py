"""A snark worker: proves what the coordinator hands out. Listens on nothing, keeps nothing, holds no key."""

from __future__ import annotations

from mina_infra.plan import names, ports
from mina_infra.plan.common import Common
from mina_infra.plan.nodes import Node
from mina_infra.plan.workload import Workload, main_resources

CONTAINER = "worker"
CPU, MEMORY = "4", "6Gi"
"""Proving takes gigabytes; the figures of Mina's own nets (docs/facts.md: mina/worker-resources)."""


def workload(common: Common, node: Node) -> Workload:
    """No probe: there is nothing to ask, and one that cannot succeed restarts the worker for ever."""
    assert common.coordinator, "the spec's rules want a coordinator for every worker"
    address = f"{names.host(common.coordinator.name, common.spec.namespace)}:{ports.CLIENT}"
    container = {
        "name": CONTAINER,
        "image": common.spec.image,
        "command": [common.dialect.binary],
        "args": ["internal", "snark-worker", "-proof-level", "full", "-shutdown-on-disconnect", "false",
                 "-daemon-address", address],
        "env": [{"name": "RAYON_NUM_THREADS", "value": "8"}],
        "resources": main_resources(node, CPU, MEMORY),
    }  # fmt: skip
    return Workload(containers=[container])
