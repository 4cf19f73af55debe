"""The background process: one for each cluster, tied to its code and address, ended cleanly or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mina_infra.local import control_plane, kwokctl, processes, world
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import checkout


@pytest.fixture(scope="module")
def cluster(start) -> EmbeddedCluster:
    return start("world")


def pid_of(cluster: EmbeddedCluster) -> int:
    (process,) = world.world_processes(cluster.paths)
    return process.pid


def test_it_is_started_once_and_stops_cleanly(cluster):
    assert world.start_world(cluster)
    pid = pid_of(cluster)
    assert not world.start_world(cluster)
    assert pid_of(cluster) == pid
    assert world.stop_world(cluster)
    assert world.world_processes(cluster.paths) == []
    assert not cluster.paths.world_pid.exists()
    assert "stopped" in cluster.paths.world_log.read_text().splitlines()[-1]
    assert not world.stop_world(cluster)


def test_a_killed_one_is_started_again(cluster):
    world.start_world(cluster)
    killed = world.world_processes(cluster.paths)
    processes.end(killed, grace_seconds=0)
    assert cluster.paths.world_pid.exists()
    assert world.start_world(cluster)
    assert pid_of(cluster) != killed[0].pid


def test_it_is_started_again_for_another_address(cluster):
    world.start_world(cluster)
    pid = pid_of(cluster)
    card = json.loads(cluster.paths.world_pid.read_text())
    cluster.paths.world_pid.write_text(json.dumps(card | {"server": "https://127.0.0.1:1"}))
    assert world.start_world(cluster)
    assert pid_of(cluster) != pid


def test_a_stranger_with_the_noted_id_is_left_alone(cluster):
    world.stop_world(cluster)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        cluster.paths.world_pid.write_text(json.dumps({"server": cluster.server, "pid": stranger.pid}))
        assert world.start_world(cluster)
        world.stop_world(cluster)
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_there_is_never_a_second_one(cluster):
    world.start_world(cluster)
    command = [sys.executable, "-m", "mina_infra.local.world", "--name", cluster.name, "--state", str(cluster.state)]
    second = subprocess.run(command, cwd=checkout(), capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert "another world serves" in second.stderr
    assert not world.start_world(cluster)


def test_a_world_that_cannot_start_says_why(cluster):
    world.stop_world(cluster)
    hidden = cluster.kubeconfig.with_name("hidden")
    cluster.kubeconfig.rename(hidden)
    try:
        with pytest.raises(Exception, match="no kubeconfig"):
            world.start_world(cluster)
    finally:
        hidden.rename(cluster.kubeconfig)


def test_commands_in_pods_find_the_clusters_own_programs_first(cluster):
    """kwok runs them on this machine with its own PATH."""
    (kwok,) = kwokctl.component_processes(cluster.paths)["kwok-controller"]
    environment = dict(
        item.split("=", 1) for item in Path(f"/proc/{kwok.pid}/environ").read_text().split("\0") if "=" in item
    )
    assert environment["PATH"].split(os.pathsep)[0] == str(cluster.paths.bin)
    world.start_world(cluster)
    assert os.access(cluster.paths.bin / "mina", os.X_OK)


def test_sigint_is_a_clean_end_too(cluster):
    world.start_world(cluster)
    found = world.world_processes(cluster.paths)
    os.kill(found[0].pid, signal.SIGINT)
    processes.end(found, grace_seconds=10)
    assert "Traceback" not in cluster.paths.world_log.read_text().splitlines()[-1]


def test_a_stop_of_the_cluster_ends_its_world(cluster):
    world.start_world(cluster)
    control_plane.stop(cluster.name)
    assert world.world_processes(cluster.paths) == []
