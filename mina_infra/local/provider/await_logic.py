"""Waiting until an object is ready, or gone, as the official provider does before it calls a step done."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from mina_infra.cluster.api import (
    CLAIM,
    DEPLOYMENT,
    JOB,
    PERSISTENT_VOLUME,
    POD,
    RESOURCE_QUOTA,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    STORAGE_CLASS,
    ApiStatusError,
    Kind,
    Manifest,
    kind_of,
)
from mina_infra.errors import ClusterError
from mina_infra.local.provider import conditions
from mina_infra.local.provider.conditions import Look, dig
from mina_infra.local.provider.engine_log import Reporter
from mina_infra.local.provider.informers import Informer, Informers
from mina_infra.local.provider.inputs import SKIP_AWAIT, annotations_of, is_annotated, name_of, namespace_of

REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
ENDPOINTS = Kind("v1", "Endpoints", "endpoints")

# Seconds, unless customTimeouts or pulumi.com/timeoutSeconds say otherwise (which the official provider hears for the
# first only).
DEFAULT_TIMEOUT = 600.0
TIMEOUTS = {CLAIM: 300.0, PERSISTENT_VOLUME: 300.0, RESOURCE_QUOTA: 60.0, SECRET: 5.0}
STATUS_EVERY = 3.0  # seconds of silence before an object's first status line and between two of them

# Kinds whose deletion is not awaited with pulumi.com/skipAwait; all others are awaited in any case, as officially.
SKIPS_DELETE = {"Namespace", "Pod", "Deployment", "StatefulSet", "DaemonSet", "Job"}


class NotReadyError(ClusterError):
    """The object is in the cluster, but not as it should be; `item` is its last known form."""

    def __init__(self, message: str, item: Manifest, reasons: list[str] | None = None) -> None:
        super().__init__(message)
        self.item = item
        self.reasons = reasons or []


class Cancellation:
    """Tells everybody who waits on one connection that the engine wants to stop."""

    def __init__(self) -> None:
        self.cancelled = False
        self._events: set[asyncio.Event] = set()

    def cancel(self) -> None:
        self.cancelled = True
        for event in self._events:
            event.set()

    @contextlib.contextmanager
    def waking(self, event: asyncio.Event) -> Iterator[None]:
        self._events.add(event)
        try:
            yield
        finally:
            self._events.discard(event)


class Requests(Protocol):
    """The part of KubeApi that waiting needs."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout: float | None = None,
    ) -> Manifest: ...


@dataclass
class Subject:
    """What to look at: the informer of the object itself, what else wakes us, and the judgement."""

    informer: Informer
    others: list[tuple[Informer, list[str]]]
    look: Callable[[Manifest], Awaitable[Look]]


@dataclass
class Waits:
    """The waits of one operation on one resource."""

    api: Requests
    informers: Informers
    reporter: Reporter
    urn: str
    redact: Callable[[str], str]
    cancellation: Cancellation
    settle: float = 10.0  # seconds that a Service's endpoints must be quiet

    async def ready(self, inputs: Manifest, live: Manifest, timeout: float) -> Manifest:
        """The object when it is ready. Raises NotReadyError when it is not after `timeout` seconds (0: the default)."""
        if is_annotated(inputs, SKIP_AWAIT):
            return live
        kind = kind_of(live)
        wait_for = str(annotations_of(live).get(conditions.WAIT_FOR, ""))
        if not wait_for and (not awaited(kind, live) or await self._ready_at_once(kind, live)):
            return live
        subject = await self._subject(kind, live, wait_for)
        default = DEFAULT_TIMEOUT if wait_for else TIMEOUTS.get(kind, DEFAULT_TIMEOUT)
        return await self._until(subject, live, limit(timeout, inputs, default))

    async def check(self, inputs: Manifest, live: Manifest) -> None:
        """One look, for a refresh. Raises NotReadyError when an object that is awaited is not ready now."""
        kind = kind_of(live)
        if kind not in (DEPLOYMENT, STATEFUL_SET, JOB, POD, SERVICE) or is_annotated(inputs, SKIP_AWAIT):
            return
        self.settle = 0.0
        look = await (await self._subject(kind, live, "")).look(live)
        if not look.ready:
            message = f"Resource '{name_of(live)}' was created but failed to initialize"
            raise NotReadyError(message, live, look.reasons)

    async def gone(
        self, inputs: Manifest, state: Manifest, delete: Callable[[], Awaitable[Manifest | None]], timeout: float
    ) -> None:
        """Delete and wait until the object has left. `delete` answers with what is still there afterwards, or None."""
        kind = kind_of(state)
        if is_annotated(inputs, SKIP_AWAIT) and kind.kind in SKIPS_DELETE:
            await delete()
            return
        informer = await self.informers.get(kind, namespace_of(state))
        before = uid_of(informer.objects.get(name_of(state)))
        leaving = await delete()
        if leaving is not None:
            look = self._look_gone(kind, leaving, seen=before == uid_of(leaving))
            await self._until(Subject(informer, [], look), leaving, limit(timeout, inputs), deletion=True)

    def _look_gone(self, kind: Kind, leaving: Manifest, *, seen: bool) -> Callable[[Manifest], Awaitable[Look]]:
        async def look(item: Manifest) -> Look:
            nonlocal seen
            if uid_of(item) == uid_of(leaving):
                seen = True
                finalizers = ", ".join(dig(item, "metadata", "finalizers") or [])
                return Look(False, f"Waiting for deletion ({finalizers})")
            # A watch that has never shown the object proves nothing by not showing it: ask.
            if seen or not await self._exists(kind, leaving):
                return Look(True)
            return Look(False, again=1.0)

        return look

    async def _exists(self, kind: Kind, wanted: Manifest) -> bool:
        try:
            found = await self.api.request("GET", kind.path(namespace_of(wanted), name_of(wanted)))
        except ApiStatusError as error:
            if error.code == 404:
                return False
            raise
        return uid_of(found) == uid_of(wanted)

    async def _ready_at_once(self, kind: Kind, live: Manifest) -> bool:
        """Is the answer of the API server enough? A claim that waits for its first consumer is ready when created."""
        if kind not in (CLAIM, PERSISTENT_VOLUME):
            return False
        return (await self._judge(kind)(live)).ready

    def _judge(self, kind: Kind) -> Callable[[Manifest], Awaitable[Look]]:
        plain = {
            PERSISTENT_VOLUME: conditions.volume,
            RESOURCE_QUOTA: conditions.quota,
            SECRET: conditions.token_secret,
            STATEFUL_SET: conditions.stateful_set,
            JOB: conditions.job,
            POD: conditions.pod,
        }

        async def look(item: Manifest) -> Look:
            if kind == CLAIM:
                return conditions.claim(item, await self._binding_mode(item))
            return plain[kind](item)

        return look

    async def _binding_mode(self, claim: Manifest) -> str:
        name = dig(claim, "spec", "storageClassName")
        if not name:
            return ""
        found = (await self.informers.get(STORAGE_CLASS)).objects.get(name)
        if found is None:
            try:
                found = await self.api.request("GET", STORAGE_CLASS.path(None, name))
            except ApiStatusError:
                await self.reporter.status(self.urn, f'storage class "{name}" is not there yet')
        return str(dig(found, "volumeBindingMode") or "")

    async def _subject(self, kind: Kind, live: Manifest, wait_for: str) -> Subject:
        namespace, name = namespace_of(live), name_of(live)
        informer = await self.informers.get(kind, namespace)
        if wait_for:
            try:
                expressions = conditions.wait_for_expressions(wait_for)
            except ValueError as error:
                raise NotReadyError(str(error), live) from error
            return Subject(informer, [], _all_of(expressions))
        if kind == DEPLOYMENT:
            sets = await self.informers.get(REPLICA_SET, namespace)
            claims = await self.informers.get(CLAIM, namespace)
            uid, names = uid_of(live), conditions.claim_names(live)
            return Subject(informer, [(sets, [uid]), (claims, names)], self._deployment_look(sets, claims))
        if kind == SERVICE:
            endpoints = await self.informers.get(ENDPOINTS, namespace)
            return Subject(informer, [(endpoints, [name])], self._service_look(endpoints))
        return Subject(informer, [], self._judge(kind))

    @staticmethod
    def _deployment_look(sets: Informer, claims: Informer) -> Callable[[Manifest], Awaitable[Look]]:
        async def look(item: Manifest) -> Look:
            owned = sets.owned_by(uid_of(item))
            named = [claims.objects[name] for name in conditions.claim_names(item) if name in claims.objects]
            return conditions.deployment(item, owned, named)

        return look

    def _service_look(self, endpoints: Informer) -> Callable[[Manifest], Awaitable[Look]]:
        version, since = None, time.monotonic()

        async def look(item: Manifest) -> Look:
            nonlocal version, since
            found = endpoints.objects.get(name_of(item))
            now = dig(found, "metadata", "resourceVersion")
            if now != version:
                version, since = now, time.monotonic()
            return conditions.service(item, found, time.monotonic() - since, self.settle)

        return look

    async def _until(self, subject: Subject, live: Manifest, seconds: float, *, deletion: bool = False) -> Manifest:
        """Look at every change until ready. The latest form of the object; raises NotReadyError."""
        name, changed = name_of(live), asyncio.Event()
        started = time.monotonic()
        said, said_at = "", started
        with ExitStack() as stack:
            stack.enter_context(subject.informer.waking([name], changed))
            stack.enter_context(self.cancellation.waking(changed))
            for informer, keys in subject.others:
                stack.enter_context(informer.waking(keys, changed))
            while True:
                changed.clear()
                found = subject.informer.objects.get(name)
                fresh = deletion or (found is not None and is_fresh(found, live))
                look = await subject.look(found or {}) if fresh else Look(False)
                if look.ready:
                    await self._clear(said)
                    return found or live
                left = started + seconds - time.monotonic()
                if look.fatal or left <= 0 or self.cancellation.cancelled:
                    raise await self._failure(look, found or live, deletion=deletion)
                if look.status and look.status != said and time.monotonic() - said_at >= STATUS_EVERY:
                    said, said_at = look.status, time.monotonic()
                    await self.reporter.status(self.urn, self.redact(look.status))
                due = said_at + STATUS_EVERY - time.monotonic() if look.status != said else STATUS_EVERY * 10
                pause = min(left, max(due, 0.05), look.again if look.again is not None else left)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), max(pause, 0.01))

    async def _clear(self, said: str) -> None:
        if said:
            await self.reporter.status(self.urn, "")

    async def _failure(self, look: Look, item: Manifest, *, deletion: bool) -> NotReadyError:
        name = name_of(item)
        if self.cancellation.cancelled:
            return NotReadyError(f"Resource operation was cancelled for '{name}'", item, look.reasons)
        if look.fatal:
            return NotReadyError(f"Resource '{name}' was created but failed to initialize", item, look.reasons)
        if deletion:
            finalizers = ", ".join(dig(item, "metadata", "finalizers") or [])
            await self.reporter.warn(self.urn, f"finalizers might be preventing deletion ({finalizers})")
            return NotReadyError("timed out waiting for the condition", item)
        if kind_of(item) in TIMEOUTS:
            return NotReadyError(f"Timeout occurred polling for '{name}'", item, look.reasons)
        reasons = look.reasons + await self._pod_reasons(item)
        return NotReadyError(f"'{name}' timed out waiting to be Ready", item, reasons)

    async def _pod_reasons(self, item: Manifest) -> list[str]:
        """What the pods say, for an object that controls some."""
        if kind_of(item) not in (DEPLOYMENT, STATEFUL_SET, JOB):
            return []
        namespace = namespace_of(item)
        parents = [uid_of(item)]
        if kind_of(item) == DEPLOYMENT:
            sets = await self.informers.get(REPLICA_SET, namespace)
            parents = [uid_of(owned) for owned in sets.owned_by(parents[0])]
        pods = await self.informers.get(POD, namespace)
        return [reason for parent in parents for pod in pods.owned_by(parent) for reason in conditions.pod(pod).reasons]


def _all_of(expressions: list[str]) -> Callable[[Manifest], Awaitable[Look]]:
    async def look(item: Manifest) -> Look:
        looks = [conditions.custom(item, expression) for expression in expressions]
        missing = [one for one in looks if not one.ready]
        status = missing[0].status if missing else ""
        return Look(not missing, status, [reason for one in missing for reason in one.reasons])

    return look


def awaited(kind: Kind, live: Manifest) -> bool:
    """Does the official provider wait for this object after it was written?"""
    if kind == SECRET:
        return live.get("type") == "kubernetes.io/service-account-token"
    return kind in (CLAIM, DEPLOYMENT, JOB, PERSISTENT_VOLUME, POD, RESOURCE_QUOTA, SERVICE, STATEFUL_SET)


def limit(timeout: float, inputs: Manifest, default: float = DEFAULT_TIMEOUT) -> float:
    """Seconds to wait: customTimeouts of the resource, else its annotation, else the default of its kind."""
    if timeout:
        return float(timeout)
    text = str(annotations_of(inputs).get("pulumi.com/timeoutSeconds", ""))
    return float(text) if text.isdigit() else default


def uid_of(item: Manifest | None) -> str:
    return str(dig(item, "metadata", "uid") or "")


def is_fresh(found: Manifest, written: Manifest) -> bool:
    """Has the watch seen the object that we wrote, or a later one?"""
    if uid_of(found) != uid_of(written):
        return False
    try:
        return int(found["metadata"]["resourceVersion"]) >= int(written["metadata"]["resourceVersion"])
    except (KeyError, ValueError):
        return True
