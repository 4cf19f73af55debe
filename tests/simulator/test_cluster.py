"""A simulated cluster behaves like one: silence and delay in virtual time, lives of containers, their logs."""

from __future__ import annotations

import asyncio
import time

import pytest

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.exec import ExecFailedError
from mina_infra.cluster.fanout import NoAnswerError, gather_bounded
from mina_infra.cluster.logs import LogRange
from mina_infra.daemon.logs import parse_lines
from mina_infra.daemon.replies import query
from mina_infra.daemon.status_text import parse_status
from mina_infra.simulator import virtual_time
from mina_infra.simulator.cluster import SimulatedCluster
from mina_infra.simulator.simulated import SimulatedNetwork, small_network


@pytest.fixture
def cluster() -> SimulatedCluster:
    network = SimulatedNetwork(1)
    network.run(slots=10)
    return SimulatedCluster(network)


def test_a_day_is_waited_in_virtual_time_and_the_network_lives_on(cluster: SimulatedCluster) -> None:
    async def a_day() -> float:
        await cluster.clock.sleep(86_400)
        return cluster.clock.now()

    before = cluster.network.slot
    moment = virtual_time.run(a_day())
    assert cluster.network.slot == before + 480
    assert moment == pytest.approx(cluster.network.now_ms / 1000)


def test_a_silent_node_costs_the_deadline_of_whoever_asks_and_a_slow_one_its_delay(cluster: SimulatedCluster) -> None:
    cluster.silent, cluster.delays = {"fish-1"}, {"fish-2": 2.5}

    async def sweep() -> tuple[list[object], float]:
        started = cluster.clock.now()
        found = await gather_bounded(
            cluster.network.names, lambda name: cluster.graphql(f"{name}-0", query("version")),
            limit=32, per_item_timeout=6.0,
        )  # fmt: skip
        return list(found), cluster.clock.now() - started

    answers, seconds = virtual_time.run(sweep())
    silent = [
        name for name, answer in zip(cluster.network.names, answers, strict=True) if not isinstance(answer, bytes)
    ]
    assert (silent, seconds) == (["fish-1"], pytest.approx(6.0))
    cluster.silent = set()
    assert virtual_time.run(sweep())[1] == pytest.approx(2.5)


def test_on_an_ordinary_loop_a_silent_node_is_known_at_once(cluster: SimulatedCluster) -> None:
    cluster.silent = {"fish-1"}
    with pytest.raises(NoAnswerError):
        asyncio.run(cluster.graphql("fish-1-0", query("version")))


def test_a_wait_without_a_timeout_is_found_and_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "_REAL_WAIT_SECONDS", 0.01)

    async def for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(virtual_time.Stuck):
        virtual_time.run(for_ever())


def test_threads_work_in_virtual_time() -> None:
    async def work() -> int:
        return await asyncio.to_thread(sum, range(100_000))

    assert virtual_time.run(work()) == 4_999_950_000


def test_a_crash_is_in_the_pods_state_and_in_the_previous_log(cluster: SimulatedCluster) -> None:
    cluster.restart_container("whale-1", 137, "OOMKilled", ["the last words"], down_slots=1)
    (container,) = next(pod for pod in asyncio.run(cluster.pods()) if pod.node == "whale-1").containers
    assert (container.restarts, container.last_exit, container.last_reason) == (1, 137, "OOMKilled")
    assert container.last_started is not None
    assert container.last_ended is not None
    assert container.started is not None
    assert container.last_started < container.last_ended < container.started
    before = asyncio.run(cluster.read_log("whale-1-0", "mina", LogRange(previous=True))).splitlines()
    assert before[-1] == b"the last words"
    assert any("synced" in line.message for line in parse_lines(before))
    now = asyncio.run(cluster.read_log("whale-1-0", "mina"))
    assert b"the last words" not in now
    assert b"booting up" in now
    assert len(asyncio.run(cluster.read_log("whale-1-0", "mina", LogRange(tail_lines=1))).splitlines()) == 1


def test_a_container_that_is_down_refuses_and_crash_loops(cluster: SimulatedCluster) -> None:
    cluster.end_container("whale-1")
    pod = next(pod for pod in asyncio.run(cluster.pods()) if pod.node == "whale-1")
    assert (pod.ready, pod.containers[0].waiting) == (False, "CrashLoopBackOff")
    assert asyncio.run(cluster.events())[0].about == "Pod/whale-1-0"
    with pytest.raises(ExecFailedError):
        asyncio.run(cluster.exec("whale-1-0", "mina", ["mina", "client", "status"]))


def test_an_evicted_pod_comes_back_under_another_name_on_its_volume(cluster: SimulatedCluster) -> None:
    height = cluster.network.tip("whale-1").height
    asyncio.run(cluster.evict("whale-1-0", dry_run=True))
    assert "whale-1-0" in {pod.name for pod in asyncio.run(cluster.pods())}
    asyncio.run(cluster.evict("whale-1-0"))
    names = {pod.node: pod.name for pod in asyncio.run(cluster.pods())}
    assert names["whale-1"] == "whale-1-1"
    assert cluster.network.tip("whale-1").height >= height
    with pytest.raises(ApiStatusError):
        asyncio.run(cluster.read_log("whale-1-0", "mina"))
    with pytest.raises(ApiStatusError):
        asyncio.run(cluster.read_log("whale-1-1", "mina", LogRange(previous=True)))
    cluster.protected = {"fish-1"}
    with pytest.raises(ApiStatusError) as refused:
        asyncio.run(cluster.evict("fish-1-0"))
    assert refused.value.code == 429


def test_commands_run_in_the_container(cluster: SimulatedCluster) -> None:
    cluster.disk = {"seed-1": 0.951}

    def output(*argv: str) -> str:
        return asyncio.run(cluster.exec("seed-1-0", "mina", argv)).stdout.decode()

    assert parse_status(output("mina", "client", "status")).sync_status == "SYNCED"
    assert output("df", "-P", "/root/.mina-config").split()[-2:] == ["96%", "/root/.mina-config"]
    assert asyncio.run(cluster.exec("seed-1-0", "mina", ["nonsense"])).exit_code == 127


def test_a_log_is_followed_until_its_container_ends(cluster: SimulatedCluster) -> None:
    async def follow() -> list[bytes]:
        lines = []
        async for line in cluster.follow_log("whale-1-0", "mina"):
            lines.append(line)
            if len(lines) == 15:
                cluster.end_container("whale-1")
        return lines

    assert len(virtual_time.run(follow())) >= 15


def test_a_thousand_nodes_are_asked_in_seconds() -> None:
    network = SimulatedNetwork(3, small_network(whales=15, fish=300, seeds=3, plain=681))
    network.run(slots=12)
    cluster = SimulatedCluster(network)
    assert len(network.names) == 1000
    started = time.process_time()
    answers = virtual_time.run(
        gather_bounded(
            network.names, lambda name: cluster.graphql(f"{name}-0", query("status")), limit=32, per_item_timeout=6.0
        )
    )
    assert all(isinstance(answer, bytes) for answer in answers)
    assert time.process_time() - started < 10
