"""An event loop whose time jumps: waiting costs nothing, so a test lives through timeouts, silence and days.

    verdict = virtual_time.run(verify(cluster, outputs, ...))

`asyncio.sleep` and `asyncio.timeout` then count virtual seconds. Whoever waits for something that nobody scheduled
would wait for ever; that is raised as `Stuck` instead.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_REAL_WAIT_SECONDS = 30.0
"""How long a thread or socket may keep a loop waiting that has nothing scheduled."""


class Stuck(RuntimeError):
    """Nothing is scheduled, nothing arrives, and somebody still waits: without a timeout, that is for ever."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time stands still while anything can run, and then jumps to the next timer. Seconds since the loop was made."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._seconds

    def jump(self, seconds: float) -> None:
        """Let that much time pass at once."""
        self._seconds += seconds


class _Jumping(selectors.DefaultSelector):
    """A selector that does not wait for time, only for threads and sockets when nothing is scheduled."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            if not (ready := super().select(_REAL_WAIT_SECONDS)):
                raise Stuck("nothing is scheduled and nothing arrives: a wait without a timeout")
            return ready
        self._loop.jump(timeout)
        return ready


def run(main: Coroutine[Any, Any, T]) -> T:
    """Like asyncio.run, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def current() -> VirtualLoop | None:
    """The running loop if its time is virtual."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return loop if isinstance(loop, VirtualLoop) else None
