"""Small parts of the provider's answers: kinds from URNs, names for nameless objects, diffs and errors on the wire."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from mina_infra.cluster.api import KINDS, Kind
from mina_infra.errors import ClusterError
from mina_infra.local.provider import inputs as manifests
from mina_infra.local.provider.diff import Difference
from mina_infra.local.provider.operations import PartialError
from mina_infra.local.provider.state import Redactor
from mina_infra.local.provider.wire import Properties, encode

Context = grpc.aio.ServicerContext[Any, Any]


def kind_of_urn(urn: str) -> Kind:
    """The kind that a resource's URN names. Raises ClusterError, with the list of what is known, for any other."""
    token = urn.split("::")[2].split("$")[-1] if urn.count("::") >= 3 else urn
    _, _, rest = token.partition("kubernetes:")
    version, _, name = rest.partition(":")
    kind = KINDS.get((version.removeprefix("core/"), name))
    if kind is None:
        known = ", ".join(sorted(f"{known_version}/{known_kind}" for known_version, known_kind in KINDS))
        raise ClusterError(
            f"the offline Kubernetes provider does not know {token}. It knows: {known}. "
            "For other kinds install the official provider: pulumi plugin install resource kubernetes"
        )
    return kind


def named(inputs: Properties, olds: Properties, request: provider_pb2.CheckRequest) -> Properties:
    """The inputs with a name: the user's, that of the old object if we made it up, or a new one.

    A made-up name is the same for the same random seed, but not the one that the official provider would draw.
    """
    if manifests.is_named(inputs):
        return inputs
    if olds and manifests.is_annotated(olds, manifests.AUTONAMED):
        return manifests.autonamed(inputs, manifests.name_of(olds))
    metadata = inputs.get("metadata", {})
    if isinstance(metadata, dict) and metadata.get("generateName"):
        raise ClusterError("the `.metadata.generateName` field is not supported in Server-Side Apply mode")
    if olds:
        return inputs
    name = manifests.unique_name(f"{request.urn.split('::')[-1]}-", request.randomSeed)
    if request.HasField("autonaming"):
        if request.autonaming.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE:
            raise ClusterError("autonaming is disabled, resource requires the .metadata.name field to be set")
        name = request.autonaming.proposed_name
    return manifests.autonamed(inputs, name)


def placed(inputs: Properties, kind: Kind, default: str) -> Properties:
    """The inputs with a namespace, if the kind has one; an unknown namespace stays unknown."""
    metadata = inputs.get("metadata", {})
    if not kind.namespaced or (isinstance(metadata, dict) and metadata.get("namespace")):
        return inputs
    return manifests.with_metadata(inputs, namespace=default)


def changes(changed: bool) -> provider_pb2.DiffResponse.DiffChanges.ValueType:
    return provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE


def diff_response(found: Difference) -> provider_pb2.DiffResponse:
    detailed = {
        path: provider_pb2.PropertyDiff(
            kind=provider_pb2.PropertyDiff.Kind.Value(change.name), inputDiff=change.input_diff
        )
        for path, change in found.detailed.items()
    }
    return provider_pb2.DiffResponse(
        changes=changes(found.changed),
        replaces=found.replaces,
        deleteBeforeReplace=found.delete_before_replace,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


async def abort_unimplemented(context: Context, what: str) -> NoReturn:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the offline Kubernetes provider {what}")


async def abort_partial(context: Context, error: PartialError, redact: Redactor, keep_secrets: bool) -> NoReturn:
    """An error that carries the object's state, as the engine's ErrorResourceInitFailed."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.object_id,
        properties=encode(error.outputs, keep_secrets=keep_secrets),
        reasons=[redact(reason) for reason in error.reasons],
        inputs=None if error.inputs is None else encode(error.inputs, keep_secrets=keep_secrets),
    )
    packed = any_pb2.Any()
    packed.Pack(detail)
    message = redact(str(error))
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[packed])
    trailer = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(grpc.StatusCode.UNKNOWN, message, trailing_metadata=trailer)


def where(error: BaseException) -> str:
    """File and line of an error, without its text, which may hold a value."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
