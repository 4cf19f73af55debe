"""A small asynchronous client of the Kubernetes API that speaks plain dicts.

lightkube reads kubeconfig and contexts; the requests are ours, because its typed models would drop fields that they do
not know, and its watch, log, credentials and connection pool have defects (docs/facts.md: guardian/client-defects).
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
from lightkube.config.client_adapter import verify_cluster
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError

from mina_infra import __version__
from mina_infra.cluster.credentials import auth_of
from mina_infra.errors import ClusterError

Manifest = dict[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
FIELD_MANAGER = "mina-infra"


class ApiStatusError(ClusterError):
    """The API server answered with a Status that is not a success."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message or f"HTTP {code} {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Kind:
    """Where objects of one kind live in the API. `custom`: a cluster may not serve it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True
    custom: bool = False

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        parts = [root]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
NODE = Kind("v1", "Node", "nodes", namespaced=False)
PERSISTENT_VOLUME = Kind("v1", "PersistentVolume", "persistentvolumes", namespaced=False)
STORAGE_CLASS = Kind("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False)
ATTRIBUTES_CLASS = Kind("storage.k8s.io/v1", "VolumeAttributesClass", "volumeattributesclasses", namespaced=False)
POD = Kind("v1", "Pod", "pods")
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE = Kind("v1", "Service", "services")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
RESOURCE_QUOTA = Kind("v1", "ResourceQuota", "resourcequotas")
EVENT = Kind("v1", "Event", "events")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
JOB = Kind("batch/v1", "Job", "jobs")
CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
CSI_DRIVER = Kind("storage.k8s.io/v1", "CSIDriver", "csidrivers", namespaced=False)

SNAPSHOTS = "snapshot.storage.k8s.io"
VOLUME_SNAPSHOT = Kind(f"{SNAPSHOTS}/v1", "VolumeSnapshot", "volumesnapshots", custom=True)
SNAPSHOT_CONTENT = Kind(
    f"{SNAPSHOTS}/v1", "VolumeSnapshotContent", "volumesnapshotcontents", namespaced=False, custom=True
)
SNAPSHOT_CLASS = Kind(f"{SNAPSHOTS}/v1", "VolumeSnapshotClass", "volumesnapshotclasses", namespaced=False, custom=True)

KINDS = {(kind.api_version, kind.kind): kind for kind in list(globals().values()) if isinstance(kind, Kind)}


def kind_of(manifest: Mapping[str, Any]) -> Kind:
    """The kind of an object; raises ClusterError for one that this project does not handle."""
    key = (str(manifest.get("apiVersion")), str(manifest.get("kind")))
    if key not in KINDS:
        known = ", ".join(sorted(f"{version}/{kind}" for version, kind in KINDS))
        raise ClusterError(f"unknown kind {key[0]}/{key[1]}; known here: {known}")
    return KINDS[key]


@dataclass(frozen=True)
class Watched:
    """One change: type is SYNCED (a list was read; object holds its items), ADDED, MODIFIED or DELETED."""

    type: str
    object: Manifest


def load_config(kubeconfig: Path | str | None = None, context: str | None = None) -> SingleConfig:
    """The cluster and credentials of one context.

    `kubeconfig` None means $KUBECONFIG or ~/.kube/config, then the service account of the pod. Raises ClusterError.
    """
    try:
        config = KubeConfig.from_file(kubeconfig) if kubeconfig else KubeConfig.from_env()
    except (ConfigError, FileNotFoundError, OSError) as error:
        raise ClusterError(
            f"no kubeconfig: {error}. Name one in the stack file, `mina-infra:cluster: {{kubeconfig: PATH, ...}}`; "
            "an embedded cluster gets its own from `mina-infra local up`."
        ) from error
    try:
        single = config.get(context)
    except ConfigError as error:
        names = ", ".join(sorted(config.contexts)) or "none"
        raise ClusterError(f"context {context!r} is not in the kubeconfig ({error}); it has: {names}") from error
    if single is None:
        raise ClusterError("the kubeconfig names no current context; name one: `mina-infra:cluster: {context: NAME}`")
    return single


class KubeApi:
    """Requests to one API server. Use as an asynchronous context manager; one instance for each event loop."""

    def __init__(self, config: SingleConfig, *, connections: int = 400, part: str = "") -> None:
        """`part` tells our programs from each other in the API server's audit log: `mina-infra/0.1.0 (world)`."""
        self.config = config
        user = config.user or User()
        ssl = verify_cluster(config.cluster, user, config.abs_file, trust_env=False)
        self.http = httpx2.AsyncClient(
            base_url=config.cluster.server,
            auth=auth_of(user),
            headers={"User-Agent": f"mina-infra/{__version__}" + (f" ({part})" if part else "")},
            timeout=httpx2.Timeout(15.0),
            trust_env=False,
            transport=httpx2.AsyncHTTPTransport(
                verify=ssl,
                limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=64),
            ),
        )
        self._plain: httpx2.AsyncClient | None = None

    @property
    def plain(self) -> httpx2.AsyncClient:
        """A client without credentials, for addresses that are not the API server's."""
        if self._plain is None:
            # verify: there is no TLS on these roads, and a context of the system's bundle costs 15 ms and more.
            transport = httpx2.AsyncHTTPTransport(verify=False, limits=httpx2.Limits(max_keepalive_connections=64))
            self._plain = httpx2.AsyncClient(timeout=httpx2.Timeout(5.0), trust_env=False, transport=transport)
        return self._plain

    @classmethod
    def from_kubeconfig(
        cls, kubeconfig: Path | str | None = None, context: str | None = None, *, part: str = ""
    ) -> Self:
        return cls(load_config(kubeconfig, context), part=part)

    async def __aenter__(self) -> Self:
        await self.http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._plain is not None:
            await self._plain.aclose()
        await self.http.__aexit__(kind, error, trace)

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
        """One request; the decoded answer. Raises ApiStatusError, or ClusterError when nobody answers."""
        try:
            response = await self.http.request(
                method,
                path,
                params=dict(params or {}),
                content=None if body is None else json.dumps(body),
                headers={"Content-Type": content_type} if body is not None else {},
                timeout=timeout if timeout is not None else httpx2.USE_CLIENT_DEFAULT,
            )
        except httpx2.HTTPError as error:
            raise ClusterError(
                f"the cluster at {self.config.cluster.server} does not answer ({type(error).__name__}: {error}). Is it "
                "the one you mean, and does it run? `mina-infra local up` starts an embedded one again."
            ) from error
        if response.status_code >= 400:
            raise status_error(response.status_code, response.text)
        return _decoded(response)

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        """The object, or None when there is none."""
        try:
            return await self.request("GET", kind.path(namespace, name))
        except ApiStatusError as error:
            if error.code == 404:
                return None
            raise

    async def objects(
        self, kind: Kind, namespace: str | None = None, labels: str | None = None, fields: str | None = None
    ) -> list[Manifest]:
        """All objects of a kind (pages of 500), each with apiVersion and kind filled in."""
        items, _ = await self._list(kind, namespace, labels, fields)
        return items

    async def _list(
        self, kind: Kind, namespace: str | None, labels: str | None, fields: str | None
    ) -> tuple[list[Manifest], str]:
        params: dict[str, Any] = {"limit": 500}
        if labels:
            params["labelSelector"] = labels
        if fields:
            params["fieldSelector"] = fields
        items: list[Manifest] = []
        while True:
            answer = await self.request("GET", kind.path(namespace), params=params)
            for item in answer.get("items", []):
                items.append({"apiVersion": kind.api_version, "kind": kind.kind, **item})
            token = answer["metadata"].get("continue")
            if not token:
                return items, answer["metadata"]["resourceVersion"]
            params["continue"] = token

    async def create(self, manifest: Manifest) -> Manifest:
        kind = kind_of(manifest)
        return await self.request("POST", kind.path(manifest["metadata"].get("namespace")), body=manifest)

    async def apply(self, manifest: Manifest, *, manager: str = FIELD_MANAGER, force: bool = True) -> Manifest:
        """Server-side apply: creates or updates."""
        kind = kind_of(manifest)
        meta = manifest["metadata"]
        params = {"fieldManager": manager, "force": "true" if force else "false"}
        path = kind.path(meta.get("namespace"), meta["name"])
        return await self.request("PATCH", path, params=params, body=manifest, content_type=APPLY)

    async def patch(
        self, kind: Kind, name: str, patch: Any, namespace: str | None = None, subresource: str | None = None
    ) -> Manifest:
        """JSON merge patch."""
        path = kind.path(namespace, name, subresource)
        return await self.request("PATCH", path, body=patch, content_type=MERGE)

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> bool:
        """Ask for deletion. False when the object is already gone."""
        options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self.request("DELETE", kind.path(namespace, name), body=options)
        except ApiStatusError as error:
            if error.code == 404:
                return False
            raise
        return True

    async def watch(
        self, kind: Kind, namespace: str | None = None, labels: str | None = None
    ) -> AsyncIterator[Watched]:
        """Every state and change, for ever: lists, watches, and starts again whenever the connection ends.

        After each (re-)list one SYNCED event carries `{"items": [...]}`, so that a consumer can drop what is gone.
        """
        delay = 0.1
        while True:
            try:
                items, version = await self._list(kind, namespace, labels, None)
                yield Watched("SYNCED", {"items": items})
                delay = 0.1
                async for event in self._watch_from(kind, namespace, labels, version):
                    yield event
            except ClusterError:
                pass
            await asyncio.sleep(delay * (1 + random.random()))
            delay = min(delay * 2, 5.0)

    async def _watch_from(
        self, kind: Kind, namespace: str | None, labels: str | None, version: str
    ) -> AsyncIterator[Watched]:
        params: dict[str, Any] = {
            "watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": 300,
        }  # fmt: skip
        if labels:
            params["labelSelector"] = labels
        timeout = httpx2.Timeout(15.0, read=330.0)
        try:
            async with self.http.stream("GET", kind.path(namespace), params=params, timeout=timeout) as response:
                if response.status_code >= 400:
                    await response.aread()
                    raise status_error(response.status_code, response.text)
                async for line in response.aiter_lines():
                    if not line:
                        continue
                    try:
                        event = json.loads(line)
                    except ValueError:
                        return  # the connection was cut in the middle of a line
                    if event["type"] == "ERROR":
                        return
                    if event["type"] != "BOOKMARK":
                        item = {"apiVersion": kind.api_version, "kind": kind.kind, **event["object"]}
                        yield Watched(event["type"], item)
        except httpx2.HTTPError:
            return


def _decoded(response: httpx2.Response) -> Manifest:
    try:
        answer = response.json() if response.content else {}
        if isinstance(answer, dict):
            return answer
    except ValueError:
        pass
    raise ClusterError(f"{response.url} is no API server: it answers {response.text[:100]!r}")


def status_error(code: int, text: str) -> ApiStatusError:
    """The error that an answer of the API server means, whether or not its body is a Status object."""
    try:
        status = json.loads(text)
        return ApiStatusError(code, str(status.get("reason", "")), str(status.get("message", text)))
    except (ValueError, AttributeError, RecursionError):
        return ApiStatusError(code, "", text[:300])
