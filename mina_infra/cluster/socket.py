"""WebSockets to a pod's streaming subresources (exec, portforward), as Kubernetes frames them.

Each binary frame starts with one byte, its channel. The upgrade is made here and not by httpx2's own helper, because
that one drops the body of a refused upgrade, which holds the reason (forbidden, not found, container not running).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import httpx2
from httpx2.websockets import AsyncWebSocketSession, HTTPXWSException, WebSocketDisconnect

from mina_infra.cluster.api import KubeApi, status_error
from mina_infra.cluster.retry import DroppedError
from mina_infra.errors import ClusterError

R = TypeVar("R")

MAX_FRAME = 1 << 20
NORMAL_CLOSE = 1000


class Frames:
    """The frames of one open socket."""

    def __init__(self, session: AsyncWebSocketSession, protocol: str) -> None:
        self._session = session
        self.protocol = protocol

    async def send(self, channel: int, data: bytes) -> None:
        await self._session.send_bytes(bytes((channel,)) + data)

    async def receive(self) -> tuple[int, bytes] | None:
        """The next frame's channel and data; None when the server closed in order."""
        try:
            frame = await self._session.receive_bytes()
        except WebSocketDisconnect as end:
            if end.code == NORMAL_CLOSE:
                return None
            raise
        return (frame[0], frame[1:]) if frame else (0, b"")


async def with_frames(
    api: KubeApi,
    path: str,
    params: Sequence[tuple[str, str]],
    protocols: Sequence[str],
    talk: Callable[[Frames], Awaitable[R]],
) -> R:
    """Open the socket, run `talk`, close. Raises ApiStatusError for a refusal, DroppedError for a broken connection."""
    url = f"{path}?{httpx2.QueryParams(tuple(params))}"
    try:
        async with api.http.stream("GET", url, headers=_upgrade_headers(protocols)) as response:
            if response.status_code != 101:
                await response.aread()
                raise status_error(response.status_code, response.text)
            return await _talk(response, talk)
    except httpx2.HTTPError as error:
        raise DroppedError(f"connection to {api.config.cluster.server}{path} failed: {_why(error)}") from error


async def _talk(response: httpx2.Response, talk: Callable[[Frames], Awaitable[R]]) -> R:
    session = AsyncWebSocketSession(
        response.extensions["network_stream"],
        max_message_size_bytes=MAX_FRAME,
        keepalive_ping_interval_seconds=None,
        response=response,
    )
    failure: Exception
    async with session:
        # An exception that left this block would arrive wrapped in an ExceptionGroup, so it leaves as a value.
        try:
            return await talk(Frames(session, session.subprotocol or ""))
        except (ClusterError, HTTPXWSException) as error:
            failure = error
    if isinstance(failure, ClusterError):
        raise failure
    raise DroppedError(f"the stream ended early: {_why(failure)}") from failure


def _why(error: Exception) -> str:
    if isinstance(error, WebSocketDisconnect):
        return f"closed with {error.code} {error.reason}".rstrip()
    return f"{type(error).__name__} {error}".rstrip()


def _upgrade_headers(protocols: Sequence[str]) -> Mapping[str, Any]:
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
        "Sec-WebSocket-Protocol": ", ".join(protocols),
    }
