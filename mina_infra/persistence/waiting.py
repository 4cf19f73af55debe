"""Waiting until nothing is left that is not as it should be: claims without a volume, snapshots that are not ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from mina_infra.cluster.api import CLAIM, KubeApi
from mina_infra.errors import ClusterError
from mina_infra.persistence import objects

LOOK_EVERY_S = 0.4


async def until_none(
    left: Callable[[], Awaitable[Sequence[str]]], deadline_s: float, late: Callable[[Sequence[str]], str]
) -> None:
    """Ask for what is left until nothing is. Raises ClusterError after `deadline_s`: what `late` says of the rest.

    It asks again and again and does not watch, because a watch outlives an API server that is gone, and would wait for
    it in silence; what `left` raises is told at once.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_s
    while rest := await left():
        if loop.time() > deadline:
            raise ClusterError(late(rest))
        await asyncio.sleep(LOOK_EVERY_S)


async def until_bound(
    api: KubeApi, namespace: str, claims: Collection[str], deadline_s: float, update: Callable[[str], object]
) -> None:
    """Until each of these claims has its volume. Raises ClusterError after `deadline_s`, naming some that have not."""

    async def left() -> list[str]:
        bound = {objects.name_of(each) for each in await api.objects(CLAIM, namespace) if objects.is_bound(each)}
        waiting = sorted(set(claims) - bound)
        rest = f", {waiting[0]} is not" if waiting else ""
        update(f"{len(claims) - len(waiting)} of {len(claims)} claims bound{rest}")
        return waiting

    def late(names: Sequence[str]) -> str:
        return f"not bound after {deadline_s:.0f} s: {', '.join(names[:5])}; the same command goes on"

    await until_none(left, deadline_s, late)
