"""The roads to a daemon's GraphQL, and which of them is taken (docs/facts.md: guardian/roads).

A daemon has two doors. The full port listens on the pod's own loopback, so only port-forward and exec reach it. The
limited port is open to the pod network; it knows `daemonStatus`, `block` and `version` and nothing that changes
anything, so it is what the pod's address and the API server's proxy may lead to.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.replies import BadReplyError, ForwardFailedError, PortRefusedError
from mina_infra.errors import ClusterError

PROBE = b'{"query": "{ version }"}'
PROBE_SECONDS = 4.0
"""How long a sweep may look for a road before it takes the most likely one."""
HEAD_START = 0.4
"""Seconds after which the next road is tried beside one that has not answered yet."""
FORBIDDEN = 403


class Road(StrEnum):
    """A way to a daemon."""

    DIRECT = "direct"  # to the pod's address; only from inside the cluster
    PROXY = "proxy"  # through the API server's pod proxy
    PORT_FORWARD = "port-forward"  # through the API server and the node's agent to the pod's loopback
    EXEC = "exec"  # `curl` inside the daemon's container

    @property
    def limited(self) -> bool:
        """Whether it ends at the limited port, which has no bestChain."""
        return self in (Road.DIRECT, Road.PROXY)


@dataclass(frozen=True)
class Door:
    """Where one daemon can be asked. `limited` is None for a daemon without a limited port."""

    pod: str
    full: int
    limited: int | None

    def open_to(self, road: Road) -> bool:
        return not road.limited or self.limited is not None

    def port(self, road: Road) -> int:
        return self.limited if road.limited and self.limited is not None else self.full


Post = Callable[[Road, Door, bytes], Awaitable[bytes]]


def usual_roads(environment: Mapping[str, str]) -> tuple[Road, ...]:
    """In the order in which they are tried. The environment tells whether we run in a pod ourselves.

    In the cluster the pod's address costs the API server nothing; from elsewhere nobody reaches it. Exec comes last: it
    starts a process in the container for every question.
    """
    inside = "KUBERNETES_SERVICE_HOST" in environment
    return (*((Road.DIRECT,) if inside else ()), Road.PROXY, Road.PORT_FORWARD, Road.EXEC)


def roads_of(name: str, environment: Mapping[str, str] = os.environ) -> tuple[Road, ...]:
    """The one road of that name, or for `auto` all that suit the place where we run."""
    return usual_roads(environment) if name == "auto" else (Road(name),)


class Roads:
    """Which road is taken. The first one that brings a daemon's answer is remembered, for all daemons."""

    def __init__(self, order: Sequence[Road], post: Post) -> None:
        self.order = tuple(order)
        self.chosen: Road | None = None
        self.forbidden: dict[Road, str] = {}
        self._post = post
        self._worked = self._failed = False

    @property
    def notes(self) -> tuple[str, ...]:
        """One for each road that the credentials may not take."""
        return tuple(f"road {road} skipped, not allowed: {why}" for road, why in self.forbidden.items())

    def road_to(self, door: Door) -> Road:
        """The chosen road; where it does not lead to this door or none is chosen, the most telling other one."""
        if self.chosen is not None and door.open_to(self.chosen):
            return self.chosen
        # The agent's own words tell a closed port from a broken road.
        likely = sorted(self.order, key=lambda road: road is not Road.PORT_FORWARD)
        possible = [road for road in likely if door.open_to(road)]
        allowed = [road for road in possible if road not in self.forbidden]
        return (allowed or possible or [Road.PORT_FORWARD])[0]

    async def ask(self, door: Door, body: bytes) -> bytes:
        """The answer by the chosen road. Raises ClusterError.

        On a road that never brought an answer, whatever stands in for a daemon may be something else (a proxy of the
        network, another host with that address), so it is ForwardFailedError and no daemon's fault.
        """
        road = self.road_to(door)
        unproven = road.limited and self.chosen is None
        try:
            reply = await self._post(road, door, body)
            if unproven and not is_graphql(reply):
                raise BadReplyError(f"no GraphQL: {reply[:100]!r}")
        except (PortRefusedError, BadReplyError) as error:
            self._failed = True
            if unproven:
                raise ForwardFailedError(f"no daemon was reached by road {road} so far: {error}") from error
            raise
        except ClusterError:
            self._failed = True
            raise
        self._worked = True
        if unproven:
            self.chosen = road
        return reply

    async def find(self, doors: Sequence[Door]) -> None:
        """Choose a road by trying some doors. Nothing happens while the chosen one brings answers."""
        if self.chosen is not None and (self._worked or not self._failed):
            self._worked = self._failed = False
            return
        self.chosen, self._worked, self._failed = None, False, False
        self.forbidden.clear()
        quick = [road for road in self.order if road is not Road.EXEC]
        tries: deque[tuple[Road, Door]] = deque((road, door) for door in doors for road in quick if door.open_to(road))
        tries.extend((Road.EXEC, door) for door in doors if Road.EXEC in self.order)
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                self.chosen = await self._race(tries)
        except TimeoutError:
            return  # the next sweep tries again

    async def _race(self, tries: deque[tuple[Road, Door]]) -> Road | None:
        """The first road that answers, each with a head start before the next."""
        running: set[asyncio.Task[Road | None]] = set()
        try:
            while tries or running:
                while tries and tries[0][0] in self.forbidden:
                    tries.popleft()
                if tries:
                    running.add(asyncio.create_task(self._try(*tries.popleft())))
                elif not running:
                    return None
                patience = HEAD_START if tries else None
                done, running = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if won := [road for road in (task.result() for task in done) if road is not None]:
                    return min(won, key=self.order.index)
            return None
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _try(self, road: Road, door: Door) -> Road | None:
        try:
            reply = await self._post(road, door, PROBE)
        except ApiStatusError as error:
            if error.code == FORBIDDEN:
                self.forbidden[road] = str(error)
            return None
        except ClusterError:
            return None
        return road if is_graphql(reply) else None


def is_graphql(reply: bytes) -> bool:
    """Whether this is an answer of a GraphQL server, and not, say, of a login page in between."""
    try:
        answer = json.loads(reply)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and bool({"data", "errors"} & answer.keys())
