"""The chain of a daemon behind its limited port, which has no bestChain: block by block, from the tip to its parents.

A block is named by its hash, so one that any node has told is known for all: a sweep over 200 nodes of one chain reads
each block once, and the next sweep only the new ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from mina_infra.cluster.cluster import Cluster
from mina_infra.cluster.fanout import gather_bounded
from mina_infra.daemon.replies import Block, GraphQLError, decode_block, query
from mina_infra.guardian.forks import Chain
from mina_infra.outputs import NodeOutput

Read = Callable[[str], Awaitable[Block | None]]
"""Asks one daemon for the block of a hash; None when it does not have it."""

ReadAt = Callable[[int], Awaitable[Block | None]]
"""Asks one daemon for the block of its best chain at a height."""

WARMING, WARMING_SECONDS = 8, 3.0


@dataclass(frozen=True)
class LimitedPort:
    """The limited port of one daemon, where a block can be had by its hash or by its height in the best chain."""

    cluster: Cluster
    node: NodeOutput
    pod: str

    @classmethod
    def of(cls, cluster: Cluster, node: NodeOutput, pod: str) -> LimitedPort | None:
        """None where the road leads to the full port, or the daemon has no limited one."""
        limited = cluster.road is not None and cluster.road.limited and "limited-graphql" in node.ports
        return cls(cluster, node, pod) if limited else None

    async def block(self, state_hash: str) -> Block | None:
        """Raises ClusterError, GraphQLError."""
        return await self._ask("block", stateHash=state_hash)

    async def block_at(self, height: int) -> Block | None:
        """None as well for an answer that is none: the walk asks again by hash, and says what is wrong."""
        try:
            return await self._ask("block_at", height=height)
        except GraphQLError:
            return None

    async def _ask(self, name: str, **variables: object) -> Block | None:
        ports = self.node.ports
        return decode_block(
            await self.cluster.graphql(
                self.pod, query(name), variables, port=ports["graphql"], limited=ports["limited-graphql"]
            )
        )


# How long a node waits for a block that another node is being asked for, before it is asked itself.
SHARED_SECONDS = 0.5


class Walker:
    """Walks chains down. `known` are blocks by hash; it grows."""

    def __init__(self, known: Iterable[Block] = ()) -> None:
        self.known: dict[str, Block] = {block.state_hash: block for block in known}
        self._being_read: dict[str, asyncio.Event] = {}
        self._warming: asyncio.Event | None = None

    async def chain(self, read: Read, tip: str, blocks: int, whole: int) -> Chain:
        """The newest `blocks` blocks down from `tip`.

        It reaches to the root where `read` does not know the next parent, or `blocks` is the `whole` frontier. Raises
        GraphQLError when a daemon does not know its own tip or the answer is another block than was asked for.
        """
        path: list[Block] = []
        wanted, ended = tip, False
        while len(path) < blocks and not ended:
            block = await self._block(read, wanted)
            if block is None:
                ended = True
            else:
                path.append(block)
                wanted = block.parent_hash
        if not path:
            raise GraphQLError((f"it has no block {tip}, which it names as its tip",))
        return Chain(tuple(reversed(path)), to_root=ended or blocks >= whole)

    async def warm(self, read: ReadAt, tip: int, blocks: int) -> None:
        """Read the newest blocks below the height `tip` by their heights, some at a time, if nothing is known yet.

        A first walk would else be as slow as all its answers one after the other. What cannot be read is left to it.
        """
        if self._warming is not None:
            with suppress(TimeoutError):  # that node may be a silent one
                async with asyncio.timeout(SHARED_SECONDS):
                    await self._warming.wait()
            return
        self._warming = asyncio.Event()
        heights = range(tip - 1, max(tip - blocks, 0), -1) if not self.known else range(0)
        try:
            found = await gather_bounded(heights, read, limit=WARMING, per_item_timeout=WARMING_SECONDS)
        finally:
            self._warming.set()
        for height, block in zip(heights, found, strict=True):
            if isinstance(block, Block) and block.height == height:
                self.known.setdefault(block.state_hash, block)

    async def _block(self, read: Read, state_hash: str) -> Block | None:
        other = self._being_read.get(state_hash)
        if other is not None and state_hash not in self.known:
            try:
                async with asyncio.timeout(SHARED_SECONDS):
                    await other.wait()
            except TimeoutError:
                pass  # that node may be a silent one
        if state_hash in self.known:
            return self.known[state_hash]
        mine = self._being_read[state_hash] = asyncio.Event()
        try:
            block = await read(state_hash)
        finally:
            mine.set()
            if self._being_read.get(state_hash) is mine:
                del self._being_read[state_hash]
        if block is not None:
            if block.state_hash != state_hash:
                raise GraphQLError((f"asked for block {state_hash}, it answered with {block.state_hash}",))
            self.known[state_hash] = block
        return block
