"""HTTP to one port of a pod through the API server's port-forward.

The road for ports that listen on the pod's loopback only, as Mina's full GraphQL port does, and the only one that
kwok's pods have (nothing answers at their addresses).
"""

from __future__ import annotations

from collections.abc import Mapping

import h11

from mina_infra.cluster.api import POD, KubeApi
from mina_infra.cluster.replies import (
    MAX_BODY,
    BadReplyError,
    Bounded,
    ForwardFailedError,
    HttpReply,
    PortRefusedError,
    body_of,
)
from mina_infra.cluster.retry import DroppedError
from mina_infra.cluster.socket import Frames, with_frames
from mina_infra.errors import ClusterError

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1


async def http_over_portforward(
    api: KubeApi,
    namespace: str,
    pod: str,
    port: int,
    *,
    method: str = "GET",
    target: str = "/",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    max_body: int = MAX_BODY,
) -> HttpReply:
    """One HTTP/1.1 exchange with `port` of the pod.

    Raises ApiStatusError (no such pod, forbidden), PortRefusedError, ForwardFailedError,
    BadReplyError, DroppedError. Has no timeout of its own.
    """

    async def talk(frames: Frames) -> HttpReply:
        return await _exchange(frames, request, body, max_body)

    every = {"Host": "localhost", "Connection": "close", "Accept": "*/*", **(headers or {})}
    if body:
        every["Content-Length"] = str(len(body))
    request = h11.Request(method=method, target=target, headers=list(every.items()))
    path = POD.path(namespace, pod, "portforward")
    return await with_frames(api, path, [("ports", str(port))], [PROTOCOL], talk)


async def _exchange(frames: Frames, request: h11.Request, body: bytes, max_body: int) -> HttpReply:
    connection = h11.Connection(h11.CLIENT)
    stream = _ForwardedStream(frames)
    await frames.send(DATA, _bytes(connection.send(request)))
    if body:
        await frames.send(DATA, _bytes(connection.send(h11.Data(data=body))))
    connection.send(h11.EndOfMessage())
    try:
        return await _read_reply(connection, stream, max_body)
    except h11.RemoteProtocolError as error:
        raise BadReplyError(f"the reply is not HTTP: {error}") from error


async def _read_reply(connection: h11.Connection, stream: _ForwardedStream, max_body: int) -> HttpReply:
    status = 0
    body = Bounded(max_body)
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.read())
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body.add(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return HttpReply(status, body.body)
        elif isinstance(event, h11.ConnectionClosed):
            raise DroppedError("the pod closed the connection without an answer")


class _ForwardedStream:
    """The data channel of one forwarded port."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._opened: set[int] = set()

    async def read(self) -> bytes:
        """The next bytes; empty at the end. Raises what `forward_error` says when the error channel speaks."""
        while True:
            frame = await self._frames.receive()
            if frame is None:
                return b""
            channel, data = frame
            if channel not in self._opened:
                # The first frame of each channel repeats the port number in two bytes.
                self._opened.add(channel)
                data = data[2:]
            if channel == ERROR and data:
                raise forward_error(data.decode(errors="replace").strip())
            if channel == DATA and data:
                return data


def forward_error(text: str) -> ClusterError:
    """What a text of the error channel means: kubelets and kwok both pass on the dialler's own words."""
    return PortRefusedError(text) if "connection refused" in text else ForwardFailedError(text)


def _bytes(data: bytes | None) -> bytes:
    return data or b""


async def post_json(api: KubeApi, namespace: str, pod: str, port: int, target: str, body: bytes) -> bytes:
    """POST of JSON; the body of a 2xx answer. Raises as the above, and BadReplyError for another status."""
    reply = await http_over_portforward(
        api, namespace, pod, port,
        method="POST", target=target, headers={"Content-Type": "application/json"}, body=body,
    )  # fmt: skip
    return body_of(reply)


async def get_text(api: KubeApi, namespace: str, pod: str, port: int, target: str) -> bytes:
    """GET; the body of a 2xx answer. Raises as post_json."""
    return body_of(await http_over_portforward(api, namespace, pod, port, target=target))
