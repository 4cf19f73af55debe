"""Trying again what a load balancer, a tunnel or a restarting API server dropped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mina_infra.cluster.api import ApiStatusError
from mina_infra.errors import ClusterError

R = TypeVar("R")

# 429: priority and fairness asks us to wait. 5xx: konnectivity answers them while a fresh node's agent connects.
TRANSIENT = frozenset({429, 500, 502, 503, 504})


class DroppedError(ClusterError):
    """The connection ended before the answer was complete."""


def is_transient(error: ClusterError) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, ApiStatusError):
        return error.code in TRANSIENT
    return isinstance(error, DroppedError)


async def with_retries(attempt: Callable[[], Awaitable[R]], *, attempts: int = 4, first_delay: float = 0.2) -> R:
    """The first success of at most `attempts` tries; waits double from `first_delay` seconds, with full jitter.

    Only for requests that may be sent twice. Raises the last error.
    """
    for number in range(attempts):
        try:
            return await attempt()
        except ClusterError as error:
            if number == attempts - 1 or not is_transient(error):
                raise
        await asyncio.sleep(first_delay * 2**number * (0.5 + random.random()))
    raise AssertionError("attempts must be positive")
