"""The resource provider as the engine sees it: gRPC requests in, the operations of this package, answers out."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from mina_infra.cluster.api import Manifest
from mina_infra.errors import ClusterError
from mina_infra.local.provider import answers
from mina_infra.local.provider import inputs as manifests
from mina_infra.local.provider.answers import Context, kind_of_urn
from mina_infra.local.provider.await_logic import Cancellation, NotReadyError, Waits
from mina_infra.local.provider.clusters import Cluster, Clusters
from mina_infra.local.provider.diff import compare
from mina_infra.local.provider.engine_log import EngineLog, Reporter, Silent
from mina_infra.local.provider.operations import Operation, PartialError
from mina_infra.local.provider.settings import Settings, checked_settings, compare_settings
from mina_infra.local.provider.state import Redactor, annotate, live_object
from mina_infra.local.provider.wire import Properties, decode, encode, plain

LOG = logging.getLogger(__name__)

# The official provider whose behaviour this one has: the engine compares it with the version that the SDK asks for.
VERSION = "4.34.2"

DELETE_HINT = (
    "you can remove this resource from Pulumi state by rerunning the operation with the "
    'PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)
Answer = TypeVar("Answer")


@dataclass
class Connection:
    """What one provider resource of one engine has told us. Each attaches over a connection of its own."""

    settings: Settings = field(default_factory=Settings)
    reporter: Reporter = field(default_factory=Silent)
    cluster: Cluster | None = None
    unreachable: str = ""
    cancellation: Cancellation = field(default_factory=Cancellation)

    def reached(self) -> Cluster:
        if self.cluster is None:
            raise ClusterError("the provider is not configured: the engine has not called Configure on this connection")
        if self.unreachable:
            raise ClusterError(f"configured Kubernetes cluster is unreachable: {self.unreachable}")
        return self.cluster

    def encode(self, properties: Properties) -> struct_pb2.Struct:
        return encode(properties, keep_secrets=self.settings.accept_secrets)


@dataclass
class Step:
    """One request: its connection, its property maps decoded, and what must not be shown of them."""

    connection: Connection
    urn: str
    properties: list[Properties]
    redact: Redactor

    def operation(self) -> Operation:
        kind_of_urn(self.urn)
        cluster, connection = self.connection.reached(), self.connection
        waits = Waits(
            cluster.api, cluster.informers, connection.reporter, self.urn, self.redact, connection.cancellation
        )
        return Operation(cluster.api, connection.settings, waits, self.urn)

    async def warn(self, text: str) -> None:
        await self.connection.reporter.warn(self.urn, self.redact(text))


class OfflineProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Serves the engine; `clusters` decides which API servers may be reached."""

    def __init__(self, clusters: Clusters, engine_log: Callable[[str], Reporter] = EngineLog) -> None:
        self._clusters = clusters
        self._engine_log = engine_log
        self._connections: dict[str, Connection] = {}

    def _connection(self, context: Context) -> Connection:
        return self._connections.setdefault(context.peer(), Connection())

    async def _answer(
        self,
        work: Callable[[Any, Step], Awaitable[Answer]],
        request: Any,
        context: Context,
        *structs: struct_pb2.Struct,
    ) -> Answer:
        """Decode the request, log the call without its content, and turn errors into answers without secrets."""
        connection, redact, started = self._connection(context), Redactor(), time.monotonic()
        method, urn, outcome = work.__name__.strip("_"), getattr(request, "urn", ""), "cancelled"
        try:
            decoded = [decode(struct) for struct in structs]
            for properties in decoded:
                redact.add(properties)
            answer = await work(request, Step(connection, urn, decoded, redact))
            outcome = "ok"
            return answer
        except PartialError as error:
            outcome = "partial"
            await answers.abort_partial(context, error, redact, connection.settings.accept_secrets)
        except ClusterError as error:
            outcome = "refused"
            await context.abort(grpc.StatusCode.UNKNOWN, redact(str(error)))
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
            outcome = f"failed with {type(error).__name__} at {answers.where(error)}"
            text = f"{method} failed: {type(error).__name__}: {error}"
            await context.abort(grpc.StatusCode.INTERNAL, redact(text))
        finally:
            LOG.info("%s %s %s, %.3f s", method, urn, outcome, time.monotonic() - started)

    async def Attach(self, request: plugin_pb2.PluginAttach, context: Context) -> empty_pb2.Empty:
        """The first call of a connection: which engine it is, so that messages reach it."""
        self._connections[context.peer()] = Connection(reporter=self._engine_log(request.address))
        return empty_pb2.Empty()

    async def Handshake(self, request: provider_pb2.ProviderHandshakeRequest, context: Context) -> NoReturn:
        """The official provider has none, and the engine then asks Configure for the same things."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "method Handshake not implemented")

    async def GetPluginInfo(self, request: empty_pb2.Empty, context: Context) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    async def GetSchema(self, request: provider_pb2.GetSchemaRequest, context: Context) -> NoReturn:
        await answers.abort_unimplemented(context, "has no schema; the Python SDK (pulumi-kubernetes) brings its own")

    async def Parameterize(self, request: provider_pb2.ParameterizeRequest, context: Context) -> NoReturn:
        await answers.abort_unimplemented(context, "takes no parameters: custom resources need the official provider")

    async def Invoke(self, request: provider_pb2.InvokeRequest, context: Context) -> NoReturn:
        what = f"has no function {request.tok}: Helm, Kustomize and YAML need the official provider"
        await answers.abort_unimplemented(context, what)

    async def Call(self, request: provider_pb2.CallRequest, context: Context) -> NoReturn:
        await answers.abort_unimplemented(context, f"has no method {request.tok}")

    async def Construct(self, request: provider_pb2.ConstructRequest, context: Context) -> NoReturn:
        await answers.abort_unimplemented(context, f"has no component {request.type}: it registers single objects only")

    async def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        self._connection(context).cancellation.cancel()
        return empty_pb2.Empty()

    async def CheckConfig(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        return await self._answer(self._check_config, request, context, request.news)

    async def _check_config(self, request: provider_pb2.CheckRequest, step: Step) -> provider_pb2.CheckResponse:
        failures = [
            provider_pb2.CheckFailure(property=name, reason=reason)
            for name, reason in checked_settings(request.urn, plain(step.properties[0]))
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    async def DiffConfig(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        return await self._answer(self._diff_config, request, context, request.olds, request.news)

    async def _diff_config(self, request: provider_pb2.DiffRequest, step: Step) -> provider_pb2.DiffResponse:
        found = compare_settings(*step.properties)
        changes = answers.changes(bool(found.diffs))
        return provider_pb2.DiffResponse(changes=changes, diffs=found.diffs, replaces=found.replaces)

    async def Configure(
        self, request: provider_pb2.ConfigureRequest, context: Context
    ) -> provider_pb2.ConfigureResponse:
        """Which cluster this connection works on. Refused unless it is the embedded one."""
        return await self._answer(self._configure, request, context)

    async def _configure(self, request: provider_pb2.ConfigureRequest, step: Step) -> provider_pb2.ConfigureResponse:
        connection = step.connection
        connection.settings = Settings.from_variables(request.variables, accept_secrets=request.acceptSecrets)
        connection.cluster = await self._clusters.get(connection.settings)
        connection.unreachable = await connection.cluster.trouble()
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    async def Check(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        return await self._answer(self._check, request, context, request.olds, request.news)

    async def _check(self, request: provider_pb2.CheckRequest, step: Step) -> provider_pb2.CheckResponse:
        connection, [olds, news] = step.connection, step.properties
        if connection.unreachable and connection.settings.skip_update_unreachable:
            await step.warn("Cluster is unreachable but skipUpdateUnreachable flag is set to true, skipping...")
            return provider_pb2.CheckResponse(inputs=request.olds)
        kind = kind_of_urn(request.urn)
        inputs = manifests.normalized(plain(news))
        if manifests.AUTONAMED in manifests.annotations_of(inputs):
            await step.warn(f'ignoring user-specified value for internal annotation "{manifests.AUTONAMED}"')
        inputs = answers.named(inputs, plain(olds), request)
        default = connection.cluster.namespace(connection.settings) if connection.cluster else "default"
        inputs = answers.placed(inputs, kind, default)
        return provider_pb2.CheckResponse(inputs=connection.encode(annotate(inputs, news)))

    async def Diff(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        return await self._answer(self._diff, request, context, request.olds, request.news)

    async def _diff(self, request: provider_pb2.DiffRequest, step: Step) -> provider_pb2.DiffResponse:
        settings, [olds, news] = step.connection.settings, step.properties
        found = compare(
            olds,
            news,
            namespaced=kind_of_urn(request.urn).namespaced,
            mutable_config_maps=settings.mutable_config_maps,
            mutable_secrets=settings.mutable_secrets,
            ignore_changes=request.ignoreChanges,
        )
        unready = manifests.is_annotated(plain(news), manifests.REPLACE_UNREADY)
        if unready and await self._is_unready(step, live_object(olds)):
            found.replaces.append(f'.metadata.annotations["{manifests.REPLACE_UNREADY}"]')
        return answers.diff_response(found)

    async def _is_unready(self, step: Step, live: Manifest) -> bool:
        """Is the live Job unfinished? One that cannot be read is left as it is."""
        if step.connection.unreachable:
            await step.warn("Cluster is unreachable, skipping replaceUnready check")
            return False
        if live.get("kind") != "Job":
            await step.warn("replaceUnready annotation is not supported for this resource")
            return False
        path = kind_of_urn(step.urn).path(manifests.namespace_of(live), manifests.name_of(live))
        operation = step.operation()
        try:
            await operation.waits.check({}, await operation.api.request("GET", path))
        except NotReadyError:
            return True
        except ClusterError:
            return False
        return False

    async def Create(self, request: provider_pb2.CreateRequest, context: Context) -> provider_pb2.CreateResponse:
        return await self._answer(self._create, request, context, request.properties)

    async def _create(self, request: provider_pb2.CreateRequest, step: Step) -> provider_pb2.CreateResponse:
        if request.preview and step.connection.unreachable:
            return provider_pb2.CreateResponse(properties=request.properties)
        [properties] = step.properties
        result = await step.operation().create(properties, preview=request.preview, timeout=request.timeout)
        return provider_pb2.CreateResponse(id=result.object_id, properties=step.connection.encode(result.outputs or {}))

    async def Update(self, request: provider_pb2.UpdateRequest, context: Context) -> provider_pb2.UpdateResponse:
        return await self._answer(self._update, request, context, request.olds, request.news)

    async def _update(self, request: provider_pb2.UpdateRequest, step: Step) -> provider_pb2.UpdateResponse:
        if request.preview and step.connection.unreachable:
            return provider_pb2.UpdateResponse(properties=request.news)
        [olds, news] = step.properties
        result = await step.operation().update(
            olds, news, ignored=request.ignoreChanges, preview=request.preview, timeout=request.timeout
        )
        return provider_pb2.UpdateResponse(properties=step.connection.encode(result.outputs or {}))

    async def Read(self, request: provider_pb2.ReadRequest, context: Context) -> provider_pb2.ReadResponse:
        return await self._answer(self._read, request, context, request.properties, request.inputs)

    async def _read(self, request: provider_pb2.ReadRequest, step: Step) -> provider_pb2.ReadResponse:
        connection, [state, inputs] = step.connection, step.properties
        if connection.unreachable:
            return await self._read_unreachable(request, step)
        result = await step.operation().read(request.id, state, inputs, kind_of_urn(request.urn))
        if result.outputs is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=result.object_id,
            properties=connection.encode(result.outputs),
            inputs=connection.encode(annotate(result.inputs, inputs)),
        )

    async def _read_unreachable(self, request: provider_pb2.ReadRequest, step: Step) -> provider_pb2.ReadResponse:
        connection = step.connection
        await step.warn(f"configured Kubernetes cluster is unreachable: {connection.unreachable}")
        if connection.settings.delete_unreachable:
            return provider_pb2.ReadResponse()
        if connection.settings.skip_update_unreachable:
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        raise ClusterError(
            "failed to read resource state due to unreachable cluster. If the cluster was deleted, " + DELETE_HINT
        )

    async def Delete(self, request: provider_pb2.DeleteRequest, context: Context) -> empty_pb2.Empty:
        return await self._answer(self._delete, request, context, request.properties)

    async def _delete(self, request: provider_pb2.DeleteRequest, step: Step) -> empty_pb2.Empty:
        if step.connection.unreachable:
            if step.connection.settings.delete_unreachable:
                return empty_pb2.Empty()
            raise ClusterError(
                "configured Kubernetes cluster is unreachable. If the cluster was deleted, " + DELETE_HINT
            )
        await step.operation().delete(request.id, step.properties[0], timeout=request.timeout)
        return empty_pb2.Empty()


async def serve(kubeconfig: Path, port: int = 0) -> tuple[grpc.aio.Server, int, Clusters]:
    """A started server on loopback and its port; it serves the cluster of `kubeconfig` and no other."""
    clusters = Clusters(kubeconfig)
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.aio.server(options=unlimited)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(OfflineProvider(clusters), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server, bound, clusters
