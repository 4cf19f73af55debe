"""Behind, forked or split: the relation of one tip to another by their common ancestor.

Equality of state hashes measures how fast blocks travel; only the ancestor tells a node that lags from one that
follows another chain (docs/facts.md: guardian/ancestor).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mina_infra.daemon.replies import Block


class Standing(StrEnum):
    """Where a node's tip stands against the reference tip."""

    EQUAL = "equal"
    BEHIND = "behind"
    AHEAD = "ahead"  # of a reference that was asked a moment earlier
    FORKED = "forked"
    BEHIND_BEYOND_FRONTIER = "behind-beyond-frontier"  # the chains that were read do not overlap in height
    SPLIT = "split"  # they overlap down to the end of a frontier and share nothing
    UNDECIDED = "undecided"  # they overlap, share nothing so far, and older blocks could still be read
    SYNCING = "syncing"  # the node has no best chain yet
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Relation:
    """`own` and `reference` count the blocks past the common ancestor on either side; None without an ancestor."""

    standing: Standing
    own: int | None = None
    reference: int | None = None
    ancestor_height: int | None = None
    ancestor: str | None = None


@dataclass(frozen=True)
class Chain:
    """One node's best chain, oldest block first, never empty. `to_root`: nothing older can be had from that node."""

    blocks: Sequence[Block]
    to_root: bool

    @property
    def tip(self) -> Block:
        return self.blocks[-1]

    @property
    def oldest(self) -> Block:
        return self.blocks[0]


class BlockTree:
    """All blocks that anybody told, by hash."""

    def __init__(self, chains: Iterable[Chain]) -> None:
        self._blocks: dict[str, Block] = {}
        for chain in chains:
            for block in chain.blocks:
                self._blocks[block.state_hash] = block

    def block(self, state_hash: str) -> Block | None:
        return self._blocks.get(state_hash)

    def path_down(self, tip: Block, to_height: int) -> list[Block]:
        """The known blocks from the tip down to the height above `to_height`, newest first."""
        path: list[Block] = []
        block: Block | None = tip
        while block is not None and block.height > to_height:
            path.append(block)
            block = self._parent(block)
        return path

    def _parent(self, block: Block) -> Block | None:
        """None as well for a parent that is not one lower: somebody lies, and a circle of lies would never end."""
        parent = self._blocks.get(block.parent_hash)
        return parent if parent is not None and parent.height == block.height - 1 else None

    def relate(self, chain: Chain, reference: Chain) -> Relation:
        """Walk both tips down, level by level, to the first hash that both have.

        A position is a height and a hash: the parent of the oldest known block counts, though the block is not known.
        """
        mine, theirs = _Walk(self, chain.tip), _Walk(self, reference.tip)
        while (mine.height, mine.hash) != (theirs.height, theirs.hash):
            # The higher side steps first; at equal heights both must.
            steps = [walk for walk in (mine, theirs) if walk.height == max(mine.height, theirs.height)]
            if not all(walk.step() for walk in steps):
                return Relation(_without_ancestor(chain, reference))
        own, ahead = chain.tip.height - mine.height, reference.tip.height - mine.height
        return Relation(_standing(own, ahead), own, ahead, mine.height, mine.hash)


class _Walk:
    """A position on the way down from a tip."""

    def __init__(self, tree: BlockTree, tip: Block) -> None:
        self._tree = tree
        self.height, self.hash = tip.height, tip.state_hash

    def step(self) -> bool:
        """To the parent. False when the block is not known at this height, so its parent is not either."""
        block = self._tree.block(self.hash)
        if block is None or block.height != self.height:
            return False
        self.height, self.hash = self.height - 1, block.parent_hash
        return True


def _standing(own: int, ahead: int) -> Standing:
    if own and ahead:
        return Standing.FORKED
    return Standing.AHEAD if own else Standing.BEHIND if ahead else Standing.EQUAL


def _without_ancestor(chain: Chain, reference: Chain) -> Standing:
    overlap = min(chain.tip.height, reference.tip.height) >= max(chain.oldest.height, reference.oldest.height)
    higher = chain if chain.oldest.height >= reference.oldest.height else reference
    if not higher.to_root:
        return Standing.UNDECIDED
    # Nobody is behind who begins above the network's tip: that is a chain of its own, however it came about.
    beyond = chain.oldest.height > reference.tip.height
    return Standing.SPLIT if overlap or beyond else Standing.BEHIND_BEYOND_FRONTIER


def reference_of(chains: Mapping[str, Chain]) -> str | None:
    """The node whose chain the others are compared with: the highest tip, among equals the one most nodes have.

    Never the first node, and never a plain majority: while nodes bootstrap, many of them agree on an old tip.
    Ties that remain go to the smaller hash, then the smaller name, so that the same answers give the same result.
    """
    votes = Counter(chain.tip.state_hash for chain in chains.values())

    def order(node: str) -> tuple[int, int, str, str]:
        tip = chains[node].tip
        return (-tip.height, -votes[tip.state_hash], tip.state_hash, node)

    return min(chains, key=order, default=None)
