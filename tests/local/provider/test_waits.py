"""What the provider waits for, when it gives up, and what it then says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mina_infra.cluster.api import Watched
from mina_infra.local.provider import await_logic, conditions, informers
from tests.local.provider.support import AbortedError, Provider, attached, create, path_of, urn


def manifest(version: str, kind: str, name: str = "it", namespace: str | None = "rec", **body: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **body.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


async def begun(provider: Provider, item: dict[str, Any], **more: Any) -> tuple[asyncio.Task[dict[str, Any]], str]:
    """A create that waits, and the path of its object once that is there."""
    task = asyncio.create_task(create(provider, item, **more))
    path = path_of(item)
    while path not in provider.api.objects:
        await asyncio.sleep(0)
    return task, path


async def settled(task: asyncio.Task[Any]) -> bool:
    """Has the task come to its end, after everything that can happen now has happened?"""
    for _ in range(50):
        await asyncio.sleep(0)
    return task.done()


VOLUMES = [{"name": "r", "persistentVolumeClaim": {"claimName": "claim"}}]
DEPLOYMENT = manifest("apps/v1", "Deployment", spec={"template": {"spec": {"volumes": VOLUMES}}})
CLAIM = manifest("v1", "PersistentVolumeClaim", "claim", spec={"storageClassName": "ssd"})
AVAILABLE = {"type": "Available", "status": "True"}


def rolled_out(live: dict[str, Any], **status: Any) -> dict[str, Any]:
    annotations = {conditions.REVISION: "1"}
    metadata = {**live["metadata"], "annotations": annotations, "generation": 1}
    found = {"observedGeneration": 1, "updatedReplicas": 1, "conditions": [AVAILABLE], **status}
    return {**live, "metadata": metadata, "status": found}


def replica_set(owner: dict[str, Any], ready: int) -> dict[str, Any]:
    metadata = {"ownerReferences": [{"uid": owner["metadata"]["uid"]}], "annotations": {conditions.REVISION: "1"}}
    spec, status = {"replicas": 1}, {"readyReplicas": ready}
    return manifest("apps/v1", "ReplicaSet", "it-1", metadata=metadata, spec=spec, status=status)


def test_a_deployment_is_ready_with_its_pods_and_its_claims(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        claims = path_of(CLAIM)
        provider.api.put(claims, {**CLAIM, "status": {"phase": "Pending"}})
        task, path = await begun(provider, DEPLOYMENT)
        live = provider.api.put(path, rolled_out(provider.api.objects[path]))
        assert not await settled(task)
        sets = path.replace("deployments", "replicasets") + "-1"
        provider.api.put(sets, replica_set(live, ready=0))
        assert not await settled(task)
        provider.api.put(sets, replica_set(live, ready=1))
        assert not await settled(task)
        provider.api.put(claims, {**CLAIM, "status": {"phase": "Bound"}})
        assert (await task)["properties"]["status"]["observedGeneration"] == 1

    attached(tmp_path, work)


def test_a_deployment_that_does_not_get_ready_is_recorded_with_the_reasons(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        provider.api.put(path_of(CLAIM), {**CLAIM, "status": {"phase": "Pending"}})
        with pytest.raises(AbortedError) as caught:
            await create(provider, DEPLOYMENT, timeout=0.05)
        assert "'it' timed out waiting to be Ready" in caught.value.details
        failed = caught.value.init_failed()
        assert failed.id == "rec/it"
        assert list(failed.reasons)[1:] == [
            'Failed to bind PersistentVolumeClaim(s): "claim"',
            "Minimum number of live Pods was not attained",
        ]
        assert failed.properties["__fieldManager"]

    attached(tmp_path, work)


def test_the_pods_of_a_failed_deployment_are_heard(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        task, path = await begun(provider, DEPLOYMENT, timeout=0.2)
        live = provider.api.put(path, rolled_out(provider.api.objects[path]))
        sets = provider.api.put(path.replace("deployments", "replicasets") + "-1", replica_set(live, ready=0))
        waiting = {"reason": "ErrImagePull", "message": "no such image"}
        status = {"conditions": [], "containerStatuses": [{"name": "mina", "state": {"waiting": waiting}}]}
        owner = {"ownerReferences": [{"uid": sets["metadata"]["uid"]}]}
        provider.api.put("/api/v1/namespaces/rec/pods/p", manifest("v1", "Pod", "p", metadata=owner, status=status))
        with pytest.raises(AbortedError) as caught:
            await task
        assert "[Pod rec/p]: [ErrImagePull] no such image" in caught.value.init_failed().reasons

    attached(tmp_path, work)


def test_what_the_watch_saw_before_our_write_does_not_count(tmp_path: Path) -> None:
    """A Deployment that was ready before an update is not ready because of that."""

    async def work(provider: Provider) -> None:
        path = path_of(DEPLOYMENT)
        live = provider.api.put(path, rolled_out({**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], "uid": "u"}}))
        provider.api.put(path.replace("deployments", "replicasets") + "-1", replica_set(live, ready=1))
        task, _ = await begun(provider, manifest("apps/v1", "Deployment", "other"))  # starts the watches
        await settled(task)
        later = {**live, "metadata": {**live["metadata"], "resourceVersion": "9999", "generation": 2}}
        provider.api.answers["PATCH", path] = later
        state = {**live, "__inputs": DEPLOYMENT}
        request = {"urn": urn("apps/v1:Deployment"), "id": "rec/it", "olds": state, "news": DEPLOYMENT}
        with pytest.raises(AbortedError, match="timed out"):
            await provider.call("Update", {**request, "timeout": 0.05})
        task.cancel()

    attached(tmp_path, work)


@pytest.mark.parametrize("mark", ["pulumi.com/skipAwait"])
def test_nothing_is_waited_for_when_the_user_does_not_want_it(mark: str, tmp_path: Path) -> None:
    item = {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], "annotations": {mark: "true"}}}
    assert attached(tmp_path, lambda provider: create(provider, item))["id"] == "rec/it"


def test_the_annotation_sets_the_time(tmp_path: Path) -> None:
    assert await_logic.limit(0, {"metadata": {"annotations": {"pulumi.com/timeoutSeconds": "7"}}}) == 7
    assert await_logic.limit(3, {"metadata": {"annotations": {"pulumi.com/timeoutSeconds": "7"}}}) == 3
    assert await_logic.limit(0, {"metadata": {"annotations": {"pulumi.com/timeoutSeconds": "soon"}}}) == 600


@pytest.mark.parametrize(
    ("mode", "phase", "ready"),
    [
        ("WaitForFirstConsumer", "Pending", True),
        ("WaitForFirstConsumer", "Bound", True),
        ("Immediate", "Pending", False),
        ("Immediate", "Bound", True),
        (None, "Pending", False),
    ],
)
def test_a_claim_waits_for_its_volume_unless_the_class_waits_for_a_pod(
    mode: str | None, phase: str, ready: bool, tmp_path: Path
) -> None:
    async def work(provider: Provider) -> None:
        if mode:
            storage_class = manifest("storage.k8s.io/v1", "StorageClass", "ssd", None, volumeBindingMode=mode)
            provider.api.put(path_of(storage_class), storage_class)
        expected = contextlib.nullcontext() if ready else pytest.raises(AbortedError, match="Timeout occurred polling")
        with expected:
            await create(provider, {**CLAIM, "status": {"phase": phase}}, timeout=0.05)

    attached(tmp_path, work)


def test_a_failed_job_ends_the_waiting_with_its_reason(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        task, path = await begun(provider, manifest("batch/v1", "Job"))
        failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}
        provider.api.put(path, {**provider.api.objects[path], "status": {"conditions": [failed]}})
        with pytest.raises(AbortedError) as caught:
            await task
        assert caught.value.init_failed().reasons[1] == "[BackoffLimitExceeded] too often"

    attached(tmp_path, work)


def test_a_job_is_done_when_it_is_complete(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        task, path = await begun(provider, manifest("batch/v1", "Job"))
        status = {"startTime": "now", "conditions": [{"type": "Complete", "status": "True"}]}
        provider.api.put(path, {**provider.api.objects[path], "status": {"startTime": "now"}})
        assert not await settled(task)
        provider.api.put(path, {**provider.api.objects[path], "status": status})
        await task

    attached(tmp_path, work)


def test_a_quota_waits_until_it_counts(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        task, path = await begun(provider, manifest("v1", "ResourceQuota", spec={"hard": {"pods": "1"}}))
        assert not await settled(task)
        provider.api.put(path, {**provider.api.objects[path], "status": {"hard": {"pods": "1"}}})
        await task

    attached(tmp_path, work)


def test_a_custom_condition_takes_the_place_of_the_built_in_one(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        marks = {"annotations": {"pulumi.com/waitFor": '["jsonpath={.status.phase}=Running", "condition=Ready"]'}}
        task, path = await begun(provider, manifest("v1", "Pod", metadata=marks))
        live = provider.api.objects[path]
        provider.api.put(path, {**live, "status": {"phase": "Running"}})
        assert not await settled(task)
        ready = [{"type": "Ready", "status": "True"}]
        provider.api.put(path, {**live, "status": {"phase": "Running", "conditions": ready}})
        await task

    attached(tmp_path, work)


def test_a_custom_condition_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    item = manifest("v1", "Pod", metadata={"annotations": {"pulumi.com/waitFor": "soon"}})
    with pytest.raises(AbortedError, match='expected a "jsonpath=" or "condition=" prefix'):
        attached(tmp_path, lambda provider: create(provider, item))


def test_cancelling_ends_every_wait_of_the_connection_and_no_other(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        task, _ = await begun(provider, manifest("batch/v1", "Job"))
        await settled(task)
        provider.peer = "another"
        await provider.configure()
        await provider.call("Cancel", {})
        assert not await settled(task)
        provider.peer = "ipv4:127.0.0.1:1"
        await provider.call("Cancel", {})
        with pytest.raises(AbortedError, match="Resource operation was cancelled for 'it'"):
            await task

    attached(tmp_path, work)


STATE = manifest("v1", "ConfigMap", metadata={"uid": "u"})
PATH = path_of(STATE)


def leaving(provider: Provider) -> dict[str, Any]:
    """Make the API server answer a delete with an object whose finalizers have still to be worked off."""
    live = provider.api.put(PATH, {**STATE, "metadata": {**STATE["metadata"], "finalizers": ["foregroundDeletion"]}})
    provider.api.answers["DELETE", PATH] = live
    return live


async def delete(provider: Provider, **more: Any) -> dict[str, Any]:
    request = {"urn": urn("core/v1:ConfigMap"), "id": "rec/it", "properties": {**STATE, "__inputs": STATE}, **more}
    return await provider.call("Delete", request)


def test_a_delete_waits_until_the_object_has_left(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        leaving(provider)
        task = asyncio.create_task(delete(provider))
        assert not await settled(task)
        provider.api.drop(PATH)
        await task
        assert [request[0] for request in provider.api.requests[1:]] == ["DELETE"]

    attached(tmp_path, work)


def test_a_successor_of_the_same_name_is_another_object(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        leaving(provider)
        task = asyncio.create_task(delete(provider))
        assert not await settled(task)
        provider.api.put(PATH, {**STATE, "metadata": {**STATE["metadata"], "uid": "successor"}})
        await task

    attached(tmp_path, work)


def test_an_object_that_the_watch_never_showed_is_asked_for(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        provider.api.answers["DELETE", PATH] = STATE
        await delete(provider)
        assert provider.api.requests[-1][0] == "GET"

    attached(tmp_path, work)


def test_a_delete_that_hangs_names_the_finalizers(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        leaving(provider)
        with pytest.raises(AbortedError, match="timed out waiting for the condition") as caught:
            await delete(provider, timeout=0.05)
        assert caught.value.init_failed().id == "rec/it"
        assert provider.messages.lines == [
            "warning: finalizers might be preventing deletion (foregroundDeletion)",
        ]

    attached(tmp_path, work)


def test_status_lines_come_after_a_while_and_are_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(provider: Provider) -> None:
        monkeypatch.setattr(await_logic, "STATUS_EVERY", 0.0)
        task, path = await begun(provider, manifest("batch/v1", "Job"))
        while not provider.messages.lines:
            await asyncio.sleep(0)
        status = {"startTime": "now", "conditions": [{"type": "Complete", "status": "True"}]}
        provider.api.put(path, {**provider.api.objects[path], "status": status})
        await task
        assert provider.messages.lines == [
            'Waiting for Job "rec/it" to succeed (Active: 0 | Succeeded: 0 | Failed: 0)',
            "",
        ]

    attached(tmp_path, work)


def test_many_waits_of_one_kind_share_one_watch(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        jobs = [manifest("batch/v1", "Job", f"job-{number}") for number in range(20)]
        begun_ = [await begun(provider, job) for job in jobs]
        await settled(begun_[-1][0])
        assert [collection for collection, _ in provider.api._watches] == ["/apis/batch/v1/namespaces/rec/jobs"]
        status = {"startTime": "now", "conditions": [{"type": "Complete", "status": "True"}]}
        for _, path in begun_:
            provider.api.put(path, {**provider.api.objects[path], "status": status})
        await asyncio.gather(*(task for task, _ in begun_))

    attached(tmp_path, work)


JOB = manifest("batch/v1", "Job", metadata={"annotations": {"pulumi.com/replaceUnready": "true"}})


@pytest.mark.parametrize(("complete", "replaces"), [("True", False), ("False", True)])
def test_an_unfinished_job_is_replaced_when_asked_for(complete: str, replaces: bool, tmp_path: Path) -> None:
    async def work(provider: Provider) -> dict[str, Any]:
        status = {"startTime": "now", "conditions": [{"type": "Complete", "status": complete}]}
        provider.api.put(path_of(JOB), {**JOB, "status": status})
        return await provider.call("Diff", {"urn": urn("batch/v1:Job"), "olds": {**JOB, "__inputs": JOB}, "news": JOB})

    answer = attached(tmp_path, work)
    assert answer["changes"] == ("DIFF_SOME" if replaces else "DIFF_NONE")
    assert answer.get("deleteBeforeReplace", False) is replaces
    assert answer.get("replaces", []) == (['.metadata.annotations["pulumi.com/replaceUnready"]'] if replaces else [])


def test_a_refresh_of_what_is_not_ready_says_so_and_keeps_the_state(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        item = manifest("batch/v1", "Job")
        provider.api.put(path_of(item), item)
        state = {**item, "__inputs": item}
        with pytest.raises(AbortedError, match="'it' was created but failed to initialize") as caught:
            await provider.call(
                "Read", {"urn": urn("batch/v1:Job"), "id": "rec/it", "properties": state, "inputs": item}
            )
        assert caught.value.init_failed().inputs["kind"] == "Job"

    attached(tmp_path, work)


def test_an_object_whose_waiting_broke_is_recorded_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(informers, "SYNC_SECONDS", 0.01)

    async def never(*_: object) -> AsyncIterator[Watched]:
        await asyncio.Event().wait()
        yield Watched("SYNCED", {})

    async def work(provider: Provider) -> None:
        monkeypatch.setattr(provider.api, "watch", never)
        with pytest.raises(AbortedError, match="did not list jobs within") as caught:
            await create(provider, manifest("batch/v1", "Job"))
        assert caught.value.init_failed().id == "rec/it"

    attached(tmp_path, work)
