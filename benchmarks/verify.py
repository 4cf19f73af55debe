"""How long a full verdict takes when one daemon in ten never answers, and how much memory; import time of the command.

The real command (`mina-infra verify`) against an API server with simulated daemons in a process of its own
(benchmarks/simulated_api.py), beside the guardian's present way on the same daemons (benchmarks/per_pod.py), of which a
sample is measured and the whole extrapolated. Exit code 1 when an aim is missed or the verdict is wrong.

    python benchmarks/verify.py [--json] [--nodes 200 --nodes 1000] [--sample 36 | --whole]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import per_pod
from measuring import alone, cpu_seconds
from simulated_api import one_in_ten

ROOT = Path(__file__).resolve().parents[1]
SECONDS = {200: 10.0, 1000: 30.0}
"""Longest time to the verdict, by number of daemons."""
PEAK_MIB = 300.0
HELP, LOADING = "mina-infra verify --help", "all that a look loads"
START_S = {HELP: 0.3}
"""Longest processor time of a start. What a look loads is a part of its own time; it is told and has no aim."""
REPEAT = 5
READY_S = 120.0

LOOK = ("verify", "-s", "bench", "--outputs", "outputs.json", "--deadline", "0", "--json")
_TELL = """import atexit, sys
def tell():
    names = [name for name, module in sys.modules.items() if name != "__main__" and getattr(module, "__spec__", None)]
    open("modules", "w").write(" ".join(names))
atexit.register(tell)
"""
_LOAD = (
    "import importlib, sys; from mina_infra.cli import rarely_collect; rarely_collect()\n"
    "for name in sys.argv[1:]: importlib.import_module(name)"
)

STACK = """config:
  mina-infra:cluster: {{kubeconfig: {kubeconfig}, context: simulated, identifier: simulated}}
  mina-infra:testnet: {{name: testnet, target: {{provider: gke, region: us-central1}}}}
"""


@dataclass(frozen=True)
class Verdict:
    """One run of the command. Seconds of wall time, interpreter and imports included; processor seconds of its own."""

    nodes: int
    silent: int
    seconds: float
    cpu: float
    server_cpu: float
    peak_mib: float
    exit_code: int
    answered: int
    named_silent: int
    failed: tuple[str, ...]

    def wrong(self) -> list[str]:
        """What is not as it must be."""
        limit = SECONDS.get(self.nodes)
        found = []
        if limit is not None and self.seconds > limit:
            found.append(f"{self.nodes} daemons took {self.seconds:.1f} s, may take {limit:.0f} s")
        if self.peak_mib > PEAK_MIB:
            found.append(f"{self.nodes} daemons took {self.peak_mib:.0f} MiB, may take {PEAK_MIB:.0f} MiB")
        if (self.exit_code, self.answered, self.named_silent) != (2, self.nodes - self.silent, self.silent):
            found.append(f"{self.nodes} daemons: wrong verdict {asdict(self)}")
        if self.failed:
            found.append(f"{self.nodes} daemons: false alarm of {', '.join(self.failed)}")
        return found


@contextmanager
def served(nodes: int) -> Iterator[tuple[Path, int]]:
    """A folder with kubeconfig, outputs.json and a project, and the process id of the server behind them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, str(ROOT / "benchmarks/simulated_api.py"), "--nodes", str(nodes), "--folder", name]
        with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}) as server:
            try:
                deadline = time.monotonic() + READY_S
                while not (folder / "ready").exists():
                    if server.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError("the simulated API server did not start")
                    time.sleep(0.05)
                _project(folder)
                yield folder, server.pid
            finally:
                server.terminate()


def _project(folder: Path) -> None:
    """What the command wants to find: a checkout with a stack, and a CLI of Pulumi, which this command never calls."""
    (folder / "Pulumi.yaml").write_text("name: mina-infra\nruntime: python\n")
    (folder / "Pulumi.bench.yaml").write_text(STACK.format(kubeconfig=folder / "kubeconfig"))
    (folder / "bin").mkdir()
    (folder / "bin" / "pulumi").write_text("#!/bin/sh\nexit 1\n")
    (folder / "bin" / "pulumi").chmod(0o755)


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


def verdict(folder: Path, server: int, nodes: int) -> Verdict:
    """One look of `mina-infra verify`."""
    before = cpu_seconds([server])
    with (folder / "verdict.json").open("w") as out, (folder / "progress").open("w") as progress:
        used = alone([sys.executable, "-m", "mina_infra.cli", *LOOK], folder, _environment(folder), out, progress)
    text = (folder / "verdict.json").read_text()
    if not text:
        raise RuntimeError(f"no verdict: {(folder / 'progress').read_text()}")
    found = json.loads(text)
    checks = {check["check"]: check for check in found["checks"]}
    names = [node["name"] for node in found["nodes"]]
    return Verdict(
        nodes=nodes,
        silent=len(one_in_ten(names)),
        seconds=used.seconds,
        cpu=used.cpu,
        server_cpu=cpu_seconds([server]) - before,
        peak_mib=used.peak_mib,
        exit_code=used.exit_code,
        answered=checks["answers"]["figures"]["answered"],
        named_silent=len(set(checks["answers"]["silent"]) & one_in_ten(names)),
        failed=tuple(name for name, check in checks.items() if check["state"] == "fail"),
    )


def best_start(folder: Path) -> dict[str, float]:
    """Seconds: the help of the command, and loading everything that a look has loaded at its end; see `_best`."""
    commands = {
        "interpreter alone": ["-c", "pass"],
        HELP: ["-m", "mina_infra.cli", "verify", "--help"],
        LOADING: ["-c", _LOAD, *_loaded_by_a_look(folder)],
    }
    return {name: _best([sys.executable, *words]) for name, words in commands.items()}


def _loaded_by_a_look(folder: Path) -> list[str]:
    """Names of all modules that a process has loaded once it has told its verdict, in their order."""
    command = [sys.executable, "-c", f"{_TELL}from mina_infra.cli import main; main()", *LOOK]
    subprocess.run(command, cwd=folder, env=_environment(folder), check=False, capture_output=True)
    return (folder / "modules").read_text().split()


def slow_starts(starts: dict[str, float]) -> list[str]:
    """Which of them takes longer than it may."""
    return [
        f"{name}: {starts[name]:.2f} s, may take {limit} s" for name, limit in START_S.items() if starts[name] > limit
    ]


def _best(command: Sequence[str]) -> float:
    """The least processor time of some runs, interpreter included: the time of a machine that does nothing else.

    With the bytecode of an earlier run, as every start but the first has it, also where none may be written.
    """
    best = float("inf")
    with tempfile.TemporaryDirectory() as bytecode, Path(os.devnull).open("w") as nowhere:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": bytecode}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(1 + REPEAT):
            best = min(best, alone(command, ROOT, environment, nowhere, None).cpu)
    return best


def present_way(folder: Path, nodes: int, sample: int | None) -> dict[str, Any]:
    """The script over all pods, or over every n-th of them so that one in ten is silent in the sample too."""
    pods = per_pod.pods_of(folder / "kubeconfig")
    silent = {pod for pod in pods if pod.rpartition("-")[0] in one_in_ten([each.rpartition("-")[0] for each in pods])}
    chosen = pods if sample is None or sample >= len(pods) else _sample(pods, silent, sample)
    course = per_pod.run(folder / "kubeconfig", chosen)
    whole = course.pods == len(pods)
    return {
        "nodes": nodes,
        "pods": course.pods,
        "seconds": course.seconds if whole else course.extrapolated(nodes - len(silent), len(silent)),
        "extrapolated": not whole,
        "answeringPodSeconds": course.each(True),
        "silentPodSeconds": course.each(False),
    }


def _sample(pods: list[str], silent: set[str], size: int) -> list[str]:
    quiet = size // 10
    loud = [pod for pod in pods if pod not in silent]
    return [*loud[: size - quiet], *sorted(silent)[:quiet]]


def as_text(starts: dict[str, float], looks: list[Verdict], present: list[dict[str, Any]]) -> str:
    lines = [f"{'daemons':>8} {'silent':>7} {'verdict':>9} {'may take':>9} {'cpu':>7} {'peak':>9}   the present way"]
    for look, script in zip(looks, present, strict=True):
        about = "about " if script["extrapolated"] else ""
        pod, silent = script["answeringPodSeconds"], script["silentPodSeconds"]
        limit = f"{SECONDS[look.nodes]:.0f} s" if look.nodes in SECONDS else "-"
        lines.append(
            f"{look.nodes:>8} {look.silent:>7} {look.seconds:>7.1f} s {limit:>9} {look.cpu:>5.1f} s"
            f" {look.peak_mib:>5.0f} MiB   {about}{script['seconds']:.0f} s"
            f" ({pod:.1f} s a pod, {silent:.0f} s a silent one, {per_pod.THREADS} at a time)"
        )
    lines += [f"{name}: {1000 * seconds:.0f} ms" for name, seconds in starts.items()]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--nodes", type=int, action="append", help="number of daemons; repeatable")
    parser.add_argument("--sample", type=int, default=36, help="pods that the present way is measured on")
    parser.add_argument("--whole", action="store_true", help="run the present way over all pods")
    arguments = parser.parse_args()
    looks, present = [], []
    starts: dict[str, float] = {}
    for nodes in arguments.nodes or sorted(SECONDS):
        with served(nodes) as (folder, server):
            starts = starts or best_start(folder)
            looks.append(verdict(folder, server, nodes))
            present.append(present_way(folder, nodes, None if arguments.whole else arguments.sample))
    if arguments.json:
        print(json.dumps({"starts": starts, "looks": [asdict(each) for each in looks], "present": present}, indent=2))
    else:
        print(as_text(starts, looks, present))
    wrong = [each for look in looks for each in look.wrong()]
    wrong += slow_starts(starts)
    for each in wrong:
        print(f"too slow or wrong: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
