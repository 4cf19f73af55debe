"""The simulator of a cluster against an API server in memory: which pods become nodes, and what they can meet."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from mina_infra.cluster.api import POD, KubeApi
from mina_infra.daemon.replies import DaemonStatus, SyncStatus, decode_status, request_body
from mina_infra.simulator.genesis import MARKER
from mina_infra.simulator.pods import staking_key
from mina_infra.simulator.world import LABELS, World
from tests.simulator.fake_api import DIGEST, FakeApi, daemon_pod, job_pod

PATIENCE_SECONDS = 20.0


class Scene:
    """A running simulator, and what a test does with it."""

    def __init__(self, folder: Path) -> None:
        self.api = FakeApi(folder / "volumes")
        self.api.config()
        self.state = folder / "state"
        self.world = self._new()
        self.tasks: list[asyncio.Task[None]] = []

    def _new(self) -> World:
        return World(cast(KubeApi, self.api), self.state)

    def begin(self) -> None:
        work = (
            self.world.watch_pods(),
            self.world.networks.watch_stakes(cast(KubeApi, self.api), LABELS),
            self.world.run_clock(),
        )
        self.tasks = [asyncio.create_task(each) for each in work]

    def kill(self) -> None:
        """As `kill -9`: nothing is written any more."""
        for task in [*self.tasks, *self.world._tasks]:
            task.cancel()
        for daemon in self.world.daemons.values():
            daemon.server.close()
        self.world = self._new()

    def log_of(self, pod: str) -> str:
        path = Path(self.api.file("Logs", pod)["logs"][0]["logsFile"])
        return path.read_text() if path.exists() else ""

    async def ask(self, pod: str, path: str = "/graphql", body: bytes = b"") -> bytes:
        """Over the loopback port that kwok would forward to."""
        port = self.api.file("PortForward", pod)["forwards"][0]["target"]["port"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = body or request_body("status")
        method = "POST" if path in ("/graphql", "/command") else "GET"
        head = f"{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\r\n\r\n")[2]

    async def status(self, pod: str) -> DaemonStatus | None:
        """None while nobody answers."""
        try:
            return decode_status(await self.ask(pod))
        except (OSError, KeyError):
            return None

    async def until(self, pod: str, **expected: object) -> DaemonStatus:
        """Wait until the status has these values."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                status = await self.status(pod)
                if status and all(getattr(status, name) == value for name, value in expected.items()):
                    return status
                await asyncio.sleep(0.02)

    async def until_true(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await asyncio.sleep(0.02)

    async def until_height(self, pod: str, height: int) -> DaemonStatus:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                status = await self.status(pod)
                if status and (status.blockchain_length or 0) >= height:
                    return status
                await asyncio.sleep(0.02)

    def testnet(self) -> None:
        """A seed, a producer, a follower."""
        for node, stake in (("seed-1", 0.0), ("whale-1", 6.0), ("plain-1", 0.0)):
            self.api.claim(f"{node}-state")
            self.api.daemon(node, stake=stake)


Play = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Play], None]:
    def run(act: Play) -> None:
        async def whole() -> None:
            scene = Scene(tmp_path)
            scene.begin()
            try:
                await act(scene)
            finally:
                scene.kill()

        asyncio.run(whole())

    return run


def test_pods_become_one_network(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        for pod in ("seed-1-pod", "whale-1-pod", "plain-1-pod"):
            status = await scene.until(pod, sync_status=SyncStatus.SYNCED)
            assert len(status.peers) == 2
        await scene.until_height("plain-1-pod", 5)
        forward = scene.api.file("PortForward", "seed-1-pod")["forwards"][0]
        assert forward["ports"] == [3085, 10001]
        assert scene.api.file("Exec", "seed-1-pod")["execs"][0]["local"]["envs"][0]["name"] == "MINA_SIMULATOR_PORT"
        assert b"Coda_Network_peers 2" in await scene.ask("seed-1-pod", "/metrics")
        assert b'"sync_status": "Synced"' in await scene.ask("seed-1-pod", "/status")
        assert (await scene.ask("seed-1-pod", "/command", b"client\0status")).startswith(b"0\nMina daemon status")
        assert b"Not found" in await scene.ask("seed-1-pod", "/other")

    play(act)


def test_a_new_pod_on_the_same_claim_carries_on(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        before = await scene.until_height("plain-1-pod", 5)
        scene.api.delete(POD, "plain-1-pod")
        await scene.until_true(lambda: "uid-plain-1-pod" not in scene.world.daemons)
        scene.api.daemon("plain-1", pod="plain-1-again")
        after = await scene.until("plain-1-again", sync_status=SyncStatus.SYNCED)
        assert after.blockchain_length is not None
        assert after.blockchain_length >= (before.blockchain_length or 0)
        assert after.addrs_and_ports.peer != before.addrs_and_ports.peer  # no identity was given
        assert "bootstrap" not in scene.log_of("plain-1-again")

    play(act)


def test_a_killed_simulator_carries_on_from_the_volumes(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        told = await scene.until_height("whale-1-pod", 8)
        scene.kill()
        scene.begin()
        again = await scene.until("whale-1-pod", sync_status=SyncStatus.SYNCED)
        assert again.blockchain_length is not None
        assert again.blockchain_length >= (told.blockchain_length or 0)
        assert all(daemon.node and not daemon.node.counters.bootstraps for daemon in scene.world.daemons.values())

    play(act)


def test_a_lost_volume_means_bootstrap(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        await scene.until_height("plain-1-pod", 5)
        scene.api.delete(POD, "plain-1-pod")
        await scene.until_true(lambda: "uid-plain-1-pod" not in scene.world.daemons)
        shutil.rmtree(scene.api.volumes / "pv-plain-1-state")
        scene.api.claim("plain-1-state")
        scene.api.daemon("plain-1", "-log-json", pod="plain-1-again")
        await scene.until("plain-1-again", sync_status=SyncStatus.SYNCED)
        await scene.until_true(lambda: "Starting bootstrap" in scene.log_of("plain-1-again"))

    play(act)


def test_an_emptydir_is_lost_with_its_pod(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        scene.api.daemon("drifter", claim="")
        await scene.until("drifter-pod", sync_status=SyncStatus.SYNCED)
        folder = scene.state / "ephemeral" / "uid-drifter-pod"
        assert (folder / "frontier").is_dir()
        scene.api.delete(POD, "drifter-pod")
        await scene.until_true(lambda: not folder.exists())

    play(act)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-log-received-blocks", "true"), "unknown flag -log-received-blocks"),
        (("-external-ip", "$(NO)"), "never resolved"),
    ],
)
def test_a_daemon_with_a_bad_command_line_says_so_and_does_not_answer(
    play: Callable[[Play], None], arguments: tuple[str, ...], words: str
) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        scene.api.daemon("plain-2", *arguments)
        await scene.until_true(lambda: ("Exec", "ns", "plain-2-pod") in scene.api.objects)
        await scene.until("seed-1-pod", sync_status=SyncStatus.SYNCED)
        assert words in scene.log_of("plain-2-pod")
        assert await scene.status("plain-2-pod") is None

    play(act)


def test_without_the_genesis_ledger_a_daemon_waits_in_bootstrap(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.api.claim("ledger")
        for node, stake in (("seed-1", 0.0), ("whale-1", 6.0)):
            scene.api.claim(f"{node}-state")
            scene.api.daemon(node, stake=stake, ledger="ledger")
        await scene.until("whale-1-pod", sync_status=SyncStatus.BOOTSTRAP)
        reads = scene.api.reads
        await scene.until_true(lambda: "Could not find a genesis ledger" in scene.log_of("seed-1-pod"))
        assert (await scene.status("seed-1-pod")) is not None
        scene.api.put(POD, job_pod("ledger"))
        waited = await scene.until("whale-1-pod", sync_status=SyncStatus.SYNCED)
        assert len(waited.peers) == 1
        assert scene.api.reads <= reads + 2  # the Job's own volume: nobody asks the API server while waiting
        assert json.loads((scene.api.volumes / "pv-ledger" / MARKER).read_text()) == {"digest": DIGEST, "era": 1}
        assert (scene.api.volumes / "pv-ledger" / "genesis_ledger.json").exists()

    play(act)


def test_another_ledger_is_never_written_over(play: Callable[[Play], None], capfd: pytest.CaptureFixture[str]) -> None:
    async def act(scene: Scene) -> None:
        marker = scene.api.claim("ledger") / MARKER
        marker.write_text('{"digest": "sha256:other", "era": 1}')
        scene.api.put(POD, job_pod("ledger"))
        printed = ""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "another genesis" not in printed:
                printed += capfd.readouterr().err
                await asyncio.sleep(0.02)
        assert "sha256:other" in printed
        assert DIGEST in printed
        assert "other" in marker.read_text()

    play(act)


def test_the_start_guard_stops_a_daemon_before_a_volume_of_another_genesis(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.api.claim("seed-1-state")
        scene.api.daemon("seed-1", guard=DIGEST)
        await scene.until("seed-1-pod", sync_status=SyncStatus.SYNCED)
        scene.api.delete(POD, "seed-1-pod")
        await scene.until_true(lambda: not scene.world.daemons)
        scene.api.daemon("seed-1", guard="sha256:" + "b" * 64, pod="seed-1-other")
        await scene.until_true(lambda: ("Exec", "ns", "seed-1-other") in scene.api.objects)
        assert "holds another genesis" in scene.log_of("seed-1-other")
        assert await scene.status("seed-1-other") is None
        assert (scene.api.volumes / "pv-seed-1-state" / "frontier" / "frontier.json").exists()

    play(act)


def test_without_a_guard_another_genesis_bootstraps_and_the_old_frontier_stays(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        folder = scene.api.claim("seed-1-state")
        scene.api.daemon("seed-1")
        first = await scene.until("seed-1-pod", sync_status=SyncStatus.SYNCED)
        scene.api.delete(POD, "seed-1-pod")
        await scene.until_true(lambda: not scene.world.daemons)
        scene.api.config(genesis="2026-02-02T00:00:00Z")
        scene.world.volumes._config_maps.clear()
        scene.api.daemon("seed-1", pod="seed-1-new")
        second = await scene.until("seed-1-new", sync_status=SyncStatus.SYNCED)
        assert second.chain_id != first.chain_id
        assert (folder / f"frontier.{first.chain_id[:8]}" / "frontier.json").exists()

    play(act)


def test_two_daemons_never_share_a_volume(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        await scene.until("plain-1-pod", sync_status=SyncStatus.SYNCED)
        scene.api.daemon("plain-1", pod="plain-1-second")
        await scene.until_true(lambda: "uid-plain-1-second" in scene.world.daemons)
        second = scene.world.daemons["uid-plain-1-second"]
        await scene.until_true(lambda: second.log.path.read_text())
        assert ".mina-lock is held" in second.log.path.read_text()
        scene.api.delete(POD, "plain-1-pod")
        await scene.until("plain-1-second", sync_status=SyncStatus.SYNCED)

    play(act)


def test_a_volume_that_cannot_be_written_kills_the_daemon_and_it_comes_back(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        await scene.until_height("whale-1-pod", 3)
        shutil.rmtree(scene.api.volumes / "pv-plain-1-state" / "frontier")
        await scene.until_true(lambda: "Unhandled top-level exception" in scene.log_of("plain-1-pod"))
        await scene.until("plain-1-pod", sync_status=SyncStatus.SYNCED)

    play(act)


def test_stake_that_a_deployment_declares_counts_while_its_pod_is_down(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.api.deployment("whale-2", 18.0)
        scene.testnet()
        await scene.until("whale-1-pod", sync_status=SyncStatus.SYNCED)
        (hosted,) = scene.world.networks
        lottery = hosted.network.lottery
        assert lottery.chance(staking_key("ns", "whale-1")) == pytest.approx(1 - 0.25**0.25)
        scene.api.deployment("whale-2", 0.0)
        await scene.until_true(lambda: lottery.chance(staking_key("ns", "whale-1")) == pytest.approx(0.75))

    play(act)


def test_what_pods_left_behind_is_swept_at_the_start(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        await scene.until("plain-1-pod", sync_status=SyncStatus.SYNCED)
        log = scene.world.daemons["uid-plain-1-pod"].log.path
        scene.kill()
        scene.api.delete(POD, "plain-1-pod")
        scene.begin()
        await scene.until_true(lambda: not log.exists())
        await scene.until("seed-1-pod", sync_status=SyncStatus.SYNCED)

    play(act)


def test_a_pod_without_a_daemon_only_has_a_log(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        worker = daemon_pod("worker-1", claim="")
        worker["spec"]["containers"] = [{"name": "worker", "args": ["internal", "snark-worker"]}]
        scene.api.put(POD, worker)
        await scene.until_true(lambda: ("Logs", "ns", "worker-1-pod") in scene.api.objects)
        assert "worker started" in scene.log_of("worker-1-pod")
        assert ("PortForward", "ns", "worker-1-pod") not in scene.api.objects
        scene.api.delete(POD, "worker-1-pod")
        await scene.until_true(lambda: not scene.world.others)

    play(act)


def test_a_failed_pod_is_no_node(play: Callable[[Play], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.testnet()
        await scene.until("plain-1-pod", sync_status=SyncStatus.SYNCED)
        scene.api.put(POD, daemon_pod("plain-1", phase="Failed"))
        await scene.until_true(lambda: "uid-plain-1-pod" not in scene.world.daemons)
        assert await scene.status("plain-1-pod") is None

    play(act)
