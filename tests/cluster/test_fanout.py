"""Bounded fan-out and retries: order, limits, one failure or silence that hurts nobody else."""

from __future__ import annotations

import asyncio

import pytest

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.fanout import NoAnswerError, gather_bounded
from mina_infra.cluster.retry import DroppedError, with_retries
from mina_infra.errors import ClusterError


def test_answers_keep_the_order_and_never_more_than_the_limit_run() -> None:
    running = most = 0

    async def ask(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(item % 5):
            await asyncio.sleep(0)
        running -= 1
        return item * 2

    answers = asyncio.run(gather_bounded(range(100), ask, limit=7, per_item_timeout=5))
    assert answers == [item * 2 for item in range(100)]
    assert most == 7


def test_failures_and_silences_are_values_beside_the_answers() -> None:
    async def ask(item: str) -> str:
        if item == "ill":
            raise ClusterError("no")
        if item == "silent":
            await asyncio.Event().wait()
        return item

    well, ill, silent = asyncio.run(gather_bounded(["well", "ill", "silent"], ask, limit=1, per_item_timeout=0.05))
    assert well == "well"
    assert isinstance(ill, ClusterError)
    assert isinstance(silent, NoAnswerError)


def test_a_defect_of_ours_is_not_hidden() -> None:
    async def ask(item: int) -> int:
        return item // 0

    with pytest.raises(ExceptionGroup):
        asyncio.run(gather_bounded([1], ask, limit=1, per_item_timeout=1))


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (DroppedError("cut"), 3),
        (ApiStatusError(503, "", "later"), 3),
        (ApiStatusError(429, "TooManyRequests", "later"), 3),
        (ApiStatusError(403, "Forbidden", "no"), 1),
        (ApiStatusError(404, "NotFound", "no"), 1),
        (ClusterError("something else"), 1),
    ],
)
def test_only_what_may_pass_is_tried_again(error: ClusterError, tries: int) -> None:
    count = 0

    async def attempt() -> None:
        nonlocal count
        count += 1
        raise error

    with pytest.raises(type(error)):
        asyncio.run(with_retries(attempt, attempts=3, first_delay=0.0))
    assert count == tries
