"""What a person is told while nodes start, and when it is over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mina_infra.cluster.api import CLAIM, DEPLOYMENT, POD, KubeApi, Watched
from mina_infra.engine import settle
from mina_infra.engine.report import Silent
from mina_infra.engine.settle import Pulse, Scene, is_running, wait_until_running
from mina_infra.errors import ClusterError


def deployment(
    name: str = "whale-3", *, ready: int = 1, replicas: int = 1, seen: int = 2, **status: Any
) -> dict[str, Any]:
    counts = {"observedGeneration": seen, "replicas": ready, "updatedReplicas": ready, "readyReplicas": ready}
    return {
        "metadata": {"name": name, "generation": 2},
        "spec": {"replicas": replicas},
        "status": {**{key: value for key, value in counts.items() if value}, **status},
    }


@pytest.mark.parametrize(
    ("item", "running"),
    [
        (deployment(), True),
        (deployment(ready=0), False),
        (deployment(seen=1), False),  # the controller has not seen the newest declaration
        (deployment(updatedReplicas=0), False),  # the pod of the old image still runs
        (deployment(ready=0, replicas=0), True),  # paused
        (deployment(ready=1, replicas=0), False),  # pausing
        (None, False),
    ],
)
def test_running_means_all_of_the_newest_declaration(item: dict[str, Any] | None, running: bool) -> None:
    assert is_running(item) is running


def pod(claim: str | None = "whale-3-runtime-state-e1", *, name: str = "whale-3-x", **status: Any) -> dict[str, Any]:
    volumes = [{"persistentVolumeClaim": {"claimName": claim}}] if claim else []
    metadata = {"name": name, "labels": {"app": "whale-3"}, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": metadata, "spec": {"volumes": volumes}, "status": {"phase": "Pending", **status}}


def claim(phase: str, selected: str | None = None) -> dict[str, Any]:
    notes = {"volume.kubernetes.io/selected-node": selected} if selected else {}
    return {"metadata": {"name": "whale-3-runtime-state-e1", "annotations": notes}, "status": {"phase": phase}}


def scene(*items: tuple[Any, dict[str, Any]]) -> Scene:
    found = Scene()
    for kind in (DEPLOYMENT, POD, CLAIM):
        found.see(kind, Watched("SYNCED", {"items": [item for of, item in items if of == kind]}))
    return found


WAITING = (DEPLOYMENT, deployment(ready=0))


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([], "no Deployment"),
        ([WAITING], "no pod yet"),
        ([WAITING, (POD, pod())], "volume binding of whale-3-runtime-state-e1"),
        (
            [WAITING, (POD, pod()), (CLAIM, claim("Pending", "node-b-1"))],
            "volume binding of whale-3-runtime-state-e1 (selected node node-b-1)",
        ),
        ([WAITING, (POD, pod()), (CLAIM, claim("Bound"))], "pod is Pending"),
        (
            [
                WAITING,
                (POD, pod(None, conditions=[{"type": "PodScheduled", "status": "False", "message": "0/4 nodes"}])),
            ],
            "scheduling (0/4 nodes)",
        ),
        (
            [
                WAITING,
                (
                    POD,
                    pod(
                        None,
                        containerStatuses=[{"name": "mina", "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
                    ),
                ),
            ],
            "container mina: ImagePullBackOff",
        ),
        ([WAITING, (POD, pod(None, phase="Running"))], "not ready yet"),
        (
            [WAITING, (POD, {**pod(), "metadata": {**pod()["metadata"], "deletionTimestamp": "x"}})],
            "the old pod is ending",
        ),
    ],
)
def test_the_reason_is_the_first_thing_that_is_missing(items: list[Any], why: str) -> None:
    assert scene(*items).why("whale-3") == why


def test_line() -> None:
    found = scene((DEPLOYMENT, deployment("seed-1")), WAITING, (POD, pod()), (CLAIM, claim("Pending")))
    assert found.line(["seed-1", "whale-3"]) == (
        "1/2 nodes run, 0/1 claims bound   waiting for whale-3: volume binding of whale-3-runtime-state-e1"
    )
    found.see(CLAIM, Watched("MODIFIED", claim("Bound")))
    found.see(DEPLOYMENT, Watched("MODIFIED", deployment()))
    assert found.line(["seed-1", "whale-3"]) == "2/2 nodes run, 1/1 claims bound"
    found.see(DEPLOYMENT, Watched("DELETED", deployment()))
    assert found.missing(["seed-1", "whale-3"]) == ["whale-3"]


def test_before_the_first_list_nothing_is_claimed() -> None:
    assert Scene().line(["seed-1"]) == "listing the testnet's objects"


def test_a_cluster_that_is_gone_is_not_waited_for_till_the_deadline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]\n"
        "contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n"
    )
    monkeypatch.setattr(settle, "SILENT_S", 0.0)

    async def settled() -> None:
        async with KubeApi.from_kubeconfig(kubeconfig) as api:
            await wait_until_running(api, "small", ["seed-1"], Silent(), deadline_s=60)

    with pytest.raises(ClusterError, match=r"http://127\.0\.0\.1:9 does not answer"):
        asyncio.run(settled())


def test_a_short_silence_of_the_cluster_is_told() -> None:
    assert Pulse().line() == ""
    assert Pulse(error=ClusterError("refused")).line() == "the cluster has not answered for 0 s"
