"""The work queue behind the provisioner."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from mina_infra.local.keyed import KeyedQueue


async def run_until(queue: KeyedQueue[str], done: asyncio.Event) -> None:
    task = asyncio.create_task(queue.run())
    waiter = asyncio.create_task(done.wait())
    await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED, timeout=5)
    waiter.cancel()
    if task.done():
        await task
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_a_key_is_never_handled_twice_at_once_and_once_more_if_it_changed_meanwhile():
    async def check() -> None:
        done, entered = asyncio.Event(), []

        async def handle(key: str) -> None:
            entered.append(key)
            if len(entered) == 1:
                queue.add(key)
                queue.add(key)
                await asyncio.sleep(0)
                assert entered == ["a"]
            else:
                done.set()

        queue = KeyedQueue[str](handle, workers=4)
        queue.add("a")
        queue.add("a")
        await run_until(queue, done)
        assert entered == ["a", "a"]

    asyncio.run(check())


def test_different_keys_are_handled_side_by_side():
    async def check() -> None:
        done, barrier = asyncio.Event(), asyncio.Barrier(3)

        async def handle(_key: str) -> None:
            await barrier.wait()
            done.set()

        queue = KeyedQueue[str](handle, workers=3)
        for key in "abc":
            queue.add(key)
        await run_until(queue, done)
        assert done.is_set()

    asyncio.run(check())


def test_a_failure_is_tried_again():
    async def check() -> None:
        done, tries = asyncio.Event(), []

        async def handle(key: str) -> None:
            tries.append(key)
            if len(tries) < 3:
                raise OSError("not now")
            done.set()

        queue = KeyedQueue[str](handle, workers=1, retry=(OSError,), retry_seconds=0.01)
        queue.add("a")
        await run_until(queue, done)
        assert tries == ["a"] * 3

    asyncio.run(check())


def test_a_mistake_of_ours_is_not_hidden():
    async def handle(_key: str) -> None:
        raise KeyError("bug")

    async def check() -> None:
        queue = KeyedQueue[str](handle, workers=2, retry=(OSError,))
        queue.add("a")
        with pytest.raises(ExceptionGroup):
            await run_until(queue, asyncio.Event())

    asyncio.run(check())


def test_the_earlier_of_two_times_counts():
    async def check() -> None:
        done = asyncio.Event()

        async def handle(_key: str) -> None:
            done.set()

        queue = KeyedQueue[str](handle, workers=1)
        queue.add("a", after=0.01)
        queue.add("a", after=60)
        await run_until(queue, done)
        assert done.is_set()

    asyncio.run(check())
