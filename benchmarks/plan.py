"""How long planning takes, from the stack file to manifests: 12, 200 and 1000 nodes, and a document with 200 mistakes.

Each size is measured in a process of its own, best of several, so that its memory is its own and other work on the
machine counts as little as it can. Exit code 1 when planning takes longer than it may, or a mistake is not reported.

    python benchmarks/plan.py [--json]
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from mina_infra.plan import load_stack, plan_testnet
from mina_infra.plan import rules as plan_rules
from mina_infra.plan.summary import summarize, to_text
from mina_infra.plan.yaml import to_yaml
from mina_infra.spec import SpecError
from mina_infra.spec.load import load_stack_spec
from mina_infra.spec.stack_file import TESTNET_KEY
from mina_infra.storage import rules as storage_rules

ROOT = Path(__file__).resolve().parents[1]
STACKS = {12: "local", 200: "qa", 1000: "qa"}
LIMITS_S = {12: 0.5, 200: 0.5, 1000: 2.0}
"""Longest time for load, rules and plan together."""
MISTAKES = 200
REPEAT = 5

R = TypeVar("R")


def document(nodes: int) -> dict[str, Any]:
    """A testnet of so many nodes: a stack of the project, `qa` with larger groups for 1000."""
    data = yaml.safe_load((ROOT / f"Pulumi.{STACKS[nodes]}.yaml").read_text())["config"][TESTNET_KEY]
    data["genesis"]["runtimeConfig"] = str(ROOT / data["genesis"]["runtimeConfig"])
    if nodes == 1000:
        for group in data["nodes"]:
            if group.get("group") == "fish":
                group.update(count=300, stake=0.03)
            if group["role"] == "snark-worker":
                group["count"] = 500
        there = sum(group.get("count", 1) for group in data["nodes"])
        data["nodes"].append({"role": "plain", "count": nodes - there})
    result: dict[str, Any] = data
    return result


def with_mistakes(count: int) -> dict[str, Any]:
    """The 200 nodes and as many groups more, each with one mistake: of five kinds, found by models and by rules."""
    data = copy.deepcopy(document(200))
    kinds: tuple[dict[str, Any], ...] = (
        {"cuont": 2},
        {"count": 0},
        {"stake": 1},
        {"volumes": {"runtime-state": {"accessMode": "ReadWriteMany"}}},
        {"volumes": {"runtime-state": {"size": "2 gigs"}}},
    )
    for index in range(count):
        data["nodes"].append({"role": "plain", "group": f"wrong-{index}", **kinds[index % len(kinds)]})
    return data


def groups_named(file: Path) -> set[int]:
    """The groups of a stack file that its mistakes are in."""
    try:
        load_stack(file)
    except SpecError as error:
        return {int(issue.path[1]) for issue in error.issues if issue.path[0] == "nodes" and len(issue.path) > 1}
    return set()


def stack_file(folder: Path, testnet: Mapping[str, Any]) -> Path:
    file = folder / "Pulumi.bench.yaml"
    file.write_text(yaml.safe_dump({"config": {TESTNET_KEY: testnet}}))
    return file


def best(work: Callable[[], R]) -> tuple[R, float]:
    """The result, and the shortest of several times in seconds."""
    times = []
    for _ in range(REPEAT):
        began = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - began)
    return result, min(times)


def measure(nodes: int) -> dict[str, float]:
    """Seconds of each step for one size, and the memory of this process in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        file = stack_file(Path(folder), document(nodes))
        spec, load = best(lambda: load_stack_spec(file))
        _, rules = best(lambda: [*storage_rules.check(spec), *plan_rules.check(spec)])
        plan, planning = best(lambda: plan_testnet(spec))
    assert len(plan.outputs.nodes) == nodes, f"{len(plan.outputs.nodes)} nodes planned instead of {nodes}"
    _, summary = best(lambda: to_text(summarize(plan)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _, text = best(lambda: to_yaml(plan.objects()))
    return {
        "objects": len(plan.objects()),
        "load": load,
        "rules": rules,
        "plan": planning,
        "together": load + rules + planning,
        "summary": summary,
        "yaml": text,
        "peakMiB": peak,
    }


def measure_mistakes(count: int = MISTAKES) -> dict[str, float]:
    """Seconds until all mistakes of a document are reported, and how many of the wrong groups were named."""
    data = with_mistakes(count)
    wrong = set(range(len(data["nodes"]) - count, len(data["nodes"])))
    with tempfile.TemporaryDirectory() as folder:
        file = stack_file(Path(folder), data)
        found, seconds = best(lambda: groups_named(file))
    return {"mistakes": count, "reported": len(found & wrong), "together": seconds}


def start_up() -> float:
    """Seconds of the whole command `mina-infra plan -s qa`: interpreter, imports, planning, printing."""
    command = [sys.executable, "-m", "mina_infra.cli", "plan", "-s", "qa"]
    return best(lambda: subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL))[1]


def in_own_process(nodes: int) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, "--one", str(nodes)], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


STEPS = ("load", "rules", "plan", "together", "summary", "yaml")


def as_text(sizes: Mapping[int, Mapping[str, float]], mistakes: Mapping[str, float], command: float) -> str:
    lines = [
        f"{'nodes':>6} {'objects':>8} " + " ".join(f"{step:>9}" for step in STEPS) + f" {'may take':>9} {'peak':>9}"
    ]
    for nodes, row in sizes.items():
        times = " ".join(f"{1000 * row[step]:>6.1f} ms" for step in STEPS)
        peak = f"{row['peakMiB']:>5.0f} MiB"
        lines.append(f"{nodes:>6} {row['objects']:>8.0f} {times} {1000 * LIMITS_S[nodes]:>6.0f} ms {peak}")
    lines.append(
        f"{mistakes['mistakes']:.0f} mistakes in one document: {mistakes['reported']:.0f} reported in "
        f"{1000 * mistakes['together']:.0f} ms (may take {1000 * LIMITS_S[200]:.0f} ms)"
    )
    lines.append(f"the command `mina-infra plan -s qa`, interpreter and imports included: {1000 * command:.0f} ms")
    return "\n".join(lines)


def failures(sizes: Mapping[int, Mapping[str, float]], mistakes: Mapping[str, float]) -> list[str]:
    """What does not hold."""
    found = [
        f"{nodes} nodes took {row['together']:.2f} s"
        for nodes, row in sizes.items()
        if row["together"] > LIMITS_S[nodes]
    ]
    if mistakes["reported"] < mistakes["mistakes"]:
        found.append(f"{mistakes['mistakes'] - mistakes['reported']:.0f} mistakes were not reported")
    if mistakes["together"] > LIMITS_S[200]:
        found.append(f"the mistakes took {mistakes['together']:.2f} s")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--one", type=int, choices=sorted(STACKS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return 0
    sizes = {nodes: in_own_process(nodes) for nodes in STACKS}
    mistakes, command = measure_mistakes(), start_up()
    if arguments.json:
        print(json.dumps({"sizes": sizes, "mistakes": mistakes, "command": command}, indent=2))
    else:
        print(as_text(sizes, mistakes, command))
    wrong = failures(sizes, mistakes)
    for each in wrong:
        print(f"too slow or wrong: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
