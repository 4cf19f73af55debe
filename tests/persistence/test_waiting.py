"""Waiting until nothing is left, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from mina_infra.errors import ClusterError
from mina_infra.persistence.waiting import until_none
from mina_infra.simulator import virtual_time


def wait(left: list[list[str]], deadline_s: float) -> float:
    """Seconds until nothing is left; each look finds the next of `left`, at the end the last again."""

    async def look() -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    async def timed() -> float:
        began = asyncio.get_running_loop().time()
        await until_none(look, deadline_s, lambda names: f"{names[0]} is late")
        return asyncio.get_running_loop().time() - began

    return virtual_time.run(timed())


def test_what_is_there_already_is_not_waited_for() -> None:
    assert wait([[]], 0) == 0


def test_it_ends_with_the_look_that_finds_nothing() -> None:
    assert 0 < wait([["a", "b"], ["b"], []], 60) < 2


def test_what_is_left_at_the_deadline_is_named() -> None:
    with pytest.raises(ClusterError, match="b is late"):
        wait([["a", "b"], ["b"]], 60)


def test_a_cluster_that_does_not_answer_is_told_at_once() -> None:
    async def look() -> list[str]:
        raise ClusterError("no answer")

    with pytest.raises(ClusterError, match="no answer"):
        virtual_time.run(until_none(look, 60, lambda _: "late"))
