"""Pods of setup and verification Jobs in the embedded world: really looked at, and ended as the script would end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest

from mina_infra.cluster.api import POD, KubeApi, Manifest
from mina_infra.simulator.check_jobs import FOLDER
from mina_infra.simulator.world import World
from tests.simulator.fake_api import FakeApi

PATIENCE_SECONDS = 20.0


def check_pod(phase: str, *, built_in: bool = True, status: str = "Running") -> Manifest:
    labels = {"mina-infra/job": phase, "mina-infra/node": "whale-1"}
    return {
        "metadata": {
            "namespace": "ns", "name": f"whale-1-{phase}", "uid": f"uid-{phase}",
            "labels": {**labels, "mina-infra/check": "built-in"} if built_in else labels,
        },
        "spec": {
            "containers": [{
                "name": "check", "image": "busybox", "command": ["sh", "-ceu", "touch /tmp/evidence"],
                "env": [{"name": "RUN", "value": "0123abcd"}, {"name": "HEIGHT", "value": "7"}],
                "volumeMounts": [{"name": "runtime-state", "mountPath": "/volumes/runtime-state"}],
            }],
            "volumes": [{"name": "runtime-state", "persistentVolumeClaim": {"claimName": "whale-1-state"}}],
        },
        "status": {"phase": status},
    }  # fmt: skip


class Scene:
    """A simulator that sees one pod after the other."""

    def __init__(self, folder: Path) -> None:
        self.api = FakeApi(folder / "volumes")
        self.volume = self.api.claim("whale-1-state")
        self.world = World(cast(KubeApi, self.api), folder / "state")

    def play(self, pod: Manifest) -> Manifest:
        """The pod's status after it has ended."""
        return asyncio.run(self._play(pod))

    async def _play(self, pod: Manifest) -> Manifest:
        task = asyncio.create_task(self.world.watch_pods())
        try:
            self.api.put(POD, pod)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self.status(pod)["phase"] == "Running":
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
        return self.status(pod)

    def status(self, pod: Manifest) -> Manifest:
        status: Manifest = self.api.objects[("Pod", "ns", pod["metadata"]["name"])]["status"]
        return status

    def said(self, phase: str) -> list[str]:
        path = Path(self.api.file("Logs", f"whale-1-{phase}")["logs"][0]["logsFile"])
        return [line.split(" F ", 1)[1] for line in path.read_text().splitlines()]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def code(status: Manifest) -> Any:
    (container,) = status["containerStatuses"]
    return container["state"]["terminated"]["exitCode"]


def test_markers_are_really_written_and_really_found(scene: Scene) -> None:
    status = scene.play(check_pod("setup"))
    assert (status["phase"], code(status)) == ("Succeeded", 0)
    assert (scene.volume / FOLDER / "run").read_text() == "0123abcd\n"
    status = scene.play(check_pod("verify"))
    assert (status["phase"], code(status)) == ("Succeeded", 0)
    (line,) = scene.said("verify")
    assert json.loads(line.removeprefix("check-state "))["marker"] == "kept"


def test_a_volume_that_was_emptied_fails_the_job(scene: Scene) -> None:
    status = scene.play(check_pod("verify"))
    assert (status["phase"], code(status)) == ("Failed", 42)
    (line,) = scene.said("verify")
    assert json.loads(line.removeprefix("check-state "))["marker"] == "lost"


def test_nobodys_script_runs_on_this_machine(scene: Scene) -> None:
    status = scene.play(check_pod("setup", built_in=False))
    assert (status["phase"], code(status)) == ("Failed", 126)
    assert scene.said("setup") == ["this cluster runs no containers, so it cannot run this script"]
    assert list(scene.volume.iterdir()) == []
    assert not Path("/tmp/evidence").exists()


def test_a_pod_that_has_ended_is_not_played_again(scene: Scene) -> None:
    async def see() -> None:
        task = asyncio.create_task(scene.world.watch_pods())
        scene.api.put(POD, check_pod("setup", status="Succeeded"))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not scene.world.checks.logs:
                await asyncio.sleep(0.01)
        await asyncio.gather(*scene.world._tasks)
        task.cancel()

    asyncio.run(see())
    assert list(scene.volume.iterdir()) == []
