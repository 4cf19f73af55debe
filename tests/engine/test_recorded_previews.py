"""The recorded changes once more, with the real engine, a real API server and our provider in between.

Each preview must have the recorded steps (operation, reasons of a replacement, detailed diff), the recorded exit code
and the recorded errors. The rest of a digest differs from run to run: uids, times, and in a failed preview how many
unchanged objects were reached.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mina_infra.cluster.api import CLAIM, KubeApi
from mina_infra.local.control_plane import start, stop
from mina_infra.local.tools import ensure_tools
from tests.engine.recorded_stack import RECORDED, RecordedStack, base_objects, changed_objects, recorded_stack

CASES = sorted(path.stem for path in (RECORDED / "previews").glob("*.json"))
NAME = "recorded-previews"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedStack]:
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINA_INFRA_STATE", str(folder / "state"))
        tools = ensure_tools(print)
        cluster = start(NAME, tools, print)
        try:
            with recorded_stack(tools.pulumi, cluster, folder / "stack") as found:
                done = found.up(base_objects())
                assert done.code == 0, done.stdout + done.stderr
                asyncio.run(bind_claim(cluster.api(), "rec", "whale-1-runtime"))
                yield found
        finally:
            stop(NAME)


async def bind_claim(api: KubeApi, namespace: str, name: str) -> None:
    """Give the claim a volume, as the provisioner did in the recorded cluster."""
    async with api:
        claim = await api.get(CLAIM, name, namespace)
        assert claim is not None
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"pvc-{claim['metadata']['uid']}"},
            "spec": {
                "capacity": {"storage": "2Gi"},
                "accessModes": claim["spec"]["accessModes"],
                "storageClassName": claim["spec"]["storageClassName"],
                "hostPath": {"path": "/nowhere"},
                "claimRef": {"namespace": namespace, "name": name, "uid": claim["metadata"]["uid"]},
            },
        }
        await api.create(volume)
        async for _ in api.watch(CLAIM, namespace):
            found = await api.get(CLAIM, name, namespace)
            if found and found["status"].get("phase") == "Bound":
                return


@pytest.mark.parametrize("case", CASES)
def test_the_preview_is_that_of_the_official_provider(case: str, stack: RecordedStack) -> None:
    recorded = json.loads((RECORDED / "previews" / f"{case}.json").read_text())
    done = stack.preview(changed_objects(recorded["changed"]))
    assert steps(done.digest) == steps(recorded["digest"])
    assert errors(done.digest) == errors(recorded["digest"])
    assert done.code == recorded["exit_code"]
    if done.code == 0:
        assert done.digest["changeSummary"] == recorded["digest"]["changeSummary"]


def steps(digest: dict[str, Any]) -> dict[str, Any]:
    """What would happen, by logical name."""
    return {
        step["urn"].split("::")[-1]: (step["op"], step.get("replaceReasons"), step.get("detailedDiff"))
        for step in digest["steps"]
        if step["op"] != "same"
    }


def errors(digest: dict[str, Any]) -> set[str]:
    """The errors, without the one thing in them that is different in every run: the uid in a volume's name."""
    found = (item["message"] for item in digest.get("diagnostics", []) if item["severity"] == "error")
    return {re.sub(r"pvc-[0-9a-f-]{36}", "pvc-UID", message) for message in found}


def test_all_recorded_cases_are_here() -> None:
    assert len(CASES) == 35


def test_the_base_changes_nothing_when_it_is_put_up_again(stack: RecordedStack) -> None:
    done = stack.up(base_objects())
    assert done.code == 0, done.stderr
    assert re.search(r"Resources:\n +\d+ unchanged\n", done.stdout), done.stdout


def test_secrets_are_nowhere_in_the_log_and_encrypted_in_the_state(stack: RecordedStack) -> None:
    state = stack.run("stack", "export").stdout
    log = (stack.folder / "provider.log").read_text()
    assert " create urn:" in log
    for text in ("s3cr3t", "czNjcjN0"):
        assert text not in log
        assert text not in state
