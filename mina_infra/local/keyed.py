"""A work queue of keys: each key is handled by one worker at a time, and once more if it was added meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


class KeyedQueue(Generic[K]):
    """`run` handles keys until it is cancelled.

    After an exception of one of the `retry` types the key is handled again in `retry_seconds`; any other ends `run`.
    """

    def __init__(
        self,
        handle: Callable[[K], Awaitable[None]],
        *,
        workers: int,
        retry: tuple[type[Exception], ...] = (),
        retry_seconds: float = 1.0,
    ) -> None:
        self._handle = handle
        self._workers = workers
        self._retry = retry
        self._retry_seconds = retry_seconds
        self._waiting: asyncio.Queue[K] = asyncio.Queue()
        self._queued: set[K] = set()
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}

    def add(self, key: K, *, after: float = 0.0) -> None:
        """Handle the key now, or after so many seconds unless it is added for an earlier time before."""
        timer = self._timers.get(key)
        loop = asyncio.get_running_loop()
        if after > 0:
            if timer is None or timer.when() > loop.time() + after:
                if timer:
                    timer.cancel()
                self._timers[key] = loop.call_later(after, self._fire, key)
        elif key in self._busy:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._waiting.put_nowait(key)

    def _fire(self, key: K) -> None:
        del self._timers[key]
        self.add(key)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._workers):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._waiting.get()
            self._queued.discard(key)
            self._busy.add(key)
            try:
                await self._handle(key)
            except self._retry as error:
                log.warning("%s: %s; trying again in %g s", key, error, self._retry_seconds)
                self.add(key, after=self._retry_seconds)
            finally:
                self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
