"""Wait until every node of a testnet runs, and say by name what is still missing.

Deployments are registered without Pulumi's own waiting, which would fill the engine's parallel slots
(docs/facts.md: measured/waiting); this is the waiting, in one place, over three watches. Readiness is the kubelet's;
whether the network is healthy is the guardian's to judge.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mina_infra.cluster.api import CLAIM, DEPLOYMENT, NAMESPACE, POD, ApiStatusError, Kind, KubeApi, Watched
from mina_infra.engine.report import Report
from mina_infra.errors import ClusterError

Manifest = Mapping[str, Any]

REPORT_EVERY_S = 1.0

SILENT_S = 30.0
"""Seconds without an answer of the API server after which the command ends; it can be typed again when it is back."""


@dataclass
class Scene:
    """What is known of the namespace: objects of each kind by name."""

    deployments: dict[str, Manifest] = field(default_factory=dict)
    pods: dict[str, Manifest] = field(default_factory=dict)
    claims: dict[str, Manifest] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    """Kinds of which the first list has arrived."""

    def see(self, kind: Kind, event: Watched) -> None:
        """Take one watch event into account."""
        by_name = {DEPLOYMENT: self.deployments, POD: self.pods, CLAIM: self.claims}[kind]
        if event.type == "SYNCED":
            by_name.clear()
            by_name.update({item["metadata"]["name"]: item for item in event.object["items"]})
            self.listed.add(kind.plural)
        elif event.type == "DELETED":
            by_name.pop(event.object["metadata"]["name"], None)
        else:
            by_name[event.object["metadata"]["name"]] = event.object

    def missing(self, expected: Iterable[str]) -> list[str]:
        """The expected nodes whose Deployment does not run as declared, or is paused and still has a pod."""
        left = {(pod["metadata"].get("labels") or {}).get("app") for pod in self.pods.values()}
        return [
            name
            for name in expected
            if not is_running(self.deployments.get(name)) or (self._is_paused(name) and name in left)
        ]

    def _is_paused(self, node: str) -> bool:
        return node in self.deployments and self.deployments[node]["spec"].get("replicas", 1) == 0

    def why(self, node: str) -> str:
        """What a node that does not run is waiting for."""
        if node not in self.deployments:
            return "no Deployment"
        pods = [pod for pod in self.pods.values() if (pod["metadata"].get("labels") or {}).get("app") == node]
        if not pods:
            return "no pod yet"
        newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
        if "deletionTimestamp" in newest["metadata"]:
            return "the old pod is ending"
        unbound = [name for name in _claims_of(newest) if not self._is_bound(name)]
        if unbound:
            return f"volume binding of {', '.join(unbound)}{self._selected(unbound[0])}"
        return _pod_reason(newest)

    def _is_bound(self, claim: str) -> bool:
        return bool(self.claims.get(claim, {}).get("status", {}).get("phase") == "Bound")

    def _selected(self, claim: str) -> str:
        notes = self.claims.get(claim, {}).get("metadata", {}).get("annotations") or {}
        node = notes.get("volume.kubernetes.io/selected-node")
        return f" (selected node {node})" if node else ""

    def line(self, expected: Iterable[str]) -> str:
        """`197/200 nodes run, 198/203 claims bound   waiting for whale-3: volume binding of ...`."""
        names = list(expected)
        if DEPLOYMENT.plural not in self.listed:
            return "listing the testnet's objects"
        missing = self.missing(names)
        bound = sum(1 for name in self.claims if self._is_bound(name))
        paused = sum(1 for name in names if name not in missing and self._is_paused(name))
        text = f"{len(names) - len(missing) - paused}/{len(names)} nodes run, {bound}/{len(self.claims)} claims bound"
        text += f", {paused} paused" if paused else ""
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            text += f"   waiting for {missing[0]}{more}: {self.why(missing[0])}"
        return text


def is_running(deployment: Manifest | None) -> bool:
    """Does the Deployment run all that it declares and nothing older? Scaled to zero, it does when it is empty."""
    if deployment is None:
        return False
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    seen: int = status.get("observedGeneration", 0)
    counted = (status.get(field, 0) for field in ("replicas", "updatedReplicas", "readyReplicas"))
    return seen >= deployment["metadata"].get("generation", 0) and all(count == wanted for count in counted)


def _claims_of(pod: Manifest) -> list[str]:
    volumes = pod["spec"].get("volumes") or []
    return [each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each]


def _pod_reason(pod: Manifest) -> str:
    """Why a pod with bound claims is not ready: its scheduling, its containers, else its phase."""
    status = pod.get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"scheduling ({scheduled.get('message') or scheduled.get('reason', 'no reason given')})"
    for each in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (each.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"container {each['name']}: {waiting['reason']} {waiting.get('message', '')}".rstrip()
    if status.get("phase") == "Running":
        return "not ready yet"
    return f"pod is {status.get('phase', 'Pending')}"


async def wait_until_running(
    api: KubeApi, namespace: str, expected: Iterable[str], report: Report, *, deadline_s: float = 600.0
) -> None:
    """Return when the Deployments of all expected nodes run. After `deadline_s`, ClusterError says why not.

    An API server that does not answer for SILENT_S is a ClusterError too: watches alone would wait for it for ever.
    """
    names = list(expected)
    scene, changed, pulse = Scene(), asyncio.Event(), Pulse()
    watches = [asyncio.create_task(_follow(api, kind, namespace, scene, changed)) for kind in (DEPLOYMENT, POD, CLAIM)]
    tasks = [*watches, asyncio.create_task(_feel(api, namespace, pulse))]
    began = time.monotonic()
    try:
        while len(scene.listed) < len(watches) or scene.missing(names):
            if time.monotonic() - began > deadline_s:
                raise ClusterError(_too_late(scene, names, deadline_s))
            report.update(pulse.line() or scene.line(names))
            # Gathers what a second brings: 200 nodes change several times each, and one line a second is enough.
            await asyncio.sleep(0.2 if time.monotonic() - began < 5 else REPORT_EVERY_S / 2)
            await _wait_briefly(changed)
        report.update(scene.line(names))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Pulse:
    """Whether the API server answers: when it did last (monotonic seconds), and what happened instead since."""

    answered: float = field(default_factory=time.monotonic)
    error: ClusterError | None = None

    def line(self) -> str:
        """What to say while it does not answer; empty when it does. Raises its error after SILENT_S."""
        if self.error is None:
            return ""
        silent_s = time.monotonic() - self.answered
        if silent_s > SILENT_S:
            raise self.error
        return f"the cluster has not answered for {silent_s:.0f} s"


async def _feel(api: KubeApi, namespace: str, pulse: Pulse) -> None:
    while True:
        try:
            await api.get(NAMESPACE, namespace)
            pulse.answered, pulse.error = time.monotonic(), None
        except ApiStatusError:  # an answer, whatever it says
            pulse.answered, pulse.error = time.monotonic(), None
        except ClusterError as error:
            pulse.error = error
        await asyncio.sleep(2 * REPORT_EVERY_S)


async def _follow(api: KubeApi, kind: Kind, namespace: str, scene: Scene, changed: asyncio.Event) -> None:
    async for event in api.watch(kind, namespace):
        scene.see(kind, event)
        changed.set()


async def _wait_briefly(changed: asyncio.Event) -> None:
    """Until something changes, but at most a second, so that the deadline is kept."""
    try:
        await asyncio.wait_for(changed.wait(), REPORT_EVERY_S)
    except TimeoutError:
        return
    finally:
        changed.clear()


def _too_late(scene: Scene, names: list[str], deadline_s: float) -> str:
    missing = scene.missing(names)
    if len(scene.listed) < 3:
        return f"the cluster did not list the testnet's objects within {deadline_s:.0f} s"
    reasons = [f"  {name}: {scene.why(name)}" for name in missing[:10]]
    reasons += [f"  and {len(missing) - 10} more"] if len(missing) > 10 else []
    return "\n".join([f"{len(missing)} of {len(names)} nodes do not run after {deadline_s:.0f} s:", *reasons])
