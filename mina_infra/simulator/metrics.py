"""`/metrics` of a node: the names of mina's src/lib/mina_metrics, which kept the namespace Coda.

As in the daemon every metric is there from the start, with 0 until something is known; so a node that bootstraps has
height 0 and a best tip of 2021 (docs/facts.md: mina/metrics, mina/time-gauges).
"""

from __future__ import annotations

from collections.abc import Sequence

from mina_infra.simulator import pools
from mina_infra.simulator.chain import Header
from mina_infra.simulator.view import View

_OFFSET_SECONDS = 1_609_459_200
"""The `*_time_sec` gauges count from 2021-01-01, whatever their help says (docs/facts.md: mina/time-gauges)."""
_WINDOW = 77
"""Slots of a window of the consensus: 7 sub-windows of 11."""
_TPS_SECONDS = 1800
_AVERAGED_SLOTS = 20

Values = dict[str, float]


NAMESPACE = "Coda"


def text(view: View, namespace: str = NAMESPACE) -> str:
    """Prometheus text format 0.0.4, with `#HELP` and `#TYPE` written as the daemon writes them, without a blank."""
    lines: list[str] = []
    for kind, values in (("gauge", gauges(view)), ("counter", counters(view))):
        for name, value in values.items():
            full = f"{namespace}_{name}"
            lines += [f"#HELP {full} {name}", f"#TYPE {full} {kind}", f"{full} {_number(value)}"]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return "Nan" if value != value else f"{value:.6f}"


def gauges(view: View) -> Values:
    """What may rise and fall. The counts of gossip are gauges in the daemon too, and begin anew with it."""
    node, network, counted = view.node, view.network, view.node.counters
    chain = node.chain(view.constants.k + 1) if view.tip else []
    return {
        "Network_peers": len(view.peers()),
        "Network_all_peers": len(network.peers_of(node)),
        "Network_new_state_received": counted.blocks_received,
        "Network_new_state_broadcasted": counted.blocks_produced,
        "Network_transaction_pool_diff_received": pools.transactions_received(network, node),
        "Network_transaction_pool_diff_broadcasted": 0,
        "Network_snark_pool_diff_received": pools.work_received(network, node),
        "Network_snark_pool_diff_broadcasted": 0,
        "Transition_frontier_max_blocklength_observed": node.highest_received,
        "Transition_frontier_max_unvalidated_blocklength_observed": node.highest_unvalidated,
        "Transaction_pool_size": pools.pool_size(network, node) if chain else 0,
        "Transaction_pool_useful_transactions_received_time_sec": _since_2021(_last_transaction_ms(view)),
        "Snark_work_snark_pool_size": pools.snark_pool_size(network, node) if chain else 0,
        "Snark_work_pending_snark_work": pools.pending_work(network, node) if chain else 0,
        "Snark_work_useful_snark_work_received_time_sec": _since_2021(_last_work_ms(view, chain)),
        "Consensus_staking_keypairs": 1 if node.spec.key else 0,
        "Consensus_stake_delegators": 1 if node.spec.key else 0,
        "Trust_system_banned_peers": 0,
        "Bootstrap_bootstrap_time_ms": network.timing.bootstrap if counted.bootstraps else 0,
        "Catchup_initial_catchup_time": network.timing.catchup / 60_000,
        "Block_latency_gossip_slots": _gossip_slots(view),
        "Block_latency_gossip_time": _gossip_slots(view) * view.constants.slot_ms / 1000,
        **_of_chain(view, chain),
    }


def counters(view: View) -> Values:
    """What only rises while the daemon lives."""
    counted, constants = view.node.counters, view.constants
    tip = view.tip
    final = tip.commands_total - sum(each.commands for each in view.node.chain(constants.k)) if tip else 0
    return {
        "Runtime_process_uptime_ms_total": view.uptime_secs * 1000,
        "Block_received": counted.blocks_received,
        "Block_rejected": counted.no_common_ancestor,
        "Transaction_received": pools.transactions_received(view.network, view.node),
        "Snark_work_received": pools.work_received(view.network, view.node),
        "Transaction_pool_transactions_added_to_pool": pools.transactions_received(view.network, view.node),
        "Block_producer_slots_won": counted.slots_won,
        "Block_producer_blocks_produced": counted.blocks_produced,
        "Transition_frontier_total_breadcrumbs": counted.blocks_received + counted.blocks_produced,
        "Transition_frontier_root_transitions": max(view.node.root_height - constants.fork_height - 1, 0),
        "Transition_frontier_finalized_staged_txns": final,
        "Rejected_blocks_no_common_ancestor": counted.no_common_ancestor,
        "Rejected_blocks_worse_than_root": 0,
        "Rejected_blocks_invalid_proof": 0,
        "Rejected_blocks_received_early": counted.received_early,
        "Rejected_blocks_received_late": counted.received_late,
    }


def _of_chain(view: View, chain: Sequence[Header]) -> Values:
    """Of the frontier; zeros before there is one, but for the coinbase, which starts at 1."""
    tip = chain[-1] if chain else None
    slots = max(tip.slot - chain[0].slot, 1) if tip else 1
    needed = pools.pending_work(view.network, view.node) + pools.snark_pool_size(view.network, view.node)
    values: Values = {
        "best_tip_block_height": tip.height if tip else 0,
        "best_tip_slot_time_sec": _since_2021(tip.date_ms if tip else 0),
        "accepted_block_slot_time_sec": _since_2021(max((each.date_ms for each in chain[-2:]), default=0)),
        "best_tip_user_txns": tip.commands if tip else 0,
        "best_tip_zkapp_txns": 0,
        "best_tip_coinbase": 1 if tip is None or tip.coinbase or len(chain) == 1 else 0,
        "slot_fill_rate": (len(chain) - 1) / slots if tip else 0,
        "min_window_density": _density(chain),
        "active_breadcrumbs": len(view.node.known) if tip else 0,
        "empty_blocks_at_best_tip": _empty_at_tip(chain),
        "longest_fork": _longest_fork(view, chain),
        "tps_30min": _tps(view, chain),
        "recently_finalized_staged_txns": chain[0].commands if len(chain) > view.constants.k else 0,
        "root_snarked_ledger_accounts": len(view.network.nodes) if tip else 0,
    }
    work: Values = {
        "purchased_snark_work_per_block": tip.snark_jobs if tip else 0,
        "snark_work_required": needed if tip else 0,
        "transaction_fees_per_block": 0,
        "snark_fees_per_block": 0,
        "slots_available_base": view.constants.capacity.leaves - (tip.commands if tip else 0),
    }
    return {f"Transition_frontier_{name}": value for name, value in values.items()} | {
        f"Scan_state_{name}": value for name, value in work.items()
    }


def _since_2021(ms: float) -> float:
    """A moment as the daemon's time gauges have it; 0 where there was none."""
    return ms / 1000 - _OFFSET_SECONDS if ms else 0


def _last_transaction_ms(view: View) -> float:
    """When its pool last heard of a transaction: now under load, else when the load, or its hearing, ended."""
    load, frozen = view.network.load, view.node.condition.pool_frozen_at
    if frozen and load.commands_per_slot:
        return load.since_ms + (frozen[0] - load.offered) / load.commands_per_slot * load.slot_ms
    return view.network.now if load.commands_per_slot else load.since_ms


def _last_work_ms(view: View, chain: Sequence[Header]) -> float:
    """About when the last useful work came: a slot after the newest block whose work is all done."""
    proved = pools.heard(view.network, view.node)[1]
    done = next((each.date_ms for each in reversed(chain) if each.transactions_total <= proved), 0)
    return min(done + view.constants.slot_ms, view.network.now) if done else 0


def _gossip_slots(view: View) -> float:
    """Mean of the slots between that of a block and its arrival; no number without blocks, as in the daemon."""
    constants, now = view.constants, view.network.now
    since = now - _AVERAGED_SLOTS * constants.slot_ms
    late = [constants.slot_at(at) - slot for at, slot in view.node.arrivals if at >= since]
    return sum(late) / len(late) if late else float("nan")


def _density(chain: Sequence[Header]) -> float:
    """The least number of filled slots of all windows of the frontier: it falls in an outage and stays there."""
    if not chain:
        return 0
    least, slots = _WINDOW, [each.slot for each in chain[1:]]
    begin = 0
    for index, slot in enumerate(slots):
        while slots[begin] <= slot - _WINDOW:
            begin += 1
        if slot >= _WINDOW:
            least = min(least, index - begin + 1)
    return float(least)


def _longest_fork(view: View, chain: Sequence[Header]) -> int:
    """Blocks of the longest branch beside the best chain; it stays until the root has passed it, k blocks long."""
    best = {each.state_hash for each in chain}
    lengths: dict[str, int] = {}
    root = chain[0].height if chain else 0
    aside = (each for each in view.node.known.values() if each.state_hash not in best and each.height > root)
    for block in sorted(aside, key=lambda each: each.height):
        lengths[block.state_hash] = lengths.get(block.parent, 0) + 1
    return max(lengths.values(), default=0)


def _tps(view: View, chain: Sequence[Header]) -> float:
    """Commands that became final in half an hour, a second: k blocks late, and 0 until there are as many."""
    if len(chain) <= view.constants.k:
        return 0
    since = chain[0].date_ms - _TPS_SECONDS * 1000
    final = view.node.known.get(chain[0].parent)
    total = chain[0].commands
    while final is not None and final.date_ms > since:
        total += final.commands
        final = view.node.known.get(final.parent)
    return total / _TPS_SECONDS


def _empty_at_tip(chain: Sequence[Header]) -> int:
    """How many of the newest blocks in a row carry no command; the genesis block is none of them."""
    count = 0
    for block in reversed(chain[1:]):
        if block.commands:
            break
        count += 1
    return count
