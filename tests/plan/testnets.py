"""Testnets to plan, and the views of a plan that tests look through."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mina_infra.plan import Manifest, PlannedObject, TestnetPlan, load_stack, parse_document, plan_testnet

ROOT = Path(__file__).resolve().parents[2]
PEERS = [f"12D3KooW{letter * 44}" for letter in "ABCDEFGH"]
RUNTIME_CONFIG = {
    "genesis": {"genesis_state_timestamp": "2026-01-01T00:00:00Z", "k": 290},
    "proof": {"block_window_duration_ms": 180000},
    "ledger": {"name": "zoo"},
}
ZOO: dict[str, Any] = {
    "name": "zoo",
    "target": {"provider": "gke", "region": "us-central1"},
    "image": "registry.example/mina-daemon:3.0.1",
    "images": {"archive": "archive:1", "userAgent": "agent:1", "bots": "bots:1"},
    "retention": "delete",
    "genesis": {"runtimeConfig": json.dumps(RUNTIME_CONFIG), "ledger": {"image": f"ledger@sha256:{'0' * 64}"}},
    "nodes": [
        {
            "role": "seed",
            "count": 3,
            "identities": [
                {"peerId": PEERS[0], "address": "203.0.113.7"},
                {"peerId": PEERS[1], "address": "seed-2.example.org", "ip": "203.0.113.8"},
                {"peerId": PEERS[2]},
            ],
        },
        {"role": "block-producer", "group": "whale", "count": 2, "stake": 20, "identities": [{"peerId": PEERS[3]}]},
        {"role": "block-producer", "group": "fish", "count": 2, "stake": 1, "bots": ["user-agent", "faucet", "echo"]},
        {"role": "snark-coordinator"},
        {"role": "snark-worker", "count": 2},
        {"role": "archive", "count": 2},
        {"role": "plain", "count": 2},
        {"role": "user-agent"},
        {"role": "faucet"},
        {"role": "echo"},
    ],
}
"""Every role, every bot beside a producer and on its own, every kind of identity."""


def zoo(**changes: Any) -> dict[str, Any]:
    """The document with every role, some of its top keys changed."""
    return {**copy.deepcopy(ZOO), **changes}


def plan(document: dict[str, Any]) -> TestnetPlan:
    return plan_testnet(parse_document(document, base=ROOT))


@cache
def plans() -> dict[str, TestnetPlan]:
    """The project's own stacks and the zoo."""
    stacks = {name: plan_testnet(load_stack(ROOT / f"Pulumi.{name}.yaml")) for name in ("local", "qa", "release")}
    return {**stacks, "zoo": plan(zoo())}


@dataclass(frozen=True)
class NodeView:
    """One planned node and its objects."""

    plan: TestnetPlan
    name: str
    role: str
    deployment: Manifest
    service: Manifest | None

    @property
    def template(self) -> Manifest:
        template: Manifest = self.deployment["spec"]["template"]
        return template

    @property
    def pod(self) -> Manifest:
        pod: Manifest = self.template["spec"]
        return pod

    @property
    def containers(self) -> list[Manifest]:
        """Init containers first."""
        return [*self.pod.get("initContainers", ()), *self.pod["containers"]]

    def container(self, name: str) -> Manifest:
        return next(each for each in self.containers if each["name"] == name)

    def has(self, name: str) -> bool:
        return any(each["name"] == name for each in self.containers)

    @property
    def main(self) -> Manifest:
        main: Manifest = self.pod["containers"][0]
        return main

    @property
    def args(self) -> list[str]:
        return list(self.main["args"])

    def flag(self, name: str) -> str | None:
        """The value after a flag of the main container."""
        return self.args[self.args.index(name) + 1] if name in self.args else None

    def flags(self, name: str) -> list[str]:
        return [self.args[place + 1] for place, each in enumerate(self.args) if each == name]

    def env(self, container: str | None = None) -> dict[str, Manifest]:
        found = self.container(container) if container else self.main
        return {each["name"]: each for each in found.get("env", ())}

    def volume(self, name: str) -> Manifest:
        return next(each for each in self.pod["volumes"] if each["name"] == name)


def nodes(of: TestnetPlan) -> Iterator[NodeView]:
    manifests = [each.manifest for each in of.objects()]
    services = {each["metadata"]["name"]: each for each in manifests if each["kind"] == "Service"}
    for each in manifests:
        if each["kind"] == "Deployment":
            name, role = each["metadata"]["name"], each["metadata"]["labels"]["role"]
            yield NodeView(of, name, role, each, services.get(name))


def every_node(*roles: str) -> list[NodeView]:
    """The nodes of all plans, of some roles."""
    return [node for each in plans().values() for node in nodes(each) if not roles or node.role in roles]


def daemons() -> list[NodeView]:
    """All nodes that run a daemon, bots on their own included."""
    return [node for node in every_node() if node.role != "snark-worker"]


def of_kind(of: TestnetPlan, kind: str) -> list[PlannedObject]:
    return [each for each in of.objects() if each.manifest["kind"] == kind]


def secret_of(variable: Manifest) -> tuple[str, str]:
    """(Secret, key) that a variable takes its value from."""
    reference = variable["valueFrom"]["secretKeyRef"]
    return reference["name"], reference["key"]
