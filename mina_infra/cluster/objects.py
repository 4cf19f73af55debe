"""The few facts of live objects that operation needs, taken out of the API server's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mina_infra.cluster.api import Manifest

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


@dataclass(frozen=True)
class Container:
    """One container of a pod, as its status says."""

    name: str
    ready: bool
    restarts: int
    waiting: str | None  # the reason: ContainerCreating, CrashLoopBackOff, ImagePullBackOff, ...
    last_exit: int | None  # exit code of the run before this one
    last_reason: str | None  # OOMKilled, Error, ...
    image: str = ""  # as the kubelet resolved it
    started: datetime | None = None  # the run that is going on
    last_started: datetime | None = None  # the run before it
    last_ended: datetime | None = None


@dataclass(frozen=True)
class Program:
    """What a container of a pod was told to run."""

    image: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pod:
    """One pod. `node` is the Mina node that it runs (its label `app`), not the Kubernetes node."""

    name: str
    uid: str
    node: str
    phase: str
    ready: bool
    deleting: bool
    created: datetime
    containers: tuple[Container, ...]
    unschedulable: str | None  # the scheduler's message while it finds no place
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    reason: str | None = None  # Evicted, NodeShutdown, ...: why the pod as a whole ended
    deleted: datetime | None = None  # when its containers must have ended: the request plus the grace period
    grace_s: float = 0.0
    programs: Mapping[str, Program] = field(default_factory=dict)  # by the container's name
    address: str = ""  # empty until it has one


@dataclass(frozen=True)
class Deployment:
    """One Deployment. `node` as in Pod."""

    name: str
    node: str
    replicas: int
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Claim:
    """One PersistentVolumeClaim."""

    name: str
    phase: str
    storage_class: str | None
    access_modes: tuple[str, ...]
    requested_bytes: int
    capacity_bytes: int | None  # None until it is bound
    volume: str | None
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Event:
    """One event of the namespace."""

    about: str  # Kind/name
    type: str
    reason: str
    message: str
    count: int
    last_seen: datetime | None


def pod_of(manifest: Manifest) -> Pod:
    """A Pod object."""
    meta, status = manifest["metadata"], manifest.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    scheduled = conditions.get("PodScheduled", {})
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        node=meta.get("labels", {}).get("app", ""),
        phase=status.get("phase", "Unknown"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        deleting="deletionTimestamp" in meta,
        created=time_of(meta["creationTimestamp"]),
        containers=tuple(_container(each) for each in status.get("containerStatuses") or []),
        unschedulable=scheduled.get("message") if scheduled.get("status") == "False" else None,
        labels=meta.get("labels", {}),
        annotations=meta.get("annotations", {}),
        reason=status.get("reason"),
        deleted=time_of(meta["deletionTimestamp"]) if "deletionTimestamp" in meta else None,
        grace_s=float(meta.get("deletionGracePeriodSeconds") or 0),
        programs={each["name"]: _program(each) for each in manifest.get("spec", {}).get("containers") or []},
        address=status.get("podIP") or "",
    )


def _program(container: Mapping[str, Any]) -> Program:
    return Program(container.get("image", ""), (*(container.get("command") or ()), *(container.get("args") or ())))


def _container(status: Mapping[str, Any]) -> Container:
    ended = (status.get("lastState") or {}).get("terminated") or {}
    state = status.get("state") or {}
    waiting, started = state.get("waiting"), (state.get("running") or {}).get("startedAt")
    return Container(
        name=status["name"],
        ready=bool(status.get("ready")),
        restarts=int(status.get("restartCount", 0)),
        waiting=str(waiting.get("reason", "waiting")) if waiting is not None else None,
        last_exit=ended.get("exitCode"),
        last_reason=ended.get("reason"),
        image=status.get("image", ""),
        started=time_of(started) if started else None,
        last_started=time_of(ended["startedAt"]) if ended.get("startedAt") else None,
        last_ended=time_of(ended["finishedAt"]) if ended.get("finishedAt") else None,
    )


def deployment_of(manifest: Manifest) -> Deployment:
    """A Deployment object."""
    meta = manifest["metadata"]
    labels = meta.get("labels", {})
    return Deployment(meta["name"], labels.get("app", meta["name"]), manifest["spec"].get("replicas", 1), labels)


def claim_of(manifest: Manifest) -> Claim:
    """A PersistentVolumeClaim object."""
    meta, spec, status = manifest["metadata"], manifest["spec"], manifest.get("status", {})
    capacity = (status.get("capacity") or {}).get("storage")
    return Claim(
        name=meta["name"],
        phase="Terminating" if "deletionTimestamp" in meta else status.get("phase", "Pending"),
        storage_class=spec.get("storageClassName"),
        access_modes=tuple(spec.get("accessModes") or ()),
        requested_bytes=bytes_of(spec["resources"]["requests"]["storage"]),
        capacity_bytes=bytes_of(capacity) if capacity else None,
        volume=spec.get("volumeName"),
        labels=meta.get("labels", {}),
    )


def event_of(manifest: Manifest) -> Event:
    """A core/v1 Event object."""
    about = manifest.get("involvedObject", {})
    seen = manifest.get("lastTimestamp") or manifest.get("eventTime")
    return Event(
        about=f"{about.get('kind', '')}/{about.get('name', '')}",
        type=manifest.get("type", ""),
        reason=manifest.get("reason", ""),
        message=manifest.get("message", ""),
        count=manifest.get("count") or 1,
        last_seen=time_of(seen) if seen else None,
    )


def time_of(text: str) -> datetime:
    """RFC 3339 with or without fractions, as the API server writes it."""
    return datetime.fromisoformat(text)


def bytes_of(quantity: str | int) -> int:
    """A Kubernetes quantity of storage in bytes. Raises ValueError for one that is none."""
    text = str(quantity)
    digits = text.rstrip("kKMGTi")
    unit = text[len(digits) :]
    if unit not in _UNITS:
        raise ValueError(f"{text!r} is not a quantity of bytes")
    return round(float(digits) * _UNITS[unit])
