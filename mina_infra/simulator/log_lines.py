"""The lines that a node writes to its standard output, in the daemon's own form (mina's src/lib/logger)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from mina_infra.daemon.logs import Level
from mina_infra.simulator.chain import Header
from mina_infra.simulator.joining import Happening
from mina_infra.simulator.node import Node
from mina_infra.simulator.view import timestamp


@dataclass(frozen=True)
class Template:
    """One kind of line: its level, who writes it, the message with placeholders, the structured event (FILE.NAME)."""

    level: Level
    module: str
    message: str
    event: str = ""

    @cached_property
    def event_id(self) -> str:
        """32 hex digits, as the daemon derives them, of file and name (docs/facts.md: mina/event-ids)."""
        return hashlib.md5(self.event.encode(), usedforsecurity=False).hexdigest()


STARTED = Template(Level.INFO, "Cli__Mina", "Mina daemon is booting up; built with commit $commit on branch $branch")
CONNECTED = Template(Level.INFO, "Transition_router", "Network is online, start initialization")
BOOTSTRAP = Template(
    Level.INFO,
    "Transition_router",
    "Starting bootstrap controller phase",
    "src/lib/transition_router/transition_router.ml.Starting_bootstrap_controller",
)
CATCHUP = Template(
    Level.INFO, "Transition_router", "Starting transition frontier controller phase",
    "src/lib/transition_router/transition_router.ml.Starting_transition_frontier_controller",
)  # fmt: skip
SYNCED = Template(Level.INFO, "Mina_lib", "Mina daemon is synced")
PRODUCED = Template(
    Level.INFO,
    "Block_producer",
    "Successfully produced a new block: $breadcrumb",
    "src/lib/block_producer/block_producer.ml.Block_produced",
)
READY_PROOFS = Template(
    Level.DEBUG, "Staged_ledger",
    "Number of proofs ready for purchase: $proof_count Number of user commands ready to be included: $txn_count "
    "Diff creation log: $diff_log",
)  # fmt: skip
# Debug, as in the daemon: at Info what the runbook searches for does not appear (docs/facts.md: mina/log-levels).
RECEIVED = Template(
    Level.DEBUG,
    "Network_pool__Block_sink",
    "Received a block from $sender",
    "src/lib/coda_networking/coda_networking.ml.Block_received",
)
APPLIED = Template(
    Level.DEBUG, "Staged_ledger",
    "$prefix: apply_diff block info: No of transactions included:$user_command_count\n Coinbase parts:$coinbase_count "
    "Spots\n available:$spots_available Pending work in the scan-state:$proof_bundles_waiting Work "
    "included:$work_count",
)  # fmt: skip
REJECTED = Template(
    Level.WARN, "Transition_handler", "Block $state_hash has no common ancestor with the frontier above its root"
)
FATAL = Template(Level.FATAL, "Mina_run", "Unhandled top-level exception: $exn\nGenerating crash report")
# docs/facts.md: mina/prover-error
PROVER_FAILED = Template(Level.ERROR, "Block_producer", "Prover failed to prove freshly generated transition: $error")
ERROR = Template(Level.ERROR, "Genesis_ledger_helper", "$error")


def line(template: Template, now_ms: float, node: Node | None, metadata: dict[str, Any], *, as_json: bool) -> str:
    """One line. Without `as_json` the values stand in the text, as on a terminal."""
    if not as_json:
        text = template.message
        for name in sorted(metadata, key=len, reverse=True):
            text = text.replace(f"${name}", str(metadata[name]))
        return f"{timestamp(now_ms)[:19]} UTC [{template.level.name.capitalize()}] {text}"
    identity = {"host": node.spec.host, "peer_id": node.spec.identity, "port": node.spec.p2p_port} if node else {}
    entry: dict[str, Any] = {
        "timestamp": timestamp(now_ms),
        "level": template.level.name.capitalize(),
        "source": {"module": template.module, "location": f'File "src/lib/{template.module.lower()}.ml"'},
        "message": template.message,
        "metadata": {**identity, "pid": 10, **metadata},
    }
    if template.event:
        entry["event_id"] = template.event_id
    return msgspec.json.encode(entry).decode()


def lines_of(happening: Happening, sender: Node | None) -> list[tuple[Template, dict[str, Any]]]:
    """What a node writes when something happens to it; `sender` is the peer that a block came from."""
    node, block = happening.node, happening.block
    if block is None:
        return [(_STATES[happening.kind], _about(node))]
    if happening.kind == "produced":
        breadcrumb = {"state_hash": block.state_hash, "parent": block.parent, "blockchain_length": str(block.height)}
        ready = {"proof_count": block.snark_jobs, "txn_count": block.commands, "diff_log": []}
        return [(READY_PROOFS, ready), (PRODUCED, {"breadcrumb": breadcrumb}), _applied(node, block)]
    if happening.kind == "prover-failed":
        return [(PROVER_FAILED, {"error": {"string": _PROVER_ERROR}, "prev_state": block.state_hash})]
    if happening.kind == "rejected":
        return [(REJECTED, {"state_hash": block.state_hash})]
    remote = {"host": sender.spec.host, "peer_id": sender.spec.identity} if sender else {}
    return [(RECEIVED, {"state_hash": block.state_hash, "sender": {"Remote": remote}}), _applied(node, block)]


_PROVER_ERROR = (
    '(monitor.ml.Error (Failure "Constraint unsatisfied") ("Raised at Prover in file src/lib/prover/prover.ml"))'
)
_STATES = {"started": STARTED, "connected": CONNECTED, "bootstrap": BOOTSTRAP, "catchup": CATCHUP, "synced": SYNCED}


def _about(node: Node) -> dict[str, Any]:
    return {"commit": node.spec.commit_id, "branch": "simulated"}


def _applied(node: Node, block: Header) -> tuple[Template, dict[str, Any]]:
    return APPLIED, {
        "prefix": "apply_diff",
        "user_command_count": block.commands,
        "coinbase_count": int(block.coinbase > 0),
        "spots_available": node.constants.capacity.leaves - block.commands,
        "proof_bundles_waiting": block.transactions_total - block.work_total,
        "work_count": block.snark_jobs,
    }
