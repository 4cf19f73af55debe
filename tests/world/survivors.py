"""A testnet that is disturbed, by the real commands or at an exact point; `witness.py` notices what comes of it.

The commands are the real ones (`mina_infra.cli`, or `mina-infra` in a process of its own where that process is killed).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import yaml

from mina_infra.cli.app import app
from mina_infra.cli.place import embedded_environment_of
from mina_infra.cluster.api import CLAIM, NAMESPACE, PERSISTENT_VOLUME, STORAGE_CLASS, Kind, KubeApi, Manifest
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.engine import run
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.process import leftovers
from mina_infra.engine.report import Silent
from mina_infra.engine.settle import wait_until_running
from mina_infra.guardian.verdict import Verdict
from mina_infra.guardian.verify import verify
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import checkout

R = TypeVar("R")
PATIENCE_S = 180.0
"""For 200 nodes on a machine that has other things to do."""
MARKER = "survival-marker"
SLOT_MS = 250
"""Short, because every case waits until production can be judged."""


@dataclass
class Network:
    """A stack in a project of its own, on an embedded cluster of its own.

    It has the nodes of stack `local` (12), or of `like`.
    """

    name: str
    cluster: EmbeddedCluster
    project: Path
    document: dict[str, Any] = field(default_factory=dict)
    like: str = "local"
    given_up: list[str] = field(default_factory=list)
    """Patterns of the claims that were named in an allow list: these alone may be gone."""

    def __post_init__(self) -> None:
        source = _testnet_of("local")
        self.document = {**source, "name": self.name, "nodes": _testnet_of(self.like)["nodes"], **self.document}
        chain = json.loads((checkout() / source["genesis"]["runtimeConfig"]).read_text())
        chain["proof"]["block_window_duration_ms"] = SLOT_MS
        self.document["genesis"] = {**source["genesis"], "runtimeConfig": json.dumps(chain)}
        self.project.mkdir(parents=True, exist_ok=True)
        for file in ("__main__.py", "Pulumi.yaml"):
            (self.project / file).write_text((checkout() / file).read_text())
        self.change()

    def change(self, **changes: Any) -> None:
        """Rewrite the stack file."""
        self.document |= changes
        file = self.project / f"Pulumi.{self.name}.yaml"
        file.write_text(yaml.safe_dump({"config": {"mina-infra:testnet": self.document}}))

    def resize(self, group: str, more: int) -> None:
        """Let a group have so many nodes more (or fewer)."""
        named = {each.get("group", each["role"]): each for each in self.document["nodes"]}
        named[group]["count"] = named[group].get("count", 1) + more
        self.change()

    @property
    def env(self) -> EngineEnvironment:
        """The engine's environment, from the stack file of the moment."""
        return embedded_environment_of(self.cluster, self.project, self.name)

    # --- commands -------------------------------------------------------------------------------------------------

    def up(self) -> int:
        """`mina-infra local up`: repairs the cluster, deploys, verifies, publishes. Its exit code."""
        return self.command("local", "up")

    def destroy(self) -> int:
        """`mina-infra destroy`."""
        return self.command("destroy", "--yes")

    def command(self, *words: str) -> int:
        """`mina-infra WORDS` for this stack, in this process. Raises what the command line would print."""
        return self.run(*words, "--stack", self.name)

    def run(self, *words: str) -> int:
        """The same, of whatever stack of the project."""
        with chdir(self.project):
            code: int = app([*words, "--cluster", self.cluster.name], result_action="return_value")
            return code

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """`mina-infra WORDS` in a process of its own."""
        command = [sys.executable, "-m", "mina_infra.cli", *words, "--stack", self.name, "--cluster", self.cluster.name]
        with (self.project / "command.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.project, stdout=log, stderr=log)

    def printed(self) -> str:
        """What the commands in processes of their own have printed so far."""
        return (self.project / "command.log").read_text()

    def wait(self) -> int:
        """Run no command: wait until the cluster itself has put every node right. The exit code of the verdict."""
        outputs = self.env.plan.outputs
        expected = [node.name for node in outputs.nodes]
        self.ask(lambda api: wait_until_running(api, self.name, expected, Silent(), deadline_s=PATIENCE_S))
        return self.verdict().exit_code

    def up_again(self) -> Mapping[str, int]:
        """What a further `up` changes, by operation."""
        return run.up(self.env).changes

    # --- looking --------------------------------------------------------------------------------------------------

    def ask(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        async def session() -> R:
            async with self.cluster.api() as api:
                return await question(api)

        return asyncio.run(session())

    def names(self, kind: Kind) -> list[str]:
        return [item["metadata"]["name"] for item in self.ask(lambda api: api.objects(kind, self.name))]

    def claims(self) -> dict[str, str]:
        """The uid of each claim by its name."""
        items = self.ask(lambda api: api.objects(CLAIM, self.name))
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}

    def volumes(self) -> dict[str, Path]:
        """The directory behind each claim that has one, by the claim's name."""
        items = self.ask(lambda api: api.objects(CLAIM, self.name))
        bound = {item["metadata"]["name"]: item["spec"].get("volumeName") for item in items}
        return {claim: self.cluster.paths.volumes / volume for claim, volume in bound.items() if volume}

    def mark(self) -> None:
        """Write a word of its own into every volume that has none yet."""
        for claim, folder in self.volumes().items():
            if not (folder / MARKER).exists():
                (folder / MARKER).write_text(f"{claim} {uuid4()}")

    def markers(self) -> dict[str, str]:
        """The word in the volume behind each claim."""
        files = {claim: folder / MARKER for claim, folder in self.volumes().items()}
        return {claim: file.read_text() for claim, file in files.items() if file.exists()}

    def verdict(self) -> Verdict:
        outputs = self.env.plan.outputs
        return self.ask(lambda api: verify(KubeCluster(api, self.name), outputs, PATIENCE_S))

    def remains(self) -> list[str]:
        """Whatever is left of the testnet: objects, volumes and their directories, logs, processes."""

        async def look(api: KubeApi) -> list[str]:
            namespace = await api.get(NAMESPACE, self.name)
            volumes = await api.objects(PERSISTENT_VOLUME)
            classes = await api.objects(STORAGE_CLASS, labels=f"testnet={self.name}")
            ours = [item for item in volumes if item["spec"].get("claimRef", {}).get("namespace") == self.name]
            kept = {item["metadata"]["name"] for item in volumes if item not in ours}
            folders = [folder.name for folder in self.cluster.paths.volumes.iterdir() if folder.name not in kept]
            return [
                *([f"namespace {self.name}"] if namespace else []),
                *(f"volume {item['metadata']['name']} of {item['spec']['claimRef']['name']}" for item in ours),
                *(f"class {item['metadata']['name']}" for item in classes),
                *(f"folder {name}" for name in folders),
                *(f"log {file.name}" for file in (self.cluster.paths.logs / self.name).glob("*")),
                *(f"process {command}" for command in leftovers(self.env.lock).values()),
            ]

        return self.ask(look)


def _testnet_of(stack: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((checkout() / f"Pulumi.{stack}.yaml").read_text())["config"]
    testnet: dict[str, Any] = config["mina-infra:testnet"]
    return testnet


# --- disturbing at an exact point -------------------------------------------------------------------------------------

Objects = Mapping[str, Manifest]


@contextmanager
def when(network: Network, kind: Kind, reached: Callable[[Objects], bool], act: Callable[[], None]) -> Iterator[None]:
    """While the body runs, `act` once, at the first event after which the testnet's objects are as `reached` says."""
    watching, fired, stop = threading.Event(), threading.Event(), threading.Event()

    async def watch() -> None:
        objects: dict[str, Manifest] = {}
        async with network.cluster.api() as api:
            async for event in api.watch(kind, network.name):
                if event.type == "SYNCED":
                    objects = {item["metadata"]["name"]: item for item in event.object["items"]}
                elif event.type == "DELETED":
                    objects.pop(event.object["metadata"]["name"], None)
                else:
                    objects[event.object["metadata"]["name"]] = event.object
                if event.type != "SYNCED" and reached(objects):
                    act()
                    fired.set()
                    return
                watching.set()

    async def until_stopped() -> None:
        task = asyncio.create_task(watch())
        while not task.done() and not stop.is_set():
            await asyncio.wait([task], timeout=0.2)
        task.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(until_stopped()))
    thread.start()
    try:
        assert watching.wait(10)
        yield
        assert fired.wait(PATIENCE_S), "the moment never came"
    finally:
        stop.set()
        thread.join()


def kill_command_when(
    network: Network,
    words: tuple[str, ...],
    kind: Kind,
    reached: Callable[[Objects], bool],
    and_then: Callable[[], object] = lambda: None,
) -> None:
    """Start `mina-infra WORDS` and kill it; its engine is interrupted by that, if `and_then` does not kill it too."""

    def act() -> None:
        kill(process.pid)
        process.wait()
        and_then()

    with when(network, kind, reached, act):
        process = network.start(*words)
        assert process.wait(PATIENCE_S) == -signal.SIGKILL, network.printed()


def at_least(count: int) -> Callable[[Objects], bool]:
    return lambda objects: len(objects) >= count


def at_most(count: int) -> Callable[[Objects], bool]:
    return lambda objects: len(objects) <= count


def engines(env: EngineEnvironment) -> list[int]:
    """The engine's processes whose run is this process or dead; its provider is not among them."""
    return [pid for pid, command in leftovers(env.lock).items() if command.split(" ")[0] == str(env.pulumi)]


def kill(*pids: int) -> None:
    """`kill -9`."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def wait_for_nothing(look: Callable[[], list[str]], deadline_s: float) -> list[str]:
    """Look until nothing is found; what is still found at the deadline."""
    deadline = time.monotonic() + deadline_s
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found
