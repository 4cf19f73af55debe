"""Setup and verification Jobs: one for each node and phase, on the node's own volumes while the node is paused.

A ReadWriteOncePod volume cannot be mounted beside its node, so the order is: stop the node, run the Job, start the node
(docs/facts.md: kubernetes/jobs-and-volumes, kubernetes/jobs). Only a run that asks for a phase plans Jobs
(`spec/job_run.py`); the next ordinary run finds them planned no more and takes them away.
"""

from __future__ import annotations

from collections.abc import Iterator

from mina_infra.plan import check_scripts, labels, names, timeouts
from mina_infra.plan.common import Common
from mina_infra.plan.guard import start_guard
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import Manifest, PlannedObject
from mina_infra.spec import TestnetSpec, VolumeKind
from mina_infra.spec.job_run import JobRun
from mina_infra.storage.volumes import Volume

CONTAINER = "check"
NODE_LABEL = "mina-infra/node"
"""Whose Job it is. Not `app`, by which a Service and a Deployment would take the Job's pod for the node's."""

BUILT_IN_LABEL = "mina-infra/check"
"""`built-in` where the script is ours; the embedded cluster runs no other."""

VOLUMES = "/volumes"

START_S = 120
"""Seconds that a Job outlives the limit of its pod: to be given a machine before, and to end after it."""


def members(spec: TestnetSpec) -> dict[str, bool]:
    """The nodes whose group asks for Jobs, and whether both scripts are the built-in ones."""
    return {
        name: group.jobs.setup.script is None and group.jobs.verify.script is None
        for group in spec.nodes
        if group.jobs is not None
        for name in group.node_names()
    }


def of_node(common: Common, node: Node, run: JobRun | None, after: tuple[str, ...]) -> Iterator[PlannedObject]:
    """The Job of a node in this run, if it has one. It waits for the keys in `after`: its claims, its Deployment."""
    if run is None or node.name not in run.nodes or node.group.jobs is None:
        return
    spec, deadline = common.spec, timeouts.jobs(common.spec)
    own = {**labels.of_testnet(spec), labels.JOB: run.phase, NODE_LABEL: node.name, labels.ERA: str(spec.era)}
    if node.group.jobs.of(run.phase).script is None:
        own[BUILT_IN_LABEL] = "built-in"
    template = {"metadata": {"labels": own}, "spec": _pod(common, node, run)}
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.check_job(node.name, run.phase, template),
            "namespace": spec.namespace,
            "labels": own,
        },
        "spec": {
            "backoffLimit": node.group.jobs.of(run.phase).retries,
            "activeDeadlineSeconds": deadline + START_S,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": failure_policy(check_scripts.LOST),
            "template": template,
        },
    }
    # The Job's own deadline comes first: its reason says more than "timed out".
    yield PlannedObject(
        names.check_job_key(node.name, run.phase),
        manifest,
        after=(names.NAMESPACE_KEY, names.SERVICE_ACCOUNT_KEY, *after),
        timeout_s=deadline + START_S + 60,
    )


def failure_policy(final: int) -> Manifest:
    """No further try after this exit code of any container; a disruption does not count as a try."""
    return {
        "rules": [
            {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [final]}},
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
    }


def _pod(common: Common, node: Node, run: JobRun) -> Manifest:
    assert node.group.jobs is not None
    job = node.group.jobs.of(run.phase)
    volumes = common.volumes.own(node.group, node.name)
    height = run.heights.get(node.name)
    variables = {
        "NODE": node.name,
        "RUN": run.run,
        "HEIGHT": "" if height is None else str(height),
        "VOLUMES": " ".join(_path(volume) for volume in volumes),
    }
    container = {
        "name": CONTAINER,
        "image": job.image or common.spec.images.init,
        "command": ["sh", "-ceu", job.script or check_scripts.BUILT_IN[run.phase]],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "volumeMounts": [{"name": volume.kind.value, "mountPath": _path(volume)} for volume in volumes],
    }
    pod: Manifest = {
        "serviceAccountName": names.SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": job.restart_policy,
        # A Job past its own deadline deletes its pods, and their logs; a pod past its deadline fails and stays.
        "activeDeadlineSeconds": timeouts.jobs(common.spec),
        "containers": [container],
        "volumes": [_volume(common, node, volume) for volume in volumes],
    }
    if run.phase == "setup" and node.daemon:
        pod["initContainers"] = [_guard(common, node)]
    return pod


def _path(volume: Volume) -> str:
    return f"{VOLUMES}/{volume.kind.value}"


def _volume(common: Common, node: Node, volume: Volume) -> Manifest:
    claim = volume.existing_claim or names.claim(node.name, volume.kind, common.spec.era)
    return {"name": volume.kind.value, "persistentVolumeClaim": {"claimName": claim}}


def _guard(common: Common, node: Node) -> Manifest:
    """Before anything is written: whatever lies on a volume without its genesis would stop the node for ever."""
    guard = start_guard(common, node)
    (mount,) = guard["volumeMounts"]
    return {**guard, "volumeMounts": [{**mount, "name": VolumeKind.RUNTIME_STATE.value}]}
