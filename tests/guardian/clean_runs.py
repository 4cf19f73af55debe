"""Healthy networks for a simulated day: no check may ever fail or name a problem, and silence is never health.

    python -m tests.guardian.clean_runs [--hours 24] [--seeds 20] [--nodes 20 --nodes 200] [--silent 0.1] [...]

Each network lives from its first slot, at 3 minutes a slot, with about a look of the watch in each of them on the
virtual clock; once with every daemon answering, once with a tenth of them silent for good. Printed are looks, alarms
and what was open; exit code 1 on any failure in a look, on an incident or a problem that was named (silent daemons
are), or when a silent daemon was passed over.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from mina_infra.guardian.findings import State
from mina_infra.simulator import virtual_time
from mina_infra.simulator.faults import Setup, staged
from tests.guardian.looks import Looker
from tests.guardian.many import run_each

SLOTS_AN_HOUR = 20
PAUSE_SLOTS = 0.97
"""Between two looks, so that they come at every phase of a slot and not always when its block has arrived."""

SETTLED_SLOTS = 60
"""After so many slots nothing may be open but what the silent ones leave open."""

LEFT_OPEN = frozenset({"answers", "sync", "forks"})
"""Checks about every single daemon: with a silent one they cannot tell."""

ALLOWED = frozenset({"silent"})
"""Words that may be said while daemons are silent."""


@dataclass(frozen=True)
class Run:
    """One network's day. `alarms`: slot and words of what should not have been said, the first ones."""

    nodes: int
    seed: int
    silent: int
    looks: int
    seconds: float
    alarms: tuple[str, ...]
    count: int
    passed_over: int
    """Looks in which a check about every daemon passed although some were silent."""
    open_looks: int
    """Looks after the start in which something was open that the silent do not explain."""


def live(nodes: int, seed: int, hours: float, share: float) -> Run:
    """One network for so long, with that share of its daemons silent."""
    return virtual_time.run(_live(nodes, seed, hours, share))


async def _live(nodes: int, seed: int, hours: float, share: float) -> Run:
    started = time.monotonic()
    scene = staged(seed, nodes, Setup(slots_before=0))
    silent = Random(seed).sample(sorted(scene.network.names), round(share * nodes))
    scene.cluster.silent.update(silent)
    looker = Looker(scene.cluster, scene.outputs)
    allowed = ALLOWED if silent else frozenset()
    explained = LEFT_OPEN if silent else frozenset()
    explained |= {"seeds"} if any(name.startswith("seed") for name in silent) else set()
    alarms: list[str] = []
    passed_over = open_looks = 0
    for slot in range(round(hours * SLOTS_AN_HOUR)):
        await looker.live(PAUSE_SLOTS, each=PAUSE_SLOTS)
        for finding in looker.findings:
            odd = set(finding.problems) - allowed
            if (finding.state is State.FAIL and not finding.settling) or odd:
                what = f"{finding.check} {finding.state} ({', '.join(finding.problems) or 'fail'})"
                alarms.append(f"slot {slot}: {what}: {finding.summary}; {finding.seen}")
        states = {finding.check: finding.state for finding in looker.findings if finding.asked}
        passed_over += bool(silent) and any(states[check] is State.PASS for check in LEFT_OPEN)
        unknown = {check for check, state in states.items() if state is State.UNKNOWN}
        open_looks += slot >= SETTLED_SLOTS and bool(unknown - explained)
    incidents = [each for each in looker.named.values() if each.problem not in allowed]
    alarms += [f"slot {each.slot}: incident {each.check} {each.severity}: {each.problem}" for each in incidents]
    seconds = time.monotonic() - started
    return Run(nodes, seed, len(silent), looker.looks, seconds, tuple(alarms[:5]), len(alarms), passed_over, open_looks)


def run_all(sizes: Sequence[int], seeds: int, hours: float, shares: Sequence[float], processes: int = 1) -> list[Run]:
    """Every size with every seed, with and without silent daemons."""
    work = [(n, seed, hours, share) for n, share, seed in itertools.product(sizes, shares, range(seeds))]
    return run_each(live, work, processes, _line)


def _line(run: Run) -> str:
    return f"{run.nodes} nodes, {run.silent} silent, seed {run.seed}: {run.looks} looks, {run.count} alarms"


def as_text(runs: Sequence[Run]) -> str:
    heads = ("nodes", "silent", "networks", "looks", "alarms", "passed over", "left open", "ms a look")
    lines = [" ".join(f"{head:>11}" for head in heads)]
    for (nodes, silent), group in itertools.groupby(runs, key=lambda run: (run.nodes, run.silent)):
        mine = list(group)
        looks = sum(run.looks for run in mine)
        milliseconds = round(1000 * sum(run.seconds for run in mine) / looks)
        sums = [sum(getattr(run, part) for run in mine) for part in ("count", "passed_over", "open_looks")]
        lines.append(" ".join(f"{each:>11}" for each in (nodes, silent, len(mine), looks, *sums, milliseconds)))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--nodes", type=int, action="append", help="repeatable; default 20 and 200")
    parser.add_argument(
        "--silent", type=float, action="append", help="share of the daemons; repeatable; default 0 and 0.1"
    )
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    started = time.monotonic()
    sizes = arguments.nodes or [20, 200]
    runs = run_all(sizes, arguments.seeds, arguments.hours, arguments.silent or [0.0, 0.1], arguments.processes)
    print(as_text(runs))
    print(f"in {time.monotonic() - started:.0f} s")
    for run in runs:
        for alarm in run.alarms:
            print(f"{run.nodes} nodes, {run.silent} silent, seed {run.seed}, {alarm}", file=sys.stderr)
    return 1 if any(run.count or run.passed_over for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
