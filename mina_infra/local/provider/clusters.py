"""The API servers that are served: one connection pool and one set of watches for each set of credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Protocol

from lightkube.config.kubeconfig import SingleConfig

from mina_infra.cluster.api import KubeApi
from mina_infra.errors import ClusterError
from mina_infra.local.provider.await_logic import Requests
from mina_infra.local.provider.informers import Informers, Watching
from mina_infra.local.provider.settings import Allowed, Settings


class Api(Requests, Watching, Protocol):
    """What is needed of KubeApi."""


Connect = Callable[[SingleConfig], AbstractAsyncContextManager[Api]]


class Cluster:
    """One API server under one identity."""

    def __init__(self, api: Api, default_namespace: str) -> None:
        self.api = api
        self.informers = Informers(api)
        self._default_namespace = default_namespace

    def namespace(self, settings: Settings) -> str:
        """Where namespaced objects without a namespace go."""
        return settings.namespace or self._default_namespace

    async def trouble(self) -> str:
        """Why the API server cannot be reached; empty when it can."""
        try:
            await self.api.request("GET", "/version", timeout=10.0)
        except ClusterError as error:
            return str(error)
        return ""

    async def close(self) -> None:
        await self.informers.close()


class Clusters:
    """Opens clusters when a Configure call asks for them, only those of the one kubeconfig, and closes them all."""

    def __init__(self, kubeconfig: Path, connect: Connect | None = None) -> None:
        self._allowed = Allowed(kubeconfig)
        self._connect = connect or partial(KubeApi, part="provider")
        self._open: dict[str, Cluster] = {}
        self._pools = AsyncExitStack()
        self._opening = asyncio.Lock()

    async def get(self, settings: Settings) -> Cluster:
        """The cluster that the settings select. Raises ClusterError for one that is not the embedded one."""
        config = self._allowed.resolve(settings)
        key = repr((config.cluster, config.user, config.namespace, config.fname))
        async with self._opening:
            if key not in self._open:
                api = await self._pools.enter_async_context(self._connect(config))
                self._open[key] = Cluster(api, config.namespace)
        return self._open[key]

    async def close(self) -> None:
        for cluster in self._open.values():
            await cluster.close()
        self._open.clear()
        await self._pools.aclose()
