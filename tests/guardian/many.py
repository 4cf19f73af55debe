"""Many simulated networks, one after the other or on several processes, with a line to standard error for each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

R = TypeVar("R")


def run_each(
    live: Callable[..., R], work: Sequence[tuple[Any, ...]], processes: int, tell: Callable[[R], str]
) -> list[R]:
    """Results in the order of the work. Whoever interrupts has read what the finished ones found."""
    if processes <= 1:
        return _told(map(live, *zip(*work, strict=True)), len(work), tell)
    with ProcessPoolExecutor(processes) as pool:
        try:
            return _told(pool.map(live, *zip(*work, strict=True)), len(work), tell)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _told(results: Any, count: int, tell: Callable[[R], str]) -> list[R]:
    started = time.monotonic()
    found: list[R] = []
    for result in results:
        found.append(result)
        print(f"{len(found)} of {count}, {time.monotonic() - started:.0f} s: {tell(result)}", file=sys.stderr)
    return found
