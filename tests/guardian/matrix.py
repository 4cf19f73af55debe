"""The fault matrix: every named fault, some seeds each, looked at as a watch would: detected, named right, no more.

    python -m tests.guardian.matrix --seeds 20 [--fault NAME ...] [--nodes 20]

A network lives in health, the fault is injected, and the checks look at it slot by slot on the virtual clock. Printed
are the confusion table (faults by problems named, in how many of the seeds) and every miss with what was said instead.
Exit code 1 when a fault was not detected, was given the wrong nodes, or something else was named beside it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from mina_infra.guardian.findings import State
from mina_infra.guardian.watch.symptoms import Severity
from mina_infra.simulator import virtual_time
from mina_infra.simulator.faults import Fault, Weight, staged
from tests.guardian.cases import CASES, SIDES, UNSEEN
from tests.guardian.looks import Looker, Named
from tests.guardian.many import run_each

HEALTHY_SLOTS = 10
"""Slots with looks before the fault: what compares two looks has something to compare, and nothing may be named."""

CONFIRM_SLOTS = 4
"""From the first look that can know: two looks, or three where waiting may mend it, and one for its edge."""

FEW_LOOKS = 25
"""A single look knows most faults; those that take long to show are looked at so often meanwhile."""

PAUSE_WATCHED = 0.3
"""Slots between looks at what only a watch sees, which looks six times a slot: never at one phase of the slot alone."""

SEVERITIES = {Weight.FAIL: Severity.FAILURE, Weight.WARN: Severity.WARNING, Weight.UNKNOWN: Severity.BLIND}


@dataclass(frozen=True)
class Outcome:
    """One fault with one seed. `missed` and `wrong` are empty where all went right; `delay` in slots."""

    fault: str
    seed: int
    named: frozenset[str]
    delay: int | None
    missed: str = ""
    wrong: str = ""

    @property
    def right(self) -> bool:
        return not self.missed and not self.wrong


def run_case(name: str, seed: int, nodes: int) -> Outcome:
    """Live in health, inject, look."""
    return virtual_time.run(_run(CASES[name], seed, nodes))


async def _run(fault: Fault, seed: int, nodes: int) -> Outcome:
    scene = staged(seed, nodes, fault.setup)
    looker = Looker(scene.cluster, scene.outputs)
    await looker.live(HEALTHY_SLOTS)
    if looker.named:
        return Outcome(fault.name, seed, frozenset(looker.words), None, wrong=f"before the fault: {looker.said()}")
    guilty = frozenset(fault.inject(scene.cluster, Random(f"{fault.name} {seed}"), 0.5).nodes)
    began = scene.network.slot
    found = await _watch(fault, looker, guilty, began)
    return Outcome(
        fault.name,
        seed,
        frozenset(looker.words),
        found.slot - began if found else None,
        _missed(fault, looker, guilty, found),
        _wrong(fault, looker, guilty),
    )


async def _watch(fault: Fault, looker: Looker, guilty: frozenset[str], began: int) -> Named | None:
    """Look until a look can know and two could agree. The first time that the fault is named as it must be."""
    network = looker.cluster.network
    found: Named | None = None
    end = began + fault.slots + CONFIRM_SLOTS
    while network.slot < end:
        left = end - network.slot
        often = fault.slots <= FEW_LOOKS or left <= CONFIRM_SLOTS
        pause = 1.0 if often else min(left - CONFIRM_SLOTS, fault.slots / FEW_LOOKS)
        await looker.live(1, each=PAUSE_WATCHED if fault.watched else pause)
        found = found or _found(fault, looker, guilty)
    return found


def _found(fault: Fault, looker: Looker, guilty: frozenset[str]) -> Named | None:
    """A problem of the fault's own words, as grave as it is, with a node that is guilty."""
    for each in looker.named.values():
        concerned = not each.nodes or not guilty or each.nodes & guilty or fault.name in SIDES
        if concerned and each.problem in fault.problems and each.severity is SEVERITIES[fault.weight]:
            return each
    return None


def _missed(fault: Fault, looker: Looker, guilty: frozenset[str], found: Named | None) -> str:
    if fault.name in UNSEEN:
        unknown = {finding.check for finding in looker.findings if finding.state is State.UNKNOWN}
        return "" if UNSEEN[fault.name] <= unknown else f"not said to be unseen: {UNSEEN[fault.name] - unknown}"
    if fault.weight is Weight.NONE or found is not None:
        return ""
    words = " or ".join(fault.problems)
    return f"expected {words} ({fault.weight}) of {', '.join(sorted(guilty)[:4]) or 'the network'}; {looker.said()}"


def _wrong(fault: Fault, looker: Looker, guilty: frozenset[str]) -> str:
    """Other words, innocent nodes, or a failure where nothing may fail."""
    stray = looker.words - set(fault.may) - set(fault.problems)
    if stray:
        return f"also named {', '.join(sorted(stray))}; {looker.said()}"
    if fault.weight is not Weight.FAIL and looker.failures:
        return f"taken for ill; {looker.said()}"
    for each in looker.failures:
        innocent = each.nodes - guilty
        if guilty and innocent and fault.name not in SIDES:
            return f"blamed {', '.join(sorted(innocent)[:4])} for {each.problem}"
    return ""


def run_all(names: Iterable[str], seeds: Sequence[int], nodes: int, processes: int = 1) -> list[Outcome]:
    """Every fault with every seed."""
    work = [(name, seed, nodes) for name in names for seed in seeds]
    return run_each(run_case, work, processes, _line)


def _line(outcome: Outcome) -> str:
    return f"{outcome.fault}, seed {outcome.seed}: {'right' if outcome.right else 'WRONG'}"


def as_text(outcomes: Sequence[Outcome]) -> str:
    """The confusion table: for each fault the problems that were named, in how many seeds, its own marked."""
    lines = [f"{'fault':<26} {'must be named':<34} {'right':>7} {'delay':>13}  named (in how many seeds)"]
    for name in dict.fromkeys(outcome.fault for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.fault == name]
        counts = Counter(problem for outcome in mine for problem in outcome.named)
        delays = [outcome.delay for outcome in mine if outcome.delay is not None]
        delay = f"{min(delays)}-{max(delays)} slots" if delays else "-"
        own = CASES[name].problems
        order = sorted(counts, key=lambda problem: (problem not in own, -counts[problem], problem))
        named = "  ".join(f"{problem} {counts[problem]}" for problem in order) or "nothing"
        right = sum(outcome.right for outcome in mine)
        lines.append(f"{name:<26} {' or '.join(own) or 'nothing':<34} {right:>3}/{len(mine):<3} {delay:>13}  {named}")
    return "\n".join([*lines, summary(outcomes)])


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many were detected, misnamed, and false alarms."""
    faults = [outcome for outcome in outcomes if CASES[outcome.fault].problems]
    calm = [outcome for outcome in outcomes if not CASES[outcome.fault].problems]
    detected, misnamed = sum(not each.missed for each in faults), sum(bool(each.wrong) for each in faults)
    return (
        f"{len({each.fault for each in faults})} faults: {detected} of {len(faults)} runs detected, {misnamed} misnamed"
        f"; {len({each.fault for each in calm})} harmless: {sum(not each.right for each in calm)} of {len(calm)} runs "
        "with a false alarm"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--fault", action="append", choices=sorted(CASES), help="only this one; repeatable")
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    started = time.monotonic()
    outcomes = run_all(arguments.fault or CASES, range(arguments.seeds), arguments.nodes, arguments.processes)
    print(as_text(outcomes))
    bad = [outcome for outcome in outcomes if not outcome.right]
    for outcome in bad:
        print(f"{outcome.fault}, seed {outcome.seed}: {outcome.missed} {outcome.wrong}".rstrip(), file=sys.stderr)
    print(f"in {time.monotonic() - started:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
