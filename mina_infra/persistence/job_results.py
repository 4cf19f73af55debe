"""How the Jobs of a check ended, as the cluster tells it: their conditions, exit codes and logs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mina_infra.cluster.api import JOB, POD, KubeApi, Manifest
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.cluster.fanout import gather_bounded
from mina_infra.daemon.replies import GraphQLError, decode_status, query
from mina_infra.errors import ClusterError
from mina_infra.outputs import OutputsDocument
from mina_infra.persistence.check_state import Asked, JobResult
from mina_infra.persistence.waiting import until_none
from mina_infra.plan.jobs import CONTAINER, NODE_LABEL
from mina_infra.plan.labels import JOB as JOB_LABEL

SELECTOR = f"{JOB_LABEL} in (setup,verify)"
ANSWER_S = 10.0
LOG_PATIENCE_S = 15.0
"""Seconds to wait for the log of a Job that is complete: it may arrive after the Job's status."""

LIMIT = 16
REASON = 300
"""Characters of a machine's own words that fit a table."""


async def results(api: KubeApi, namespace: str, phase: str, asked: Iterable[Asked]) -> dict[str, JobResult]:
    """The result of each node's Job of this phase; a node without one is left out. Raises ClusterError."""
    expected = {each.node: each for each in asked}
    jobs = {
        item["metadata"]["labels"][NODE_LABEL]: item
        for item in await api.objects(JOB, namespace, labels=f"{JOB_LABEL}={phase}")
        if NODE_LABEL in item["metadata"]["labels"]
    }
    pods = await api.objects(POD, namespace, labels=f"{JOB_LABEL}={phase}")
    chosen = [node for node in expected if node in jobs]
    cluster = KubeCluster(api, namespace)
    found = await gather_bounded(
        chosen,
        lambda node: _result(cluster, expected[node], jobs[node], _pods_of(jobs[node], pods)),
        limit=LIMIT,
        per_item_timeout=LOG_PATIENCE_S * 2,
    )
    return {
        node: each if isinstance(each, JobResult) else JobResult(node, None, f"could not be looked at: {each}")
        for node, each in zip(chosen, found, strict=True)
    }


async def _result(cluster: KubeCluster, asked: Asked, job: Manifest, pods: list[Manifest]) -> JobResult:
    conditions = {each["type"]: each for each in job.get("status", {}).get("conditions") or []}
    failed, complete = (conditions.get(name, {}) for name in ("Failed", "Complete"))
    done = True if complete.get("status") == "True" else False if failed.get("status") == "True" else None
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)
    if newest is None:
        why = f"{failed.get('reason', 'no pod')}: {failed.get('message', 'the Job has made no pod')}"
        return JobResult(asked.node, done, "" if done else why)
    container, code = ended_with(newest)
    log = await _log(cluster, newest["metadata"]["name"], container, asked, wait=done is True)
    why = "" if done else _why(failed, newest, container, code)
    return JobResult(asked.node, done, why, code, log)


async def _log(cluster: KubeCluster, pod: str, container: str, asked: Asked, *, wait: bool) -> str:
    """The log; of a built-in script that has ended well, the whole one."""
    deadline = time.monotonic() + LOG_PATIENCE_S
    while True:
        text, error = "", None
        try:
            text = (await cluster.read_log(pod, container)).decode("utf-8", "replace")
        except ClusterError as found:
            error = found
        told = JobResult(asked.node, True, log=text).marks()
        if not wait or (error is None and (not asked.built_in or set(asked.volumes) <= told.keys())):
            return text
        if time.monotonic() > deadline:
            return text
        await asyncio.sleep(0.3)


def ended_with(pod: Mapping[str, Any]) -> tuple[str, int | None]:
    """The container of a Job's pod whose log tells most, and its exit code if it has ended."""
    status = pod.get("status", {})
    for each in status.get("initContainerStatuses") or []:
        code = (each.get("state", {}).get("terminated") or {}).get("exitCode")
        if code:
            return str(each["name"]), int(code)
    for each in status.get("containerStatuses") or []:
        ended = each.get("state", {}).get("terminated")
        return str(each["name"]), None if ended is None else int(ended["exitCode"])
    return CONTAINER, None


def _why(failed: Mapping[str, Any], pod: Mapping[str, Any], container: str, code: int | None) -> str:
    """Why a Job is not complete, in one line."""
    if held := _held_up(pod):
        return held
    if pod.get("status", {}).get("reason") == "DeadlineExceeded":
        return f"{container} did not end within {pod['spec']['activeDeadlineSeconds']} s (`timeouts.jobs`)"
    if code:
        return f"{container} ended with exit code {code}"
    if failed.get("status") == "True":
        return f"{failed.get('reason')}: {failed.get('message')}"
    conditions = {each["type"]: each for each in pod.get("status", {}).get("conditions") or []}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"its pod is not scheduled: {scheduled.get('message') or scheduled.get('reason')}"
    return f"its pod is {pod.get('status', {}).get('phase', 'Pending')}"


def _held_up(pod: Mapping[str, Any]) -> str:
    """What the machine says of a container that it cannot start, an image that it cannot get say; else empty."""
    status = pod.get("status", {})
    for each in (*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])):
        waiting = each.get("state", {}).get("waiting") or {}
        if waiting.get("message"):
            return f"{each['name']} did not start: {waiting.get('reason')}: {waiting['message']}"[:REASON]
    return ""


def _pods_of(job: Manifest, pods: Iterable[Manifest]) -> list[Manifest]:
    uid = job["metadata"]["uid"]
    return [pod for pod in pods if any(each.get("uid") == uid for each in pod["metadata"].get("ownerReferences") or [])]


async def heights(api: KubeApi, outputs: OutputsDocument, nodes: Iterable[str]) -> dict[str, int | None]:
    """The chain height of each node as its daemon tells it; None where it does not, or where none runs."""
    wanted = set(nodes)
    cluster = KubeCluster(api, outputs.namespace)
    pods = {pod.labels.get("app"): pod.name for pod in await cluster.pods() if not pod.deleting}
    daemons = [node for node in outputs.daemons() if node.name in wanted and node.name in pods]

    async def ask(name: str, port: int) -> int | None:
        reply = await cluster.graphql(pods[name], query("status"), port=port)
        return decode_status(reply).blockchain_length

    found = await gather_bounded(
        daemons, lambda node: _or_none(ask(node.name, node.ports["graphql"])), limit=LIMIT, per_item_timeout=ANSWER_S
    )
    told = {node.name: each for node, each in zip(daemons, found, strict=True) if isinstance(each, int)}
    return {node: told.get(node) for node in wanted}


async def _or_none(asking: Any) -> int | None:
    try:
        height: int | None = await asking
    except GraphQLError:
        return None
    return height


async def heights_at_least(
    api: KubeApi,
    outputs: OutputsDocument,
    wanted: Mapping[str, int | None],
    deadline_s: float,
    say: Callable[[str], None],
) -> dict[str, int | None]:
    """The heights, as soon as every node has reached the one it had, or after `deadline_s` whatever they are."""
    deadline = time.monotonic() + deadline_s
    while True:
        found = await heights(api, outputs, wanted)
        short = [node for node, height in wanted.items() if height is not None and (found[node] or -1) < height]
        if not short or time.monotonic() > deadline:
            return found
        say(f"{len(wanted) - len(short)}/{len(wanted)} nodes have their chain   waiting for {short[0]}")
        await asyncio.sleep(1.0)


async def until_stopped(
    api: KubeApi, namespace: str, nodes: Iterable[str], deadline_s: float, say: Callable[[str], None]
) -> None:
    """Until none of the nodes has a pod any more. Raises ClusterError naming one after `deadline_s`."""
    wanted = set(nodes)

    async def left() -> list[str]:
        pods = await api.objects(POD, namespace, labels="app")
        running = sorted({pod["metadata"]["labels"]["app"] for pod in pods} & wanted)
        if running:
            say(f"{len(wanted) - len(running)}/{len(wanted)} nodes have stopped   waiting for {running[0]}")
        return running

    await until_none(
        left,
        deadline_s,
        lambda names: f"{names[0]} has not stopped after {deadline_s:.0f} s; its Job would never get its volume",
    )


async def delete_leftovers(api: KubeApi, namespace: str) -> int:
    """Delete Jobs of a run that was killed before the engine had recorded them; how many there were."""
    left = [
        item
        for item in await api.objects(JOB, namespace, labels=SELECTOR)
        if "deletionTimestamp" not in item["metadata"]
    ]
    for item in left:
        await api.delete(JOB, item["metadata"]["name"], namespace)
    return len(left)
