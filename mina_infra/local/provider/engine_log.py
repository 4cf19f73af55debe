"""Messages to the engine that attached this provider: status lines that pass, and warnings that stay."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Protocol, cast

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

LOG = logging.getLogger(__name__)


class Reporter(Protocol):
    """Where an operation says what it is waiting for."""

    async def status(self, urn: str, text: str) -> None: ...

    async def warn(self, urn: str, text: str) -> None: ...


class Silent:
    """A reporter for a provider that no engine has attached yet."""

    async def status(self, urn: str, text: str) -> None:
        return None

    async def warn(self, urn: str, text: str) -> None:
        return None


class EngineLog:
    """The engine's log service at one address. A message that cannot be delivered is dropped: it is only a message."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._engine = engine_pb2_grpc.EngineStub(self._channel)

    async def status(self, urn: str, text: str) -> None:
        """A line that the next one replaces; an empty one clears it."""
        await self._send(engine_pb2.LogRequest(severity=engine_pb2.INFO, urn=urn, message=text, ephemeral=True))

    async def warn(self, urn: str, text: str) -> None:
        await self._send(engine_pb2.LogRequest(severity=engine_pb2.WARNING, urn=urn, message=text))

    async def _send(self, request: engine_pb2.LogRequest) -> None:
        try:
            await cast("Awaitable[object]", self._engine.Log(request, timeout=5))
        except grpc.aio.AioRpcError as error:
            LOG.debug("the engine did not take a message: %s", error.code())

    async def close(self) -> None:
        await self._channel.close(None)
