"""Every recorded answer of the official provider, asked of ours (see README.md beside this file).

Compared whole, with one exception: `__fieldManager` ends in eight random digits, of which only the form is compared.
The API server is played by the recording: a create answers with the object that the official provider got from it.
"""

from __future__ import annotations

import asyncio
import copy
import re
from pathlib import Path
from typing import Any

import pytest

from mina_infra.cluster.api import ApiStatusError
from tests.local.provider.support import AbortedError, FakeApi, Provider, path_of, recorded_lines

FOLDER = Path(__file__).parent
LINES = recorded_lines(FOLDER)
SECRET_KEY = "4dabf18193072939515e22adb298388d"


def label(line: dict[str, Any]) -> str:
    return f"{line['case']}-{line['method']}-{line['request'].get('name', '')}"


@pytest.mark.parametrize("line", LINES, ids=label)
def test_the_answer_is_that_of_the_official_provider(
    line: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the recorded kubeconfig is a relative path
    answer = asyncio.run(replay(line, tmp_path))
    assert without_digits(answer) == without_digits(line["response"])


async def replay(line: dict[str, Any], folder: Path) -> dict[str, Any]:
    provider = Provider(folder)
    if line["method"] in ("Check", "Diff", "Create"):
        await provider.call("Configure", configure_request())
    if line["method"] == "Create":
        play_server(provider.api, line)
    try:
        return await provider.call(line["method"], line["request"])
    except AbortedError as error:
        return {"error": [f"rpc error: code = {error.code.name.title()} desc = {error.details}"]}
    finally:
        await provider.clusters.close()


def configure_request() -> dict[str, Any]:
    found: dict[str, Any] = next(line["request"] for line in LINES if line["method"] == "Configure")
    return found


def play_server(api: FakeApi, line: dict[str, Any]) -> None:
    """What the API server must have answered for the official provider to answer as it did."""
    outputs = plain(line["response"]["properties"])
    path = path_of(outputs)
    if "__inputs" not in outputs:
        # The inputs came back: the dry run met the object that is to be replaced.
        api.answers["POST", path] = ApiStatusError(409, "AlreadyExists", "it already exists")
        return
    live = {key: value for key, value in outputs.items() if not key.startswith("__")}
    if line["request"].get("preview"):
        live["status"] = {}
    api.answers["POST", path] = live
    api.objects[path] = live


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return plain(value["value"]) if SECRET_KEY in value else {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def without_digits(answer: dict[str, Any]) -> dict[str, Any]:
    answer = copy.deepcopy(answer)
    properties = answer.get("properties", {})
    if "__fieldManager" in properties:
        assert re.fullmatch(r"pulumi-kubernetes-[0-9a-f]{8}", properties["__fieldManager"])
        properties["__fieldManager"] = "pulumi-kubernetes-"
    return answer


def test_nothing_of_the_recording_is_left_out() -> None:
    assert len(LINES) == 124
    assert {line["method"] for line in LINES} == {
        "Handshake",
        "GetPluginInfo",
        "CheckConfig",
        "Configure",
        "Check",
        "Diff",
        "Create",
    }
