"""Small testnets for the engine: a project folder of their own, on the shared embedded cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from mina_infra.cli.place import embedded_environment_of
from mina_infra.cluster.api import CLAIM, DEPLOYMENT, NAMESPACE, PERSISTENT_VOLUME, STORAGE_CLASS, KubeApi
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.local.control_plane import EmbeddedCluster

ROOT = Path(__file__).resolve().parents[2]
PEER = f"12D3KooW{'A' * 44}"
RUNTIME_CONFIG = {
    "genesis": {"genesis_state_timestamp": "2026-01-01T00:00:00Z", "k": 290},
    "proof": {"block_window_duration_ms": 180000},
    "ledger": {"name": "small"},
}
R = TypeVar("R")


def document(name: str, /, **changes: Any) -> dict[str, Any]:
    """A testnet of six nodes."""
    return {
        "name": name,
        "target": {"provider": "local", "region": "local", "zones": ["local-a", "local-b"]},
        "image": "registry.example/mina-daemon:3.0.1",
        "genesis": {
            "runtimeConfig": json.dumps(RUNTIME_CONFIG),
            "ledger": {"image": f"registry.example/ledger@sha256:{'0' * 64}"},
        },
        "nodes": [
            {"role": "seed", "identities": [{"peerId": PEER}]},
            {"role": "block-producer", "group": "whale", "count": 3, "stake": 20},
            {"role": "snark-coordinator"},
            {"role": "snark-worker"},
        ],
        **changes,
    }


@dataclass
class SmallTestnet:
    """A stack of its own in a project of its own. `change` rewrites its document."""

    name: str
    cluster: EmbeddedCluster
    project: Path
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.project.mkdir(parents=True, exist_ok=True)
        for file in ("__main__.py", "Pulumi.yaml"):
            (self.project / file).write_text((ROOT / file).read_text())
        self.change()

    def change(self, **changes: Any) -> None:
        config = {"config": {"mina-infra:testnet": document(self.name, **changes)}}
        (self.project / f"Pulumi.{self.name}.yaml").write_text(yaml.safe_dump(config))

    @property
    def env(self) -> EngineEnvironment:
        """The engine's environment, made anew from the stack file of the moment."""
        return embedded_environment_of(self.cluster, self.project, self.name)

    def say(self, label: str, text: str) -> None:
        self.said.append(f"{label}: {text}")

    def update(self, text: str) -> None:
        print(text)

    def ask(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        return asyncio.run(self._ask(question))

    async def _ask(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        async with self.cluster.api() as api:
            return await question(api)

    def claims(self) -> dict[str, str]:
        """The uid of each claim by name."""
        items = self.ask(lambda api: api.objects(CLAIM, self.name))
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}

    def deployments(self) -> dict[str, dict[str, Any]]:
        items = self.ask(lambda api: api.objects(DEPLOYMENT, self.name))
        return {item["metadata"]["name"]: item for item in items}

    def remains(self) -> list[str]:
        """What is left of the testnet in the cluster: namespace, volumes, classes."""

        async def look(api: KubeApi) -> list[str]:
            namespace = await api.get(NAMESPACE, self.name)
            volumes = await api.objects(PERSISTENT_VOLUME)
            classes = await api.objects(STORAGE_CLASS, labels=f"testnet={self.name}")
            left = [f"Namespace {self.name}"] if namespace else []
            left += [
                f"PersistentVolume of {volume['spec']['claimRef']['name']}"
                for volume in volumes
                if volume["spec"].get("claimRef", {}).get("namespace") == self.name
            ]
            return left + [f"StorageClass {each['metadata']['name']}" for each in classes]

        return self.ask(look)
