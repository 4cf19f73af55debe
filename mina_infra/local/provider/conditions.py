"""When is an object ready? One pure function for each kind that the official provider waits for (4.34.2, await/).

Each takes live objects and answers with a `Look`: ready or not, the line to show, and, if it never gets ready, why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mina_infra.cluster.api import Manifest

REVISION = "deployment.kubernetes.io/revision"
WAIT_FOR = "pulumi.com/waitFor"


@dataclass(frozen=True)
class Look:
    """One look at the world. `fatal` means that waiting longer is of no use; `again` seconds later time will tell."""

    ready: bool
    status: str = ""
    reasons: list[str] = field(default_factory=list)
    fatal: bool = False
    again: float | None = None


def dig(item: Any, *path: str) -> Any:
    """The value at a path of keys, or None."""
    for key in path:
        item = item.get(key) if isinstance(item, Mapping) else None
    return item


def condition(item: Manifest, kind: str) -> Mapping[str, Any]:
    """The status condition of this type; empty when there is none."""
    for entry in dig(item, "status", "conditions") or []:
        if entry.get("type") == kind:
            found: Mapping[str, Any] = entry
            return found
    return {}


def is_true(found: Mapping[str, Any]) -> bool:
    return found.get("status") == "True"


def _complaint(found: Mapping[str, Any]) -> list[str]:
    if is_true(found) or not found.get("reason") or not found.get("message"):
        return []
    return [f"[{found['reason']}] {found['message']}"]


def deployment(item: Manifest, replica_sets: Sequence[Manifest], claims: Sequence[Manifest]) -> Look:
    """Available, its newest ReplicaSet with all pods ready, and every claim that it names bound.

    `replica_sets` are those that the Deployment owns, `claims` those of its volumes that exist. Unlike the official
    provider this waits for pods of the new template: a change of template and replicas at once is first taken for one
    of replicas alone, the old ReplicaSet is scaled and the new generation marked as seen.
    """
    available, progressing = condition(item, "Available"), condition(item, "Progressing")
    revision = dig(item, "metadata", "annotations", REVISION) or ""
    first = revision == "1"
    seen = dig(item, "status", "observedGeneration") == dig(item, "metadata", "generation")
    rolled_out = first or (is_true(progressing) and progressing.get("reason") == "NewReplicaSetAvailable")
    newest = next((rs for rs in replica_sets if dig(rs, "metadata", "annotations", REVISION) == revision), {})
    wanted, ready = _replicas(newest)
    pods_ready = bool(newest) and bool(revision) and ready >= wanted
    unbound = [claim["metadata"]["name"] for claim in claims if dig(claim, "status", "phase") != "Bound"]
    wanted_pods, updated_pods = dig(item, "spec", "replicas"), dig(item, "status", "updatedReplicas")
    updated = int(updated_pods or 0) >= (1 if wanted_pods is None else int(wanted_pods))
    if seen and is_true(available) and rolled_out and pods_ready and updated and not unbound:
        return Look(True)
    reasons = _complaint(progressing) + _complaint(available)
    if unbound:
        reasons.append(f'Failed to bind PersistentVolumeClaim(s): "{",".join(sorted(unbound))}"')
    if not is_true(available):
        reasons.append("Minimum number of live Pods was not attained")
    elif not rolled_out or (first and not pods_ready):
        reasons.append("Minimum number of Pods to consider the application live was not attained")
    elif not pods_ready:
        reasons.append("Attempted to roll forward to new ReplicaSet, but minimum number of Pods did not become live")
    status = f"Waiting for app ReplicaSet to be available ({ready}/{wanted} Pods available)"
    if unbound and ready >= wanted:
        status = f"PersistentVolumeClaim: [{unbound[0]}] is not bound"
    return Look(False, status, reasons)


def _replicas(replica_set: Manifest) -> tuple[int, int]:
    wanted = dig(replica_set, "spec", "replicas")
    return (1 if wanted is None else int(wanted)), int(dig(replica_set, "status", "readyReplicas") or 0)


def claim_names(item: Manifest) -> list[str]:
    """The claims that the pods of a Deployment mount."""
    volumes = dig(item, "spec", "template", "spec", "volumes") or []
    names = (dig(volume, "persistentVolumeClaim", "claimName") for volume in volumes)
    return [name for name in names if name]


def stateful_set(item: Manifest) -> Look:
    """All replicas ready and of one revision."""
    generation = dig(item, "metadata", "generation") or 0
    status = item.get("status") or {}
    wanted = dig(item, "spec", "replicas")
    wanted = 1 if wanted is None else int(wanted)
    ready = int(status.get("readyReplicas") or 0)
    seen = int(status.get("observedGeneration") or 0) >= generation
    revision, target = status.get("currentRevision") or "", status.get("updateRevision") or ""
    on_delete = generation > 1 and dig(item, "spec", "updateStrategy", "type") == "OnDelete"
    counts = [status.get("replicas"), ready] + ([] if on_delete else [status.get("currentReplicas")])
    settled = on_delete or (bool(revision) and revision == target)
    full = all(int(count or 0) == wanted for count in counts)
    if seen and settled and full:
        return Look(True)
    reasons = [] if full else [f"{ready} out of {wanted} replicas succeeded readiness checks"]
    if not settled:
        reasons.append(f'StatefulSet controller failed to advance from revision "{revision}" to revision "{target}"')
    return Look(False, f"Waiting for StatefulSet to create Pods ({ready}/{wanted} Pods ready)", reasons)


def claim(item: Manifest, binding_mode: str) -> Look:
    """Bound, or Pending when the class waits for the first consumer.

    Unlike the official provider, which times out there, a claim that is bound before the first look is ready too.
    """
    phase = dig(item, "status", "phase")
    if phase == "Bound" or (binding_mode == "WaitForFirstConsumer" and phase == "Pending"):
        return Look(True)
    return Look(False, f"Waiting for the claim to be bound ({phase or 'no phase yet'})")


def volume(item: Manifest) -> Look:
    phase = dig(item, "status", "phase")
    return Look(phase in ("Available", "Bound"), f"Waiting for the volume to be available ({phase})")


def quota(item: Manifest) -> Look:
    hard = dig(item, "spec", "hard")
    same = isinstance(hard, Mapping) and hard == dig(item, "status", "hard")
    return Look(same, "Waiting for the quota to take effect")


def token_secret(item: Manifest) -> Look:
    return Look(bool(item.get("data")), "Waiting for the token to be filled in")


def service(item: Manifest, endpoints: Manifest | None, quiet_for: float, settle: float = 10.0) -> Look:
    """An address for a LoadBalancer; unless headless, ExternalName or without selector, no pod pending.

    `quiet_for` is for how many seconds the endpoints have not changed: stragglers get `settle` seconds.
    """
    kind = dig(item, "spec", "type") or "ClusterIP"
    placed = kind != "LoadBalancer" or bool(dig(item, "status", "loadBalancer", "ingress"))
    reasons = [] if placed else ["Service was not allocated an IP address; does your cloud provider support this?"]
    headless = dig(item, "spec", "clusterIP") == "None"
    if kind == "ExternalName" or headless or not dig(item, "spec", "selector"):
        return Look(placed, "Waiting for an address", reasons)
    subsets = (endpoints or {}).get("subsets") or []
    if not any(subset.get("addresses") for subset in subsets):
        reasons.insert(
            0,
            "Service does not target any Pods. Selected Pods may not be ready, or "
            "field '.spec.selector' may not match labels on any Pods",
        )
    pending = any(subset.get("notReadyAddresses") for subset in subsets)
    settled = endpoints is not None and quiet_for >= settle
    again = max(settle - quiet_for, 0.05) if endpoints is not None and not settled else None
    return Look(placed and settled and not pending, "Finding Pods to direct traffic to", reasons, again=again)


def job(item: Manifest) -> Look:
    """Complete; a failed Job is the end of waiting, with the reason that Kubernetes gives."""
    failed = condition(item, "Failed")
    if is_true(failed):
        return Look(False, "", [f"[{failed.get('reason')}] {failed.get('message')}"], fatal=True)
    status = item.get("status") or {}
    counts = " | ".join(f"{name.title()}: {status.get(name) or 0}" for name in ("active", "succeeded", "failed"))
    done = bool(status.get("startTime")) and is_true(condition(item, "Complete"))
    return Look(done, f'Waiting for Job "{_named(item)}" to succeed ({counts})')


def pod(item: Manifest) -> Look:
    """Scheduled, initialised and ready, or finished."""
    for kind, what in (("PodScheduled", "scheduled"), ("Initialized", "initialized"), ("Ready", "ready")):
        found = condition(item, kind)
        if is_true(found) or (kind == "Ready" and dig(item, "status", "phase") == "Succeeded"):
            continue
        said = found.get("message") or ""
        parts = [said] if said else []
        parts += container_errors(dig(item, "status", "containerStatuses") or [])
        reasons = [f"[Pod {_named(item)}]: {'; '.join(parts)}"] if parts else []
        return Look(False, f'Waiting for Pod "{_named(item)}" to be {what}', reasons)
    return Look(True)


def container_errors(statuses: Sequence[Mapping[str, Any]]) -> list[str]:
    """What stopped the containers of a pod that are not ready."""
    errors = []
    for status in statuses:
        if status.get("ready"):
            continue
        waiting, ended = dig(status, "state", "waiting"), dig(status, "state", "terminated")
        if waiting and waiting.get("reason") != "ContainerCreating":
            errors.append(f"[{waiting.get('reason')}] {waiting.get('message', '')}".strip())
        if ended and ended.get("reason"):
            said = f"[{ended['reason']}] {ended['message']}" if ended.get("message") else ""
            errors.append(said or f'container "{status.get("name")}" completed with exit code {ended.get("exitCode")}')
    return errors


def _named(item: Manifest) -> str:
    namespace = item["metadata"].get("namespace")
    name: str = item["metadata"]["name"]
    return f"{namespace}/{name}" if namespace and namespace != "default" else name


def wait_for_expressions(text: str) -> list[str]:
    """The expressions of a `pulumi.com/waitFor` annotation. Raises ValueError for one that is not understood."""
    try:
        loaded = json.loads(text)
    except ValueError:
        loaded = text
    expressions = [str(item) for item in loaded] if isinstance(loaded, list) else [text]
    if not expressions:
        raise ValueError("at least one condition must be specified")
    for expression in expressions:
        custom({"metadata": {"name": ""}}, expression)
    return expressions


_JSONPATH = re.compile(r"jsonpath=\{?(\.[^}=]+)\}?(?:=(.*))?")


def custom(item: Manifest, expression: str) -> Look:
    """`condition=Type[=Status]` or `jsonpath={.a.b[0].c}[=value]`, as kubectl wait has them; filters are not known."""
    if expression.startswith("condition="):
        kind, _, wanted = expression.removeprefix("condition=").partition("=")
        every = dig(item, "status", "conditions") or []
        values = [str(found.get("status")) for found in every if found["type"].lower() == kind.lower()]
        ready = [value.lower() for value in values] == [(wanted or "True").lower()]
        return Look(ready, f"Waiting for condition {kind}", [f"condition {kind} is not {wanted or 'True'}"])
    match = _JSONPATH.fullmatch(expression)
    if not match:
        raise ValueError(f'expected a "jsonpath=" or "condition=" prefix and a plain path, got "{expression}"')
    value: Any = item
    for part in re.findall(r"[^.\[\]]+", match[1]):
        value = value[int(part)] if isinstance(value, list) and part.isdigit() and int(part) < len(value) else (
            value.get(part) if isinstance(value, Mapping) else None
        )  # fmt: skip
    ready = value is not None if match[2] is None else _text(value) == match[2].strip("\"'")
    return Look(ready, f"Waiting for {expression}", [f"{expression} does not hold"])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
