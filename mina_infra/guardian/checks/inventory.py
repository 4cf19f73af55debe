"""Does everything exist that was deployed? (runbook: deploy, all nodes of the plan are there)"""

from __future__ import annotations

from collections.abc import Sequence

from mina_infra.cluster.objects import Deployment, Pod
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.outputs import NodeOutput

CHECK = CheckInfo(
    name="inventory",
    needs=("deployments", "pods"),
    warm_up=Slots(0),
    runbook="deploy: every node of the plan exists",
)


# What may be wrong, the gravest first.
MISSING_NODE = "missing-node"
EXTRA_NODE = "extra-node"


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.deployments, list)
    assert isinstance(evidence.pods, list)
    return judge(evidence.outputs.nodes, evidence.deployments, evidence.pods)


def judge(expected: Sequence[NodeOutput], deployments: Sequence[Deployment], pods: Sequence[Pod]) -> Finding:
    """A node without a Deployment, or scaled to zero, is a failure; anything that was not expected is reported.

    A paused node has its Deployment, scaled to zero. A Deployment without a pod is a matter of the check `pods`.
    """
    names = {node.name for node in expected}
    paused = {node.name for node in expected if node.paused}
    scale = {deployment.node: deployment.replicas for deployment in deployments}
    missing = sorted(names - scale.keys())
    stopped = sorted(name for name in (names - paused) & scale.keys() if scale[name] == 0)
    awake = sorted(name for name in paused & scale.keys() if scale[name] > 0)
    extra = sorted((scale.keys() | {pod.node for pod in pods if _is_daemon(pod)}) - names - {""})
    rows: list[Row] = [{"node": name, "found": "no Deployment"} for name in missing]
    rows += [{"node": name, "found": "scaled to 0"} for name in stopped]
    rows += [{"node": name, "found": "runs, but is paused"} for name in awake]
    told = [f"not in the outputs document: {some(extra)}"] * bool(extra)
    warnings = (*told, *[f"paused, nothing is expected of them: {some(sorted(paused))}"] * bool(paused))
    if not expected:
        return Finding(CHECK.name, State.UNKNOWN, "the outputs document expects no nodes at all", warnings=warnings)
    bad = len(rows)
    return Finding(
        check=CHECK.name,
        state=State.FAIL if bad else State.PASS,
        summary=f"{len(names) - bad} of {len(names)} nodes exist" + (f", {len(paused)} paused" if paused else ""),
        expected=f"{len(names)} Deployments with one replica" + (", none for those paused" if paused else ""),
        seen=_seen(missing, stopped, awake),
        action="run `mina-infra up` again: it creates what is missing and keeps the volumes" if bad else "",
        evidence=tuple(rows),
        warnings=warnings,
        problems=(*[MISSING_NODE] * bool(missing or stopped), *[EXTRA_NODE] * bool(awake or extra)),
        figures={
            "expected": len(names),
            "missing": len(missing),
            "stopped": len(stopped),
            "paused": len(paused),
            "extra": len(extra),
        },
    )


def _seen(missing: Sequence[str], stopped: Sequence[str], awake: Sequence[str]) -> str:
    counts = ((missing, "missing"), (stopped, "scaled to 0"), (awake, "paused and yet running"))
    return ", ".join(f"{len(names)} {words}" for names, words in counts if names)


def _is_daemon(pod: Pod) -> bool:
    return "role" in pod.labels
