"""What the kubelet would write into a pod's status when its container has ended and runs again. kwok does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mina_infra.cluster.api import POD, KubeApi
from mina_infra.errors import ClusterError
from mina_infra.simulator import live_faults
from mina_infra.simulator.hosting import Daemon, wall_clock
from mina_infra.simulator.pods import CONTAINER


@dataclass(frozen=True)
class End:
    """How a container's run ended; times in ms since 1970."""

    exit_code: int
    reason: str
    started_ms: float
    ended_ms: float


def obey(daemon: Daemon, faults: frozenset[str]) -> End | None:
    """Let a node have these faults. The end of its container, if one that is new brings it about.

    Then its last words are written and its log has become the previous one; to end it is the caller's.
    """
    fresh, node, now = sorted((faults - daemon.faults) & live_faults.ENDS.keys()), daemon.node, wall_clock()
    daemon.suffer(faults)
    if not fresh or node is None:
        return None
    exit_code, reason, words = live_faults.ENDS[fresh[0]]
    for line in words(node, now):
        daemon.log.add(now, line)
    daemon.log.begin_anew()
    return End(exit_code, reason, node.started_ms, now)


async def tell(api: KubeApi, daemon: Daemon, end: End) -> None:
    """Count the restart in the pod's status, with how the last run ended."""
    pod = daemon.pod
    try:
        found = await api.get(POD, pod.name, pod.namespace)
        if found is None or found["metadata"]["uid"] != pod.uid:
            return
        ended = {
            "exitCode": end.exit_code,
            "reason": end.reason,
            "startedAt": _moment(end.started_ms),
            "finishedAt": _moment(end.ended_ms),
        }
        statuses = [
            _restarted(each, ended) if each["name"] == CONTAINER else each
            for each in found.get("status", {}).get("containerStatuses") or []
        ]
        await api.patch(POD, pod.name, {"status": {"containerStatuses": statuses}}, pod.namespace, "status")
    except ClusterError:
        return  # the pod is going away, or the API server is; the log is there


def _restarted(status: dict[str, Any], ended: dict[str, Any]) -> dict[str, Any]:
    return {
        **status,
        "restartCount": int(status.get("restartCount", 0)) + 1,
        "lastState": {"terminated": ended},
        "state": {"running": {"startedAt": ended["finishedAt"]}},
    }


def _moment(ms: float) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
