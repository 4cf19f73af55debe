"""Bounded fan-out and retries: order, limits, one failure or silence that hurts nobody else."""

from __future__ import annotations

import asyncio

import pytest

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.fanout import NoAnswerError, gather_bounded
from mina_infra.cluster.retry import DroppedError, with_retries
from mina_infra.errors import ClusterError
from mina_infra.simulator import virtual_time


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


def test_silent_items_do_not_hold_up_the_rest_beyond_the_patience() -> None:
    """Of 20, each fifth silent: one at a time, all others answer before the first silent one is given up."""
    order: list[int] = []

    async def ask(item: int) -> int:
        if item % 5 == 0:
            await asyncio.Event().wait()
        order.append(item)
        return item

    async def sweep() -> tuple[list[int | ClusterError], float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await gather_bounded(range(20), ask, limit=1, per_item_timeout=6, patience=0.5)
        return answers, loop.time() - began

    answers, took = virtual_time.run(sweep())
    assert [isinstance(answer, NoAnswerError) for answer in answers] == [item % 5 == 0 for item in range(20)]
    assert took == pytest.approx(3 * 0.5 + 6)
    assert len(order) == 16


def test_patience_never_gives_a_slot_back_twice() -> None:
    running = most = 0

    async def ask(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1.0)
        running -= 1

    virtual_time.run(gather_bounded(range(30), ask, limit=3, per_item_timeout=6, patience=0.5))
    assert most == 6  # three in turn, and three that wait beside them


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
