"""Branches that no lottery would draw in time, made by hand: a fork of exactly so many blocks, now."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mina_infra.simulator.chain import Header, base58
from mina_infra.simulator.network import Network


def forge_branch(network: Network, names: Sequence[str], depth: int) -> list[Header]:
    """Put these nodes on a branch of their own: other blocks in the place, and the slots, of the newest `depth`.

    The branch's last block loses against the one it stands beside, so a node that is well returns with the next block.
    Raises ValueError when the chain is shorter than that.
    """
    first = network.nodes[names[0]]
    chain = first.chain(depth + 1)
    if len(chain) < depth + 1:
        raise ValueError(f"the chain of {names[0]} has no {depth} blocks to fork from")
    parent, branch = chain[0], []
    for block in chain[1:]:
        parent = _sibling(block, parent)
        branch.append(parent)
    for name in names:
        node = network.nodes[name]
        for block in (*chain, *branch):
            if block.state_hash not in node.known:
                node.known[block.state_hash] = block
                node.pending.append(block)
        node.tip = branch[-1]
    return branch


def _sibling(block: Header, parent: Header) -> Header:
    """The same slot, another block; a VRF output of zeros loses every tie."""
    return msgspec.structs.replace(
        block,
        state_hash=base58("3N", 52, parent.state_hash, str(block.slot), "forged"),
        parent=parent.state_hash,
        height=parent.height + 1,
        vrf="0" * len(block.vrf),
    )
