"""How a Job ended, as read from the cluster's objects: the reason and the log that tell most."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mina_infra.cluster.api import JOB, Kind
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.persistence import job_results
from mina_infra.persistence.check_state import Asked, JobResult
from mina_infra.plan.jobs import NODE_LABEL

ASKED = Asked("plain-1", ("runtime-state",), built_in=False, tells_height=True)
FAILED = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}
DEADLINE = {**FAILED, "reason": "DeadlineExceeded", "message": "too long"}


def pod(name: str, created: str, code: int | None, **status: Any) -> dict[str, Any]:
    state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
    return {
        "metadata": {"name": name, "creationTimestamp": created, "ownerReferences": [{"uid": "u"}]},
        "spec": {"activeDeadlineSeconds": 600},
        "status": {"containerStatuses": [{"name": "check", "state": state}], **status},
    }


def result(monkeypatch: pytest.MonkeyPatch, condition: dict[str, str], *pods: dict[str, Any]) -> JobResult:
    job = {"metadata": {"uid": "u", "labels": {NODE_LABEL: "plain-1"}}, "status": {"conditions": [condition]}}

    class Api:
        async def objects(self, kind: Kind, *_: Any, **__: Any) -> list[dict[str, Any]]:
            return [job] if kind is JOB else list(pods)

    async def log(_: KubeCluster, name: str, container: str) -> bytes:
        return f"{container} of {name}".encode()

    monkeypatch.setattr(KubeCluster, "read_log", log)
    api: Any = Api()
    return asyncio.run(job_results.results(api, "qa", "verify", [ASKED]))["plain-1"]


def test_the_last_try_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = pod("one", "2026-01-01T00:00:00Z", 1), pod("two", "2026-01-01T00:00:10Z", 7)
    assert result(monkeypatch, FAILED, *tries) == JobResult(
        "plain-1", False, "check ended with exit code 7", 7, "check of two"
    )


def test_a_script_that_hangs_is_told_as_such_and_keeps_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at its pod's deadline it has an exit code, which is not its own."""
    found = result(monkeypatch, FAILED, pod("one", "2026-01-01T00:00:00Z", 137, reason="DeadlineExceeded"))
    assert found.why == "check did not end within 600 s (`timeouts.jobs`)"
    assert found.log == "check of one"


def test_an_image_that_cannot_be_had_is_told_instead_of_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a kubelet leaves the pod at its deadline."""
    held = pod("one", "2026-01-01T00:00:00Z", None, phase="Failed", reason="DeadlineExceeded")
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "registry.example/none"'}
    held["status"]["containerStatuses"][0]["state"] = {"waiting": waiting}
    held["status"]["initContainerStatuses"] = [{"name": "start-guard", "state": {"terminated": {"exitCode": 0}}}]
    found = result(monkeypatch, FAILED, held)
    assert found.why == 'check did not start: ImagePullBackOff: Back-off pulling image "registry.example/none"'


def test_a_job_whose_pod_is_gone_tells_its_own_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert result(monkeypatch, DEADLINE) == JobResult("plain-1", False, "DeadlineExceeded: too long")
