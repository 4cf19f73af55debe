"""Reading what a container wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2

from mina_infra.cluster.api import POD, KubeApi, status_error
from mina_infra.cluster.retry import DroppedError

MAX_LOG = 16 << 20
"""Bytes that are read of a log at once; what lies beyond is cut off, as with `limit_bytes`."""

MAX_LINE = 1 << 20
"""Bytes of one followed line; a longer one arrives in pieces."""


@dataclass(frozen=True)
class LogRange:
    """Which part of a log: all of it, by default."""

    previous: bool = False  # of the container before its last restart, where a crash is
    since: datetime | None = None
    limit_bytes: int | None = None  # the oldest bytes of the range come first
    tail_lines: int | None = None
    timestamps: bool = False

    def params(self) -> dict[str, str]:
        """As the API server's query parameters."""
        values = {
            "previous": "true" if self.previous else None,
            "sinceTime": self.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if self.since else None,
            "limitBytes": self.limit_bytes,
            "tailLines": self.tail_lines,
            "timestamps": "true" if self.timestamps else None,
        }
        return {key: str(value) for key, value in values.items() if value is not None}


async def read_log(api: KubeApi, namespace: str, pod: str, container: str, part: LogRange) -> bytes:
    """That part of the log, 16 MiB of it at most.

    Raises ApiStatusError (no such container, no previous one) or DroppedError.
    """
    params = {"container": container, **part.params()}
    most = min(part.limit_bytes or MAX_LOG, MAX_LOG)
    parts: list[bytes] = []
    size = 0
    try:
        async with api.http.stream("GET", POD.path(namespace, pod, "log"), params=params, timeout=60.0) as response:
            if response.status_code >= 400:
                raise status_error(response.status_code, await _text(response))
            async for chunk in response.aiter_bytes():
                parts.append(chunk)
                size += len(chunk)
                if size >= most:
                    break
    except httpx2.HTTPError as error:
        raise DroppedError(f"reading the log of {pod}: {type(error).__name__} {error}".rstrip()) from error
    return b"".join(parts)[:most]


async def follow_log(api: KubeApi, namespace: str, pod: str, container: str, part: LogRange) -> AsyncIterator[bytes]:
    """The lines of that part and then each new one, without line ends, until the container or the connection ends."""
    params = {"container": container, "follow": "true", **part.params()}
    timeout = httpx2.Timeout(15.0, read=None)
    rest = b""
    try:
        async with api.http.stream("GET", POD.path(namespace, pod, "log"), params=params, timeout=timeout) as response:
            if response.status_code >= 400:
                raise status_error(response.status_code, await _text(response))
            async for chunk in response.aiter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line
                if len(rest) > MAX_LINE:
                    yield rest
                    rest = b""
    except httpx2.HTTPError as error:
        raise DroppedError(f"following the log of {pod}: {type(error).__name__} {error}".rstrip()) from error
    if rest:
        yield rest


async def _text(response: httpx2.Response) -> str:
    """The words of a refusal."""
    await response.aread()
    return response.text
