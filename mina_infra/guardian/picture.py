"""What a report draws of a survey: the tree of the nodes' chains with node counts, and production by slot. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mina_infra.daemon.replies import Block
from mina_infra.guardian.canonical import slot_at
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.survey import Survey

STRIP_SLOTS = 480
"""A day of slots of 3 minutes; a strip holds no more."""


@dataclass(frozen=True)
class Vertex:
    """A block of the tree that matters: a tip, a parting of ways, or the oldest block known of a chain.

    `parent`: the hash of the next such block below; None for the lowest. `blocks`: how many blocks lie between, itself
    included. `tips`: the nodes whose best tip it is. `nodes`: how many nodes have it in their chain.
    """

    state_hash: str
    height: int
    parent: str | None
    blocks: int
    tips: tuple[str, ...]
    nodes: int
    reference: bool


@dataclass(frozen=True)
class Strip:
    """The newest slots of the reference chain, from `first` to `last`; those after `judged_to` are still in flight.

    `blocks`: one for each filled slot, oldest first; every other slot is empty.
    """

    first: int
    last: int
    judged_to: int
    blocks: tuple[Block, ...]


def tree_of(survey: Survey) -> tuple[Vertex, ...]:
    """The tree, higher blocks first, among equals by hash."""
    blocks = {block.state_hash: block for chain in survey.chains.values() for block in chain.blocks}
    tips: dict[str, list[str]] = {}
    for node, chain in survey.chains.items():
        tips.setdefault(chain.tip.state_hash, []).append(node)
    order = sorted(blocks.values(), key=lambda block: (-block.height, block.state_hash))
    counts = dict.fromkeys(blocks, 0)
    children = dict.fromkeys(blocks, 0)
    for block in order:  # from the top down, so that a block has its count when its parent takes it
        counts[block.state_hash] += len(tips.get(block.state_hash, ()))
        if block.parent_hash in blocks:
            counts[block.parent_hash] += counts[block.state_hash]
            children[block.parent_hash] += 1
    kept = {
        block.state_hash
        for block in order
        if block.state_hash in tips or children[block.state_hash] > 1 or block.parent_hash not in blocks
    }
    reference = _path(blocks, survey.reference_chain.tip) if survey.reference_chain else set()
    vertices = []
    for block in order:
        if block.state_hash in kept:
            parent, length = _next_below(blocks, block, kept)
            vertices.append(
                Vertex(
                    state_hash=block.state_hash,
                    height=block.height,
                    parent=parent,
                    blocks=length,
                    tips=tuple(tips.get(block.state_hash, ())),
                    nodes=counts[block.state_hash],
                    reference=block.state_hash in reference,
                )
            )
    return tuple(vertices)


def _path(blocks: Mapping[str, Block], tip: Block) -> set[str]:
    path: set[str] = set()
    block: Block | None = tip
    while block is not None:
        path.add(block.state_hash)
        block = blocks.get(block.parent_hash)
    return path


def _next_below(blocks: Mapping[str, Block], block: Block, kept: set[str]) -> tuple[str | None, int]:
    length, below = 1, blocks.get(block.parent_hash)
    while below is not None and below.state_hash not in kept:
        length, below = length + 1, blocks.get(below.parent_hash)
    return (None, length) if below is None else (below.state_hash, length)


def strip_of(survey: Survey, criteria: Criteria) -> Strip | None:
    """The slots of the reference chain up to now; None while nobody has one."""
    chain = survey.reference_chain
    if chain is None:
        return None
    last = max(chain.tip.slot, slot_at(chain, survey.now_ms, criteria))
    first = max(chain.oldest.slot + 1 if len(chain.blocks) > 1 else chain.oldest.slot, last - STRIP_SLOTS + 1)
    blocks = tuple(block for block in chain.blocks if block.slot >= first)
    return Strip(first, last, last - criteria.in_flight_slots, blocks)
