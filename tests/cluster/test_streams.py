"""Port-forward, exec and logs against a scripted API server on loopback: the frames, the refusals, the cuts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mina_infra.cluster.api import ApiStatusError, KubeApi
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.cluster.exec import ExecFailedError, ExecResult, exec_in_pod, exit_code
from mina_infra.cluster.fanout import NoAnswerError
from mina_infra.cluster.logs import LogRange, follow_log, read_log
from mina_infra.cluster.portforward import http_over_portforward, post_json
from mina_infra.cluster.replies import BadReplyError, ForwardFailedError, HttpReply, PortRefusedError
from mina_infra.cluster.retry import DroppedError
from tests.cluster.api_server import Call, Script, serving

R = TypeVar("R")
PORT_FRAMES = (b"\x00\x0d\x0c", b"\x01\x0d\x0c")  # 3085, little end first, on both channels


def against(script: Script, folder: Path, ask: Callable[[KubeApi], Awaitable[R]]) -> R:
    async def run() -> R:
        async with asyncio.timeout(20), serving(script, folder) as api:
            return await ask(api)

    return asyncio.run(run())


def get(api: KubeApi) -> Awaitable[HttpReply]:
    return http_over_portforward(api, "ns", "pod-1", 3085, target="/graphql")


def forwarding(*replies: bytes) -> Script:
    """Opens the port and answers the first request with these bytes, a frame each."""

    async def script(call: Call) -> None:
        assert call.path == "/api/v1/namespaces/ns/pods/pod-1/portforward?ports=3085"
        assert call.headers["sec-websocket-protocol"] == "v4.channel.k8s.io"
        await call.upgrade("v4.channel.k8s.io")
        await call.send(*PORT_FRAMES)
        request = await call.receive()
        assert request.startswith(b"\x00GET /graphql HTTP/1.1\r\n")
        await call.send(*(b"\x00" + reply for reply in replies))
        await call.close()

    return script


def test_an_answer_split_anywhere_is_put_together(tmp_path: Path) -> None:
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello " + b"world"
    pieces = [wire[i : i + 7] for i in range(0, len(wire), 7)]
    assert against(forwarding(*pieces), tmp_path, get) == HttpReply(200, b"hello world")


def test_chunked_and_unframed_bodies_are_read(tmp_path: Path) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert against(forwarding(chunked), tmp_path, get).body == b"abcde"
    until_close = b"HTTP/1.1 200 OK\r\n\r\nabc"
    assert against(forwarding(until_close), tmp_path, get).body == b"abc"


def test_a_body_larger_than_a_frame_may_be_arrives_whole(tmp_path: Path) -> None:
    body = bytes(range(256)) * 2000
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    frames = [body[i : i + 100_000] for i in range(0, len(body), 100_000)]
    assert against(forwarding(head, *frames), tmp_path, get).body == body


def test_a_post_carries_its_body(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.upgrade("v4.channel.k8s.io")
        await call.send(*PORT_FRAMES)
        request = await call.receive()
        while b'{"query": 1}' not in request:
            request += (await call.receive())[1:]
        assert b"Content-Length: 12" in request
        await call.send(b"\x00HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    assert against(script, tmp_path, lambda api: post_json(api, "ns", "pod-1", 3085, "/g", b'{"query": 1}')) == b"{}"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"dial tcp4 127.0.0.1:3085: connect: connection refused", PortRefusedError),
        (b"no target for port 3085", ForwardFailedError),
    ],
)
def test_the_error_channel_tells_a_dead_port_from_a_broken_road(
    tmp_path: Path, text: bytes, error: type[Exception]
) -> None:
    async def script(call: Call) -> None:
        await call.upgrade("v4.channel.k8s.io")
        await call.send(*PORT_FRAMES, b"\x01" + text)

    with pytest.raises(error, match=text.decode()[:8]):
        against(script, tmp_path, get)


def test_a_refused_upgrade_says_why(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.refuse(403, "Forbidden", 'cannot create resource "pods/portforward"')

    with pytest.raises(ApiStatusError, match="pods/portforward") as refused:
        against(script, tmp_path, get)
    assert refused.value.code == 403


@pytest.mark.parametrize("reply", [b"\x16\x03\x01 not http", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
def test_what_is_not_http_is_a_bad_reply(tmp_path: Path, reply: bytes) -> None:
    with pytest.raises(BadReplyError):
        against(forwarding(reply), tmp_path, get)


def test_an_endless_body_is_cut_off(tmp_path: Path) -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 4096
    with pytest.raises(BadReplyError, match="larger than 1000 bytes"):
        against(forwarding(endless), tmp_path, lambda api: http_over_portforward(
            api, "ns", "pod-1", 3085, target="/graphql", max_body=1000))  # fmt: skip


def test_half_a_body_is_not_an_answer(tmp_path: Path) -> None:
    with pytest.raises((BadReplyError, DroppedError)):
        against(forwarding(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), tmp_path, get)


def test_a_connection_that_breaks_is_dropped_not_an_exception_group(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.upgrade("v4.channel.k8s.io")
        await call.send(PORT_FRAMES[0])

    with pytest.raises(DroppedError):
        against(script, tmp_path, get)


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff\xff\xff", b"\x83\x7f" + b"\xff" * 20, b"\x81\x02hi"])
def test_broken_framing_is_a_drop_too(tmp_path: Path, garbage: bytes) -> None:
    async def script(call: Call) -> None:
        await call.upgrade("v4.channel.k8s.io")
        await call.send(*PORT_FRAMES)
        call.writer.write(garbage)
        await call.writer.drain()

    with pytest.raises(DroppedError):
        against(script, tmp_path, get)


def test_graphql_tries_again_after_a_502_and_after_a_drop(tmp_path: Path) -> None:
    tries = 0

    async def script(call: Call) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            await call.refuse(502, "", "konnectivity agent is not there yet")
            return
        await call.upgrade("v4.channel.k8s.io")
        await call.send(*PORT_FRAMES)
        if tries == 3:
            await call.receive()
            await call.send(b"\x00HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    assert against(script, tmp_path, lambda api: KubeCluster(api, "ns").graphql("pod-1", "{version}")) == b"{}"
    assert tries == 3


def test_graphql_does_not_ask_again_what_was_forbidden(tmp_path: Path) -> None:
    tries = 0

    async def script(call: Call) -> None:
        nonlocal tries
        tries += 1
        await call.refuse(403, "Forbidden", "no")

    with pytest.raises(ApiStatusError):
        against(script, tmp_path, lambda api: KubeCluster(api, "ns").graphql("pod-1", "{version}"))
    assert tries == 1


# --- exec -------------------------------------------------------------------------------------------------------------


def status(**fields: Any) -> bytes:
    return json.dumps({"kind": "Status", **fields}).encode()


NON_ZERO = status(
    status="Failure",
    reason="NonZeroExitCode",
    message="command terminated with exit code 7",
    details={"causes": [{"reason": "ExitCode", "message": "7"}]},
)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (status(status="Success"), 0),
        (NON_ZERO, 7),
        (status(status="Failure", reason="InternalError", message="Internal error occurred: exit status 3"), 3),
    ],
)
def test_exit_codes_of_kubelets_and_of_kwok(frame: bytes, code: int) -> None:
    assert exit_code(frame) == code


@pytest.mark.parametrize(
    "frame",
    [
        status(status="Failure", reason="InternalError", message="container not found"),
        status(status="Failure", reason="InternalError", message='exec: "mina": executable file not found in $PATH'),
        status(status="Failure"),
        b"not json",
    ],
)
def test_any_other_failure_says_nothing_about_the_command(frame: bytes) -> None:
    with pytest.raises(ExecFailedError):
        exit_code(frame)


def run_mina(api: KubeApi, timeout: float = 10.0) -> Awaitable[ExecResult]:
    return exec_in_pod(api, "ns", "pod-1", "mina", ["mina", "client status"], timeout=timeout)


def test_output_is_bytes_so_a_character_split_over_two_frames_survives(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        assert "command=mina&command=client+status" in call.path
        assert "stdin=false" in call.path
        assert call.headers["sec-websocket-protocol"] == "v5.channel.k8s.io, v4.channel.k8s.io"
        await call.upgrade("v5.channel.k8s.io")
        await call.send(b"\x01Stat\xc3", b"\x02warn", b"\x01\xa9", b"\x03" + NON_ZERO)

    assert against(script, tmp_path, run_mina) == ExecResult("Staté".encode(), b"warn", 7)


def test_a_stream_without_a_status_is_no_exit_code(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.upgrade("v5.channel.k8s.io")
        await call.send(b"\x01partial")
        await call.close()

    with pytest.raises(DroppedError):
        against(script, tmp_path, run_mina)


def test_a_command_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.upgrade("v5.channel.k8s.io")
        await call.receive()

    with pytest.raises(NoAnswerError, match=r"0\.2 s"):
        against(script, tmp_path, lambda api: run_mina(api, timeout=0.2))


# --- logs -------------------------------------------------------------------------------------------------------------


def test_a_part_of_the_log_of_the_run_before_is_asked_for(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        assert call.path == (
            "/api/v1/namespaces/ns/pods/pod-1/log?container=mina&previous=true"
            "&sinceTime=2026-11-21T23%3A33%3A54Z&limitBytes=1000"
        )
        await call.plain(200, b"line\n")

    since = datetime(2026, 11, 21, 23, 33, 54, tzinfo=UTC)
    part = LogRange(previous=True, since=since, limit_bytes=1000)
    assert against(script, tmp_path, lambda api: read_log(api, "ns", "pod-1", "mina", part)) == b"line\n"


def test_a_log_that_is_not_there_says_so(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.refuse(400, "BadRequest", "previous terminated container not found")

    for read in (read_log, _first_line):
        with pytest.raises(ApiStatusError, match="previous terminated container"):
            against(script, tmp_path, lambda api, read=read: read(api, "ns", "pod-1", "mina", LogRange()))


async def _first_line(*arguments: Any) -> bytes:
    async for line in follow_log(*arguments):
        return line
    return b""


def test_following_gives_whole_lines_however_they_arrive(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        assert "follow=true" in call.path
        call.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"on", b"e\ntwo\nthr", b"ee"):
            call.writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await call.writer.drain()
        call.writer.write(b"0\r\n\r\n")
        await call.writer.drain()

    async def lines(api: KubeApi) -> list[bytes]:
        return [line async for line in follow_log(api, "ns", "pod-1", "mina", LogRange())]

    assert against(script, tmp_path, lines) == [b"one", b"two", b"three"]


def test_the_servers_clock_comes_from_its_answer(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.plain(200, b"{}", "Date: Sat, 21 Nov 2026 23:33:54 GMT\r\n")

    now = against(script, tmp_path, lambda api: KubeCluster(api, "ns").server_time())
    assert now == datetime(2026, 11, 21, 23, 33, 54, tzinfo=UTC)
