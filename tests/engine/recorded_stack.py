"""The recorded stack (tests/recorded/base.json) on an embedded cluster, through the real engine and our provider."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes

from mina_infra.engine.program import served
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.provider.process import offline_provider

RECORDED = Path(__file__).parents[1] / "recorded"
SKIPS_AWAIT = {"PersistentVolumeClaim", "Deployment", "Job", "Service"}
Objects = dict[str, dict[str, Any]]


def base_objects() -> Objects:
    """The recorded base, with the annotations that the recorded program added."""
    found: Objects = json.loads((RECORDED / "base.json").read_text())["objects"]
    return {name: without_waiting(item) for name, item in found.items()}


def without_waiting(item: dict[str, Any]) -> dict[str, Any]:
    if item["type"].split(":")[1] in SKIPS_AWAIT:
        item["body"]["metadata"].setdefault("annotations", {})["pulumi.com/skipAwait"] = "true"
    return item


def changed_objects(changed: dict[str, Any]) -> Objects:
    """The base with one recorded change: an object replaced, added, or with None removed."""
    objects = {**base_objects(), **changed}
    return {name: without_waiting(item) for name, item in objects.items() if item is not None}


class Registered(pulumi.CustomResource):
    """An object as it stands in base.json: the SDK's classes would only spell its keys another way."""

    def __init__(self, name: str, item: dict[str, Any], options: pulumi.ResourceOptions) -> None:
        group, kind = item["type"].split(":")
        properties = {"apiVersion": group.removeprefix("core/"), "kind": kind, **copy.deepcopy(item["body"])}
        super().__init__(f"kubernetes:{item['type']}", name, properties, options)


def program(objects: Objects, cluster: EmbeddedCluster, **provider_options: Any) -> None:
    """Registers the objects in one component, with the recorded dependencies."""
    provider = pulumi_kubernetes.Provider(
        "cluster",
        kubeconfig=str(cluster.kubeconfig),
        context=cluster.context,
        cluster_identifier="local",
        **provider_options,
    )
    parent = pulumi.ComponentResource("mina-infra:index:Testnet", "rec")
    first: dict[str, pulumi.Resource] = {}
    for name, item in objects.items():
        after = [] if name in ("ns", "class", "pv") else [first[key] for key in ("ns", "class")]
        if name == "daemon" and "runtime" in first:
            after.append(first["runtime"])
        options = pulumi.ResourceOptions(parent=parent, provider=provider, depends_on=after, **item["options"])
        first[name] = Registered(name, item, options)


@dataclass
class Finished:
    """One command of the CLI."""

    code: int
    stdout: str
    stderr: str

    @property
    def digest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stdout)
        return found


@dataclass
class RecordedStack:
    """A stack in a folder of its own, worked on by the CLI with an inline program."""

    pulumi: Path
    cluster: EmbeddedCluster
    folder: Path
    port: int = 0
    provider_options: dict[str, Any] = field(default_factory=dict)

    def up(self, objects: Objects, *options: str) -> Finished:
        return self.run("up", "--yes", "--skip-preview", *options, objects=objects)

    def preview(self, objects: Objects) -> Finished:
        return self.run("preview", "--json", "--show-sames", objects=objects)

    def run(self, *arguments: str, objects: Objects | None = None) -> Finished:
        """Run one command; with `objects`, the program that registers them is served to it."""
        if objects is None:
            return self._run([*arguments])
        with served(lambda: program(objects, self.cluster, **self.provider_options)) as address:
            return self._run([*arguments, f"--client={address}", "--parallel", "32"])

    def _run(self, arguments: list[str]) -> Finished:
        command = [str(self.pulumi), *arguments, "--non-interactive", "--color", "never", "--stack", "rec"]
        done = subprocess.run(
            command, cwd=self.folder, env=self._variables(), capture_output=True, text=True, timeout=300, check=False
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def _variables(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        return {
            **kept,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'backend'}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_PROVIDERS": f"kubernetes:{self.port}",
        }


@contextmanager
def recorded_stack(cli: Path, cluster: EmbeddedCluster, folder: Path) -> Iterator[RecordedStack]:
    """An empty stack with the offline provider running."""
    (folder / "backend").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: recorded\nruntime: python\n")
    with offline_provider(cluster.kubeconfig, folder / "provider.log") as port:
        stack = RecordedStack(cli, cluster, folder, port)
        created = subprocess.run(
            [str(cli), "stack", "init", "rec", "--non-interactive"],
            cwd=folder,
            env=stack._variables(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert created.returncode == 0, created.stderr
        yield stack
