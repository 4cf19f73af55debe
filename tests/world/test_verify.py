"""The guardian and the seam to the cluster on a real API server, kwok and the simulated network of the local stack."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
import yaml

from mina_infra.cluster.api import CLAIM, DEPLOYMENT, NAMESPACE, POD, ApiStatusError, KubeApi
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.roads import Road
from mina_infra.daemon.replies import decode_block, decode_status, decode_version, query
from mina_infra.errors import ClusterError
from mina_infra.guardian.findings import State
from mina_infra.guardian.report import text
from mina_infra.guardian.survey import newest_pods
from mina_infra.guardian.verdict import Verdict
from mina_infra.guardian.verify import verify
from mina_infra.guardian.watch.history import History
from mina_infra.guardian.watch.messages import Message
from mina_infra.guardian.watch.sinks import Lines, Post
from mina_infra.guardian.watch.watcher import Watcher
from mina_infra.local import kwokctl
from mina_infra.local.control_plane import EmbeddedCluster, start, stop
from mina_infra.local.paths import checkout
from mina_infra.local.tools import ensure_tools
from mina_infra.local.world import start_world
from mina_infra.outputs import OutputsDocument
from mina_infra.plan import TestnetPlan, parse_document, plan_testnet
from mina_infra.plan.localize import localize
from mina_infra.publish.folder import publish
from tests.world.survivors import SLOT_MS

R = TypeVar("R")
NAME = "guardian-test"
PATIENCE_S = 120.0


@dataclass
class Deployed:
    """A running local stack."""

    cluster: EmbeddedCluster
    outputs: OutputsDocument

    def ask(self, question: Callable[[KubeCluster], Awaitable[R]]) -> R:
        return self.with_api(lambda api: question(KubeCluster(api, self.outputs.namespace)))

    def with_api(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        async def run() -> R:
            async with self.cluster.api() as api:
                return await question(api)

        return asyncio.run(run())

    def verify(self, deadline_s: float = PATIENCE_S) -> Verdict:
        return self.ask(lambda cluster: verify(cluster, self.outputs, deadline_s))

    def pod_of(self, node: str) -> str:
        return newest_pods(self.ask(lambda cluster: cluster.pods()))[node].name


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("guardian")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINA_INFRA_STATE", str(folder))
        cluster = start(NAME, ensure_tools(print), print)
        try:
            start_world(cluster)
            config = yaml.safe_load((checkout() / "Pulumi.local.yaml").read_text())["config"]
            # Short slots, because production is judged by twenty of them.
            document = localize(config["mina-infra:testnet"], checkout(), SLOT_MS)
            plan = plan_testnet(parse_document(document, checkout()))
            here = Deployed(cluster, plan.outputs)
            here.with_api(lambda api: apply_all(api, plan))
            yield here
        finally:
            stop(NAME)


async def apply_all(api: KubeApi, plan: TestnetPlan) -> None:
    """By server-side apply: what the engine does of it is tested elsewhere."""
    for each in plan.objects():
        await api.apply(each.manifest)


@pytest.fixture(scope="module")
def healthy(deployed: Deployed) -> Verdict:
    verdict = deployed.verify()
    logs = [*deployed.cluster.state.glob("*.log"), *deployed.cluster.state.glob("kwok/**/kwok-controller.log")]
    assert verdict.healthy, "\n".join([text(verdict), *(f"{log}:\n{kwokctl.tail(log, 40)}" for log in logs)])
    return verdict


def test_a_fresh_network_becomes_healthy_and_every_node_is_seen(deployed: Deployed, healthy: Verdict) -> None:
    daemons = {node.name for node in deployed.outputs.daemons()}
    assert {node.name for node in healthy.nodes if node.status == "SYNCED"} == daemons
    assert healthy.finding("production").figures["slots"]


def test_the_seeds_are_published_with_the_identity_that_they_have(
    deployed: Deployed, healthy: Verdict, tmp_path: Path
) -> None:
    published = publish(deployed.outputs, healthy, tmp_path)
    lines = published.peers.read_text().splitlines()
    assert lines == sorted(seed.multiaddress for seed in deployed.outputs.seeds)


def test_a_deleted_pod_comes_back_and_goes_on_with_its_chain(deployed: Deployed, healthy: Verdict) -> None:
    height = healthy.node("whale-1").height
    pod = deployed.pod_of("whale-1")
    deployed.with_api(lambda api: api.delete(POD, pod, deployed.outputs.namespace, grace_seconds=0))
    verdict = deployed.verify()
    assert verdict.healthy, text(verdict)
    assert (verdict.node("whale-1").height or 0) >= (height or 0)


def test_a_node_scaled_to_zero_fails_at_once_and_is_named(deployed: Deployed, healthy: Verdict, tmp_path: Path) -> None:
    """By `verify`, and by a watch that is killed after each of its looks: it tells it once."""
    scale(deployed, "plain-1", 0)
    try:
        verdict = deployed.verify()
        told = [message for _ in range(4) for message in one_look(deployed, tmp_path)]
    finally:
        scale(deployed, "plain-1", 1)
    assert verdict.exit_code == 1
    assert verdict.finding("inventory").nodes == ["plain-1"]
    assert verdict.sweeps == 2
    missing = [change for message in told for change in message.changes if change.check == "inventory"]
    assert [(str(each.kind), each.problem, each.nodes) for each in missing] == [
        ("opened", "missing-node", ("plain-1",))
    ]
    assert [message.gap_s for message in told] == [None] * len(told)
    assert deployed.verify().healthy


def one_look(deployed: Deployed, folder: Path) -> list[Message]:
    """What a watch tells in its only look, going on from the one before it."""
    told: list[Message] = []

    async def look(cluster: KubeCluster) -> int:
        with History.open(folder / "watch.db", {"testnet": deployed.outputs.testnet}) as history:
            return await Watcher(cluster, deployed.outputs, history, Post(history, Lines(told.append))).run(until=0)

    deployed.ask(look)
    return told


def scale(deployed: Deployed, node: str, replicas: int) -> None:
    patch = {"spec": {"replicas": replicas}}
    deployed.with_api(lambda api: api.patch(DEPLOYMENT, node, patch, deployed.outputs.namespace))


def test_a_claim_that_nobody_planned_is_reported_and_does_not_fail(deployed: Deployed, healthy: Verdict) -> None:
    spare = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "spare", "namespace": deployed.outputs.namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    deployed.with_api(lambda api: api.create(spare))
    try:
        finding = deployed.verify().finding("claims")
    finally:
        deployed.with_api(lambda api: api.delete(CLAIM, "spare", deployed.outputs.namespace))
    assert finding.state is State.PASS
    assert "spare" in finding.warnings[0]


def test_the_seam_reaches_a_daemon_by_every_road(deployed: Deployed, healthy: Verdict) -> None:
    pod = deployed.pod_of("seed-1")
    version = decode_version(deployed.ask(lambda cluster: cluster.graphql(pod, query("version"))))
    assert version.sync_status == "SYNCED"
    status = deployed.ask(lambda cluster: cluster.exec(pod, "mina", ["mina", "client", "status"]))
    assert status.exit_code == 0, status
    assert b"Mina daemon status" in status.stdout
    assert deployed.ask(lambda cluster: cluster.exec(pod, "mina", ["sh", "-c", "exit 3"])).exit_code == 3
    assert len(deployed.ask(lambda cluster: cluster.read_log(pod, "mina")).splitlines()) > 3
    assert len(deployed.ask(lambda cluster: cluster.read_log(pod, "mina", LogRange(tail_lines=1))).splitlines()) == 1
    assert deployed.ask(first_line)
    assert deployed.ask(lambda cluster: cluster.events())
    drift = deployed.ask(lambda cluster: cluster.server_time()) - datetime.now(UTC)
    assert abs(drift.total_seconds()) < 5


def test_the_verdict_is_the_same_by_every_road_that_leads_to_a_simulated_pod(
    deployed: Deployed, healthy: Verdict
) -> None:
    """Nothing answers at the pods' addresses: the proxy is tried once for all nodes, then port-forward is taken."""

    async def by(api: KubeApi, roads: tuple[Road, ...] | None) -> tuple[Verdict, Road | None]:
        cluster = KubeCluster(api, deployed.outputs.namespace, roads)
        return await verify(cluster, deployed.outputs, PATIENCE_S), cluster.road

    for roads, taken in (None, Road.PORT_FORWARD), ((Road.EXEC,), Road.EXEC):
        verdict, road = deployed.with_api(lambda api, roads=roads: by(api, roads))
        assert verdict.healthy, text(verdict)
        assert road is taken
    lost, road = deployed.with_api(lambda api: by_proxy_at_once(api, deployed.outputs))
    assert (lost.exit_code, road) == (2, None)
    assert all(row["found"] == "the way to it failed" for row in lost.finding("answers").evidence)


async def by_proxy_at_once(api: KubeApi, outputs: OutputsDocument) -> tuple[Verdict, Road | None]:
    cluster = KubeCluster(api, outputs.namespace, (Road.PROXY,))
    return await verify(cluster, outputs, 0), cluster.road


def test_the_limited_port_of_a_simulated_daemon_has_the_limited_schema(deployed: Deployed, healthy: Verdict) -> None:
    pod = deployed.pod_of("whale-1")
    status = decode_status(deployed.ask(lambda cluster: cluster.graphql(pod, query("status"), port=3095)))
    asked = {"stateHash": status.state_hash}
    block = decode_block(deployed.ask(lambda cluster: cluster.graphql(pod, query("block"), asked, port=3095)))
    assert block is not None
    assert block.state_hash == status.state_hash
    refused = deployed.ask(lambda cluster: cluster.graphql(pod, query("best_chain"), {"maxLength": 1}, port=3095))
    assert b"bestChain" in refused
    assert b"errors" in refused


async def first_line(cluster: KubeCluster) -> bytes:
    pod = newest_pods(await cluster.pods())["seed-1"].name
    async for line in cluster.follow_log(pod, "mina", LogRange(tail_lines=1)):
        return line
    return b""


def test_an_eviction_can_be_tried_without_doing_it(deployed: Deployed, healthy: Verdict) -> None:
    pod = deployed.pod_of("plain-1")
    deployed.ask(lambda cluster: cluster.evict(pod, dry_run=True))
    assert deployed.pod_of("plain-1") == pod
    with pytest.raises(ApiStatusError):
        deployed.ask(lambda cluster: cluster.evict("nobody"))


def test_a_namespace_of_somebody_else_is_refused(deployed: Deployed) -> None:
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "theirs"}}
    deployed.with_api(lambda api: api.create(manifest))
    try:
        foreign = deployed.outputs.model_copy(update={"namespace": "theirs"})
        with pytest.raises(ClusterError, match=r"theirs.*not managed by mina-infra"):
            deployed.ask(lambda cluster: verify(KubeCluster(cluster._api, "theirs"), foreign, 0))
    finally:
        deployed.with_api(lambda api: api.delete(NAMESPACE, "theirs"))


def test_a_cluster_that_does_not_answer_is_a_clear_error(deployed: Deployed, tmp_path: Path) -> None:
    dead = tmp_path / "kubeconfig"
    dead.write_text(deployed.cluster.kubeconfig.read_text().replace(deployed.cluster.server, "https://127.0.0.1:9"))

    async def look() -> Verdict:
        async with KubeApi.from_kubeconfig(dead) as api:
            return await verify(KubeCluster(api, deployed.outputs.namespace), deployed.outputs, 0)

    with pytest.raises(ClusterError, match=r"https://127\.0\.0\.1:9 does not answer"):
        asyncio.run(look())
