"""Do blocks and pool messages reach the nodes? Pure figures over one look and the looks before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mina_infra.daemon.replies import Block
from mina_infra.guardian.canonical import after_genesis
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.forks import Chain, Standing
from mina_infra.guardian.past import Counts, Past
from mina_infra.guardian.survey import Survey

_FOLLOWS = (Standing.EQUAL, Standing.BEHIND, Standing.AHEAD, Standing.BEHIND_BEYOND_FRONTIER)


@dataclass(frozen=True)
class Arrival:
    """A canonical block that every node should have by now, and the listening nodes that have not."""

    block: Block
    missing: tuple[str, ...]
    share: float


def listeners(survey: Survey, criteria: Criteria) -> list[str]:
    """The nodes that should hear every block: up for a while, synced by their word, on the network's chain.

    A node on a branch of depth 1 hears the same blocks; deeper branches and starting nodes are other checks' matter.
    """
    found = []
    for node, answer in survey.answers.items():
        relation = survey.relations[node]
        tie = relation.standing is Standing.FORKED and relation.own == 1
        settled = criteria.slots(answer.status.uptime_secs * 1000) > criteria.warm_up_slots
        if answer.synced and settled and (tie or relation.standing in _FOLLOWS):
            found.append(node)
    return found


def arrivals(survey: Survey, chain: Chain, criteria: Criteria) -> list[Arrival]:
    """The newest canonical blocks that are due, oldest first: what a daemon received is told by its height alone.

    A block counts against a node only if it was due when that node was asked.
    """
    allowed = criteria.arrival_slots * criteria.slot_ms
    blocks = [
        block
        for block in after_genesis(chain)[-criteria.inclusion_blocks :]
        if block.date_ms <= survey.now_ms - allowed
    ]
    heard = {node: survey.answers[node].status.highest_block_length_received for node in listeners(survey, criteria)}
    asked = {node: survey.now_of(node) - allowed for node in heard}
    found = []
    for block in blocks:
        missing = tuple(
            node for node, height in heard.items() if height < block.height and block.date_ms <= asked[node]
        )
        found.append(Arrival(block, missing, 1 - len(missing) / len(heard) if heard else 1.0))
    return found


def is_late(arrival: Arrival, criteria: Criteria) -> bool:
    """Too few nodes have it; one node alone is that node's trouble."""
    return arrival.share < criteria.gossip_share and len(arrival.missing) > 1


def late_blocks(survey: Survey, chain: Chain, criteria: Criteria) -> frozenset[str]:
    """The hashes of the blocks that are late in this look."""
    return frozenset(each.block.state_hash for each in arrivals(survey, chain, criteria) if is_late(each, criteria))


@dataclass(frozen=True)
class FlatPool:
    """Nodes whose pool counter stands still while the others' rises by `risen` (median)."""

    pool: str
    nodes: tuple[str, ...]
    of: int
    risen: float


def flat_pools(past: Past, survey: Survey, criteria: Criteria) -> list[FlatPool]:
    """Against a look `pool_slots` ago. Nodes that started since are left out; few messages prove nothing."""
    earlier = past.before(survey.now_ms - criteria.pool_slots * criteria.slot_ms)
    if earlier is None:
        return []
    now = {
        node: Counts(0, answer.status.metrics.transaction_pool_diff_received,
                     answer.status.metrics.snark_pool_diff_received, 0)
        for node in listeners(survey, criteria)
        for answer in (survey.answers[node],)
        if node in earlier.nodes and answer.now_ms - answer.status.uptime_secs * 1000 < earlier.at_ms
    }  # fmt: skip
    pools: Sequence[tuple[str, dict[str, int]]] = (
        ("transaction", {node: each.transactions - earlier.nodes[node].transactions for node, each in now.items()}),
        ("snark", {node: each.snark_work - earlier.nodes[node].snark_work for node, each in now.items()}),
    )
    found = []
    for pool, rises in pools:
        rising = [rise for rise in rises.values() if rise > 0]
        flat = tuple(node for node, rise in rises.items() if rise <= 0)
        if flat and len(rising) >= len(flat) and median(rising) >= criteria.pool_rise:
            found.append(FlatPool(pool, flat, len(rises), median(rising)))
    return found


def agreed_share(past: Past, agreement: float, now_ms: int, criteria: Criteria) -> float | None:
    """In which share of the looks of the last slots nearly all nodes had one tip; None with too few looks."""
    since = now_ms - criteria.agreement_slots * criteria.slot_ms
    looks = [look for look in past.looks if look.at_ms >= since]
    count = 1 + sum(look.looks for look in looks)
    long = bool(past.looks) and past.looks[0].at_ms <= since
    if not long or count < criteria.agreement_looks:
        return None
    return (int(agreement >= criteria.agreement_share) + sum(look.agreed for look in looks)) / count
