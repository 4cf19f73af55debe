"""A provider without processes: a gRPC context that records what was aborted, and an API server made of a dict."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf import json_format
from pulumi.runtime.proto import plugin_pb2, provider_pb2, status_pb2

from mina_infra.cluster.api import KINDS, ApiStatusError, Kind, Manifest, Watched
from mina_infra.errors import ClusterError
from mina_infra.local.provider.clusters import Clusters
from mina_infra.local.provider.server import OfflineProvider

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: kwok-t1
clusters: [{name: kwok-t1, cluster: {server: "http://127.0.0.1:9"}}, {name: far, cluster: {server: "http://10.0.0.1"}}]
contexts: [{name: kwok-t1, context: {cluster: kwok-t1, user: u}}, {name: far, context: {cluster: far, user: u}}]
users: [{name: u, user: {}}]
"""


class AbortedError(Exception):
    """What `abort` of a real context raises."""

    def __init__(self, code: grpc.StatusCode, details: str, trailer: Any) -> None:
        super().__init__(f"rpc error: code = {code.name} desc = {details}")
        self.code = code
        self.details = details
        self.trailer = dict(trailer or ())

    def init_failed(self) -> provider_pb2.ErrorResourceInitFailed:
        status = status_pb2.Status.FromString(self.trailer["grpc-status-details-bin"])
        detail = provider_pb2.ErrorResourceInitFailed()
        assert status.details[0].Unpack(detail)
        return detail


class FakeContext:
    def __init__(self, peer: str = "ipv4:127.0.0.1:1") -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> None:
        raise AbortedError(code, details, trailing_metadata)


class FakeApi:
    """An API server: objects by path, and answers that are given instead. Records every request."""

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
        self.answers: dict[tuple[str, str], Manifest | Exception] = {}
        self.requests: list[tuple[str, str, dict[str, Any], Any]] = []
        self.down = False
        self._version = 100
        self._watches: list[tuple[str, asyncio.Queue[Watched]]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def put(self, path: str, item: Manifest) -> Manifest:
        """Store an object as a controller would, and tell the watches."""
        self._version += 1
        known = self.objects.get(path)
        metadata = {"uid": f"uid-{self._version}", **item["metadata"], "resourceVersion": str(self._version)}
        self.objects[path] = {**item, "metadata": metadata}
        self._tell("MODIFIED" if known else "ADDED", path, self.objects[path])
        return copy.deepcopy(self.objects[path])

    def drop(self, path: str) -> None:
        self._tell("DELETED", path, self.objects.pop(path))

    def _tell(self, event: str, path: str, item: Manifest) -> None:
        for collection, queue in self._watches:
            if path.rsplit("/", 1)[0] == collection:
                queue.put_nowait(Watched(event, copy.deepcopy(item)))

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout: float | None = None,
    ) -> Manifest:
        params = dict(params or {})
        self.requests.append((method, path, params, body))
        if self.down:
            raise ClusterError("the cluster at http://127.0.0.1:9 does not answer")
        target = f"{path}/{body['metadata']['name']}" if method == "POST" else path
        answer = self.answers.get((method, target))
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return copy.deepcopy(answer)
        return self._answer(method, target, params, body, content_type)

    def _answer(self, method: str, path: str, params: dict[str, Any], body: Any, content_type: str) -> Manifest:
        name = path.rsplit("/", 1)[1]
        plural = path.rsplit("/", 2)[1]
        known = self.objects.get(path)
        if path == "/version":
            return {"gitVersion": "v1.36.3"}
        if method == "POST" and known:
            raise ApiStatusError(409, "AlreadyExists", f'{plural} "{name}" already exists')
        if method in ("GET", "DELETE") and not known:
            raise ApiStatusError(404, "NotFound", f'{plural} "{name}" not found')
        if method == "GET":
            return copy.deepcopy(known or {})
        if method == "DELETE":
            self.drop(path)
            return {"kind": "Status", "status": "Success"}
        if content_type == "application/json-patch+json":
            item = {**copy.deepcopy(known or {})}
            item["metadata"] = {**item["metadata"], "managedFields": body[0]["value"]}
        else:
            item = {**(known or {}), **copy.deepcopy(body)}
            item["metadata"] = {**(known or {"metadata": {}})["metadata"], **body["metadata"]}
        return item if params.get("dryRun") else self.put(path, item)

    async def watch(
        self, kind: Kind, namespace: str | None = None, labels: str | None = None
    ) -> AsyncIterator[Watched]:
        collection = kind.path(namespace)
        queue: asyncio.Queue[Watched] = asyncio.Queue()
        self._watches.append((collection, queue))
        items = [copy.deepcopy(item) for path, item in self.objects.items() if path.rsplit("/", 1)[0] == collection]
        yield Watched("SYNCED", {"items": items})
        while True:
            yield await queue.get()


class Messages:
    """Collects what an engine would print."""

    def __init__(self, *_: object) -> None:
        self.lines: list[str] = []

    async def status(self, urn: str, text: str) -> None:
        self.lines.append(text)

    async def warn(self, urn: str, text: str) -> None:
        self.lines.append(f"warning: {text}")


class Provider:
    """The servicer with a fake API behind it, called with JSON as in the recordings."""

    def __init__(self, folder: Path, peer: str = "ipv4:127.0.0.1:1") -> None:
        self.kubeconfig = folder / "kubeconfig.yaml"
        self.kubeconfig.write_text(KUBECONFIG)
        self.api = FakeApi()
        self.messages = Messages()
        self.clusters = Clusters(self.kubeconfig, lambda _: self.api)
        self.servicer = OfflineProvider(self.clusters, lambda _: self.messages)
        self.peer = peer

    async def call(self, method: str, request: dict[str, Any], peer: str | None = None) -> dict[str, Any]:
        """The answer of one call as JSON. Raises AbortedError."""
        name = "ProviderHandshakeRequest" if method == "Handshake" else _REQUESTS.get(method, f"{method}Request")
        module = plugin_pb2 if method == "Attach" else provider_pb2
        message = json_format.ParseDict(request, getattr(module, name)()) if name else None
        answer = await getattr(self.servicer, method)(message, FakeContext(peer or self.peer))
        decoded: dict[str, Any] = json_format.MessageToDict(answer)
        return decoded

    async def configure(self, peer: str | None = None, **variables: str) -> dict[str, Any]:
        given = {"kubeconfig": str(self.kubeconfig), **variables}
        request = {"variables": {f"kubernetes:config:{key}": value for key, value in given.items()}}
        return await self.call("Configure", {**request, "acceptSecrets": True}, peer)


def attached(folder: Path, work: Callable[[Provider], Awaitable[Any]], **variables: str) -> Any:
    """What `work` returns, given a provider that an engine has attached and configured. At most 20 seconds."""

    async def inside() -> Any:
        provider = Provider(folder)
        await provider.call("Attach", {"address": "127.0.0.1:1"})
        await provider.configure(**variables)
        try:
            return await asyncio.wait_for(work(provider), 20)
        finally:
            await provider.clusters.close()

    return asyncio.run(inside())


async def create(provider: Provider, item: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A Create call for an object of any kind."""
    version = item["apiVersion"] if "/" in item["apiVersion"] else f"core/{item['apiVersion']}"
    return await provider.call("Create", {"urn": urn(f"{version}:{item['kind']}"), "properties": item, **more})


_REQUESTS = {
    "Attach": "PluginAttach",
    "GetPluginInfo": "",
    "Cancel": "",
    "CheckConfig": "CheckRequest",
    "DiffConfig": "DiffRequest",
}


def urn(token: str, name: str = "it") -> str:
    return f"urn:pulumi:rec::recorded::mina-infra:index:Testnet$kubernetes:{token}::{name}"


def path_of(manifest: Manifest) -> str:
    kind = KINDS[(manifest["apiVersion"], manifest["kind"])]
    return kind.path(manifest["metadata"].get("namespace"), manifest["metadata"]["name"])


def recorded_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "provider.jsonl").read_text().splitlines()]
