"""How long deployments take, and what they cost: 12 nodes (stack local) and 200 nodes (stack qa).

For each size, on an embedded cluster of its own that is removed at the end: `up` from nothing, `up` again, one node
more, destroy, and `kubectl apply --server-side` of the same manifests. Every figure is measured in this run; requests
are counted in the API server's audit log. Exit code 1 when a step fails.

    python benchmarks/deploy.py [--nodes 12] [--nodes 200] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from audit import audited, read
from kubectl import kubectl
from machine import describe
from measuring import Measured, StepFailedError, cpu_seconds, peak_mib, run
from table import Row, as_data, as_text

from mina_infra.cli.place import embedded_environment_of
from mina_infra.cluster.api import NAMESPACE, PERSISTENT_VOLUME, KubeApi
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.report import Silent
from mina_infra.engine.settle import wait_until_running
from mina_infra.engine.state import state_file
from mina_infra.errors import MinaInfraError
from mina_infra.local.control_plane import EmbeddedCluster, own_processes, start, stop
from mina_infra.local.nodes import count_for
from mina_infra.local.paths import STATE_VARIABLE, checkout
from mina_infra.local.tools import Tools, ensure_tools
from mina_infra.local.world import start_world, world_processes
from mina_infra.plan.yaml import to_yaml

STACKS = {12: "local", 200: "qa"}
CLUSTER = "bench"
Answer = TypeVar("Answer")
IDLE_S = 10.0
GONE_S = 60.0


def note(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


@dataclass
class Case:
    """One size: its cluster, its project, and the rows that it brings."""

    nodes: int
    stack: str
    project: Path
    cluster: EmbeddedCluster
    rows: list[Row] = field(default_factory=list)

    @property
    def environment(self) -> EngineEnvironment:
        return embedded_environment_of(self.cluster, self.project, self.stack)

    def command(self, *words: str) -> Measured:
        """Run `mina-infra ... -s STACK` on the cluster."""
        program = Path(sys.executable).with_name("mina-infra")
        return run([program, *words, "-s", self.stack, "--local", "--cluster", CLUSTER], self.project)

    def ask(self, question: Callable[[KubeApi], Awaitable[Answer]]) -> Answer:
        """Open the cluster for one question."""

        async def session() -> Answer:
            async with self.cluster.api(part="benchmark") as api:
                return await question(api)

        return asyncio.run(session())

    def step(self, name: str, work: Callable[[], Measured]) -> Measured:
        """Do a step and keep its row."""
        note(f"{self.nodes} nodes: {name}")
        others = [process.pid for process in own_processes(self.cluster.paths)]
        before = cpu_seconds(others)
        measured = work()
        self.rows.append(Row(name, measured, cluster_cpu=cpu_seconds(others) - before))
        return measured


def up_from_nothing(case: Case) -> None:
    """The whole way to the verdict."""
    measured = case.step("up", lambda: case.command("up"))
    row = case.rows[-1]
    row.add("objects deployed", measured.line(r"^deployed ").at)
    row.add("all pods run", measured.line(r"^running ").at)
    row.add("healthy verdict", measured.line(r"\bhealthy\b").at)
    row.note(
        "provider", "built-in" if any(line.text.startswith("provider ") for line in measured.lines) else "official"
    )
    row.note("state file", f"{state_file(case.environment).stat().st_size / 1e6:.1f} MB")


def idle(case: Case) -> None:
    """What a healthy network costs while nobody does anything."""

    def wait() -> Measured:
        began = time.time()
        time.sleep(IDLE_S)
        return Measured(began, IDLE_S, 0.0)

    world = [process.pid for process in world_processes(case.cluster.paths)]
    before = cpu_seconds(world)
    case.step("idle", wait)
    case.rows[-1].note("simulator", f"{100 * (cpu_seconds(world) - before) / IDLE_S:.1f} % of a core")


def up_again(case: Case) -> None:
    """Nothing may change."""
    measured = case.step("up again", lambda: case.command("up"))
    deployed = measured.line(r"^deployed ")
    if not re.fullmatch(r"\d+ unchanged", changes(deployed.text)):
        raise StepFailedError(f"the second up changed something: {deployed.text}")
    case.rows[-1].add("nothing to change", deployed.at)


def changes(line: str) -> str:
    """`3 created, 372 unchanged` of `deployed    3 created, 372 unchanged in 10 s`."""
    return line.removeprefix("deployed").rpartition(" in ")[0].strip()


def one_more(case: Case) -> None:
    """One node more in the last group that has nodes with volumes."""
    file = case.project / f"Pulumi.{case.stack}.yaml"
    document = yaml.safe_load(file.read_text())
    groups = document["config"]["mina-infra:testnet"]["nodes"]
    roles = [group["role"] for group in groups]
    role = "plain" if "plain" in roles else "block-producer"
    group = groups[len(roles) - 1 - roles[::-1].index(role)]
    group["count"] = group.get("count", 1) + 1
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    measured = case.step("one node more", lambda: case.command("up"))
    deployed = measured.line(r"^deployed ")
    case.rows[-1].add("objects deployed", deployed.at)
    case.rows[-1].note("changes", changes(deployed.text))


def destroy(case: Case) -> None:
    """Until no object, volume or directory is left."""
    measured = case.step("destroy", lambda: case.command("destroy", "--yes"))
    case.rows[-1].add("nothing is left", measured.seconds + wait_until_gone(case))
    shutil.copy(checkout() / f"Pulumi.{case.stack}.yaml", case.project)  # without the one node more, for kubectl


def wait_until_gone(case: Case) -> float:
    """Seconds until namespace, PersistentVolumes and their directories are gone. Raises StepFailedError."""
    namespace, began = case.environment.plan.outputs.namespace, time.monotonic()

    async def left(api: KubeApi) -> list[str]:
        volumes = [each["metadata"]["name"] for each in await api.objects(PERSISTENT_VOLUME)]
        here = [namespace] if await api.get(NAMESPACE, namespace) else []
        return here + volumes + [folder.name for folder in case.cluster.paths.volumes.glob("pvc-*")]

    while found := case.ask(left):
        if time.monotonic() - began > GONE_S:
            raise StepFailedError(f"left {GONE_S:.0f} s after the end of destroy: {found}")
        time.sleep(0.2)
    return time.monotonic() - began


def with_kubectl(case: Case, program: Path) -> None:
    """The same manifests with kubectl, until the same Deployments run."""
    plan = case.environment.plan
    file = case.project / "manifests.yaml"
    file.write_text(to_yaml(plan.objects()))
    words = [str(program), "--kubeconfig", str(case.cluster.kubeconfig)]
    apply = [*words, "apply", "--server-side", "-f", str(file)]
    measured = case.step("kubectl apply", lambda: run(apply, case.project))
    case.rows[-1].add("objects deployed", measured.seconds)
    names = [node.name for node in plan.outputs.nodes]
    case.ask(lambda api: wait_until_running(api, plan.outputs.namespace, names, Silent(), deadline_s=300.0))
    case.rows[-1].add("all pods run", time.time() - measured.began)
    again = case.step("kubectl apply again", lambda: run(apply, case.project))
    case.rows[-1].add("nothing to change", again.seconds)
    gone = case.step(
        "kubectl delete", lambda: run([*words, "delete", "--ignore-not-found", "-f", str(file)], case.project)
    )
    case.rows[-1].add("nothing is left", gone.seconds + wait_until_gone(case))


STEPS = (up_from_nothing, idle, up_again, one_more, destroy)


def measure(nodes: int, tools: Tools, program: Path, folder: Path) -> dict[str, Any]:
    """All steps of one size on a cluster of its own, which is removed whatever happens."""
    stack = STACKS[nodes]
    project = folder / f"project-{nodes}"
    project.mkdir()
    for name in ("Pulumi.yaml", f"Pulumi.{stack}.yaml", "__main__.py"):
        shutil.copy(checkout() / name, project)
    shutil.copytree(checkout() / "config", project / "config")
    try:
        began = time.monotonic()
        note(f"{nodes} nodes: starting the cluster")
        with audited(folder):
            cluster = start(CLUSTER, tools, note, nodes=count_for(nodes))
        start_world(cluster)
        case = Case(nodes, stack, project, cluster)
        seconds = time.monotonic() - began
        for step in STEPS:
            step(case)
        with_kubectl(case, program)
        data = as_data(case.rows, read(cluster.paths.kwok_cluster / "logs"), nodes)
        return {"clusterStartSeconds": round(seconds, 1), "clusterPeakMiB": cluster_peaks(cluster), **data}
    finally:
        stop(CLUSTER)


def cluster_peaks(cluster: EmbeddedCluster) -> dict[str, int]:
    """The largest memory of each process of the cluster, in MiB."""
    world = {process.pid for process in world_processes(cluster.paths)}
    return {
        "simulator" if process.pid in world else Path(process.command.split()[0]).name: round(peak_mib(process.pid))
        for process in own_processes(cluster.paths)
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, action="append", choices=sorted(STACKS), help="only this size")
    parser.add_argument("--json", action="store_true", help="print data instead of a table")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended as for Ctrl-C
    try:
        tools = ensure_tools(note)
        program = kubectl(note)
        about = describe(tools)
        with tempfile.TemporaryDirectory(prefix="mina-infra-bench-") as folder:
            os.environ[STATE_VARIABLE] = str(Path(folder) / "state")
            cases = [measure(nodes, tools, program, Path(folder)) for nodes in arguments.nodes or sorted(STACKS)]
    except MinaInfraError as error:
        note(f"failed: {error}")
        return 1
    if arguments.json:
        print(json.dumps({"about": about, "cases": cases}, indent=2))
    else:
        print("\n".join(f"{name:<20} {value}" for name, value in about.items()))
        print("\n".join(f"\n{as_text(case)}" for case in cases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
