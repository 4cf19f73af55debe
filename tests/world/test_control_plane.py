"""The embedded cluster for real: starts fast, on loopback only, survives being killed anywhere, leaves nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mina_infra.cluster.api import CONFIG_MAP, NAMESPACE, NODE, POD, KubeApi, Manifest
from mina_infra.errors import ClusterError
from mina_infra.local import control_plane, kwokctl, processes
from mina_infra.local.control_plane import EmbeddedCluster, Outcome
from mina_infra.local.paths import ClusterPaths, checkout

NAME = "kill"


@pytest.fixture(scope="module")
def cluster(start) -> EmbeddedCluster:
    return start(NAME)


def pid_of(cluster: EmbeddedCluster, component: str) -> int:
    (process,) = kwokctl.component_processes(cluster.paths)[component]
    return process.pid


def kill(cluster: EmbeddedCluster, *components: str) -> None:
    """`kill -9`, and wait until they are gone."""
    found = kwokctl.component_processes(cluster.paths)
    processes.end([process for component in components for process in found[component]], grace_seconds=0)


def run(cluster: EmbeddedCluster, work):
    """Do something with a client of the cluster."""

    async def with_api():
        async with cluster.api() as api:
            return await work(api)

    return asyncio.run(with_api())


def keep(cluster: EmbeddedCluster, text: str) -> None:
    """Leave something that a repair must not lose."""
    note = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note", "namespace": "default"},
        "data": {"text": text},
    }  # fmt: skip
    run(cluster, lambda api: api.apply(note))


def kept(cluster: EmbeddedCluster) -> str | None:
    note = run(cluster, lambda api: api.get(CONFIG_MAP, "note", "default"))
    return note["data"]["text"] if note else None


def runs_a_pod(cluster: EmbeddedCluster) -> bool:
    """Scheduler and kwok really work: a new pod becomes Running (at most 20 s) and is deleted again."""

    async def try_pod(api: KubeApi) -> bool:
        name = f"probe-{time.monotonic_ns()}"
        pod: Manifest = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {"containers": [{"name": "main", "image": "none"}]},
        }  # fmt: skip
        async with asyncio.timeout(20):
            await api.create(pod)
            async for event in api.watch(POD, "default"):
                items = event.object["items"] if event.type == "SYNCED" else [event.object]
                if any(item["metadata"]["name"] == name and item["status"].get("phase") == "Running" for item in items):
                    return await api.delete(POD, name, "default", grace_seconds=0)
        raise AssertionError

    return run(cluster, try_pod)


def test_a_new_cluster_is_there_within_fifteen_seconds_and_runs_pods(start):
    started = time.monotonic()
    cluster = start("fresh")
    others = os.getloadavg()[0] / (os.cpu_count() or 1)  # 15 s on a machine with nothing else to do
    assert time.monotonic() - started < 15 * max(1.0, others)
    assert cluster.outcome is Outcome.CREATED
    assert cluster.server.startswith("https://127.0.0.1:")
    assert runs_a_pod(cluster)


def test_starting_a_running_cluster_changes_nothing(cluster, start):
    before = {name: pid_of(cluster, name) for name in kwokctl.COMPONENTS}
    again = start(NAME, report=pytest.fail)
    assert again.outcome is Outcome.RUNNING
    assert {name: pid_of(again, name) for name in kwokctl.COMPONENTS} == before


def test_nodes_are_ready_in_two_zones_and_can_be_added(cluster, start):
    start(NAME, nodes=6)
    nodes = run(cluster, lambda api: api.objects(NODE))
    assert len(nodes) == 6
    assert {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes} == {"local-a", "local-b"}
    assert sum(int(node["status"]["allocatable"]["pods"]) for node in nodes) > 200


def test_everything_listens_on_loopback_only(cluster):
    pids = [pid_of(cluster, name) for name in kwokctl.COMPONENTS]
    inodes = {
        link.removeprefix("socket:[").removesuffix("]")
        for pid in pids
        for descriptor in Path(f"/proc/{pid}/fd").iterdir()
        if (link := os.readlink(descriptor)).startswith("socket:[")
    }
    addresses = {row[1].split(":")[0] for row in _sockets() if row[3] == "0A" and row[9] in inodes}  # 0A: listening
    assert addresses == {"0100007F"}  # 127.0.0.1


def _sockets() -> list[list[str]]:
    return [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()]


@pytest.mark.parametrize(
    "victims",
    [
        ("etcd",),
        ("kube-apiserver",),
        ("kwok-controller",),
        ("kube-scheduler", "kube-controller-manager"),
        kwokctl.COMPONENTS,
    ],
    ids=lambda victims: "+".join(victims) if len(victims) < 5 else "all",
)
def test_a_killed_component_is_started_again_and_nothing_is_lost(cluster, start, victims):
    keep(cluster, str(victims))
    kill(cluster, *victims)
    said: list[str] = []
    repaired = start(NAME, report=said.append)
    assert repaired.outcome is Outcome.REPAIRED
    assert "not running" in said[0] or "nothing of it running" in said[0]
    assert repaired.server == cluster.server
    assert kept(repaired) == str(victims)
    assert runs_a_pod(repaired)


def test_a_port_that_somebody_else_took_makes_the_cluster_move(cluster, start):
    keep(cluster, "moved")
    kill(cluster, *kwokctl.COMPONENTS)
    port = int(cluster.server.rsplit(":", 1)[1])
    said: list[str] = []
    with socket.create_server(("127.0.0.1", port)):
        moved = start(NAME, report=said.append)
        assert moved.outcome is Outcome.REPAIRED
        assert moved.server != cluster.server
    assert f"port {port} now belongs to another program" in said[0]
    assert kept(moved) == "moved"
    assert runs_a_pod(moved)


def test_pid_files_of_strangers_are_not_believed(cluster, start):
    """After a reboot the ids in them belong to others, who are neither waited for nor killed."""
    keep(cluster, "reboot")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        kill(cluster, *kwokctl.COMPONENTS)
        for name in kwokctl.COMPONENTS:
            (cluster.paths.kwok_cluster / "pids" / f"{name}.pid").write_text(str(stranger.pid))
        repaired = start(NAME)
        assert repaired.outcome is Outcome.REPAIRED
        assert kept(repaired) == "reboot"
        assert stranger.poll() is None
        stranger.communicate(b"\n")
    assert stranger.returncode == 0


def test_a_process_without_a_pid_file_is_found_not_doubled(cluster, start):
    """kwokctl was killed between the start of a component and the note of its id."""
    for name in kwokctl.COMPONENTS:
        (cluster.paths.kwok_cluster / "pids" / f"{name}.pid").unlink()
    kill(cluster, "kube-scheduler")
    repaired = start(NAME)
    assert repaired.outcome is Outcome.REPAIRED
    assert {len(members) for members in kwokctl.component_processes(repaired.paths).values()} == {1}
    assert runs_a_pod(repaired)


def test_a_configuration_that_was_cut_off_is_written_again(cluster, start):
    keep(cluster, "cut")
    file = cluster.paths.kwok_config
    kill(cluster, *kwokctl.COMPONENTS)
    file.write_bytes(file.read_bytes()[:700])
    repaired = start(NAME)
    assert repaired.outcome is Outcome.REPAIRED
    assert kept(repaired) == "cut"


def test_a_lost_database_means_a_new_cluster_and_that_is_said(start):
    cluster = start("lost")
    keep(cluster, "gone")
    kill(cluster, *kwokctl.COMPONENTS)
    for wal in (cluster.paths.kwok_cluster / "etcd" / "member").rglob("*.wal"):
        wal.write_bytes(b"\xff" * wal.stat().st_size)
    said: list[str] = []
    made_anew = start("lost", report=said.append)
    assert made_anew.outcome is Outcome.RECREATED
    assert "etcd ended" in " ".join(said)
    assert kept(made_anew) is None


@pytest.mark.parametrize("milliseconds", [150, 500, 1100])
def test_a_start_that_is_killed_half_way_is_made_good_by_the_next(start, milliseconds):
    """Killed with `kill -9`, kwokctl in the middle of it or not."""
    name = f"half-{milliseconds}"
    code = (
        "from mina_infra.local import control_plane, tools\n"
        f"control_plane.start({name!r}, tools.ensure_tools(print), print)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=checkout(), start_new_session=True)
    deadline = time.monotonic() + 20
    while not ClusterPaths(name).kwok.exists() and time.monotonic() < deadline:
        time.sleep(0.01)  # from here on the moment counts
    try:
        child.wait(milliseconds / 1000)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    cluster = start(name)
    assert runs_a_pod(cluster)
    assert {len(members) for members in kwokctl.component_processes(cluster.paths).values()} == {1}
    control_plane.stop(name)


def test_clusters_side_by_side_do_not_know_each_other_and_a_stop_leaves_nothing(cluster, start):
    other = start("beside")
    assert other.server != cluster.server
    keep(cluster, "mine")
    assert kept(other) is None
    assert control_plane.stop("beside")
    assert control_plane.own_processes(other.paths) == []
    assert not other.state.exists()
    assert control_plane.find("beside") is None
    assert not control_plane.stop("beside")
    assert kept(cluster) == "mine"


def test_two_starts_at_once_wait_for_each_other(cluster, start):
    kill(cluster, "kwok-controller")
    with ThreadPoolExecutor(2) as pool:
        outcomes = {found.outcome for found in pool.map(lambda _: start(NAME), range(2))}
    assert outcomes == {Outcome.REPAIRED, Outcome.RUNNING}


def test_processes_that_outlived_their_folder_are_ended_by_the_next_start(start):
    cluster = start("orphans")
    before = {name: pid_of(cluster, name) for name in kwokctl.COMPONENTS}
    shutil.rmtree(cluster.state)
    again = start("orphans")
    assert again.outcome is Outcome.CREATED
    assert not set(before.values()) & {pid_of(again, name) for name in kwokctl.COMPONENTS}
    control_plane.stop("orphans")


def test_programs_that_do_not_run_are_an_error_that_shows_their_words(tools, state, tmp_path):
    broken = tmp_path / "kube-apiserver"
    broken.write_text(
        '#!/bin/sh\nif [ "$1" = --version ]; then echo Kubernetes v1.36.3; exit; fi\necho no way; exit 1\n'
    )
    broken.chmod(0o755)
    with pytest.raises(ClusterError) as caught:
        control_plane.start("broken", replace(tools, kube_apiserver=broken), print)
    assert "no way" in str(caught.value)
    control_plane.stop("broken")


def test_no_namespace_of_ours_is_made(cluster):
    """What a testnet finds is a plain cluster."""
    names = {item["metadata"]["name"] for item in run(cluster, lambda api: api.objects(NAMESPACE))}
    assert names == {"default", "kube-system", "kube-public", "kube-node-lease"}
