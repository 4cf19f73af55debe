"""Why a container ended: a crash, want of memory, somebody's hand, or nobody knows (docs/facts.md: guardian/crash)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mina_infra.cluster.objects import Container, Event, Pod
from mina_infra.guardian.crashes.fingerprint import Signature, signature
from mina_infra.guardian.crashes.model import Cause, Crash, Explained, Key
from mina_infra.guardian.crashes.records import Words

GRACE_S = 30.0
"""After the grace period: what a shutdown writes and does late still belongs to it."""

HOUR_S = 3600.0
_BACKOFF_S = 300.0
"""The longest pause of a kubelet between two starts of one container."""
_STARTS_WITHOUT_PEERS = 5
"""A daemon that finds no peer gives up and is started again; so often is a young network, more is not."""

# What a program that obeys a signal leaves: 0, 128+SIGINT (Mina's daemon on SIGTERM), 128+SIGTERM.
_OBEYED = frozenset({0, 130, 143})
_POD_ENDED = frozenset({"Evicted", "Preempting", "NodeShutdown", "NodeLost", "Shutdown", "Terminated"})
_MACHINE_GONE = frozenset({"ContainerStatusUnknown", "Unknown", "NodeShutdown"})
_EVENTS_OF_HANDS = frozenset({"Evicted", "Preempted", "Preempting", "TaintManagerEviction", "NodeShutdown"})
_SIGNALS = {132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


@dataclass(frozen=True)
class Disruption:
    """Something that was done to a node on purpose, from a chaos journal. Times in seconds since 1970.

    `restarts`: of its container when it happened; a second restart after that is no longer its doing.
    """

    node: str
    at: float
    restarts: int = 0
    grace_s: float = 30.0


@dataclass(frozen=True)
class End:
    """The end of a container's run before the one that goes on."""

    pod: Pod
    container: Container

    @property
    def node(self) -> str:
        return self.pod.node

    @property
    def key(self) -> Key:
        return (self.pod.uid, self.container.name, self.container.restarts)

    @property
    def at(self) -> float | None:
        ended = self.container.last_ended
        return ended.timestamp() if ended else None

    @property
    def hourly(self) -> int:
        """How often it can have ended in the hour before: each round takes as long as the last run and a pause."""
        begun, ended = self.container.last_started, self.container.last_ended
        if begun is None or ended is None:
            return 1
        run_s = max((ended - begun).total_seconds(), 0.0)
        return max(1, min(self.container.restarts, int(HOUR_S // (run_s + _BACKOFF_S))))


def ends_of(pods: Iterable[Pod], nodes: Iterable[str]) -> list[End]:
    """The ends that the pods of these nodes still tell of: every container that was started again."""
    wanted = set(nodes)
    return [
        End(pod, container) for pod in pods if pod.node in wanted for container in pod.containers if container.restarts
    ]


def explained(end: End, disruptions: Sequence[Disruption], events: Sequence[Event]) -> str:
    """Who ended it, as far as that is known without its log; empty where nobody did."""
    container, pod = end.container, end.pod
    if container.last_reason == "OOMKilled":
        return ""
    if pod.reason in _POD_ENDED:
        return f"the pod was ended: {pod.reason}"
    if container.last_reason in _MACHINE_GONE:
        return "its machine was restarted or lost"
    if _while_deleted(end):
        return "its pod is being deleted"
    if any(_done_by(each, end) for each in disruptions):
        return "disrupted on purpose"
    hands = [event for event in events if event.reason in _EVENTS_OF_HANDS and event.about == f"Pod/{pod.name}"]
    return f"{hands[-1].reason}: {hands[-1].message}" if hands else ""


def _while_deleted(end: End) -> bool:
    """Between the request to delete the pod and its last moment, 30 s later."""
    deleted = end.pod.deleted
    if deleted is None:
        return end.pod.deleting
    last = deleted.timestamp()  # the API server has added the grace period
    return end.at is None or last - end.pod.grace_s <= end.at <= last + GRACE_S


def _done_by(disruption: Disruption, end: End) -> bool:
    within = end.at is None or disruption.at <= end.at <= disruption.at + disruption.grace_s + GRACE_S
    return disruption.node == end.node and within and end.container.restarts - disruption.restarts <= 1


def judge(end: End, words: Words, events: Sequence[Event], commit: str) -> Crash | Explained:
    """What the end was, for one that nobody is known to have caused."""
    container = end.container
    killed = _killer(end, events)
    if container.last_reason == "OOMKilled":
        seen = signature(f"OOMKilled {container.name}")
        return _crash(end, Cause.OOM, words, seen, "it needed more memory than its limit", commit)
    if words.no_peers and (end.pod.ready or container.restarts < _STARTS_WITHOUT_PEERS):
        return Explained(end.node, container.name, "no peer was there yet when it started", end.key)
    if words.signature is not None and (words.fatal or container.last_exit not in _OBEYED):
        return _crash(end, Cause.CRASH, words, words.signature, _exit_words(end), commit)
    if words.terminated or killed or container.last_exit in _OBEYED or container.last_exit is None:
        why = killed or ("somebody sent SIGTERM" if words.terminated else _exit_words(end))
        return _crash(end, Cause.RESTART, words, signature(f"{container.name} restarted: {why}"), why, commit)
    return _crash(end, Cause.CRASH, words, signature(f"{container.name}: {_exit_words(end)}"), _exit_words(end), commit)


def _crash(end: End, cause: Cause, words: Words, seen: Signature, detail: str, commit: str) -> Crash:
    return Crash(
        node=end.node,
        pod=end.pod.name,
        container=end.container.name,
        cause=cause,
        at=end.at,
        signature=seen,
        sample=words.sample or detail,
        detail=detail,
        commit=words.commit or commit,
        hourly=end.hourly,
        source="previous log" if words.sample else "pod status",
        key=end.key,
    )


def _killer(end: End, events: Sequence[Event]) -> str:
    """What the kubelet said about killing it: a probe that failed, mostly."""
    for event in reversed(events):
        if event.about == f"Pod/{end.pod.name}" and event.reason == "Killing" and "probe" in event.message:
            return event.message
    return ""


def _exit_words(end: End) -> str:
    code, reason = end.container.last_exit, end.container.last_reason
    if code is None:
        return f"restarted {end.container.restarts} times, its last end is not told"
    name = f" ({_SIGNALS[code]})" if code in _SIGNALS else ""
    return f"exit code {code}{name}" + (f", {reason}" if reason and reason not in ("Error", "Completed") else "")
