"""Who we are to the API server: a token, a token in a file, a certificate, or what a credential plugin says.

lightkube has all of them, but its plugin is started by each of the first requests at once, knows only the beta forms of
the protocol and is not told about the cluster (docs/facts.md: guardian/client-defects). So the plugin is run here.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime
from typing import Any

import httpx2
from lightkube.config.client_adapter import user_auth
from lightkube.config.models import User, UserExec
from lightkube.core.exceptions import ConfigError

from mina_infra.errors import ClusterError

PLUGIN_API = "client.authentication.k8s.io"
VERSIONS = tuple(f"{PLUGIN_API}/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
PLUGIN_SECONDS = 60.0
"""A plugin may have to ask the cloud, and the cloud its user, for a new token."""
_EARLY_SECONDS = 30.0
_UNAUTHORISED = 401


def auth_of(user: User) -> httpx2.Auth | None:
    """How requests of this user are signed; None for a certificate. Raises ClusterError for what is not supported."""
    if user.exec and not (user.token or user.token_file):
        return PluginAuth(user.exec)
    try:
        auth: httpx2.Auth | None = user_auth(user)
    except ConfigError as error:
        raise ClusterError(f"the kubeconfig's user: {error}") from error
    return auth


class PluginAuth(httpx2.Auth):
    """The token of a credential plugin: started once however many wait, and again when the token is no longer good."""

    def __init__(self, plugin: UserExec) -> None:
        if plugin.apiVersion not in VERSIONS:
            raise ClusterError(
                f"the kubeconfig's credential plugin {plugin.command} speaks {plugin.apiVersion}; "
                f"known here: {', '.join(VERSIONS)}"
            )
        self._plugin = plugin
        self._token = ""
        self._expires: datetime | None = None
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        token = await self._current(refused="")
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == _UNAUTHORISED:
            request.headers["Authorization"] = f"Bearer {await self._current(refused=token)}"
            yield request

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        raise RuntimeError("this client is asynchronous")

    async def _current(self, refused: str) -> str:
        """A token that is not `refused`, as far as the plugin has another one."""
        async with self._lock:
            if self._token in ("", refused) or self._is_over():
                self._token, self._expires = await self._run()
            return self._token

    def _is_over(self) -> bool:
        return self._expires is not None and (self._expires - datetime.now(UTC)).total_seconds() < _EARLY_SECONDS

    async def _run(self) -> tuple[str, datetime | None]:
        output = await _output(self._plugin, self._environment())
        try:
            status: dict[str, Any] = json.loads(output)["status"]
            end = status.get("expirationTimestamp")
            return str(status["token"]), datetime.fromisoformat(end) if end else None
        except (ValueError, KeyError, TypeError) as error:
            raise ClusterError(
                f"the credential plugin {self._plugin.command} gave no token ({type(error).__name__}: {error}); "
                "client certificates of a plugin are not supported"
            ) from error

    def _environment(self) -> dict[str, str]:
        info = {"apiVersion": self._plugin.apiVersion, "kind": "ExecCredential", "spec": {"interactive": False}}
        own = {each.name: each.value for each in self._plugin.env or ()}
        return {**os.environ, "KUBERNETES_EXEC_INFO": json.dumps(info), **own}


async def _output(plugin: UserExec, environment: dict[str, str]) -> bytes:
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command, *(plugin.args or ()),
            env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe,
        )  # fmt: skip
    except OSError as error:
        raise ClusterError(
            f"the credential plugin {plugin.command} does not start: {error}. {plugin.installHint or ''}".rstrip()
        ) from error
    try:
        async with asyncio.timeout(PLUGIN_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError as error:
        raise ClusterError(f"the credential plugin {plugin.command} took longer than {PLUGIN_SECONDS:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = errors.decode(errors="replace").strip()[-300:]
        raise ClusterError(f"the credential plugin {plugin.command} ended with {process.returncode}: {said}")
    return output
