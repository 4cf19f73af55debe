"""What a deployment of exactly these simulated nodes would have left: names, roles, the outputs document."""

from __future__ import annotations

from typing import Any

from mina_infra.daemon.scan_state import DEFAULT_GOAL
from mina_infra.outputs import ChainOutput, ClaimOutput, NodeOutput, OutputsDocument, SeedOutput
from mina_infra.simulator.containers import IMAGE, RELIED_ON
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import SimulatedNetwork

GIB = 2**30
CLASS = "mina-local-ssd"
TESTNET = "testnet"
LABELS = {"app.kubernetes.io/managed-by": "mina-infra", "testnet": TESTNET}
CLAIM_GIB = 4


def role_of(spec: NodeSpec) -> str:
    """The role that such a node has in a testnet's document."""
    if spec.seed:
        return "seed"
    if spec.snark_coordinator:
        return "snark-coordinator"
    return "block-producer" if spec.stake else "plain"


def claim_name(node: str) -> str:
    """The claim that holds a node's state."""
    return f"{node}-runtime-state-e1"


def outputs_of(network: SimulatedNetwork, **changes: Any) -> OutputsDocument:
    """The document that a deployment of exactly these nodes would have left; `changes` are fields of it."""
    specs = [node.spec for node in network.network.nodes.values()]
    constants = network.constants
    document = OutputsDocument.model_validate(
        {
            "testnet": TESTNET,
            "era": 1,
            "namespace": TESTNET,
            "nodes": _nodes(specs, 1000 * network.network.commands_per_slot / constants.slot_ms),
            "seeds": [_seed(spec) for spec in specs if spec.seed],
            "claims": [_claim(spec) for spec in specs],
            "images": {"daemon": IMAGE},
            "chain": _chain(network),
            "daemon_flags": RELIED_ON,
        }
    )
    return document.model_copy(update=changes)


def _chain(network: SimulatedNetwork) -> ChainOutput:
    """With the goal of mainnet, 36 commands in a slot, however long it is."""
    constants = network.constants
    return ChainOutput(
        slot_ms=constants.slot_ms,
        k=constants.k,
        active_slots=constants.active_slots,
        transaction_capacity_log2=constants.capacity.log2,
        work_delay=constants.capacity.work_delay,
        tps_goal=DEFAULT_GOAL * 180_000 / constants.slot_ms,
    )


def _nodes(specs: list[NodeSpec], tps: float) -> list[NodeOutput]:
    """User agents run beside the whales, and share the load."""
    total, most = sum(spec.stake for spec in specs), max((spec.stake for spec in specs), default=0.0)
    agents = [spec.name for spec in specs if spec.stake and spec.stake == most]
    return [
        NodeOutput.model_validate(
            {
                "name": spec.name,
                "role": role_of(spec),
                "group": spec.name.rsplit("-", 1)[0],
                "stake": 100 * spec.stake / total if total else 0,
                "ports": {"graphql": 3085, "limited-graphql": 3095, "metrics": 10001},
                "peer_id": spec.identity if spec.seed else None,
                "load_tps": tps / len(agents) if spec.name in agents else 0.0,
            }
        )
        for spec in specs
    ]


def _seed(spec: NodeSpec) -> SeedOutput:
    host = f"{spec.name}.{TESTNET}"
    return SeedOutput(
        name=spec.name,
        host=host,
        port=spec.p2p_port,
        peer_id=spec.identity,
        multiaddress=f"/dns4/{host}/tcp/{spec.p2p_port}/p2p/{spec.identity}",
    )


def _claim(spec: NodeSpec) -> ClaimOutput:
    return ClaimOutput(
        name=claim_name(spec.name), kind="runtime-state", node=spec.name, size_gib=CLAIM_GIB, storage_class=CLASS,
        access_mode="ReadWriteOncePod", retention="delete",
    )  # fmt: skip
