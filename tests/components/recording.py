"""Runs a Pulumi program without an engine and keeps every registration with its options.

Pulumi's own mocks show a resource's inputs but none of its options; its mock monitor sees both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime import rpc, rpc_manager
from pulumi.runtime.settings import SETTINGS


@dataclass(frozen=True)
class Registration:
    """One RegisterResource request: what the engine would be told."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    custom: bool
    parent: str
    provider: str
    protect: bool | None
    dependencies: tuple[str, ...]
    version: str
    timeout: str
    """How long the engine waits for its creation: `300s`; empty for the provider's own time."""
    retain_on_delete: bool = False
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool = False

    @property
    def needs(self) -> set[str]:
        """URNs that a kept resource keeps too, as the engine walks them: parent, provider and dependencies."""
        provider = self.provider.rpartition("::")[0]
        return {urn for urn in (self.parent, provider, *self.dependencies) if urn}


class _Echo(pulumi_mocks.Mocks):
    """Every resource is created with the outputs that it was given as inputs."""

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def __init__(self, record: Mapping[str, Any] | None = None) -> None:
        self._record = record or {}

    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The engine's own record is all that a component asks for; no provider is asked for anything."""
        assert args.token == "pulumi:pulumi:readStackResourceOutputs", args.token
        assert args.args["stackName"].endswith("/mina-infra/test")
        return {"name": args.args["stackName"], "outputs": dict(self._record)}, []


class RecordingMonitor(pulumi_mocks.MockMonitor):
    """Keeps what is registered; answers as Pulumi's mock monitor does."""

    def __init__(self, record: Mapping[str, Any] | None = None) -> None:
        super().__init__(_Echo(record))
        self.registrations: list[Registration] = []
        self.finished: dict[str, dict[str, Any]] = {}
        """Outputs that a component announced as its last word, by URN."""

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            self.registrations.append(
                Registration(
                    urn=answer.urn,
                    type=request.type,
                    name=request.name,
                    inputs=rpc.deserialize_properties(request.object),
                    custom=request.custom,
                    parent=request.parent,
                    provider=request.provider,
                    protect=request.protect if request.HasField("protect") else None,
                    dependencies=tuple(sorted(request.dependencies)),
                    version=request.version,
                    timeout=request.customTimeouts.create,
                    retain_on_delete=request.retainOnDelete,
                    replace_on_changes=tuple(request.replaceOnChanges),
                    delete_before_replace=request.deleteBeforeReplace,
                )
            )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:
        self.finished[request.urn] = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Recording:
    """What a program registered, in order of registration, and what it raised."""

    registrations: tuple[Registration, ...]
    finished: dict[str, dict[str, Any]]
    error: Exception | None

    @property
    def objects(self) -> tuple[Registration, ...]:
        """The Kubernetes objects; neither components nor providers."""
        return tuple(each for each in self.registrations if each.custom and not each.type.startswith("pulumi:"))

    @property
    def components(self) -> tuple[Registration, ...]:
        return tuple(each for each in self.registrations if not each.custom)

    def named(self, name: str) -> Registration:
        (found,) = (each for each in self.objects if each.name == name)
        return found


def record(
    program: Callable[[], object], *, preview: bool = False, known: Mapping[str, Any] | None = None
) -> Recording:
    """Run a program to its end, outputs included; an exception is kept with what had been registered before it.

    `known`: what the engine has on record of the stack, by URN.
    """
    monitor = RecordingMonitor(known)
    # Whoever called asyncio.run before left the main thread without a loop, and the SDK's futures want one.
    asyncio.set_event_loop(asyncio.new_event_loop())
    SETTINGS.rpc_manager = rpc_manager.RPCManager()  # type: ignore[no-untyped-call]
    pulumi.runtime.set_mocks(_Echo(), project="mina-infra", stack="test", preview=preview, monitor=monitor)
    error: Exception | None = None
    try:
        pulumi.runtime.test(lambda: (program(), None)[1])()  # type: ignore[no-untyped-call]
    except Exception as caught:
        error = caught
    return Recording(tuple(monitor.registrations), monitor.finished, error)


def provider(name: str = "cluster") -> kubernetes.Provider:
    """A caller's provider."""
    return kubernetes.Provider(name, kubeconfig="/nowhere", context=name, cluster_identifier=name)


def kept_by(registrations: Iterable[Registration]) -> set[str]:
    """URNs that `destroy --exclude-protected` leaves: what is protected and, transitively, all that it needs."""
    by_urn = {each.urn: each for each in registrations}
    waiting = [each.urn for each in by_urn.values() if each.protect]
    kept: set[str] = set()
    while waiting:
        urn = waiting.pop()
        if urn in by_urn and urn not in kept:
            kept.add(urn)
            waiting += by_urn[urn].needs
    return kept
