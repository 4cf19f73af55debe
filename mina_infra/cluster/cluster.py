"""What operation may ask of one testnet's namespace, and the implementation over a real API server."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar

import httpx2

from mina_infra.cluster import posts
from mina_infra.cluster.api import CLAIM, DEPLOYMENT, EVENT, NAMESPACE, POD, KubeApi
from mina_infra.cluster.exec import ExecResult, exec_in_pod
from mina_infra.cluster.logs import LogRange, follow_log, read_log
from mina_infra.cluster.objects import Claim, Deployment, Event, Pod, claim_of, deployment_of, event_of, pod_of
from mina_infra.cluster.portforward import get_text, post_json
from mina_infra.cluster.replies import ForwardFailedError
from mina_infra.cluster.retry import DroppedError, with_retries
from mina_infra.cluster.roads import Door, Road, Roads, usual_roads

R = TypeVar("R")

# The API server does not throttle these, so this is the only protection (docs/facts.md: kubernetes/long-running).
# A sweep asks 32 at a time, and silent daemons wait on beside them: at most 32 x 5 s / 1.5 s (guardian/survey.py).
STREAMS = 128

DAEMON = "mina"
"""The daemon's container; other names are of deployments that are not ours."""

GRAPHQL, METRICS = "/graphql", "/metrics"


class Cluster(Protocol):
    """One namespace of one cluster. Every method raises ClusterError when the question could not be answered."""

    @property
    def server(self) -> str:
        """The API server's address, for messages."""

    @property
    def namespace(self) -> str:
        """The namespace that every other question is about."""

    async def namespace_labels(self) -> Mapping[str, str] | None:
        """The namespace's labels; None when it does not exist."""

    async def pods(self) -> list[Pod]:
        """All pods, those that are being deleted included."""

    async def deployments(self) -> list[Deployment]:
        """All Deployments."""

    async def claims(self) -> list[Claim]:
        """All PersistentVolumeClaims."""

    async def events(self) -> list[Event]:
        """The events that the API server still has, about one hour of them."""

    @property
    def road(self) -> Road | None:
        """The road by which daemons are asked; None while none has proved itself."""

    @property
    def road_notes(self) -> tuple[str, ...]:
        """Why roads were passed over that would have been preferred."""

    async def find_road(self, doors: Sequence[Door]) -> None:
        """Choose a road by trying these daemons. Cheap while the road of last time works. Never raises ClusterError."""

    async def graphql(
        self,
        pod: str,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        port: int = 3085,
        limited: int | None = None,
    ) -> bytes:
        """The body of a daemon's answer, unread: it may hold errors, or be no JSON at all; 8 MiB at most.

        `limited` is the daemon's limited port. Who names it must be content with that schema where `road.limited`.
        """

    async def metrics(self, pod: str, port: int) -> bytes:
        """The body of a daemon's /metrics, in Prometheus' text format; unread."""

    async def read_log(self, pod: str, container: str, part: LogRange = ...) -> bytes:
        """A part of a container's log."""

    def follow_log(self, pod: str, container: str, part: LogRange = ...) -> AsyncIterator[bytes]:
        """The lines of a log as they are written."""

    async def exec(self, pod: str, container: str, argv: Sequence[str], *, timeout: float = 30.0) -> ExecResult:
        """Run a command and wait for it, at most `timeout` seconds."""

    async def evict(self, pod: str, *, grace_seconds: int | None = None, dry_run: bool = False) -> None:
        """Ask for the pod's eviction, which respects disruption budgets (ApiStatusError with code 429)."""

    async def server_time(self) -> datetime:
        """The API server's clock, UTC, whole seconds."""


class KubeCluster:
    """A Cluster behind an API server. `api` stays the caller's to open and close."""

    def __init__(self, api: KubeApi, namespace: str, roads: Sequence[Road] | None = None) -> None:
        """`roads` in the order of preference; None for what suits the place where we run."""
        self._api = api
        self._namespace = namespace
        self._streams = asyncio.Semaphore(STREAMS)
        self._roads = Roads(roads or usual_roads(os.environ), self._post)
        self._addresses: dict[str, str] = {}

    @property
    def server(self) -> str:
        return str(self._api.config.cluster.server)

    @property
    def namespace(self) -> str:
        return self._namespace

    async def namespace_labels(self) -> Mapping[str, str] | None:
        found = await with_retries(lambda: self._api.get(NAMESPACE, self._namespace))
        labels: Mapping[str, str] | None = None if found is None else found["metadata"].get("labels", {})
        return labels

    async def pods(self) -> list[Pod]:
        found = [pod_of(item) for item in await with_retries(lambda: self._api.objects(POD, self._namespace))]
        self._addresses = {pod.name: pod.address for pod in found if pod.address}
        return found

    async def deployments(self) -> list[Deployment]:
        items = await with_retries(lambda: self._api.objects(DEPLOYMENT, self._namespace))
        return [deployment_of(item) for item in items]

    async def claims(self) -> list[Claim]:
        return [claim_of(item) for item in await with_retries(lambda: self._api.objects(CLAIM, self._namespace))]

    async def events(self) -> list[Event]:
        return [event_of(item) for item in await with_retries(lambda: self._api.objects(EVENT, self._namespace))]

    @property
    def road(self) -> Road | None:
        return self._roads.chosen

    @property
    def road_notes(self) -> tuple[str, ...]:
        return self._roads.notes

    async def find_road(self, doors: Sequence[Door]) -> None:
        await self._roads.find(doors)

    async def graphql(
        self,
        pod: str,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        port: int = 3085,
        limited: int | None = None,
    ) -> bytes:
        body = json.dumps({"query": query, "variables": dict(variables or {})}).encode()
        return await self._stream(lambda: self._roads.ask(Door(pod, port, limited), body))

    async def _post(self, road: Road, door: Door, body: bytes) -> bytes:
        return await self._http(road, door.pod, door.port(road), GRAPHQL, body)

    async def _http(self, road: Road, pod: str, port: int, target: str, body: bytes | None) -> bytes:
        """POST of a body, GET without one."""
        if road is Road.DIRECT:
            return await posts.direct(self._api.plain, await self._address(pod), port, target, body)
        if road is Road.PROXY:
            return await posts.proxy(self._api, self._namespace, pod, port, target, body)
        if road is Road.EXEC:
            return await posts.inside(self._api, self._namespace, pod, DAEMON, port, target, body)
        if body is None:
            return await get_text(self._api, self._namespace, pod, port, target)
        return await post_json(self._api, self._namespace, pod, port, target, body)

    async def _address(self, pod: str) -> str:
        """The pod's address, from the last list of pods if it was in there."""
        if pod not in self._addresses:
            found = await self._api.get(POD, pod, self._namespace)
            address = pod_of(found).address if found else ""
            if not address:
                raise ForwardFailedError(f"{pod} has no address")
            self._addresses[pod] = address
        return self._addresses[pod]

    async def metrics(self, pod: str, port: int) -> bytes:
        # Unlike the full GraphQL, this port is open to the pod network: Prometheus reads it there.
        road = self._roads.road_to(Door(pod, port, limited=port))
        return await self._stream(lambda: self._http(road, pod, port, METRICS, None))

    async def read_log(self, pod: str, container: str, part: LogRange = LogRange()) -> bytes:  # noqa: B008 (frozen)
        return await self._stream(lambda: read_log(self._api, self._namespace, pod, container, part))

    def follow_log(self, pod: str, container: str, part: LogRange = LogRange()) -> AsyncIterator[bytes]:  # noqa: B008
        return follow_log(self._api, self._namespace, pod, container, part)

    async def exec(self, pod: str, container: str, argv: Sequence[str], *, timeout: float = 30.0) -> ExecResult:
        # Sent once: a command may do something, and doing it twice is not ours to decide.
        async with self._streams:
            return await exec_in_pod(self._api, self._namespace, pod, container, argv, timeout=timeout)

    async def evict(self, pod: str, *, grace_seconds: int | None = None, dry_run: bool = False) -> None:
        options: dict[str, Any] = {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": self._namespace},
            "deleteOptions": options,
        }
        params = {"dryRun": "All"} if dry_run else {}
        path = POD.path(self._namespace, pod, "eviction")
        await self._api.request("POST", path, params=params, body=eviction)

    async def server_time(self) -> datetime:
        return await with_retries(self._date)

    async def _date(self) -> datetime:
        try:
            response = await self._api.http.get("/version")
        except httpx2.HTTPError as error:
            raise DroppedError(f"{self.server} does not answer: {type(error).__name__} {error}".rstrip()) from error
        if "date" not in response.headers:
            raise DroppedError(f"{self.server} sent no Date")
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)

    async def _stream(self, attempt: Callable[[], Awaitable[R]]) -> R:
        async def bounded() -> R:
            async with self._streams:
                return await attempt()

        return await with_retries(bounded)
