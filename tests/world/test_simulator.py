"""Simulated nodes of a real cluster: reached as real daemons are, with chains that live as long as their volumes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from mina_infra.cluster.api import CLAIM, DEPLOYMENT, POD, KubeApi
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.objects import Pod
from mina_infra.daemon.logs import parse_lines
from mina_infra.daemon.replies import BestChain, DaemonStatus, SyncStatus, decode_best_chain, decode_status, query
from mina_infra.daemon.status_text import parse_status
from mina_infra.errors import ClusterError
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import checkout
from mina_infra.local.world import start_world, world_processes
from mina_infra.plan import TestnetPlan, plan_testnet
from mina_infra.plan.localize import localize
from mina_infra.simulator.kwok import EXEC, LOGS, PORT_FORWARD
from mina_infra.spec.load import parse

R = TypeVar("R")
NAME = "simulated"
PATIENCE_SECONDS = 90.0
NODES = ("seed-1", "whale-1", "whale-2", "plain-1")
SEED_ID = "12D3KooWAdgYL6hv18M3iDBdaK1dRygPivSfAfBNDzie6YqydVbs"


def document() -> dict[str, Any]:
    return {
        "name": NAME,
        "target": {"provider": "local", "region": "local", "zones": ["local-a", "local-b"]},
        "image": "registry.example/mina-daemon:3.0.1",
        "genesis": {
            "runtimeConfig": "config/local/daemon.json",
            "ledger": {"image": f"registry.example/ledger@sha256:{'5' * 64}"},
        },
        "nodes": [
            {"role": "seed", "count": 1, "identities": [{"peerId": SEED_ID}]},
            {"role": "block-producer", "group": "whale", "count": 2, "stake": 50},
            {"role": "plain"},
        ],
    }


class Testnet:
    """A small testnet on a cluster of its own, whose world may be killed."""

    __test__ = False

    def __init__(self, cluster: EmbeddedCluster, plan: TestnetPlan) -> None:
        self.cluster = cluster
        self.plan = plan

    def run(self, work: Callable[[KubeApi, KubeCluster], Awaitable[R]]) -> R:
        async def whole() -> R:
            async with self.cluster.api() as api, asyncio.timeout(PATIENCE_SECONDS):
                return await work(api, KubeCluster(api, NAME))

        try:
            return asyncio.run(whole())
        except TimeoutError:
            worlds = [each.pid for each in world_processes(self.cluster.paths)]
            log = self.cluster.paths.world_log.read_text().splitlines()[-15:]
            pytest.fail(
                "\n".join([f"not within {PATIENCE_SECONDS} s; world processes {worlds}; the world's log:", *log])
            )

    def deploy(self) -> None:
        async def work(api: KubeApi, _: KubeCluster) -> None:
            for item in self.plan.objects():
                await api.apply(item.manifest)

        self.run(work)

    def pod(self, node: str) -> Pod:
        async def work(_: KubeApi, cluster: KubeCluster) -> Pod:
            return await running(cluster, node)

        return self.run(work)

    def status(self, node: str, **expected: object) -> DaemonStatus:
        """As soon as it has these values."""

        async def work(_: KubeApi, cluster: KubeCluster) -> DaemonStatus:
            return (await watch(cluster, node, lambda status: fits(status, expected)))[-1]

        return self.run(work)

    def chain(self, node: str) -> BestChain:
        async def work(_: KubeApi, cluster: KubeCluster) -> BestChain | None:
            pod = await running(cluster, node)
            return decode_best_chain(await cluster.graphql(pod.name, query("best_chain"), {"maxLength": 20}))

        chain = self.run(work)
        assert chain is not None
        return chain


def fits(status: DaemonStatus, expected: dict[str, object]) -> bool:
    return all(getattr(status, name) == value for name, value in expected.items())


async def running(cluster: KubeCluster, node: str) -> Pod:
    """The node's pod, as soon as there is one that runs."""
    while True:
        for pod in await cluster.pods():
            if pod.labels.get("app") == node and pod.phase == "Running" and not pod.deleting:
                return pod
        await asyncio.sleep(0.05)


async def watch(
    cluster: KubeCluster, node: str, enough: Callable[[DaemonStatus], bool], *, not_pod: str = ""
) -> list[DaemonStatus]:
    """Every status that a node gives until it is enough; not those of a pod that is to be replaced."""
    seen: list[DaemonStatus] = []
    while not (seen and enough(seen[-1])):
        try:
            pod = await running(cluster, node)
            if pod.name != not_pod:
                seen.append(decode_status(await cluster.graphql(pod.name, query("status"))))
        except ClusterError:
            pass  # it does not listen yet
        await asyncio.sleep(0.02)
    return seen


@pytest.fixture(scope="module")
def testnet(start: Callable[..., EmbeddedCluster]) -> Testnet:
    cluster = start("simulator")
    start_world(cluster)
    spec = parse(localize(document(), checkout()), base=checkout())
    testnet = Testnet(cluster, plan_testnet(spec))
    testnet.deploy()
    for node in NODES:
        testnet.status(node, sync_status=SyncStatus.SYNCED)
    return testnet


def test_the_nodes_form_one_chain_that_grows(testnet: Testnet) -> None:
    first = testnet.status("seed-1")
    assert len(first.peers) == len(NODES) - 1
    assert first.addrs_and_ports.peer is not None
    assert first.addrs_and_ports.peer.peer_id == SEED_ID

    async def grown(_: KubeApi, cluster: KubeCluster) -> list[DaemonStatus]:
        start = first.blockchain_length or 0
        return await watch(cluster, "seed-1", lambda status: (status.blockchain_length or 0) >= start + 3)

    testnet.run(grown)
    chains = [testnet.chain(node) for node in NODES]
    settled = min(chain[-1].height for chain in chains) - 1  # the tips themselves may differ for a moment
    assert len({block.state_hash for chain in chains for block in chain if block.height == settled}) == 1


def test_the_command_line_works_through_exec(testnet: Testnet) -> None:
    pod = testnet.pod("whale-1")
    for arguments in (["client", "status"], ["client", "status", "--json"]):

        async def work(_: KubeApi, cluster: KubeCluster, arguments: list[str] = arguments) -> bytes:
            return (await cluster.exec(pod.name, "mina", ["mina", *arguments])).stdout

        status = parse_status(testnet.run(work))
        assert status.sync_status is SyncStatus.SYNCED
        assert status.block_producers == 1


def test_logs_come_through_the_api_server(testnet: Testnet) -> None:
    pod = testnet.pod("plain-1")

    async def work(_: KubeApi, cluster: KubeCluster) -> bytes:
        while True:
            text = await cluster.read_log(pod.name, "mina", LogRange())
            if b"Received a block" in text:
                return text
            await asyncio.sleep(0.2)

    lines = list(parse_lines(testnet.run(work).splitlines()))
    assert all(line.structured for line in lines)
    assert "Mina daemon is synced" in {line.message for line in lines}


def test_a_deleted_pod_comes_back_with_its_chain_and_without_bootstrap(testnet: Testnet) -> None:
    before, pod = testnet.status("plain-1"), testnet.pod("plain-1")

    async def work(api: KubeApi, cluster: KubeCluster) -> list[DaemonStatus]:
        await api.delete(POD, pod.name, NAME, grace_seconds=0)
        return await watch(cluster, "plain-1", lambda status: status.sync_status is SyncStatus.SYNCED, not_pod=pod.name)

    seen = testnet.run(work)
    assert SyncStatus.BOOTSTRAP not in {status.sync_status for status in seen}
    heights = [status.blockchain_length for status in seen if status.blockchain_length is not None]
    assert heights == sorted(heights)
    assert heights[0] >= (before.blockchain_length or 0)


def test_the_objects_of_a_pod_go_with_it(testnet: Testnet) -> None:
    pod = testnet.pod("plain-1")

    async def work(api: KubeApi, cluster: KubeCluster) -> None:
        for kind in (PORT_FORWARD, LOGS, EXEC):
            assert await api.get(kind, pod.name, NAME) is not None
        await api.delete(POD, pod.name, NAME, grace_seconds=0)
        for kind in (PORT_FORWARD, LOGS, EXEC):
            while await api.get(kind, pod.name, NAME) is not None:
                await asyncio.sleep(0.1)

    testnet.run(work)
    log = testnet.cluster.paths.logs / NAME / f"{pod.name}.log"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while log.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_no_height_falls_when_the_simulator_is_killed(testnet: Testnet) -> None:
    before = {node: testnet.status(node, sync_status=SyncStatus.SYNCED).blockchain_length or 0 for node in NODES}
    (world,) = world_processes(testnet.cluster.paths)
    os.kill(world.pid, signal.SIGKILL)
    start_world(testnet.cluster)

    async def work(_: KubeApi, cluster: KubeCluster) -> dict[str, list[DaemonStatus]]:
        def enough(status: DaemonStatus) -> bool:
            return status.sync_status is SyncStatus.SYNCED and (status.blockchain_length or 0) > max(before.values())

        answers = await asyncio.gather(*(watch(cluster, node, enough) for node in NODES))
        return dict(zip(NODES, answers, strict=True))

    for node, seen in testnet.run(work).items():
        assert SyncStatus.BOOTSTRAP not in {status.sync_status for status in seen}, node
        heights = [status.blockchain_length for status in seen if status.blockchain_length is not None]
        assert heights == sorted(heights), node
        assert heights[0] >= before[node]


def test_all_pods_at_once_come_back_with_their_chains(testnet: Testnet) -> None:
    before = max(testnet.status(node).blockchain_length or 0 for node in NODES)
    names = [testnet.pod(node).name for node in NODES]

    async def work(api: KubeApi, cluster: KubeCluster) -> list[list[DaemonStatus]]:
        await asyncio.gather(*(api.delete(POD, name, NAME, grace_seconds=0) for name in names))

        def enough(status: DaemonStatus) -> bool:
            return status.sync_status is SyncStatus.SYNCED and (status.blockchain_length or 0) > before

        return await asyncio.gather(
            *(watch(cluster, node, enough, not_pod=name) for node, name in zip(NODES, names, strict=True))
        )

    for seen in testnet.run(work):
        assert SyncStatus.BOOTSTRAP not in {status.sync_status for status in seen}


def test_a_node_that_lost_its_volume_bootstraps(testnet: Testnet) -> None:
    """Its claim is deleted with its Deployment and made anew: the provisioner gives it an empty directory."""
    claims = [
        item.manifest for item in testnet.plan.objects() if item.manifest["metadata"]["name"].startswith("plain-1")
    ]
    old = testnet.pod("plain-1").name

    async def work(api: KubeApi, cluster: KubeCluster) -> list[DaemonStatus]:
        await api.delete(DEPLOYMENT, "plain-1", NAME)
        claim = next(item["metadata"]["name"] for item in claims if item["kind"] == CLAIM.kind)
        await api.delete(CLAIM, claim, NAME)
        while await api.get(CLAIM, claim, NAME) is not None:
            await asyncio.sleep(0.1)
        for item in claims:
            await api.apply(item)
        return await watch(cluster, "plain-1", lambda status: status.sync_status is SyncStatus.SYNCED, not_pod=old)

    seen = testnet.run(work)
    assert SyncStatus.BOOTSTRAP in {status.sync_status for status in seen}
    assert seen[-1].blockchain_length == pytest.approx(testnet.status("seed-1").blockchain_length or 0, abs=3)


def test_a_daemon_that_refuses_its_flags_does_not_answer_and_says_why(testnet: Testnet) -> None:
    async def work(api: KubeApi, cluster: KubeCluster) -> str:
        manifest = await api.get(DEPLOYMENT, "plain-1", NAME)
        assert manifest is not None
        container = manifest["spec"]["template"]["spec"]["containers"][0]
        old = (await running(cluster, "plain-1")).name
        container["args"] = [*container["args"], "-log-received-blocks", "true"]
        await api.patch(DEPLOYMENT, "plain-1", {"spec": manifest["spec"]}, NAME)
        while (pod := await running(cluster, "plain-1")).name == old:
            await asyncio.sleep(0.05)
        while True:
            try:
                text = (await cluster.read_log(pod.name, "mina", LogRange())).decode()
            except ClusterError:
                text = ""
            if "exited" in text:
                break
            await asyncio.sleep(0.1)
        with pytest.raises(ClusterError):
            await cluster.graphql(pod.name, query("version"))
        return text

    assert "unknown flag -log-received-blocks" in testnet.run(work)
