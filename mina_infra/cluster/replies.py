"""An HTTP answer of a daemon, and what can be wrong with one, by whatever road it came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from mina_infra.errors import ClusterError

MAX_BODY = 8 << 20
"""Bytes of one answer that are read. A whole frontier of 290 blocks with full snark work is about 1.3 MB; 32 answers
are read at a time."""


class PortRefusedError(ClusterError):
    """The pod exists, but nothing listens at its port."""


class ForwardFailedError(ClusterError):
    """The road to the pod failed for a reason of its own; nothing is known about the pod."""


class BadReplyError(ClusterError):
    """What came back is not the answer that was asked for: broken HTTP, an error status, or too much of it."""


@dataclass(frozen=True)
class HttpReply:
    """The status code and the whole body of one answer."""

    status: int
    body: bytes


class Bounded:
    """Bytes that are collected up to a limit. `add` raises BadReplyError beyond it."""

    def __init__(self, most: int = MAX_BODY) -> None:
        self._most = most
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._most:
            raise BadReplyError(f"the reply is larger than {self._most} bytes")
        self._parts.append(part)

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)


async def read_bounded(chunks: AsyncIterator[bytes], most: int = MAX_BODY) -> bytes:
    """All chunks. Raises BadReplyError when there is more than `most` bytes."""
    bounded = Bounded(most)
    async for chunk in chunks:
        bounded.add(chunk)
    return bounded.body


def body_of(reply: HttpReply) -> bytes:
    """The body of a 2xx answer. Raises BadReplyError for any other."""
    if not 200 <= reply.status < 300:
        raise BadReplyError(f"HTTP {reply.status}: {reply.body[:200].decode(errors='replace')}")
    return reply.body
