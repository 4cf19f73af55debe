"""A small HTTP/1.1 server: one for each simulated node, on a loopback port of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

_MAX_HEAD = 32 * 1024
_MAX_BODY = 1024 * 1024
_IDLE_SECONDS = 75.0
_REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 411: "Length Required",
    413: "Content Too Large", 431: "Request Header Fields Too Large", 503: "Service Unavailable",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One request; `target` is path and query string."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Response:
    """One answer."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200


Handler = Callable[[Request], Response]


class BadRequest(Exception):
    """What was sent is not a request that is understood here; the connection ends after the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class HttpServer:
    """Listens until `close`. The handler is called in the event loop and must be quick."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.port = 0
        self.stalled = False
        """It takes requests and never answers."""
        self.instead: Response | None = None
        """What it answers whatever is asked."""
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        """The port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_MAX_HEAD)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    def close(self) -> None:
        """Stop listening and cut every connection, as the end of a process does. `start` may be called again."""
        if self._server is not None:
            self._server.close()
        self._server, self.port = None, 0
        for writer in list(self._connections):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request. False when the connection is to end."""
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                request = await _read(reader, writer)
        except BadRequest as error:
            await _write(writer, Response(f"{error}\n".encode(), "text/plain", error.status), keep=False)
            return False
        if request is None:
            return False
        keep = request.headers.get("connection", "").lower() != "close"
        if self.stalled:
            await asyncio.sleep(_IDLE_SECONDS)
            return False
        await _write(writer, self.instead or self.handler(request), keep=keep, head_only=request.method == "HEAD")
        return keep


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request, None at the end of the connection. Raises BadRequest."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequest(431, "the header is too long") from error
    first, *rest = head.decode("latin-1").split("\r\n")[:-2]
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(400, "not an HTTP/1.1 request")
    headers = {name.strip().lower(): value.strip() for name, _, value in (item.partition(":") for item in rest)}
    if parts[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return Request(parts[0], parts[1], headers, await _body(reader, writer, headers))


async def _body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        raise BadRequest(411, "chunked bodies are not read here; send a Content-Length")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequest(400, "Content-Length is not a number")
    if int(length) > _MAX_BODY:
        raise BadRequest(413, "the body is too long")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await reader.readexactly(int(length))


async def _write(writer: asyncio.StreamWriter, response: Response, *, keep: bool, head_only: bool = False) -> None:
    head = (
        f"HTTP/1.1 {response.status} {_REASONS[response.status]}\r\nContent-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    writer.write(head.encode() + (b"" if head_only else response.body))
    await writer.drain()
