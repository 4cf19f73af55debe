"""The heap of what is going to happen, and the present."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any


class Clockwork:
    """Events in order of time, then of number. Times in ms since 1970; `now` only moves in `advance`."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._events: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._number = 0

    def at(self, time: float, function: Callable[..., object], *arguments: Any) -> None:
        """Let something happen at that moment."""
        self._number += 1
        heapq.heappush(self._events, (time, self._number, function, arguments))

    @property
    def events_so_far(self) -> int:
        """How many have been planned since the beginning."""
        return self._number

    def next_event(self) -> float:
        """When something happens next."""
        return self._events[0][0] if self._events else math.inf

    def live(self, to: float) -> None:
        """Everything up to a moment happens."""
        events = self._events
        while events and events[0][0] <= to:
            time, _, function, arguments = heapq.heappop(events)
            if time > self.now:
                self.now = time
            function(*arguments)
        self.now = max(self.now, to)
