"""kwokctl's files and the process table, without kwokctl."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest
import yaml

from mina_infra.errors import MinaInfraError
from mina_infra.local import kwokctl, processes, raw_get
from mina_infra.local.nodes import MAX_COUNT, PODS_PER_NODE, count_for, node_manifests
from mina_infra.local.paths import ClusterPaths, state_root
from mina_infra.local.processes import Process
from mina_infra.local.tools import Tools


@pytest.fixture
def paths(tmp_path):
    return ClusterPaths("unit", tmp_path)


def test_everything_is_bound_to_loopback():
    assert kwokctl.configuration({})["options"]["bindAddress"] == "127.0.0.1"


def test_ports_are_different_free_and_outside_the_range_of_outgoing_connections():
    ports = kwokctl.free_ports(6)
    assert len(set(ports)) == 6
    assert all(kwokctl.is_free(port) and 20000 <= port < 32000 for port in ports)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_in_use_is_not_free(address):
    with socket.create_server((address, 0)) as server:
        assert not kwokctl.is_free(server.getsockname()[1])


def saved(paths: ClusterPaths) -> str:
    """What kwokctl makes of our configuration, as far as we read it back."""
    document, *_ = yaml.safe_load_all(kwokctl.write_configuration(paths).read_text())
    return yaml.safe_dump(document | {"components": [{"name": name} for name in kwokctl.COMPONENTS]}, sort_keys=False)


def test_the_ports_are_read_back(paths):
    paths.kwok_config.parent.mkdir(parents=True)
    paths.kwok_config.write_text(saved(paths))
    ports = kwokctl.ports_of(paths.kwok_config)
    assert ports is not None
    assert len(set(ports.values())) == 6


def test_a_file_that_was_cut_anywhere_is_known_as_such(paths):
    paths.kwok_config.parent.mkdir(parents=True)
    whole = saved(paths)
    for length in range(len(whole) - len("- name: kwok-controller\n")):
        paths.kwok_config.write_text(whole[:length])
        assert kwokctl.ports_of(paths.kwok_config) is None
    paths.kwok_config.unlink()
    assert kwokctl.ports_of(paths.kwok_config) is None


def test_pid_files_follow_the_process_table(paths):
    """A reused id or a zombie in them would make kwokctl kill a stranger or wait for the dead."""
    folder = paths.kwok_cluster / "pids"
    folder.mkdir(parents=True)
    (folder / "etcd.pid").write_text("1")
    alive = {name: [] for name in kwokctl.COMPONENTS} | {"kwok-controller": [Process(4711, "kwok-controller")]}
    kwokctl.correct_pid_files(paths, alive)
    assert {file.name: file.read_text() for file in folder.iterdir()} == {"kwok-controller.pid": "4711"}


def test_only_processes_from_the_clusters_own_folder_are_its_own(paths, monkeypatch):
    own = Process(1, f"{paths.kwok_cluster}/bin/etcd --name=node0")
    others = [
        Process(2, f"{ClusterPaths('unit-2', paths.state.parent).kwok_cluster}/bin/etcd --name=node0"),
        Process(3, "/usr/bin/etcd --name=node0"),
        Process(4, f"tail -f {paths.kwok_cluster}/bin/etcd log"),
        Process(5, f"{paths.kwok_cluster}/bin/etcdctl get"),
    ]
    monkeypatch.setattr(processes, "running", lambda: [own, *others])
    assert [process for members in kwokctl.component_processes(paths).values() for process in members] == [own]


def test_the_users_own_kwok_settings_do_not_reach_the_cluster(paths, monkeypatch):
    monkeypatch.setenv("KWOK_KUBE_VERSION", "v1.20.0")
    environment = kwokctl.environment(paths)
    assert [name for name in environment if name.startswith("KWOK_")] == []
    assert environment["HOME"] == str(paths.kwok)
    assert environment["PATH"].startswith(f"{paths.bin}:{paths.kwok}/shim:")


def test_a_kwokctl_from_path_gets_no_binaries(tmp_path):
    assert kwokctl.binary_flags(Tools(tmp_path, tmp_path, tmp_path)) == []


@pytest.mark.parametrize("name", ["", "Up", "a_b", "-a", "a-", "a/b", "x" * 41])
def test_names_that_are_no_folder_or_context_are_refused(name):
    with pytest.raises(MinaInfraError, match="cannot name a cluster"):
        ClusterPaths(name)


def test_the_state_folder_may_be_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("MINA_INFRA_STATE", str(tmp_path))
    assert ClusterPaths("a").state == tmp_path / "a"
    monkeypatch.delenv("MINA_INFRA_STATE")
    assert state_root().name == ".mina-infra"


def test_a_process_is_ended_and_one_that_does_not_listen_is_killed():
    deaf = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    found = [process for process in processes.running() if process.pid == child.pid]
    reaper = threading.Thread(target=child.wait)
    reaper.start()
    processes.end(found, grace_seconds=0.1)
    reaper.join(10)
    assert child.returncode == -9


def test_one_that_was_killed_and_does_not_know_it_yet_does_not_run(monkeypatch, tmp_path):
    """On a busy machine the victim of `kill -9` stays listed; a world that passed for alive was not started again."""
    for pid, pending in ((1, 1 << 8), (2, 1 << 14)):
        (tmp_path / f"{pid}").mkdir()
        (tmp_path / f"{pid}" / "status").write_text(f"Name:\tworld\nSigPnd:\t{0:016x}\nShdPnd:\t{pending:016x}\n")
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cmdline").touch()
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    assert processes.bury([Process(1, "killed"), Process(2, "asked to end"), Process(3, "gone")]) == [
        Process(2, "asked to end"),
        Process(3, "gone"),
    ]


def test_an_id_that_is_used_again_is_not_signalled():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        processes.end([Process(child.pid, "what ran under this id before")])
        assert child.poll() is None
        child.communicate(b"\n")
    assert child.returncode == 0


def test_processes_as_ps_prints_them():
    assert processes._parse_ps("  12 Ss   /a/b c d\n  13 Z    (dead)\n") == [Process(12, "/a/b c d", "/a/b c d")]


def test_nodes_are_dealt_out_to_both_zones_with_networks_of_their_own():
    nodes = node_manifests(5)
    assert [node["metadata"]["name"] for node in nodes] == ["node-a-1", "node-b-1", "node-a-2", "node-b-2", "node-a-3"]
    assert len({node["spec"]["podCIDR"] for node in nodes}) == 5
    assert not any(node["spec"]["podCIDR"].startswith("127.") for node in nodes)


def test_the_default_nodes_carry_two_hundred_pods():
    assert count_for(200) == 4
    assert count_for(3000) * PODS_PER_NODE >= 3000
    assert len(node_manifests(10_000)) == MAX_COUNT


def test_the_stand_in_for_kubectl_knows_one_question(capsys):
    assert raw_get.main(["version"]) == 2
    assert "only knows" in capsys.readouterr().err


def test_the_stand_in_reads_what_kwokctl_writes():
    config = "clusters:\n- cluster:\n    certificate-authority: '/a b/ca.crt'\n    server: https://127.0.0.1:2\n"
    assert raw_get._value(config, "certificate-authority") == "/a b/ca.crt"
    with pytest.raises(SystemExit):
        raw_get._value(config, "client-key")
