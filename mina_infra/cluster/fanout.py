"""Asking many at once without drowning the API server, and without one silent item delaying the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from mina_infra.errors import ClusterError

T = TypeVar("T")
R = TypeVar("R")


class NoAnswerError(ClusterError):
    """Nothing came within the time that one item may take."""


async def gather_bounded(
    items: Iterable[T],
    ask: Callable[[T], Awaitable[R]],
    *,
    limit: int,
    per_item_timeout: float,
    total_timeout: float | None = None,
    patience: float | None = None,
) -> list[R | ClusterError]:
    """Ask for every item, at most `limit` at a time, in their order; the answers in the order of the items.

    What has not answered within `total_timeout` seconds of the whole is a NoAnswerError as well. After `patience`
    seconds an item waits on beside the limit, so that silent ones do not hold up the rest: at most
    limit x per_item_timeout / patience are then under way at a time.

    An item that fails gives its ClusterError as a value, one that takes longer than `per_item_timeout` seconds a
    NoAnswerError: a TaskGroup would cancel the siblings of the first failure. Any other exception is a defect of ours
    and propagates.
    """
    slots = asyncio.Semaphore(limit)
    end = None if total_timeout is None else asyncio.get_running_loop().time() + total_timeout

    async def alone(item: T) -> R | ClusterError:
        try:
            async with asyncio.timeout(per_item_timeout):
                return await ask(item)
        except TimeoutError:
            return NoAnswerError(f"no answer within {per_item_timeout:g} s")
        except ClusterError as error:
            return error

    async def one(item: T) -> R | ClusterError:
        try:
            async with asyncio.timeout_at(end), _turn(slots, patience):
                return await alone(item)
        except TimeoutError:
            return NoAnswerError(f"no answer within the {total_timeout:g} s of the whole sweep")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


@asynccontextmanager
async def _turn(slots: asyncio.Semaphore, patience: float | None) -> AsyncIterator[None]:
    """One of the slots, given back at the end or after `patience` seconds."""
    await slots.acquire()
    if patience is None:
        try:
            yield
        finally:
            slots.release()
        return
    early = asyncio.get_running_loop().call_later(patience, slots.release)
    due = early.when()
    try:
        yield
    finally:
        if asyncio.get_running_loop().time() < due:
            early.cancel()
            slots.release()
