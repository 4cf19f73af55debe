"""Calls kwokctl for one cluster: its configuration, its environment, its pid files, and how long to wait for it.

kwokctl trusts its pid files blindly (it kills and waits for whatever has that id), so they are set right from the
process table before every call, and its `stop` and `delete` are never used.
"""

from __future__ import annotations

import os
import random
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from mina_infra.errors import ClusterError
from mina_infra.local import processes
from mina_infra.local.paths import ClusterPaths, tools_cache
from mina_infra.local.processes import Process
from mina_infra.local.tools import Tools

# Component name → option that holds its port; etcd has a second one for peers.
PORT_OPTIONS = {
    "etcd": ("etcdPort", "etcdPeerPort"),
    "kube-apiserver": ("kubeApiserverPort",),
    "kube-controller-manager": ("kubeControllerManagerPort",),
    "kube-scheduler": ("kubeSchedulerPort",),
    "kwok-controller": ("kwokControllerPort",),
}
COMPONENTS = tuple(PORT_OPTIONS)
ESSENTIAL = ("etcd", "kube-apiserver")

CRDS = ("Logs", "ClusterLogs", "Exec", "ClusterExec", "PortForward", "ClusterPortForward")

# There is one of each, and a killed one's lease would hold up its successor for 15 s.
_ARGUMENTS = {"kube-controller-manager": {"leader-elect": "false"}, "kube-scheduler": {"leader-elect": "false"}}

# Below the range that systems take outgoing ports from (32768 on Linux, 49152 elsewhere), above the well-known ones.
_PORTS = range(20000, 32000)


STAGES = Path(__file__).with_name("stages.yaml")


def component_processes(paths: ClusterPaths) -> dict[str, list[Process]]:
    """The live processes of this cluster's components, by name: exactly those that run from its own `bin` folder."""
    prefix = f"{paths.kwok_cluster / 'bin'}{os.sep}"
    found: dict[str, list[Process]] = {name: [] for name in COMPONENTS}
    for process in processes.running():
        for name in COMPONENTS:
            if process.command.startswith(f"{prefix}{name} "):
                found[name].append(process)
    return found


def orphans(paths: ClusterPaths) -> list[Process]:
    """kwokctl's own processes for this cluster; before we have called it, those of a start that was killed."""
    mark = f" create cluster --name={paths.name} --config={paths.kwok}{os.sep}"
    return [process for process in processes.running() if mark in process.command]


def ports_of(config: Path) -> dict[str, int] | None:
    """Ports by option name from kwokctl's own file; None when it is missing or was not written to its end."""
    try:
        documents = [item for item in yaml.safe_load_all(config.read_text()) if isinstance(item, dict)]
    except (OSError, yaml.YAMLError):
        return None
    for document in documents:
        if document.get("kind") == "KwokctlConfiguration":
            return _ports_in(document)
    return None


def _ports_in(document: Mapping[str, Any]) -> dict[str, int] | None:
    options, components = document.get("options"), document.get("components")
    if not isinstance(options, dict) or not isinstance(components, list):
        return None
    names = {component.get("name") for component in components if isinstance(component, dict)}
    ports = {option: options.get(option) for group in PORT_OPTIONS.values() for option in group}
    if not names.issuperset(COMPONENTS) or not all(isinstance(port, int) and port for port in ports.values()):
        return None
    return {option: int(port or 0) for option, port in ports.items()}


def free_ports(count: int) -> list[int]:
    """Different ports on which nobody listens now. Random, so that clusters that start together do not meet."""
    ports: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(ports) == count:
            break
        if is_free(port):
            ports.append(port)
    return ports


def is_free(port: int) -> bool:
    """Can somebody listen on this port, on loopback and on all addresses?"""
    for address in ("127.0.0.1", ""):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the components do
            try:
                listener.bind((address, port))
            except OSError:
                return False
    return True


def configuration(ports: Mapping[str, int]) -> dict[str, Any]:
    """The KwokctlConfiguration of a cluster.

    No KwokConfiguration document beside it: with one, kwok replaces its defaults by zeros and exits.
    """
    return {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": {
            "runtime": "binary",
            "bindAddress": "127.0.0.1",  # its default is all interfaces, etcd without authentication included
            "enableCRDs": list(CRDS),
            "cacheDir": str(tools_cache() / "kwokctl"),  # where it keeps what it fetches, if it must
            "disableQPSLimits": True,  # 200 pods at once would wait for client-side limits made for real networks
            **ports,
        },
        "componentsPatches": [
            {"name": name, "extraArgs": [{"key": key, "value": value} for key, value in arguments.items()]}
            for name, arguments in _ARGUMENTS.items()
        ],
    }


def write_configuration(paths: ClusterPaths) -> Path:
    """Write the configuration with free ports; returns its path."""
    options = [option for group in PORT_OPTIONS.values() for option in group]
    ports = dict(zip(options, free_ports(len(options)), strict=True))
    file = paths.kwok / "kwokctl.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    document = yaml.safe_dump(configuration(ports), sort_keys=False)
    file.write_text(f"{document}---\n{STAGES.read_text()}")
    return file


def environment(paths: ClusterPaths) -> dict[str, str]:
    """kwokctl's environment, which its components inherit: our PATH first, none of the user's own kwok settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KWOK_")}
    path = os.pathsep.join([str(paths.bin), str(_shim_folder(paths)), os.environ.get("PATH", os.defpath)])
    return kept | {"HOME": str(paths.kwok), "PATH": path}


def _shim_folder(paths: ClusterPaths) -> Path:
    return paths.kwok / "shim"


def write_kubectl_shim(paths: ClusterPaths) -> None:
    """A `kubectl` that asks the API server itself (see raw_get)."""
    shim = _shim_folder(paths) / "kubectl"
    shim.parent.mkdir(parents=True, exist_ok=True)
    command = shlex.join([sys.executable, "-IS", str(Path(__file__).with_name("raw_get.py"))])
    shim.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    shim.chmod(0o755)


def binary_flags(tools: Tools) -> list[str]:
    """Flags that name the control plane's programs; none where kwokctl came from PATH and fetches its own."""
    if tools.etcd is None:
        return []
    programs = {
        "etcd": tools.etcd,
        "kube-apiserver": tools.kube_apiserver,
        "kube-controller-manager": tools.kube_controller_manager,
        "kube-scheduler": tools.kube_scheduler,
        "kwok-controller": tools.kwok,
    }
    return [f"--{name}-binary={path}" for name, path in programs.items()]


def correct_pid_files(paths: ClusterPaths, alive: Mapping[str, list[Process]]) -> None:
    """Make kwokctl's pid files say what the process table says."""
    folder = paths.kwok_cluster / "pids"
    for name in COMPONENTS:
        file = folder / f"{name}.pid"
        if alive[name]:
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(str(alive[name][0].pid))
        else:
            file.unlink(missing_ok=True)


def link_programs(paths: ClusterPaths, tools: Tools) -> None:
    """Point `bin/` of an existing cluster to the tools of today (kwokctl sets the links only when it creates)."""
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in binary_flags(tools))
    folder = paths.kwok_cluster / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for option, target in flags.items():
        link = folder / option.removesuffix("-binary")
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def bring_up(paths: ClusterPaths, tools: Tools, config: Path, *, timeout: float = 90.0) -> None:
    """`kwokctl create cluster`: makes what is missing, starts what does not run, installs the CRDs.

    Raises ClusterError, with the end of its log, as soon as etcd or the API server has ended again (kwokctl itself
    would wait two minutes and then go on). The others may end while the API server is not there yet.
    """
    write_kubectl_shim(paths)
    paths.bin.mkdir(parents=True, exist_ok=True)
    command = [
        str(tools.kwokctl), "create", "cluster", f"--name={paths.name}", f"--config={config}", "--kubeconfig=",
        # Without leases: kwok holds a node's lease under a name of its own life, so that after a kill the next kwok
        # would leave all nodes alone until the old leases end (200 s).
        "--node-lease-duration-seconds=0",
        *binary_flags(tools),
    ]  # fmt: skip
    log = paths.kwok / "kwokctl.log"
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, env=environment(paths), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            dead = _wait_for(child, paths, timeout)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    if dead:
        raise ClusterError(describe_failure(paths, dead))
    # Over old data it fails at the very end, on CRDs that are there already: the caller looks whether they are served.
    if child.returncode and not all(component_processes(paths).values()):
        raise ClusterError(f"kwokctl did not bring up the cluster '{paths.name}':\n{tail(log)}")


def _wait_for(child: subprocess.Popen[bytes], paths: ClusterPaths, timeout: float) -> list[str]:
    """Until kwokctl ends or `timeout` seconds are over; the essential components that ended meanwhile."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            child.wait(timeout=0.5)
            break
        except subprocess.TimeoutExpired:
            if dead := [name for name in dead_components(paths) if name in ESSENTIAL]:
                return dead
    return []


def dead_components(paths: ClusterPaths) -> list[str]:
    """Components that kwokctl started (their pid file is there) and that do not run."""
    pids = paths.kwok_cluster / "pids"
    started = [name for name in COMPONENTS if (pids / f"{name}.pid").exists()]  # before the look at the processes
    alive = component_processes(paths)
    return [name for name in started if not alive[name]]


def component_log(paths: ClusterPaths, name: str) -> Path:
    return paths.kwok_cluster / "logs" / f"{name}.log"


def tail(file: Path, lines: int = 8) -> str:
    """The last lines of a log, each cut to a readable length."""
    try:
        text = file.read_bytes()[-20000:].decode(errors="replace")
    except OSError:
        return "  (no log)"
    return "\n".join(f"  {line[:300]}" for line in text.splitlines()[-lines:])


def describe_failure(paths: ClusterPaths, names: Iterable[str]) -> str:
    """Why components ended, in their own words."""
    return "\n".join(f"{name} ended; its last words:\n{tail(component_log(paths, name))}" for name in names)
