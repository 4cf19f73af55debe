"""A pod of an embedded cluster that is annotated with a fault has it, in real time, until the annotation goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from mina_infra.cluster.api import POD, Kind, KubeApi, Manifest
from mina_infra.daemon.replies import GraphQLError, SyncStatus, decode_status
from mina_infra.errors import ClusterError, EngineError
from mina_infra.simulator import live_faults
from mina_infra.simulator.condition import WELL
from mina_infra.simulator.faults import FAULTS
from tests.simulator.test_world import Play, Scene, play

__all__ = ["play"]


def test_the_names_are_those_of_the_table() -> None:
    assert set(live_faults.NAMES) <= FAULTS.keys()
    assert live_faults.names_of({live_faults.ANNOTATION: "stuck-synced, nonsense,oom"}) == {"stuck-synced", "oom"}
    assert live_faults.names_of(None) == frozenset()


@pytest.mark.parametrize("name", live_faults.ILLNESSES)
def test_each_illness_is_one(name: str) -> None:
    assert live_faults.condition_of(frozenset({name}), 1000.0) != WELL


def annotate(scene: Scene, pod: str, *faults: str) -> None:
    manifest = scene.api.objects[("Pod", "ns", pod)]
    manifest["metadata"]["annotations"][live_faults.ANNOTATION] = ",".join(faults)
    scene.api.put(POD, manifest)


class Pods:
    """As much of an API server as annotating needs."""

    def __init__(self) -> None:
        self.annotations: dict[str, str | None] = {}

    async def objects(self, kind: Kind, namespace: str, labels: str) -> list[Manifest]:
        if labels != "app=whale-1":
            return []
        return [{"metadata": {"name": "whale-1-x", "annotations": dict(self.annotations)}}]

    async def patch(self, kind: Kind, name: str, patch: Manifest, namespace: str) -> None:
        self.annotations |= patch["metadata"]["annotations"]
        self.annotations = {key: value for key, value in self.annotations.items() if value is not None}


def test_faults_are_added_and_taken_away_and_mistakes_are_named() -> None:
    pods = Pods()

    def annotate(*names: str, node: str = "whale-1", heal: bool = False) -> tuple[str, ...]:
        api = cast(KubeApi, pods)
        return asyncio.run(live_faults.annotate(api, "ns", [node], names, heal=heal))[node]

    assert annotate("stuck-synced") == ("stuck-synced",)
    assert annotate("silent-node") == ("silent-node", "stuck-synced")
    assert pods.annotations == {live_faults.ANNOTATION: "silent-node,stuck-synced"}
    assert annotate("stuck-synced", heal=True) == ("silent-node",)
    assert annotate(heal=True) == ()
    assert pods.annotations == {}
    with pytest.raises(EngineError, match=r"no fault is called stuck\. There are: stuck-synced, "):
        annotate("stuck")
    with pytest.raises(EngineError, match=r"Did you mean stuck-synced\?"):
        annotate("stuck-sync")
    with pytest.raises(ClusterError, match="no pod of node 'whale-9' in namespace 'ns'"):
        annotate("oom", node="whale-9")


def test_a_node_that_is_stuck_stays_where_it_is_until_it_is_healed(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        before = await scene.until_height("plain-1-pod", 5)
        annotate(scene, "plain-1-pod", "stuck-synced")
        await scene.until_true(lambda: scene.world.daemons["uid-plain-1-pod"].faults)
        stuck = (await scene.until("plain-1-pod", sync_status=SyncStatus.SYNCED)).blockchain_length or 0
        await scene.until_height("whale-1-pod", (before.blockchain_length or 0) + 8)
        assert (await scene.until("plain-1-pod", sync_status=SyncStatus.SYNCED)).blockchain_length == stuck
        annotate(scene, "plain-1-pod")
        await scene.until_height("plain-1-pod", stuck + 5)

    play(act)


def test_a_garbage_node_answers_html_and_a_silent_one_nothing(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        await scene.until_height("plain-1-pod", 2)
        annotate(scene, "plain-1-pod", "garbage-node")
        annotate(scene, "whale-1-pod", "silent-node")
        await scene.until_true(lambda: scene.world.daemons["uid-whale-1-pod"].faults)
        with pytest.raises(GraphQLError):
            decode_status(await scene.ask("plain-1-pod"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(scene.ask("whale-1-pod"), 0.3)
        annotate(scene, "whale-1-pod")
        await scene.until("whale-1-pod", sync_status=SyncStatus.SYNCED)

    play(act)


def test_a_crash_is_counted_in_the_pods_status_and_its_words_are_the_previous_log(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        before = await scene.until_height("plain-1-pod", 3)
        pod = scene.api.objects[("Pod", "ns", "plain-1-pod")]
        pod["status"]["containerStatuses"] = [{"name": "mina", "restartCount": 0, "ready": True}]
        annotate(scene, "plain-1-pod", "crash-once")
        await scene.until_true(lambda: pod["status"]["containerStatuses"][0]["restartCount"] == 1)
        assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
        assert pod["status"]["phase"] == "Running"
        await scene.until_true(lambda: "previousLogsFile" in scene.api.file("Logs", "plain-1-pod")["logs"][0])
        previous = Path(scene.api.file("Logs", "plain-1-pod")["logs"][0]["previousLogsFile"]).read_text()
        assert "Unhandled top-level exception" in previous
        assert "Unhandled top-level exception" not in scene.log_of("plain-1-pod")
        await scene.until_height("plain-1-pod", before.blockchain_length or 0)
        annotate(scene, "plain-1-pod", "crash-once")  # it is there already: no second crash
        await scene.until_height("plain-1-pod", (before.blockchain_length or 0) + 1)
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 1

    play(act)
