"""A loopback server that plays the streaming parts of an API server, script by script."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection

from mina_infra.cluster.api import KubeApi

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class Call:
    """One request: its line and headers, and, once upgraded, the socket's frames."""

    path: str
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    frames: Connection = field(default_factory=lambda: Connection(ConnectionType.SERVER))

    async def plain(self, status: int, body: bytes, headers: str = "") -> None:
        self.writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n".encode() + body
        )
        await self.writer.drain()

    async def refuse(self, status: int, reason: str, message: str) -> None:
        body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": status}
        await self.plain(status, json.dumps(body).encode())

    async def upgrade(self, protocol: str) -> None:
        key = base64.b64encode(hashlib.sha1((self.headers["sec-websocket-key"] + _GUID).encode()).digest()).decode()
        self.writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {key}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
        )
        await self.writer.drain()

    async def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.writer.write(self.frames.send(BytesMessage(data=frame)))
        await self.writer.drain()

    async def receive(self) -> bytes:
        """The next frame that the client sends; empty when it is gone."""
        parts = b""
        while True:
            for event in self.frames.events():
                if isinstance(event, BytesMessage):
                    parts += event.data
                    if event.message_finished:
                        return parts
                if isinstance(event, CloseConnection):
                    return b""
            data = await self.reader.read(65536)
            if not data:
                return b""
            self.frames.receive_data(data)

    async def close(self) -> None:
        self.writer.write(self.frames.send(CloseConnection(code=1000)))
        await self.writer.drain()


Script = Callable[[Call], Awaitable[None]]


@asynccontextmanager
async def serving(script: Script, folder: Path) -> AsyncIterator[KubeApi]:
    """A client of a server that runs the script for each connection and then cuts it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            await script(Call(head[0].split()[1], headers, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "users": [{"name": "u", "user": {}}],
            }
        )
    )
    async with server, KubeApi.from_kubeconfig(kubeconfig) as api:
        yield api
