"""What earlier looks leave to the next one: small, so that a watch may keep it for months.

Some questions need two looks: do counters still rise, did a block arrive in time, since when is a node not synced? And
a network with a small k tells only its newest blocks, so its history is joined from what was read before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.forks import Chain, Standing
from mina_infra.guardian.survey import Survey

# Looks are kept for as long as a check looks back, one for each slot: 1,000 nodes are some 10,000 small tuples.
KEPT_SLOTS = 9
# Enough for the longest production window of a profile, however small k is.
KEPT_BLOCKS = 320


class Counts(NamedTuple):
    """What one node had counted. The pools' figures are of its daemon's metrics and start at 0 with it."""

    height: int
    transactions: int
    snark_work: int
    pool_size: int


@dataclass(frozen=True)
class Look:
    """The looks of one slot, in short; counts and time (the network's own) of the first. `agreed`: in how many of the
    `looks` nearly all nodes had one tip. `late`: blocks that too few nodes had in time. `split`: nodes that shared no
    block with the others."""

    at_ms: int
    nodes: Mapping[str, Counts]
    looks: int = 1
    agreed: int = 1
    late: frozenset[str] = frozenset()
    split: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Past:
    """The looks of the last slots, oldest first; when each node was last synced (ms); the chain as far as known."""

    looks: tuple[Look, ...] = ()
    synced_ms: Mapping[str, int] = field(default_factory=dict)
    chain: Chain | None = None

    def before(self, at_ms: float) -> Look | None:
        """The newest look that is at least that old."""
        return next((look for look in reversed(self.looks) if look.at_ms <= at_ms), None)

    def with_look(self, survey: Survey, history: Chain | None, late: frozenset[str], criteria: Criteria) -> Past:
        """The same after one more look. Of the looks in one slot the first stays, with what the others saw."""
        if not survey.answers:
            return self
        now = survey.now_ms
        agreed = int(agreement(survey) >= criteria.agreement_share)
        look = Look(now, _counts(survey), 1, agreed, late, _split(survey))
        looks = [each for each in self.looks if now - each.at_ms <= KEPT_SLOTS * criteria.slot_ms]
        if looks and now - looks[-1].at_ms < criteria.slot_ms:
            looks[-1] = _together(looks[-1], look)
        else:
            looks.append(look)
        seen = {node: answer.now_ms for node, answer in survey.answers.items() if answer.synced}
        return Past(tuple(looks), {**self.synced_ms, **seen}, history or self.chain)


def _together(first: Look, later: Look) -> Look:
    return replace(
        first,
        looks=first.looks + later.looks,
        agreed=first.agreed + later.agreed,
        late=first.late | later.late,
        split=first.split | later.split,
    )


def _counts(survey: Survey) -> dict[str, Counts]:
    return {
        node: Counts(
            answer.chain.tip.height if answer.chain else 0,
            answer.status.metrics.transaction_pool_diff_received,
            answer.status.metrics.snark_pool_diff_received,
            answer.status.metrics.transaction_pool_size,
        )
        for node, answer in survey.answers.items()
    }


def agreement(survey: Survey) -> float:
    """The largest share of the nodes near the best tip that have one and the same tip; 1 where there is none."""
    tips: dict[str, int] = {}
    for node, relation in survey.relations.items():
        near = relation.own is not None and relation.own <= 1 and (relation.reference or 0) <= 2
        if near and survey.answers[node].synced:
            tip = survey.chains[node].tip.state_hash
            tips[tip] = tips.get(tip, 0) + 1
    return max(tips.values()) / sum(tips.values()) if tips else 1.0


def _split(survey: Survey) -> frozenset[str]:
    return frozenset(node for node, relation in survey.relations.items() if relation.standing is Standing.SPLIT)


def join(old: Chain | None, new: Chain) -> Chain:
    """The new chain with what was known below it; blocks that were given up since are left out."""
    if old is None:
        return new
    places = {block.state_hash: place for place, block in enumerate(old.blocks)}
    own = places.get(new.oldest.state_hash)
    kept = own if own is not None else places.get(new.oldest.parent_hash, -1) + 1
    if kept <= 0:
        return new
    blocks = (*old.blocks[:kept], *new.blocks)
    return Chain(blocks[-KEPT_BLOCKS:], old.to_root or new.to_root)
