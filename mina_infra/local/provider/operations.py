"""Create, read, update and delete against the API server, with the official provider's rules and words (4.34.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mina_infra.cluster.api import APPLY, ApiStatusError, Kind, Manifest, kind_of
from mina_infra.errors import ClusterError
from mina_infra.local.provider import managed_fields
from mina_infra.local.provider.await_logic import NotReadyError, Requests, Waits
from mina_infra.local.provider.inputs import (
    annotations_of,
    is_annotated,
    name_of,
    namespace_of,
    normalized,
    object_id,
    parse_id,
    prune,
    unique_name,
    with_metadata,
)
from mina_infra.local.provider.settings import Settings
from mina_infra.local.provider.state import FIELD_MANAGER, INITIAL_VERSION, checkpoint, live_object, old_inputs
from mina_infra.local.provider.wire import Properties, as_json, has_unknown, plain

REQUEST_TIMEOUT = 60.0  # seconds; a dry run waits behind everything else that two busy cores do
JSON_PATCH = "application/json-patch+json"
pause = asyncio.sleep
RETRIES = 5  # of a create whose namespace is not there yet: after 1, 2, 4, 8, 16 seconds

ALREADY_EXISTS = """{error}

The resource already exists in the cluster. This can happen when:

  - Renaming a Pulumi resource: use an alias to preserve the identity,
    or use deleteBeforeReplace if the resource needs replacement.
  - Managing an existing resource: use a Patch resource (e.g. NamespacePatch)
    to manage specific fields without owning the resource lifecycle.
  - Adopting a resource into Pulumi: use `pulumi import`. Note that
    protected resources (e.g. kube-system) cannot be deleted on destroy.
  - Intentional upsert: set upsertExistingObjects on the provider to allow
    server-side apply to update existing objects on create."""

CONFLICT = """server-side apply field conflict detected, see https://www.pulumi.com/registry/packages/kubernetes/\
how-to-guides/managing-resources-with-server-side-apply/#handle-field-conflicts-on-existing-resources \
for troubleshooting help
The resource managed by field manager "{manager}" had an apply conflict: {error}"""


class PartialError(ClusterError):
    """The step was done but the object is not as it should be: the engine must record `outputs` all the same."""

    def __init__(
        self,
        message: str,
        object_id: str,
        outputs: Properties,
        reasons: Sequence[str],
        inputs: Properties | None = None,
    ) -> None:
        super().__init__(message)
        self.object_id = object_id
        self.outputs = outputs
        self.reasons = [message, *reasons]
        self.inputs = inputs


class ConflictError(ClusterError):
    """Another manager owns a field that was to be applied."""


@dataclass
class Result:
    """What goes back to the engine; no outputs mean that the object is gone."""

    object_id: str = ""
    outputs: Properties | None = None
    inputs: Properties = field(default_factory=dict)


@dataclass
class Operation:
    """One step of one resource."""

    api: Requests
    settings: Settings
    waits: Waits
    urn: str

    async def create(self, properties: Properties, *, preview: bool, timeout: float) -> Result:
        """Make the object and wait for it. In a preview: what the server's dry run makes of it, or the inputs."""
        inputs = plain(properties)
        if preview and has_unknown(inputs):
            return Result("", properties)
        manager = field_manager({}, inputs)
        try:
            live = await self._create_with_retries(inputs, manager, preview)
        except (ApiStatusError, ConflictError) as error:
            if preview and _says_nothing(error):
                return Result("", properties)
            raise ClusterError(
                f'resource "{self.urn}" was not successfully created by the Kubernetes API server: {_explained(error)}'
            ) from error

        def outputs(item: Manifest) -> Properties:
            version = str(inputs.get("apiVersion", ""))
            return checkpoint(inputs, item, properties, api_version=version, field_manager=manager)

        if preview:
            return Result("", outputs({key: value for key, value in live.items() if key != "status"}))
        try:
            live = await self.waits.ready(inputs, live, timeout)
        except ClusterError as error:
            message = (
                f'resource "{self.urn}" was successfully created, but the Kubernetes API server '
                f"reported that it failed to fully initialize or become live: {error}"
            )
            live, reasons = (error.item, error.reasons) if isinstance(error, NotReadyError) else (live, [])
            raise PartialError(message, object_id(live), outputs(live), reasons) from error
        return Result(object_id(live), outputs(live))

    async def _create_with_retries(self, inputs: Properties, manager: str, preview: bool) -> Manifest:
        for attempt in range(RETRIES + 1):
            try:
                return await self._send_create(inputs, manager, preview)
            except ApiStatusError as error:
                text = f"Retry #{attempt}; creation failed: {error}"
                await self.waits.reporter.status(self.urn, self.waits.redact(text))
                if error.code != 404 or preview or attempt == RETRIES:
                    raise
                await pause(2.0**attempt)
        raise AssertionError("unreachable")

    async def _send_create(self, inputs: Properties, manager: str, preview: bool) -> Manifest:
        if self.settings.upsert_existing:
            return await self._upsert(inputs, manager, preview)
        kind = kind_of(inputs)
        params = {"fieldManager": managed_fields.CREATE_MANAGER, **_dry_run(preview)}
        path = kind.path(namespace_of(inputs))
        return await self.api.request("POST", path, params=params, body=as_json(inputs), timeout=REQUEST_TIMEOUT)

    async def _upsert(self, inputs: Properties, manager: str, preview: bool) -> Manifest:
        force = self._forces(inputs, None, preview)
        try:
            return await self._apply(inputs, name_of(inputs), manager, force=force, preview=preview)
        except ApiStatusError as error:
            if not preview or error.code != 422 or "field is immutable" not in str(error):
                raise
        # A replacement whose predecessor is still there: a dry run under another name says what it will look like.
        other = with_metadata(inputs, name=unique_name(f"{name_of(inputs)}-"))
        return await self._apply(other, name_of(other), manager, force=force, preview=True)

    def _forces(self, inputs: Properties, live: Manifest | None, preview: bool) -> bool:
        annotated = is_annotated(inputs, "pulumi.com/patchForce")
        return managed_fields.forces(annotated, live, option=self.settings.patch_force, preview=preview)

    async def _apply(self, inputs: Properties, name: str, manager: str, *, force: bool, preview: bool) -> Manifest:
        kind = kind_of(inputs)
        params = {"fieldManager": manager, "force": "true" if force else "false", **_dry_run(preview)}
        path = kind.path(namespace_of(inputs), name)
        try:
            return await self.api.request(
                "PATCH", path, params=params, body=as_json(inputs), content_type=APPLY, timeout=REQUEST_TIMEOUT
            )
        except ApiStatusError as error:
            if error.code == 409:
                raise ConflictError(CONFLICT.format(manager=manager, error=error)) from error
            raise

    async def update(
        self, state: Properties, news: Properties, *, ignored: Sequence[str], preview: bool, timeout: float
    ) -> Result:
        """Apply the new inputs to the live object and wait for it. In a preview: the server's dry run."""
        inputs = normalized(plain(news))
        if preview and has_unknown(inputs):
            return Result("", news)
        old, was = old_inputs(state), live_object(state)
        before, manager = field_manager(state, old), field_manager(state, inputs)
        version = str(state.get(INITIAL_VERSION) or old.get("apiVersion") or "")

        def outputs(item: Manifest) -> Properties:
            return checkpoint(inputs, item, news, api_version=version, field_manager=manager)

        try:
            live = await self._send_update(was, inputs, manager, ignored, preview)
            if not preview:
                live = await self.waits.ready(inputs, live, timeout)
        except ClusterError as error:
            if preview and isinstance(error, ApiStatusError) and error.code == 403:
                return Result("", news)
            raise await self._failed_update(error, was, outputs) from error
        if not preview and before != manager:
            await self._relinquish(live, before)
        return Result(object_id(live), outputs(live))

    async def _send_update(
        self, was: Manifest, inputs: Properties, manager: str, ignored: Sequence[str], preview: bool
    ) -> Manifest:
        name = name_of(was)
        live = await self._get(kind_of(inputs), namespace_of(inputs), name)
        if not preview and (entries := managed_fields.handed_over(live, manager)) is not None:
            patch = [{"op": "replace", "path": "/metadata/managedFields", "value": entries}]
            path = kind_of(inputs).path(namespace_of(inputs), name)
            live = await self.api.request("PATCH", path, body=patch, content_type=JSON_PATCH, timeout=REQUEST_TIMEOUT)
        inputs = managed_fields.keep_ignored(inputs, live, manager, ignored)
        force = self._forces(inputs, live, preview)
        return await self._apply(inputs, name, manager, force=force, preview=preview)

    async def _failed_update(
        self, error: ClusterError, was: Manifest, outputs: Callable[[Manifest], Properties]
    ) -> ClusterError:
        try:
            live = await self._get(kind_of(was), namespace_of(was), name_of(was))
        except ClusterError as second:
            return ClusterError(
                f'update of resource "{self.urn}" failed: {error}\nunable to get cluster state: {second}'
            )
        message = (
            f'the Kubernetes API server reported that "{object_id(live)}" failed to fully initialize '
            f"or become live: {error}"
        )
        reasons = error.reasons if isinstance(error, NotReadyError) else []
        return PartialError(message, object_id(live), outputs(live), reasons)

    async def _relinquish(self, live: Manifest, manager: str) -> None:
        """Give up what another manager name of ours still owns."""
        metadata = {"name": name_of(live), "namespace": namespace_of(live) or None}
        minimal = with_metadata({"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": {}}, **metadata)
        await self._apply(minimal, name_of(live), manager, force=False, preview=False)

    async def _get(self, kind: Kind, namespace: str, name: str) -> Manifest:
        return await self.api.request("GET", kind.path(namespace, name), timeout=REQUEST_TIMEOUT)

    async def read(self, request_id: str, state: Properties, inputs: Properties, type_kind: Kind) -> Result:
        """The live object: for a refresh in the shape of its inputs, for an import with all its fields."""
        namespace, name = parse_id(request_id)
        if not name:
            raise ClusterError(
                f"failed to read resource because of a failure to parse resource name from request ID: {request_id}"
            )
        old, known, imported = normalized(plain(inputs)), live_object(state), False
        if not old.get("kind"):
            imported = not known.get("kind")
            version, kind_name = (
                (type_kind.api_version, type_kind.kind) if imported else (known["apiVersion"], known["kind"])
            )
            old = {**old, "apiVersion": version, "kind": kind_name}
            names = {"name": name_of(old) or name, "namespace": namespace_of(old) or namespace or None}
            old = with_metadata({"metadata": {}, **old}, **names)
        version = str(state.get(INITIAL_VERSION) or old.get("apiVersion") or "")
        manager = field_manager(state, old)
        try:
            live = await self._get(kind_of(old), namespace_of(old), name)
        except ApiStatusError as error:
            if error.code == 404:
                return Result()
            raise
        shaped = imported_inputs(live) if imported else prune(live, old)
        outputs = checkpoint(shaped, live, inputs, api_version=version, field_manager=manager)
        if not imported:
            try:
                await self.waits.check(old, live)
            except NotReadyError as error:
                raise PartialError(str(error), request_id, outputs, error.reasons, shaped) from error
        return Result(request_id, outputs, shaped)

    async def delete(self, request_id: str, state: Properties, *, timeout: float) -> None:
        """Delete in the foreground and wait until the object is gone."""
        inputs, live = old_inputs(state), live_object(state)
        name = parse_id(request_id)[1]
        kind = kind_of(live)
        policy = {"orphan": "Orphan", "background": "Background"}.get(
            str(annotations_of(inputs).get("pulumi.com/deletionPropagationPolicy", "")).lower(), "Foreground"
        )
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}

        async def send() -> Manifest | None:
            try:
                path = kind.path(namespace_of(live), name)
                answer = await self.api.request("DELETE", path, body=options, timeout=REQUEST_TIMEOUT)
            except ApiStatusError as error:
                if error.code == 404:
                    return None
                raise
            # A Status means that nothing is left; an object, that its finalizers have to be worked off.
            return (
                None
                if answer.get("kind") == "Status"
                else {**answer, "apiVersion": kind.api_version, "kind": kind.kind}
            )

        try:
            await self.waits.gone(inputs, live, send, timeout)
        except NotReadyError as error:
            version, manager = str(state.get(INITIAL_VERSION) or ""), field_manager(state, inputs)
            outputs = checkpoint(inputs, error.item, state, api_version=version, field_manager=manager)
            raise PartialError(str(error), object_id(error.item), outputs, error.reasons) from error


def field_manager(state: Properties, inputs: Properties) -> str:
    """The name under which fields are applied: the user's, that of the state, or a new one."""
    wanted = annotations_of(inputs).get("pulumi.com/patchFieldManager")
    found = plain(state.get(FIELD_MANAGER))
    return str(wanted or found or unique_name("pulumi-kubernetes-"))


def imported_inputs(live: Manifest) -> Properties:
    """The inputs of an object that was read without any: all but what the server alone writes."""
    without_status = {key: value for key, value in live.items() if key != "status"}
    marks = {
        key: value
        for key, value in annotations_of(live).items()
        if key not in ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration")
    }
    removed = dict.fromkeys(("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"))
    return with_metadata(without_status, **removed, annotations=marks or None)


def _dry_run(preview: bool) -> dict[str, str]:
    return {"dryRun": "All"} if preview else {}


def _says_nothing(error: ClusterError) -> bool:
    """Does a dry run refuse what the update need not: it is not allowed, the object is there, the namespace is not?"""
    if not isinstance(error, ApiStatusError):
        return False
    no_namespace = error.code == 404 and str(error).startswith("namespaces ")
    exists = error.code == 409 and error.reason == "AlreadyExists"
    return error.code == 403 or exists or no_namespace or "does not support dry run" in str(error)


def _explained(error: ClusterError) -> str:
    if isinstance(error, ApiStatusError) and error.reason == "AlreadyExists":
        return ALREADY_EXISTS.format(error=error)
    return str(error)
