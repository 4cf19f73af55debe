"""kwok may keep a list without the newest objects until one of the kind changes; so they are changed again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from mina_infra.cluster.api import ApiStatusError, KubeApi
from mina_infra.simulator import kwok
from mina_infra.simulator.kwok import PORT_FORWARD, Kwok
from tests.simulator.fake_api import FakeApi


def forward(pod: str) -> dict[str, object]:
    return kwok.port_forward(kwok.metadata("ns", pod, "uid"), {40000: [3085]})


def test_the_newest_object_of_a_kind_is_changed_again_after_each_change(tmp_path: Path) -> None:
    async def run() -> None:
        doors = Kwok(cast(KubeApi, FakeApi(tmp_path)))
        for pod in ("seed-1-pod", "whale-1-pod"):
            await doors.put(PORT_FORWARD, forward(pod))
        now = asyncio.get_running_loop().time()
        assert doors.due(now) == []
        for after in Kwok.REMINDERS:
            (found,) = doors.due(now + after)
            assert found[0] == PORT_FORWARD
            assert found[1]["name"] == "whale-1-pod"
            assert doors.due(now + after) == [], "once"
        assert doors.due(now + 3600) == []
        await doors.put(PORT_FORWARD, forward("seed-1-pod"))  # it is there already: brought up to date
        (again,) = doors.due(now + 3600)
        assert again[1]["name"] == "seed-1-pod"

    asyncio.run(run())


def test_an_object_that_was_not_written_is_not_changed_again(tmp_path: Path) -> None:
    class Terminating(FakeApi):
        async def request(self, method: str, path: str, *, body: dict[str, object]) -> dict[str, object]:
            raise ApiStatusError(403, "Forbidden", "namespace is being terminated")

    async def run() -> None:
        doors = Kwok(cast(KubeApi, Terminating(tmp_path)))
        await doors.put(PORT_FORWARD, forward("seed-1-pod"))
        assert doors.due(asyncio.get_running_loop().time() + 3600) == []

    asyncio.run(run())
