"""The snark coordinator: a daemon that hands proofs out to the workers and collects their fees."""

from __future__ import annotations

from mina_infra.plan import ports, secrets
from mina_infra.plan.common import Common
from mina_infra.plan.daemon import daemon
from mina_infra.plan.nodes import Node
from mina_infra.plan.workload import Workload

FEE = "0.025"
"""In MINA for each proof, as Mina's nets set it (docs/facts.md: mina/snark-fee)."""


def workload(common: Common, node: Node) -> Workload:
    """Only the public key of the fees' receiver is needed. Workers dial the client port at the node's Service."""
    account = secrets.wallet(node)
    result = daemon(
        common,
        node,
        arguments=["-run-snark-coordinator", "$(SNARK_COORDINATOR_KEY)", "-snark-worker-fee", FEE,
                   "-work-selection", "seq"],
        environment=[secrets.from_secret("SNARK_COORDINATOR_KEY", account.secret, account.public)],
    )  # fmt: skip
    result.service_ports["client-port"] = ports.CLIENT
    return result
