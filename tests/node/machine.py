"""A machine that runs containers: containerd and a real kubelet in process and mount namespaces of their own.

Everything that they start or mount ends with the namespaces, and those with the process that made them. What lies
outside, a network bridge and cgroups, carries that process's id in its name: what a killed one left is found by it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mina_infra.local import kwokctl, processes
from tests.node.image import PAUSE, Image

NAME = "localhost"
"""Of the Node: the API server reaches a kubelet by its name, and this one resolves to loopback on every machine."""

ZONE, REGION = "local-a", "local"
CGROUPS = Path("/sys/fs/cgroup")
PATIENCE_S = 30.0

_HIDDEN = ("/run", "/var/lib", "/var/log")
_PRETENDED = {
    "/proc/sys/kernel/panic": "10",
    "/proc/sys/kernel/panic_on_oops": "1",
    "/proc/sys/kernel/keys/root_maxbytes": "25000000",
    "/proc/sys/kernel/keys/root_maxkeys": "1000000",
    "/proc/sys/vm/overcommit_memory": "1",
    "/proc/sys/vm/panic_on_oom": "0",
}
"""What a kubelet insists on and would otherwise set for the whole machine."""


@dataclass(frozen=True)
class Programs:
    """`kubelet` is the program, `packages` the folder with Debian's packages."""

    kubelet: Path
    packages: Path

    @property
    def busybox(self) -> Path:
        return self.packages / "bin" / "busybox"

    @property
    def path(self) -> str:
        """PATH of containerd, which looks for its shim there, and of the kubelet, which calls `mount`."""
        return os.pathsep.join(
            [f"{self.packages}/usr/bin", f"{self.packages}/usr/sbin", "/usr/sbin:/usr/bin:/sbin:/bin"]
        )


@dataclass(frozen=True)
class Machine:
    """A running machine; its kubelet serves the API server that the kubeconfig names."""

    folder: Path
    programs: Programs
    kubeconfig: Path
    process: subprocess.Popen[bytes]

    def import_image(self, image: Image, names: set[str]) -> None:
        file = self.folder / "image.tar"
        image.write(file, sorted(names))
        _wait("containerd", lambda: self._ctr("version").returncode == 0, self)
        done = self._ctr("images", "import", "--snapshotter", "native", str(file))
        assert done.returncode == 0, done.stderr

    def restart_kubelet(self) -> None:
        """Kill it; process 1 starts it again."""
        before = self._kubelets()
        assert before, "no kubelet runs"
        processes.end(before, grace_seconds=0)
        _wait("a new kubelet", lambda: bool(self._kubelets()), self)

    def volume(self, pod: Mapping[str, Any], kind: str, name: str) -> Path:
        """What the kubelet mounts into a pod, as it lies in the machine; it mounts where only the machine sees it."""
        folder = f"{self.folder}/kubelet/pods/{pod['metadata']['uid']}/volumes/kubernetes.io~{kind}/{name}"
        return Path(f"/proc/{self.process.pid}/root{folder}")

    def complaints(self) -> str:
        """The last words of both programs."""
        logs = {name: self.folder / f"{name}.log" for name in ("containerd", "kubelet")}
        return "\n".join(f"{name}:\n{kwokctl.tail(log, 25)}" for name, log in logs.items())

    def _kubelets(self) -> list[processes.Process]:
        """By its command line: the folder is this machine's alone."""
        mark = f"{self.programs.kubelet} --config={self.folder}/"
        return [each for each in processes.running() if each.command.startswith(mark)]

    def _ctr(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [f"{self.programs.packages}/usr/bin/ctr", "-a", str(_socket(self.folder)), "-n", "k8s.io", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def machine(folder: Path, programs: Programs, kubeconfig: Path) -> Iterator[Machine]:
    """Start it; at the end nothing of it is left: no process, mount, bridge or cgroup."""
    sweep()
    own = f"{os.getpid()}"
    network = _network(os.getpid())
    bridge, cgroup = f"mina-n{own}", f"mina-node-{own}"
    with _bridge(bridge, f"{network}.1"), _cgroup(cgroup):
        settings = _settings(folder, programs, kubeconfig, bridge, network, cgroup)
        init = [sys.executable, str(Path(__file__).with_name("init.py")), str(settings)]
        namespaces = [
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount",
            "--mount-proc",
            "--propagation",
            "private",
        ]
        with (folder / "init.log").open("ab") as output:
            # Dies with this process, and --kill-child with it; the kernel then ends all that runs inside.
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *namespaces, *init],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            yield Machine(folder, programs, kubeconfig, process)
        finally:
            process.kill()
            process.wait()


def sweep() -> None:
    """Remove bridges and cgroups of machines whose process is gone."""
    listing = subprocess.run(["ip", "-o", "link", "show", "type", "bridge"], capture_output=True, text=True, check=True)
    for bridge, pid in re.findall(r"\b(mina-n(\d+)):", listing.stdout):
        if not Path("/proc", pid).exists():
            _ip("link", "delete", bridge)
    for folder in [*CGROUPS.glob("mina-node-*"), *CGROUPS.glob("*/mina-node-*")]:
        if not Path("/proc", folder.name.rpartition("-")[2]).exists():
            _remove_cgroup(folder)


def _settings(folder: Path, programs: Programs, kubeconfig: Path, bridge: str, network: str, cgroup: str) -> Path:
    """Write the configuration of everything; returns the file for process 1."""
    (folder / "cni").mkdir(parents=True)
    (folder / "containerd.toml").write_text(_containerd(folder, programs.packages))
    _write(folder / "cni" / "10-bridge.conf", _cni(bridge, network, folder))
    _write(folder / "kubelet.json", _kubelet(folder, cgroup))
    kubelet = [
        str(programs.kubelet), f"--config={folder}/kubelet.json", f"--kubeconfig={kubeconfig}",
        f"--root-dir={folder}/kubelet", f"--cert-dir={folder}/kubelet-pki", f"--hostname-override={NAME}",
        f"--node-ip={network}.1",  # of the bridge: a loopback address would be refused
        f"--node-labels=topology.kubernetes.io/zone={ZONE},topology.kubernetes.io/region={REGION}",
    ]  # fmt: skip
    return _write(
        folder / "init.json",
        {
            "hidden": _HIDDEN,
            "pretended": _PRETENDED,
            "programs": {
                "containerd": [f"{programs.packages}/usr/bin/containerd", "--config", f"{folder}/containerd.toml"],
                "kubelet": kubelet,
            },
            "environment": {"PATH": programs.path},
            "logs": str(folder),
        },
    )


def _socket(folder: Path) -> Path:
    return folder / "containerd.sock"


def _containerd(folder: Path, packages: Path) -> str:
    """`native`: directories instead of overlays, which do not stack where this machine's disk is one already."""
    return f"""\
version = 2
root = "{folder}/containerd"
state = "/run/containerd-state"
[grpc]
  address = "{_socket(folder)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{packages}/usr/sbin/runc"
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{packages}/usr/lib/cni"
    conf_dir = "{folder}/cni"
"""


def _cni(bridge: str, network: str, folder: Path) -> dict[str, Any]:
    """Pods and this machine in one network without a way out; nothing of the machine's routing is changed."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": f"{network}.0/24"}]], "dataDir": f"{folder}/addresses"}
    return {"cniVersion": "0.4.0", "name": "pods", "type": "bridge", "bridge": bridge, "ipam": addresses}


def _kubelet(folder: Path, cgroup: str) -> dict[str, Any]:
    never = {"memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"}
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "127.0.0.1",
        "port": kwokctl.free_ports(1)[0],
        "healthzPort": 0,
        # The API server of the embedded cluster has no certificate for kubelets; only loopback reaches this one.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{_socket(folder)}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "clusterDNS": ["10.0.0.10"],  # nobody answers there; without one every pod gets a warning
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        "evictionHard": never,
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        "protectKernelDefaults": True,
        "oomScoreAdj": 0,
        "podLogsDir": f"{folder}/pod-logs",
        "volumePluginDir": f"{folder}/volume-plugins",
        "nodeStatusUpdateFrequency": "2s",
        "eventRecordQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        # A container that met its guard is tried again soon, or each such test would wait for minutes.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
        "featureGates": {"KubeletCrashLoopBackOffMax": True},
    }


def _write(file: Path, value: Any) -> Path:
    file.write_text(json.dumps(value, indent=1))
    return file


def _network(pid: int) -> str:
    """Three bytes of a private network; machines that run side by side get different ones."""
    return f"10.{200 + pid // 250 % 50}.{pid % 250}"


@contextmanager
def _bridge(name: str, address: str) -> Iterator[None]:
    _ip("link", "add", name, "type", "bridge")
    try:
        _ip("address", "add", f"{address}/24", "dev", name)
        _ip("link", "set", name, "up")
        yield
    finally:
        _ip("link", "delete", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def _cgroup(name: str) -> Iterator[None]:
    """In every hierarchy: one with cgroup v2, one for each controller with v1."""
    one = (CGROUPS / "cgroup.controllers").exists()
    roots = [CGROUPS] if one else [each for each in CGROUPS.iterdir() if (each / "cgroup.procs").exists()]
    try:
        for root in roots:
            if one:
                with suppress(OSError):  # they are passed on already, or this machine may not; the kubelet would say so
                    (root / "cgroup.subtree_control").write_text("+cpu +cpuset +io +memory +pids")
            (root / name).mkdir(exist_ok=True)
        yield
    finally:
        for root in roots:
            _remove_cgroup(root / name)


def _remove_cgroup(folder: Path) -> None:
    """Children first; a group stays busy until the last of its processes is really gone."""
    deadline = time.monotonic() + 10
    while folder.exists():
        for path, _, _ in os.walk(folder, topdown=False):
            with suppress(OSError):
                os.rmdir(path)
        if time.monotonic() > deadline:
            raise AssertionError(f"{folder} is still in use")
        time.sleep(0.05)


def _wait(what: str, true: Callable[[], bool], machine: Machine) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        log = machine.folder / "init.log"
        assert machine.process.poll() is None, f"process 1 ended:\n{kwokctl.tail(log)}\n{machine.complaints()}"
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S:.0f} s\n{machine.complaints()}"
        time.sleep(0.1)
