"""The little HTTP server: keep-alive, refusals, and an end that cuts connections."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mina_infra.simulator.server import HttpServer, Request, Response

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def echo(request: Request) -> Response:
    return Response(f"{request.method} {request.path} {request.body.decode()}".encode(), "text/plain")


def talk(conversation: Talk) -> None:
    async def run() -> None:
        server = HttpServer(echo)
        port = await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(5):
                await conversation(reader, writer)
        finally:
            writer.close()
            server.close()

    asyncio.run(run())


async def answer(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
    return head, await reader.readexactly(length)


def test_one_connection_carries_many_requests() -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(3):
            writer.write(f"POST /x?q={number} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{number}!".encode())
        for number in range(3):
            head, body = await answer(reader)
            assert head.startswith("HTTP/1.1 200 OK\r\n")
            assert body == f"POST /x {number}!".encode()

    talk(conversation)


@pytest.mark.parametrize("request_head", ["GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"])
def test_the_connection_ends_when_the_client_wants_it(request_head: str) -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request_head.encode())
        await answer(reader)
        assert await reader.read() == b""

    talk(conversation)


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\nX: " + "x" * 70_000 + "\r\n\r\n", 431),
    ],
)
def test_what_is_not_understood_is_refused_and_the_connection_ends(request_head: str, status: int) -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request_head.encode())
        head, _ = await answer(reader)
        assert head.startswith(f"HTTP/1.1 {status} ")

    talk(conversation)


def test_a_client_that_waits_for_a_go_ahead_gets_it() -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert (await answer(reader))[1] == b"POST / hi"

    talk(conversation)


def test_closing_ends_open_connections() -> None:
    async def run() -> None:
        server = HttpServer(echo)
        port = await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await answer(reader)
        server.close()
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        with pytest.raises(OSError, match=r"refused|Connect"):
            await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(run())
