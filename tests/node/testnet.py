"""A testnet with every role on a real node: its document, its Secrets, and what can be seen of it from outside."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Set
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from mina_infra.cli.place import embedded_environment_of
from mina_infra.cluster.api import (
    CLAIM,
    EVENT,
    NAMESPACE,
    POD,
    ApiStatusError,
    Kind,
    KubeApi,
    Manifest,
)
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.engine import run
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import checkout
from mina_infra.local.provisioner import run_provisioner
from mina_infra.plan import parse_document, secrets
from mina_infra.spec import TestnetSpec
from tests.engine.testnets import PEER
from tests.node.machine import Machine

T = TypeVar("T")

DAEMON, NEXT_DAEMON = "registry.example/mina-daemon:3.0.1", "registry.example/mina-daemon:3.0.2"
IMAGES = {
    "archive": "registry.example/mina-archive:3.0.1",
    "postgres": "registry.example/postgres:16",
    "userAgent": "registry.example/mina-user-agent:1.0.0",
    "bots": "registry.example/mina-bots:1.0.0",
    "init": "registry.example/init:1.36",
}
LEDGER, CHECK = "registry.example/ledger", "registry.example/check"
"""Pinned by the digest of the one image that there is."""

SMALL = {"cpu": "10m", "memory": "16Mi"}
PATIENCE_S = 180.0
KEY_TEXT = "the-key-of-"
KEYSET = "producers"


def document(name: str, ledger_digest: str) -> dict[str, Any]:
    """A node of each role, two producers with one keyset, and a producer with all bots beside it."""
    nodes: list[dict[str, Any]] = [
        {"role": "seed", "identities": [{"peerId": PEER}]},
        {"role": "block-producer", "group": "whale", "count": 2, "stake": 30, "keys": {"secret": KEYSET}},
        {"role": "block-producer", "group": "fish", "stake": 5, "bots": ["user-agent", "faucet", "echo"]},
        *({"role": role} for role in ("snark-coordinator", "snark-worker", "archive", "plain")),
        *({"role": role} for role in ("user-agent", "faucet", "echo")),
    ]
    return {
        "name": name,
        "target": {"provider": "local", "region": "local", "zones": ["local-a"]},
        "retention": "retain",
        "image": DAEMON,
        "images": IMAGES,
        "genesis": {
            "runtimeConfig": (checkout() / "config" / "local" / "daemon.json").read_text(),
            "ledger": {"image": f"{LEDGER}@{ledger_digest}"},
        },
        "nodes": [{**each, "resources": SMALL} for each in nodes],
    }


class Frontier(NamedTuple):
    """What a node keeps: a chain, which has a name of its own, and how high it is."""

    chain: str
    height: int


@dataclass
class Testnet:
    """The testnet, its cluster and the machine that its pods run on."""

    __test__ = False  # not a test class

    name: str
    cluster: EmbeddedCluster
    machine: Machine
    project: Path
    document: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.project.mkdir(parents=True)
        for file in ("__main__.py", "Pulumi.yaml"):
            (self.project / file).write_text((checkout() / file).read_text())

    # --- commands -----------------------------------------------------------------------------------------------------

    @property
    def env(self) -> EngineEnvironment:
        config = {"config": {"mina-infra:testnet": self.document}}
        (self.project / f"Pulumi.{self.name}.yaml").write_text(yaml.safe_dump(config))
        return embedded_environment_of(self.cluster, self.project, self.name)

    def up(self, paused: Set[str] = frozenset()) -> None:
        with self._telling_why():
            run.up(self.env, paused=paused)

    def destroy(self) -> None:
        run.destroy(self.env, exclude_protected=True)

    # --- what there is --------------------------------------------------------------------------------------------

    @cached_property
    def spec(self) -> TestnetSpec:
        return parse_document(self.document, self.project)

    def ask(self, question: Callable[[KubeApi], Awaitable[T]]) -> T:
        async def answer() -> T:
            async with self.cluster.api() as api:
                return await question(api)

        return asyncio.run(answer())

    def pods(self) -> dict[str, Manifest]:
        """By node name; none that is being deleted, and none of a Job."""
        items = self.ask(lambda api: api.objects(POD, self.name))
        return {item["metadata"]["labels"]["app"]: item for item in items if _is_node(item)}

    def claims(self) -> dict[str, str]:
        """The uid of each claim by name."""
        items = self.ask(lambda api: api.objects(CLAIM, self.name))
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}

    def volume(self, claim: str) -> Path:
        """The directory behind a claim."""
        found = self.ask(lambda api: api.get(CLAIM, claim, self.name))
        assert found is not None, claim
        return self.cluster.paths.volumes / str(found["spec"]["volumeName"])

    def frontiers(self) -> dict[str, Frontier]:
        """What lies on the volume of each daemon, by node name."""
        items = self.ask(lambda api: api.objects(CLAIM, self.name, labels="mina-infra/volume=runtime-state"))
        found = {}
        for item in items:
            folder = self.cluster.paths.volumes / str(item["spec"].get("volumeName"))
            chain, height = (folder / "frontier").read_text().split()
            found[item["metadata"]["labels"]["app"]] = Frontier(chain, int(height))
        return found

    def log(self, pod: Manifest, container: str) -> str:
        """What the container has said; waits for its first line."""
        name = pod["metadata"]["name"]
        deadline = time.monotonic() + PATIENCE_S
        while True:
            log = self.ask(lambda api: KubeCluster(api, self.name).read_log(name, container)).decode()
            if "\n" in log:
                return log
            assert time.monotonic() < deadline, f"{container} of {name} says nothing\n{self.why()}"
            time.sleep(0.1)

    def shell(self, node: str, container: str, script: str) -> str:
        """What a script that runs in a node's container writes, then its complaints."""
        pod = self.pods()[node]["metadata"]["name"]
        result = self.ask(lambda api: KubeCluster(api, self.name).exec(pod, container, ["sh", "-c", script]))
        return (result.stdout + result.stderr).decode()

    # --- waiting ----------------------------------------------------------------------------------------------------

    def until(self, kind: Kind, true: Callable[[dict[str, Manifest]], T | None]) -> T:
        """Watch all objects of a kind until the answer is neither None nor false; returns it."""

        async def watch(api: KubeApi) -> T:
            known: dict[str, Manifest] = {}
            async with asyncio.timeout(PATIENCE_S):
                async for event in api.watch(kind, self.name):
                    if event.type == "SYNCED":
                        known = {item["metadata"]["name"]: item for item in event.object["items"]}
                    elif event.type == "DELETED":
                        known.pop(event.object["metadata"]["name"], None)
                    else:
                        known[event.object["metadata"]["name"]] = event.object
                    if answer := true(known):
                        return answer
            raise AssertionError

        with self._telling_why():
            return self.ask(watch)

    def until_running(self, instead_of: dict[str, Manifest] | None = None, image: str = "") -> dict[str, Manifest]:
        """Until every node has a pod whose containers all run, another one than given; returns the pods."""
        old = {pod["metadata"]["uid"] for pod in (instead_of or {}).values()}
        names = {name for group in self.spec.nodes for name in group.node_names()}

        def running(objects: dict[str, Manifest]) -> dict[str, Manifest] | None:
            pods = {item["metadata"]["labels"]["app"]: item for item in objects.values() if _is_node(item)}
            good = {name for name, pod in pods.items() if _runs(pod) and pod["metadata"]["uid"] not in old}
            return pods if good == names and all(image in _daemon_image(pod) for pod in pods.values()) else None

        return self.until(POD, running)

    def until_grown(self, before: dict[str, Frontier]) -> dict[str, Frontier]:
        """Until every chain is higher than it was; fails as soon as one is another chain or has fallen."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            now = self.frontiers()
            lost = {name: (was, now.get(name)) for name, was in before.items() if not _kept(was, now.get(name))}
            assert not lost, f"lost: {lost}"
            if all(now[name].height > was.height for name, was in before.items()):
                return now
            assert time.monotonic() < deadline, f"chains do not grow: {before}, {now}\n{self.why()}"
            time.sleep(0.1)

    def why(self) -> str:
        """What the pods wait for, in the words of their events and of the machine."""
        lines = []
        for pod in self.ask(lambda api: api.objects(POD, self.name)):
            status = pod.get("status", {})
            states = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
            bad = {each["name"]: each["state"] for each in states if "running" not in each["state"]}
            lines.append(f"{pod['metadata']['name']} {status.get('phase')} {json.dumps(bad)}")
        for event in self.ask(lambda api: api.objects(EVENT, self.name)):
            if event.get("type") != "Normal":
                lines.append(f"{event['involvedObject']['name']}: {event.get('message', '')[:300]}")
        return "\n".join([*lines, self.machine.complaints()])

    @contextmanager
    def _telling_why(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            error.add_note(self.why())
            raise

    # --- what it needs --------------------------------------------------------------------------------------------

    async def make_secrets(self, api: KubeApi) -> None:
        """All Secrets that the plan refers to, as soon as their namespace is there."""
        async for event in api.watch(NAMESPACE):
            items = event.object["items"] if event.type == "SYNCED" else [event.object]
            if any(item["metadata"]["name"] == self.name for item in items):
                break
        for need in secrets.needed(self.spec):
            data = {key: _secret_text(need, key) for key in need.keys}
            meta = {"name": need.name, "namespace": self.name}
            with suppress(ApiStatusError):
                await api.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data})

    def images(self) -> set[str]:
        ledger = self.document["genesis"]["ledger"]["image"]
        return {DAEMON, NEXT_DAEMON, *IMAGES.values(), ledger, ledger.replace(LEDGER, CHECK)}

    @contextmanager
    def served(self) -> Iterator[None]:
        """A thread that makes volumes and Secrets meanwhile."""
        loop = asyncio.new_event_loop()
        ended = threading.Event()

        async def serve() -> None:
            async with _clients(self.cluster) as (api, other):
                paths = self.cluster.paths
                await asyncio.gather(run_provisioner(api, paths.volumes, paths.snapshots), self.make_secrets(other))

        task = loop.create_task(serve())

        def work() -> None:
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
            loop.close()
            ended.set()

        thread = threading.Thread(target=work, name="volumes and Secrets")
        thread.start()
        try:
            yield
        finally:
            if not ended.is_set():
                loop.call_soon_threadsafe(task.cancel)
            thread.join()


@asynccontextmanager
async def _clients(cluster: EmbeddedCluster) -> AsyncIterator[tuple[KubeApi, KubeApi]]:
    async with cluster.api() as one, cluster.api() as other:
        yield one, other


def _secret_text(need: secrets.SecretNeed, key: str) -> str:
    """Private keys can be told apart from everything else; a keyset holds NAME and NAME.pub, the others key and pub."""
    if key == secrets.KEY:
        return f"{KEY_TEXT}{need.name}"
    return f"{KEY_TEXT}{key}" if f"{key}.{secrets.PUBLIC}" in need.keys else f"{need.name}.{key}"


def _is_node(pod: Manifest) -> bool:
    return "app" in pod["metadata"]["labels"] and "deletionTimestamp" not in pod["metadata"]


def _runs(pod: Manifest) -> bool:
    states = pod["status"].get("containerStatuses", [])
    return bool(states) and all("running" in each["state"] for each in states)


def _daemon_image(pod: Manifest) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def _kept(was: Frontier, now: Frontier | None) -> bool:
    return now is not None and now.chain == was.chain and now.height >= was.height
