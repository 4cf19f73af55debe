"""Do all pods run, and stay up? (runbook: check for crashes after the deployment)"""

from __future__ import annotations

from collections.abc import Sequence

from mina_infra.cluster.objects import Container, Pod
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.guardian.survey import newest_pods
from mina_infra.outputs import NodeOutput

CHECK = CheckInfo(
    name="pods",
    needs=("pods",),
    warm_up=Slots(0),
    runbook="sanity check 1: pods run and do not crash",
)

# What may be wrong with a pod, the gravest first.
CRASH_LOOP = "crash-loop"
IMAGE = "image"
NOT_SCHEDULED = "not-scheduled"
NO_POD = "no-pod"
NOT_READY = "not-ready"
PROBLEMS = (CRASH_LOOP, IMAGE, NOT_SCHEDULED, NO_POD, NOT_READY)

_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
# These do not heal by waiting; the rest (ContainerCreating, ImagePullBackOff, ...) is a start under way.
_HOPELESS = frozenset({"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"})
# A daemon that reaches no peer yet exits by design, so a young network crash-loops a few times; five are 5 minutes.
_CRASHES = 5


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.pods, list)
    return judge(evidence.outputs.running(), evidence.pods)


def judge(expected: Sequence[NodeOutput], pods: Sequence[Pod]) -> Finding:
    """Every node that is not paused has a pod that runs and is ready. Restarts in the past are warnings."""
    current = newest_pods(pods)
    rows: list[Row] = []
    problems: set[str] = set()
    hopeless = False
    for node in expected:
        pod = current.get(node.name)
        problem = _problem(pod)
        if problem:
            rows.append({"node": node.name, "found": problem, "problem": _word(pod)})
            problems.add(_word(pod))
            hopeless = hopeless or (pod is not None and any(_is_hopeless(each) for each in pod.containers))
    total = len(expected)
    return Finding(
        check=CHECK.name,
        state=State.FAIL if rows else State.PASS if total else State.UNKNOWN,
        summary=f"{total - len(rows)} of {total} pods run and are ready",
        expected=f"{total} pods Running and ready",
        seen=some([f"{row['node']} ({row['found']})" for row in rows], 3) if rows else "",
        action="kubectl describe pod and the container's previous log say why" if rows else "",
        evidence=tuple(rows),
        warnings=_restarts(expected, current),
        problems=tuple(each for each in PROBLEMS if each in problems),
        settling=bool(rows) and not hopeless,
        figures={"expected": total, "ready": total - len(rows), "restarts": _total_restarts(current)},
    )


def _is_hopeless(container: Container) -> bool:
    crashes = container.waiting == "CrashLoopBackOff" and container.restarts >= _CRASHES
    return crashes or container.waiting in _HOPELESS


def _problem(pod: Pod | None) -> str:
    """In words that start with the reason; empty for a pod in order."""
    if pod is None:
        return "no pod"
    if pod.deleting:
        return "being deleted"
    for container in pod.containers:
        if container.waiting:
            return container.waiting
    if pod.unschedulable:
        return f"not scheduled: {pod.unschedulable}"
    if pod.phase != "Running":
        return pod.phase
    return "" if pod.ready else "not ready"


def _word(pod: Pod | None) -> str:
    """The one stable word for what is wrong with a pod that is not in order."""
    if pod is None or pod.deleting:
        return NO_POD
    waiting = {container.waiting for container in pod.containers if container.waiting}
    if "CrashLoopBackOff" in waiting:
        return CRASH_LOOP
    if waiting & _IMAGE_REASONS:
        return IMAGE
    return NOT_SCHEDULED if pod.unschedulable and not waiting else NOT_READY


def _restarts(expected: Sequence[NodeOutput], current: dict[str, Pod]) -> tuple[str, ...]:
    lines = []
    for node in expected:
        for container in current[node.name].containers if node.name in current else ():
            if container.restarts:
                cause = container.last_reason or (
                    f"exit code {container.last_exit}" if container.last_exit is not None else "cause unknown"
                )
                lines.append(f"{node.name}/{container.name} restarted {container.restarts} times ({cause})")
    return tuple(lines)


def _total_restarts(current: dict[str, Pod]) -> int:
    return sum(container.restarts for pod in current.values() for container in pod.containers)
