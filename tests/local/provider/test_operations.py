"""Create, update, read and delete against an API server made of a dict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mina_infra.cluster.api import ApiStatusError
from mina_infra.local.provider import operations
from tests.local.provider.support import AbortedError, Provider, attached, create, path_of, urn

MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "config", "namespace": "rec"},
    "data": {"daemon.json": "{}"},
}
PATH = "/api/v1/namespaces/rec/configmaps/config"
URN = urn("core/v1:ConfigMap", "config")


def test_a_created_object_is_recorded_with_its_inputs(tmp_path: Path) -> None:
    answer = attached(tmp_path, lambda provider: create(provider, MAP))
    assert answer["id"] == "rec/config"
    assert answer["properties"]["__inputs"] == MAP
    assert answer["properties"]["__initialApiVersion"] == "v1"
    assert answer["properties"]["metadata"]["uid"]


def test_an_object_that_exists_is_not_taken_over(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        provider.api.put(PATH, {**MAP, "data": {"other": "x"}})
        with pytest.raises(AbortedError) as caught:
            await create(provider, MAP)
        assert 'was not successfully created by the Kubernetes API server: configmaps "config" already exists' in str(
            caught.value
        )
        assert "set upsertExistingObjects on the provider" in str(caught.value)
        assert provider.api.objects[PATH]["data"] == {"other": "x"}
        assert provider.messages.lines == ['Retry #0; creation failed: configmaps "config" already exists']

    attached(tmp_path, work)


def test_with_upsert_it_is_taken_over(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        uid = provider.api.put(PATH, {**MAP, "data": {}})["metadata"]["uid"]
        answer = await create(provider, MAP)
        assert answer["properties"]["metadata"]["uid"] == uid
        method, _, params, _ = provider.api.requests[-1]
        assert (method, params["force"]) == ("PATCH", "false")
        assert params["fieldManager"] == answer["properties"]["__fieldManager"]

    attached(tmp_path, work, upsertExistingObjects="true")


def test_a_preview_of_a_create_asks_the_server_and_changes_nothing(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        answer = await create(provider, MAP, preview=True)
        assert "id" not in answer
        assert answer["properties"]["__inputs"] == MAP
        assert provider.api.requests[-1][2]["dryRun"] == "All"

    attached(tmp_path, work)


UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def test_a_preview_with_unknown_values_gives_the_inputs_back(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        properties = {**MAP, "data": {"a": UNKNOWN}}
        before = len(provider.api.requests)
        assert (await create(provider, properties, preview=True))["properties"] == properties
        assert len(provider.api.requests) == before

    attached(tmp_path, work)


@pytest.mark.parametrize(
    "refusal",
    [
        ApiStatusError(404, "NotFound", 'namespaces "rec" not found'),
        ApiStatusError(403, "Forbidden", "you may not"),
        ApiStatusError(409, "AlreadyExists", 'configmaps "config" already exists'),
    ],
    ids=lambda error: error.reason,
)
def test_a_dry_run_that_says_nothing_about_the_update_gives_the_inputs_back(
    refusal: ApiStatusError, tmp_path: Path
) -> None:
    async def work(provider: Provider) -> None:
        provider.api.answers["POST", PATH] = refusal
        assert (await create(provider, MAP, preview=True))["properties"] == MAP

    attached(tmp_path, work)


def test_a_dry_run_that_refuses_the_object_fails_the_preview(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        provider.api.answers["POST", PATH] = ApiStatusError(422, "Invalid", "data: too long")
        with pytest.raises(AbortedError, match="data: too long"):
            await create(provider, MAP, preview=True)

    attached(tmp_path, work)


def test_a_create_waits_for_its_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(provider: Provider) -> None:
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                del provider.api.answers["POST", PATH]

        monkeypatch.setattr(operations, "pause", sleep)
        provider.api.answers["POST", PATH] = ApiStatusError(404, "NotFound", 'namespaces "rec" not found')
        assert (await create(provider, MAP))["id"] == "rec/config"
        assert pauses == [1.0, 2.0, 4.0]

    attached(tmp_path, work)


async def update(provider: Provider, olds: dict[str, Any], news: dict[str, Any], **more: Any) -> dict[str, Any]:
    return await provider.call("Update", {"id": "rec/config", "urn": URN, "olds": olds, "news": news, **more})


CREATED_BY_US = {"manager": "pulumi-kubernetes", "operation": "Update", "fieldsV1": {"f:data": {"f:daemon.json": {}}}}
ELSEWHERE = {"manager": "someone", "operation": "Apply", "fieldsV1": {"f:data": {"f:theirs": {}}}}


def test_the_first_update_takes_over_what_the_create_wrote(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        created = (await create(provider, MAP))["properties"]
        manager = created["__fieldManager"]
        owned = {**MAP["metadata"], "managedFields": [ELSEWHERE, CREATED_BY_US]}
        provider.api.put(PATH, {**provider.api.objects[PATH], "metadata": owned})
        answer = await update(provider, created, {**MAP, "data": {"daemon.json": "{1}"}})
        assert answer["properties"]["data"] == {"daemon.json": "{1}"}
        assert answer["properties"]["__fieldManager"] == manager
        (get, patch, apply) = provider.api.requests[-3:]
        assert [get[0], patch[0], apply[0]] == ["GET", "PATCH", "PATCH"]
        assert patch[3][0]["value"] == [ELSEWHERE, {**CREATED_BY_US, "manager": manager, "operation": "Apply"}]
        assert apply[2] == {"fieldManager": manager, "force": "false"}

    attached(tmp_path, work)


def test_a_preview_of_an_update_is_a_forced_dry_run_on_what_we_created(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        created = (await create(provider, MAP))["properties"]
        metadata = {**provider.api.objects[PATH]["metadata"], "managedFields": [CREATED_BY_US]}
        provider.api.objects[PATH]["metadata"] = metadata
        await update(provider, created, {**MAP, "data": {"daemon.json": "{1}"}}, preview=True)
        assert [request[0] for request in provider.api.requests[-2:]] == ["GET", "PATCH"]
        params = provider.api.requests[-1][2]
        assert (params["dryRun"], params["force"]) == ("All", "true")
        assert provider.api.objects[PATH]["data"] == MAP["data"]

    attached(tmp_path, work)


def test_an_ignored_field_of_another_manager_is_not_sent(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        created = (await create(provider, MAP))["properties"]
        live = provider.api.objects[PATH]
        live["metadata"]["managedFields"] = [ELSEWHERE]
        live["data"] = {"theirs": "live", "ours": "live"}
        news = {**MAP, "data": {"theirs": "old", "ours": "old"}}
        await update(provider, created, news, ignoreChanges=["data.theirs", "data.ours"])
        assert provider.api.requests[-1][3]["data"] == {"ours": "live"}

    attached(tmp_path, work)


def test_a_refused_update_says_what_the_engine_must_record(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        created = (await create(provider, MAP))["properties"]
        provider.api.answers["PATCH", PATH] = ApiStatusError(422, "Invalid", "field is immutable")
        with pytest.raises(AbortedError) as caught:
            await update(provider, created, {**MAP, "data": {}})
        assert caught.value.details == (
            'the Kubernetes API server reported that "rec/config" failed to fully initialize or become live: '
            "field is immutable"
        )
        failed = caught.value.init_failed()
        assert failed.id == "rec/config"
        assert list(failed.reasons) == [caught.value.details]
        assert failed.properties["data"]["daemon.json"] == "{}"

    attached(tmp_path, work)


def test_an_update_of_an_object_that_is_gone_fails(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        created = (await create(provider, MAP))["properties"]
        provider.api.drop(PATH)
        with pytest.raises(AbortedError, match="unable to get cluster state") as caught:
            await update(provider, created, {**MAP, "data": {}})
        assert not caught.value.trailer

    attached(tmp_path, work)


def test_a_conflict_is_explained(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        created = (await create(provider, MAP))["properties"]
        provider.api.answers["PATCH", PATH] = ApiStatusError(409, "Conflict", 'conflict with "someone"')
        with pytest.raises(AbortedError, match='had an apply conflict: conflict with "someone"'):
            await update(provider, created, {**MAP, "data": {}})

    attached(tmp_path, work)


@pytest.mark.parametrize(("annotations", "option"), [({"pulumi.com/patchForce": "true"}, "false"), ({}, "true")])
def test_conflicts_are_overridden_when_asked_for(annotations: dict[str, str], option: str, tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        created = (await create(provider, MAP))["properties"]
        provider.api.objects[PATH]["metadata"]["managedFields"] = [ELSEWHERE]
        metadata = {**MAP["metadata"], "annotations": annotations}
        await update(provider, created, {**MAP, "metadata": metadata})
        assert provider.api.requests[-1][2]["force"] == "true"

    attached(tmp_path, work, enablePatchForce=option)


async def read(provider: Provider, **more: Any) -> dict[str, Any]:
    return await provider.call("Read", {"id": "rec/config", "urn": URN, **more})


def test_a_refresh_keeps_the_shape_of_the_inputs_and_sees_drift(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        created = (await create(provider, MAP))["properties"]
        drifted = {**provider.api.objects[PATH], "data": {"daemon.json": "drift", "added": "x"}}
        provider.api.put(PATH, drifted)
        answer = await read(provider, properties=created, inputs=MAP)
        assert answer["id"] == "rec/config"
        assert answer["inputs"]["data"] == {"daemon.json": "drift"}
        assert answer["properties"]["data"] == drifted["data"]
        assert answer["properties"]["__fieldManager"] == created["__fieldManager"]

    attached(tmp_path, work)


def test_an_object_that_is_gone_reads_as_nothing(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        assert await read(provider, properties={**MAP, "__inputs": MAP}, inputs=MAP) == {}

    attached(tmp_path, work)


def test_an_import_takes_everything_but_what_the_server_alone_writes(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        marks = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "own": "1"}
        metadata = {**MAP["metadata"], "annotations": marks, "generation": 1, "creationTimestamp": "now"}
        provider.api.put(PATH, {**MAP, "metadata": metadata, "status": {}})
        answer = await read(provider)
        assert answer["inputs"] == {**MAP, "metadata": {**MAP["metadata"], "annotations": {"own": "1"}}}
        assert "status" in answer["properties"]

    attached(tmp_path, work)


async def delete(provider: Provider, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return await provider.call("Delete", {"id": "rec/config", "urn": URN, "properties": state, **more})


def test_a_delete_is_in_the_foreground_and_what_is_gone_is_gone(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        created = (await create(provider, MAP))["properties"]
        await delete(provider, created)
        assert provider.api.requests[-1][3]["propagationPolicy"] == "Foreground"
        assert PATH not in provider.api.objects
        await delete(provider, created)

    attached(tmp_path, work)


@pytest.mark.parametrize(("annotation", "policy"), [("orphan", "Orphan"), ("Background", "Background")])
def test_the_propagation_policy_can_be_chosen(annotation: str, policy: str, tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        metadata = {**MAP["metadata"], "annotations": {"pulumi.com/deletionPropagationPolicy": annotation}}
        created = (await create(provider, {**MAP, "metadata": metadata}))["properties"]
        await delete(provider, created)
        assert provider.api.requests[-1][3]["propagationPolicy"] == policy

    attached(tmp_path, work)


def test_integers_reach_the_server_as_integers(tmp_path: Path) -> None:
    quota = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "rec", "annotations": {"pulumi.com/skipAwait": "true"}},
        "spec": {"replicas": 2},
    }

    async def work(provider: Provider) -> None:
        await create(provider, quota)
        sent = provider.api.objects[path_of(quota)]["spec"]["replicas"]
        assert (sent, type(sent)) == (2, int)

    attached(tmp_path, work)
