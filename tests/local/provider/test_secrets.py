"""A canary in every place where a secret can be: nobody may hear it sing."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from mina_infra.cluster.api import ApiStatusError
from mina_infra.local.provider.state import Redactor
from mina_infra.local.provider.wire import SECRET_SIGNATURE, SIGNATURE_KEY, Secret, encode
from tests.local.provider.support import AbortedError, Provider, path_of, urn

CANARY = 'canary-β\n"sings"'
ENCODED = base64.b64encode(CANARY.encode()).decode()
SONGS = ("sings", "canary", ENCODED, json.dumps(CANARY)[1:-1])


def sealed(value: Any) -> dict[str, Any]:
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value}


def secret(**body: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "rec"}, **body}


CASES = {
    "plain data": secret(data={"k": ENCODED}),
    "plain strings": secret(stringData={"k": CANARY}),
    "sealed data": secret(data=sealed({"k": ENCODED})),
    "sealed strings": secret(stringData={"k": sealed(CANARY)}),
    "sealed environment": {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "key",
            "namespace": "rec",
            "annotations": {"pulumi.com/skipAwait": "true", "a": sealed(CANARY)},
        },
        "spec": {"containers": [{"name": "mina", "env": [{"name": "A", "value": sealed(CANARY)}]}]},
    },
}
FAILURES = [
    ApiStatusError(422, "Invalid", f"Invalid value: {CANARY!r}, {CANARY}, {ENCODED}, {json.dumps(CANARY)}"),
    ValueError(CANARY),
]


@pytest.mark.parametrize("item", CASES.values(), ids=CASES)
@pytest.mark.parametrize("failure", [None, *FAILURES], ids=["well", "refused", "broken"])
def test_no_method_shows_a_secret(
    item: dict[str, Any], failure: Exception | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    heard = asyncio.run(everything_that_can_be_heard(item, failure, tmp_path))
    heard.append(caplog.text)
    assert any("create" in text for text in heard)
    for text in heard:
        assert not [song for song in SONGS if song in text], text


async def everything_that_can_be_heard(item: dict[str, Any], failure: Exception | None, folder: Path) -> list[str]:
    """Errors, messages and the unsealed part of every answer, of every method."""
    provider = Provider(folder)
    await provider.call("Attach", {"address": "127.0.0.1:1"})
    await provider.configure()
    kind = {"urn": urn(f"core/v1:{item['kind']}", "key"), "id": "rec/key"}
    heard: list[str] = []

    async def listen(method: str, **request: Any) -> dict[str, Any]:
        allowed = {"urn", "id"} if method in ("Diff", "Update", "Read", "Delete") else {"urn"}
        try:
            answer = await provider.call(method, {**{key: kind[key] for key in allowed}, **request})
        except AbortedError as error:
            heard.extend([str(error), *(str(value) for key, value in error.trailer.items() if "bin" not in key)])
            if error.trailer:
                heard.extend(error.init_failed().reasons)
            return {}
        heard.append(json.dumps(without_sealed(answer), ensure_ascii=False))
        return answer

    inputs = (await listen("Check", news=item))["inputs"]
    state = (await listen("Create", properties=inputs))["properties"]
    path = path_of(unsealed(inputs))
    if failure:
        provider.api.answers = {(method, path): failure for method in ("POST", "PATCH", "DELETE")}
    changed = {**inputs, "metadata": {**inputs["metadata"], "labels": {"a": "b"}}}
    await listen("Create", properties=inputs)
    await listen("Create", properties=inputs, preview=True)
    await listen("Diff", olds=state, news=changed)
    await listen("Update", olds=state, news=changed, preview=True)
    await listen("Update", olds=state, news=changed)
    await listen("Read", properties=state, inputs=inputs)
    if failure:
        provider.api.answers["GET", path] = failure
        await listen("Read", properties=state, inputs=inputs)
    elif item["kind"] == "Secret":
        await listen("Read")
    await listen("Delete", properties=state)
    await provider.clusters.close()
    return heard + provider.messages.lines


def without_sealed(value: Any) -> Any:
    if isinstance(value, dict):
        if SIGNATURE_KEY in value:
            return "sealed"
        return {key: without_sealed(inner) for key, inner in value.items()}
    return [without_sealed(inner) for inner in value] if isinstance(value, list) else value


def unsealed(value: Any) -> Any:
    if isinstance(value, dict):
        return unsealed(value["value"]) if SIGNATURE_KEY in value else {k: unsealed(v) for k, v in value.items()}
    return [unsealed(inner) for inner in value] if isinstance(value, list) else value


def test_the_api_server_gets_the_secret_itself(tmp_path: Path) -> None:
    async def work() -> Any:
        provider = Provider(tmp_path)
        await provider.configure()
        item = CASES["sealed environment"]
        await provider.call("Create", {"urn": urn("core/v1:Pod"), "properties": item})
        await provider.clusters.close()
        return provider.api.objects[path_of(unsealed(item))]

    stored = asyncio.run(work())
    assert stored["spec"]["containers"][0]["env"][0]["value"] == CANARY


def test_a_diff_of_secrets_names_paths_only(tmp_path: Path) -> None:
    async def work() -> Any:
        provider = Provider(tmp_path)
        await provider.configure()
        old, new = secret(data={"k": ENCODED}), secret(stringData=sealed({"k": "other"}))
        request = {"urn": urn("core/v1:Secret"), "id": "rec/key", "olds": {**old, "__inputs": old}, "news": new}
        return await provider.call("Diff", request)

    answer = asyncio.run(work())
    assert answer["replaces"] == ["data.k"]
    assert answer["detailedDiff"] == {"data.k": {"kind": "UPDATE_REPLACE"}}


def test_an_engine_that_takes_no_secrets_gets_plain_values() -> None:
    assert encode({"a": Secret("x")}, keep_secrets=False)["a"] == "x"


def test_a_secret_prints_without_its_content() -> None:
    assert CANARY not in repr({"a": Secret(CANARY)})


def test_short_texts_are_left_alone() -> None:
    redact = Redactor([{"a": Secret("on"), "b": Secret(12345.0)}])
    assert redact("spec.on 12345") == "spec.on [secret]"
