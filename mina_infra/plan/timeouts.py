"""How long a run waits for one object of a kind: the more nodes start at once, the longer.

A cloud makes some hundred disks at a time and attaches them one after the other for each machine, so what one object
waits for grows with the testnet (docs/facts.md: rule/39, kubernetes/waits). `timeouts` in the document says otherwise.
"""

from __future__ import annotations

from mina_infra.spec import TestnetSpec
from mina_infra.spec.values import Duration


def claims(spec: TestnetSpec) -> int:
    """Seconds for a claim to be made or deleted: Pulumi's own five minutes, and three seconds for each node."""
    return _seconds(spec.timeouts.claims, 300, 3, spec)


def deployments(spec: TestnetSpec) -> int:
    """Seconds for a Deployment to be deleted, and for all nodes to run: ten minutes, and six seconds for each."""
    return _seconds(spec.timeouts.deployments, 600, 6, spec)


def jobs(spec: TestnetSpec) -> int:
    """Seconds for a node's Job, attaching its volume included: ten minutes, and six seconds for each node."""
    return _seconds(spec.timeouts.jobs, 600, 6, spec)


def genesis(spec: TestnetSpec) -> int:
    """Seconds for the Job that fills the ledger's claim: one for the testnet, whose file backend takes minutes."""
    return spec.timeouts.jobs.seconds if spec.timeouts.jobs else 3600


STEP = 50
"""Nodes: limits rise in steps, so that one more node changes nothing of the others."""


def _seconds(said: Duration | None, base: int, each: int, spec: TestnetSpec) -> int:
    if said is not None:
        return said.seconds
    nodes = sum(group.count for group in spec.nodes)
    return base + each * -(-nodes // STEP) * STEP
