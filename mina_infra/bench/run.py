"""A benchmark in a cluster: one volume after the other, and nothing of it stays, however it ends.

One at a time, because the volumes of a machine share its limits. A benchmark that was killed leaves a namespace, which
the next one takes away first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from mina_infra.bench import objects
from mina_infra.bench.fio import medians, read_log
from mina_infra.bench.objects import Case
from mina_infra.bench.results import Row
from mina_infra.cluster.api import JOB, NAMESPACE, PERSISTENT_VOLUME, POD, STORAGE_CLASS, KubeApi, Manifest
from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.logs import read_log as read_pod_log
from mina_infra.errors import ClusterError
from mina_infra.spec import TestnetSpec
from mina_infra.spec.benchmark import Benchmark
from mina_infra.storage.prices import usd_a_month

GONE_S = 300.0
POLL_S = 2.0

Say = Callable[[str], None]


async def benchmark(api: KubeApi, spec: TestnetSpec, wanted: Benchmark, say: Say) -> list[Row]:
    """A row for each volume, those with problems included. Raises ClusterError when the cluster cannot be used."""
    cases, _ = objects.cases(spec, wanted)
    await clean(api, spec, say)
    try:
        await api.create(objects.namespace(spec))
        rows = []
        for number, case in enumerate(cases, 1):
            tell = partial(_labelled, say, f"{number}/{len(cases)} {case.name} GiB")
            rows.append(await _measure(api, spec, wanted, case, tell))
        return rows
    finally:
        # Also after Ctrl-C, which cancels this task: what is made costs money until it is gone.
        await asyncio.shield(clean(api, spec, say))


def _labelled(say: Say, label: str, text: str) -> None:
    say(f"{label}: {text}")


async def _measure(api: KubeApi, spec: TestnetSpec, wanted: Benchmark, case: Case, say: Say) -> Row:
    if await api.get(STORAGE_CLASS, objects.class_of(spec, case)["metadata"]["name"]) is None:
        await api.create(objects.class_of(spec, case))
    await api.create(objects.claim(spec, case))
    await api.create(objects.job(spec, wanted, case))
    ended, why = await _until_ended(api, spec, wanted, case, say)
    log = await _log(api, spec, case)
    runs, problems = read_log(log)
    if not ended:
        problems.insert(0, why)
    missing = [name for name in wanted.profiles if name not in {each.profile for each in runs}]
    if missing and not problems:
        problems.append(f"the log does not tell of {', '.join(missing)}")
    return replace(row(spec, case, problems, log), figures=tuple(medians(runs)))


def row(spec: TestnetSpec, case: Case, problems: list[str], log: str = "") -> Row:
    """A row without figures; a problem comes with the end of the log where nothing else explains it."""
    last = [line for line in log.splitlines() if line.strip()][-1:]
    nominal = case.capability.write_iops_per_gib
    return Row(
        provider=spec.target.provider.value,
        region=spec.target.region,
        type=case.disk.value,
        product=case.capability.product,
        gib=case.gib,
        usd=usd_a_month(spec.target.provider, spec.target.region, case.capability.product, case.gib),
        problem="; ".join([*problems, *(f"its log ends with: {each[:200]}" for each in last if problems)]),
        nominal_write_iops=None if nominal is None else nominal * case.gib,
    )


async def _until_ended(api: KubeApi, spec: TestnetSpec, wanted: Benchmark, case: Case, say: Say) -> tuple[bool, str]:
    """Whether the Job has ended well, and why not."""
    namespace, began = objects.namespace_of(spec), time.monotonic()
    limit = objects.deadline_s(spec, wanted) + 60
    while True:
        found = await api.get(JOB, case.name, namespace)
        conditions = {each["type"]: each for each in ((found or {}).get("status") or {}).get("conditions") or []}
        if conditions.get("Complete", {}).get("status") == "True":
            return True, ""
        failed = conditions.get("Failed", {})
        if found is None or failed.get("status") == "True":
            return False, f"{failed.get('reason', 'gone')}: {failed.get('message', 'somebody removed the Job')}"
        waited = time.monotonic() - began
        if waited > limit:
            return False, f"not finished after {waited:.0f} s"
        say(f"{await _state(api, namespace, case)}, {waited:.0f} of at most {limit:.0f} s")
        await asyncio.sleep(POLL_S)


async def _state(api: KubeApi, namespace: str, case: Case) -> str:
    for pod in await _pods(api, namespace, case):
        phase = pod.get("status", {}).get("phase", "Pending")
        return "measuring" if phase == "Running" else f"its pod is {phase}"
    return "no pod yet"


async def _pods(api: KubeApi, namespace: str, case: Case) -> list[Manifest]:
    return await api.objects(POD, namespace, labels=f"job-name={case.name}")


async def _log(api: KubeApi, spec: TestnetSpec, case: Case) -> str:
    """The Job's log; empty where there is none to be had."""
    namespace = objects.namespace_of(spec)
    try:
        for pod in await _pods(api, namespace, case):
            data = await read_pod_log(api, namespace, pod["metadata"]["name"], objects.CONTAINER, LogRange())
            return data.decode("utf-8", "replace")
    except ClusterError as error:
        return f"its log could not be read: {error}"
    return ""


async def clean(api: KubeApi, spec: TestnetSpec, say: Say) -> None:
    """Take away all that a benchmark of this testnet has made, volumes before their classes. Idempotent.

    Raises ClusterError for a namespace of that name that is not a benchmark's, and when volumes do not go.
    """
    name = objects.namespace_of(spec)
    found = await api.get(NAMESPACE, name)
    if found is not None and (found["metadata"].get("labels") or {}).get(objects.LABEL) != spec.name:
        raise ClusterError(f"the namespace '{name}' is not a benchmark's; nothing was changed. Rename or remove it.")
    if found is not None:
        await api.delete(NAMESPACE, name)
    began = time.monotonic()
    while left := await _left(api, name):
        if time.monotonic() - began > GONE_S:
            raise ClusterError(
                f"still there after {GONE_S:.0f} s: {', '.join(left)}. `mina-infra orphans` will name their volumes; "
                "the next benchmark removes the rest."
            )
        say(f"removing {', '.join(left)}")
        await asyncio.sleep(0.5)
    for each in await api.objects(STORAGE_CLASS, labels=f"{objects.LABEL}={spec.name}"):
        await api.delete(STORAGE_CLASS, each["metadata"]["name"])


async def _left(api: KubeApi, namespace: str) -> list[str]:
    left = [f"namespace {namespace}"] if await api.get(NAMESPACE, namespace) else []
    volumes = await api.objects(PERSISTENT_VOLUME)
    return left + [
        f"volume {each['metadata']['name']}"
        for each in volumes
        if (each["spec"].get("claimRef") or {}).get("namespace") == namespace
    ]
