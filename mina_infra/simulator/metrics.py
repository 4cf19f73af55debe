"""`/metrics` of a node: the names of mina's src/lib/mina_metrics, which kept the namespace Coda."""

from __future__ import annotations

from mina_infra.simulator.answers import View
from mina_infra.simulator.chain import Header

_OFFSET_SECONDS = 1_609_459_200
"""The `*_time_sec` gauges count from 2021-01-01, whatever their help says (docs/facts.md: mina/time-gauges)."""


def text(view: View) -> str:
    """Prometheus text format 0.0.4, with `#HELP` and `#TYPE` written as the daemon writes them, without a blank."""
    lines: list[str] = []
    for name, (kind, value) in _values(view).items():
        lines += [f"#HELP Coda_{name} {name}", f"#TYPE Coda_{name} {kind}", f"Coda_{name} {value:.6f}"]
    return "\n".join(lines) + "\n"


def _values(view: View) -> dict[str, tuple[str, float]]:
    node, counters = view.node, view.node.counters
    chain = node.chain(view.constants.k + 1) if view.tip else []
    gauges: dict[str, float] = {
        "Network_peers": len(view.peers()),
        "Network_all_peers": len(view.network.peers_of(node)),
        "Transition_frontier_max_blocklength_observed": node.highest_received,
        "Transition_frontier_max_unvalidated_blocklength_observed": node.highest_unvalidated,
        "Transition_frontier_active_breadcrumbs": len(node.known) if chain else 0,
        "Transaction_pool_size": 0,
        "Snark_work_pending_snark_work": 0,
        "Consensus_staking_keypairs": 1 if node.spec.key else 0,
        "Trust_system_banned_peers": 0,
        "Bootstrap_bootstrap_time_ms": view.network.timing.bootstrap if counters.bootstraps else 0,
        **(_of_chain(view, chain) if chain else {}),
    }
    totals: dict[str, float] = {
        "Runtime_process_uptime_ms_total": view.uptime_secs * 1000,
        "Network_new_state_received": counters.blocks_received,
        "Network_new_state_broadcasted": counters.blocks_produced,
        "Network_Block_received": counters.blocks_received,
        "Block_producer_slots_won": counters.slots_won,
        "Block_producer_blocks_produced": counters.blocks_produced,
        "Rejected_blocks_no_common_ancestor": counters.no_common_ancestor,
    }
    return {name: ("gauge", value) for name, value in gauges.items()} | {
        name: ("counter", value) for name, value in totals.items()
    }


def _of_chain(view: View, chain: list[Header]) -> dict[str, float]:
    tip, constants = chain[-1], view.constants
    slots = max(tip.slot - chain[0].slot, 1)
    final = [block for block in chain[: -constants.k or None] if len(chain) > constants.k]
    return {
        "Transition_frontier_best_tip_block_height": tip.height,
        "Transition_frontier_best_tip_slot_time_sec": tip.date_ms / 1000 - _OFFSET_SECONDS,
        "Transition_frontier_best_tip_user_txns": tip.commands,
        "Transition_frontier_best_tip_coinbase": 1,
        "Transition_frontier_slot_fill_rate": (len(chain) - 1) / slots,
        "Transition_frontier_min_window_density": min(77.0, 77 * (len(chain) - 1) / slots),
        "Transition_frontier_root_transitions": max(view.node.root_height - constants.fork_height - 1, 0),
        "Transition_frontier_finalized_staged_txns": sum(block.commands for block in final),
        "Transition_frontier_empty_blocks_at_best_tip": _empty_at_tip(chain),
        "Transition_frontier_longest_fork": 1 if view.node.counters.reorganisations else 0,
    }


def _empty_at_tip(chain: list[Header]) -> int:
    """How many of the newest blocks in a row carry no command."""
    count = 0
    for block in reversed(chain):
        if block.commands:
            break
        count += 1
    return count
