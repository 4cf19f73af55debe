"""A POST of JSON to a pod by each road, or a GET where there is no body: of a 2xx answer MAX_BODY bytes at most.

All raise PortRefusedError (nothing listens), BadReplyError (no answer of that kind), ApiStatusError (the API server
says no), ForwardFailedError or DroppedError (the road). None has a timeout of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx2

from mina_infra.cluster.api import POD, KubeApi, status_error
from mina_infra.cluster.exec import exec_in_pod
from mina_infra.cluster.fanout import NoAnswerError
from mina_infra.cluster.replies import (
    MAX_BODY,
    BadReplyError,
    ForwardFailedError,
    HttpReply,
    PortRefusedError,
    body_of,
    read_bounded,
)
from mina_infra.cluster.retry import DroppedError
from mina_infra.errors import ClusterError

JSON: Mapping[str, str] = {"Content-Type": "application/json", "Accept-Encoding": "identity"}

CURL_SECONDS = 5
_CURL_REFUSED, _CURL_TOO_LARGE, _CURL_TIMEOUT = 7, 63, 28


async def direct(http: httpx2.AsyncClient, address: str, port: int, target: str, body: bytes | None) -> bytes:
    """To the pod's address. `http` carries no credentials: those are the API server's alone."""
    host = f"[{address}]" if ":" in address else address
    try:
        return body_of(await _exchange(http, f"http://{host}:{port}{target}", body))
    except httpx2.ConnectError as error:
        if _was_refused(error):
            raise PortRefusedError(f"{address}:{port}: connection refused") from error
        raise ForwardFailedError(f"{address}:{port}: {error or type(error).__name__}") from error
    except httpx2.HTTPError as error:
        raise DroppedError(f"{address}:{port}: {type(error).__name__} {error}".rstrip()) from error


async def proxy(api: KubeApi, namespace: str, pod: str, port: int, target: str, body: bytes | None) -> bytes:
    """Through the API server's pod proxy."""
    path = POD.path(namespace, f"{pod}:{port}", "proxy") + target
    try:
        reply = await _exchange(api.http, path, body)
    except httpx2.HTTPError as error:
        raise DroppedError(f"proxy to {pod}:{port}: {type(error).__name__} {error}".rstrip()) from error
    if refusal := _of_the_api_server(reply):
        raise refusal
    return body_of(reply)


async def inside(
    api: KubeApi, namespace: str, pod: str, container: str, port: int, target: str, body: bytes | None
) -> bytes:
    """By `curl` inside the container, which the daemon's image has and its readiness probe uses."""
    argv = ["curl", "-sS", "--max-time", f"{CURL_SECONDS}", "--max-filesize", f"{MAX_BODY}", "-w", "\n%{http_code}"]
    argv += [] if body is None else ["-H", "Content-Type: application/json", "-d", body.decode()]
    argv += [f"http://127.0.0.1:{port}{target}"]
    result = await exec_in_pod(api, namespace, pod, container, argv, timeout=CURL_SECONDS + 2)
    said = result.stderr.decode(errors="replace").strip()[:200] or f"curl ended with {result.exit_code}"
    if result.exit_code == _CURL_REFUSED:
        raise PortRefusedError(said)
    if result.exit_code == _CURL_TIMEOUT:
        raise NoAnswerError(said)
    if result.exit_code == _CURL_TOO_LARGE:
        raise BadReplyError(said)
    if result.exit_code:
        raise ForwardFailedError(said)
    answer, _, code = result.stdout.rpartition(b"\n")
    if not code.isdigit():
        raise BadReplyError(f"curl named no status: {result.stdout[-100:]!r}")
    return body_of(HttpReply(int(code), answer))


async def _exchange(http: httpx2.AsyncClient, url: str, body: bytes | None) -> HttpReply:
    async with http.stream("GET" if body is None else "POST", url, content=body, headers=dict(JSON)) as response:
        return HttpReply(response.status_code, await read_bounded(response.aiter_bytes()))


def _of_the_api_server(reply: HttpReply) -> ClusterError | None:
    """The error in a Kubernetes Status, which is the API server's own word and not the daemon's."""
    if reply.status < 400:
        return None
    try:
        status = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return None
    text = str(status.get("message", ""))
    if "connection refused" in text:
        return PortRefusedError(text)
    return status_error(reply.status, reply.body.decode(errors="replace"))


def _was_refused(error: BaseException | None) -> bool:
    """Whether the far side itself closed the door; the libraries below wrap that twice."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        if isinstance(error, BaseExceptionGroup):
            return any(_was_refused(each) for each in error.exceptions)
        error = error.__cause__ or error.__context__
    return False
