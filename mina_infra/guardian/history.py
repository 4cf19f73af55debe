"""The network's chain as far back as it can be read: only one daemon is asked for more than the newest blocks."""

from __future__ import annotations

import asyncio

from mina_infra.cluster.cluster import Cluster
from mina_infra.daemon.replies import GraphQLError, decode_best_chain, query
from mina_infra.errors import ClusterError
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.past import join
from mina_infra.guardian.survey import ANSWER_SECONDS, Survey
from mina_infra.guardian.walking import LimitedPort, Walker
from mina_infra.outputs import OutputsDocument

PORTION = 64
"""Blocks of one look through a limited port, which gives them one by one: eight rounds, a second through a proxy."""


async def read_history(cluster: Cluster, outputs: OutputsDocument, survey: Survey, known: Chain | None) -> Chain | None:
    """The reference chain joined to what is known of it; None while nobody is synced.

    The whole frontier (about 160 kB for 290 blocks) is read once, or again after a gap. A limited port does not tell
    it: there the chain grows by a portion from look to look.
    """
    reference = survey.reference_chain
    if reference is None or survey.reference is None:
        return None
    chain = join(known, reference)
    if chain.to_root or len(chain.blocks) > outputs.chain.k:
        return chain
    node = next(node for node in outputs.daemons() if node.name == survey.reference)
    pod = survey.answers[survey.reference].pod
    narrow = LimitedPort.of(cluster, node, pod)
    frontier = outputs.chain.k + 1
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            if narrow is not None:
                return await _deeper(chain, narrow, min(PORTION, frontier - len(chain.blocks)))
            wire = await cluster.graphql(pod, query("best_chain"), {"maxLength": frontier}, port=node.ports["graphql"])
        blocks = decode_best_chain(wire)
    except (ClusterError, GraphQLError, TimeoutError):
        return chain
    return join(chain, Chain(blocks, True)) if blocks else chain


async def _deeper(chain: Chain, narrow: LimitedPort, blocks: int) -> Chain:
    """The chain with so many blocks more below it. Raises ClusterError, GraphQLError."""
    walker, parent = Walker(), chain.oldest.parent_hash
    await walker.warm(narrow.block_at, chain.oldest.height, blocks)
    if parent not in walker.known:
        block = await narrow.block(parent)
        if block is None:
            return Chain(chain.blocks, to_root=True)
        walker.known[block.state_hash] = block
    below = await walker.chain(narrow.block, parent, blocks, blocks + 1)
    return Chain((*below.blocks, *chain.blocks), below.to_root)
