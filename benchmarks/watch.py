"""How soon a watch tells of a fault, over 20 seeds each; that clean days bring no alarm. Virtual time; prints a table.

    python benchmarks/watch.py                    # all faults, 20 seeds, 20 nodes
    python benchmarks/watch.py --seeds 5 --nodes 20 --only total-halt
    python benchmarks/watch.py --clean 20         # 24 simulated hours without a fault, so many seeds
    python benchmarks/watch.py --clean 20 --silent 0.1          # a tenth of the daemons never answers

`delay`: slots from the fault to the message. `owed`: slots to the message from the moment when the fault could be known
at all: the second announced slot after a silent halt, the fault itself elsewhere. Exit code 1 when a fault is missed,
owed exceeds two slots and a poll where that is promised, or a clean day brings an alarm.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from mina_infra.guardian.watch.history import History
from mina_infra.guardian.watch.incidents import Change
from mina_infra.guardian.watch.messages import Message
from mina_infra.guardian.watch.sinks import Lines, Post
from mina_infra.guardian.watch.watcher import Watcher
from mina_infra.simulator.faults import FAULTS, Scene, staged

POLL = 1 / 6
PROMISED = 2 + POLL
"""Slots, for stalls, forks and partitions."""
WATCHED_BEFORE = 2
"""Slots in which the watch looks at the healthy network first."""

Break = Callable[[Scene, Random], None]


@dataclass(frozen=True)
class Case:
    """One fault: how it comes, the words of which one must be told, and whether the bound is promised for it.

    `within`: slots after which it counts as missed.
    """

    name: str
    shown_by: str
    words: tuple[tuple[str, str], ...]
    within: float = 30
    promised: bool = True
    come: Break | None = None

    def bring(self, scene: Scene, rng: Random) -> None:
        """Let the fault come."""
        if self.come is not None:
            self.come(scene, rng)
        else:
            FAULTS[self.name].inject(scene.cluster, rng, 0.5)


def _producers(scene: Scene) -> list[str]:
    return [node.name for node in scene.outputs.nodes if node.role == "block-producer"]


def _all_down(scene: Scene, rng: Random) -> None:
    for name in _producers(scene):
        scene.network.crash(name)


def _half_down(scene: Scene, rng: Random) -> None:
    left = 55.0
    for node in sorted(scene.outputs.nodes, key=lambda node: -node.stake):
        if left > 0 and node.stake:
            scene.network.crash(node.name)
            left -= node.stake


def _all_alone(scene: Scene, rng: Random) -> None:
    scene.network.partition(*([name] for name in _producers(scene)))


HALT, SLOW = ("production", "halt"), ("production", "slow-production")
CUT, FORK, DEEP, SPLIT = (("forks", word) for word in ("partition", "fork", "deep-fork", "split"))

CASES: tuple[Case, ...] = (
    Case("producers-down", "pods, status", (HALT,), come=_all_down),
    Case("half-the-stake-down", "pods, status", (SLOW, HALT), come=_half_down),
    Case("producers-without-peers", "peers", (HALT, CUT), come=_all_alone),
    Case("total-halt", "announced slots", (HALT,)),
    Case("half-stake-off", "announced slots, sum", (SLOW, HALT), within=400, promised=False),
    Case("partition-halves", "peers", (CUT,)),
    Case("partition-producers", "peers", (CUT,)),
    Case("fork-2", "ancestor", (FORK, DEEP)),
    Case("fork-8", "ancestor", (DEEP,)),
    Case("fork-16", "ancestor", (DEEP,)),
    Case("split-healed", "ancestor", (SPLIT, DEEP)),
)


@dataclass(frozen=True)
class Told:
    """In slots: from the fault, and from when it could be known."""

    delay: float
    owed: float


class Trial:
    """One network and its watch."""

    def __init__(self, folder: Path, seed: int, nodes: int, case: Case | None) -> None:
        setup = FAULTS[case.name].setup if case and case.name in FAULTS else None
        self.scene = staged(seed, nodes, setup)
        self.slot_s = self.scene.network.constants.slot_ms / 1000
        self.told: list[tuple[float, Change]] = []
        self.history = History.open(folder / f"{case.name if case else 'clean'}-{seed}.db", {"testnet": "bench"})
        clock = self.scene.cluster.clock
        self.watcher = Watcher(
            self.scene.cluster, self.scene.outputs, self.history, Post(self.history, Lines(self._take)), clock
        )

    def _take(self, message: Message) -> None:
        self.told += [(message.at, change) for change in message.changes]

    @property
    def now(self) -> float:
        return self.scene.network.now_ms / 1000

    def watch(self, slots: float) -> None:
        """Look so long, and wait for the next look."""
        asyncio.run(self.watcher.run(until=self.now + (slots - POLL) * self.slot_s))
        self.scene.network.run(slots=POLL)

    def heard(self, words: Sequence[tuple[str, str]]) -> float | None:
        """When one of the words was told."""
        return next((at for at, change in self.told if (change.check, change.problem) in words), None)


def trial(folder: Path, seed: int, nodes: int, case: Case) -> Told | None:
    """None when it is missed, or when the watch had something to say before the fault."""
    run = Trial(folder, seed, nodes, case)
    with run.history:
        asyncio.run(run.watcher.run(until=run.now + WATCHED_BEFORE * run.slot_s))
        if run.told:
            return None
        # The fault comes anywhere between two looks.
        before = Random(seed).random() * POLL
        run.scene.network.run(slots=before)
        case.bring(run.scene, Random(seed))
        began = run.now
        run.scene.network.run(slots=POLL - before)
        while (heard := run.heard(case.words)) is None and run.now < began + case.within * run.slot_s:
            run.watch(1)
    if heard is None:
        return None
    known = began if "announced" not in case.shown_by else _second_won_slot(run.scene, began)
    return Told((heard - began) / run.slot_s, (heard - known) / run.slot_s)


def _second_won_slot(scene: Scene, began: float) -> float:
    """The start of the second slot that somebody won after the last block that came."""
    network, constants = scene.network.network, scene.network.constants
    keys = [node.spec.key for node in network.nodes.values() if node.spec.key]
    slot = max(scene.network.tip().slot, constants.slot_at(began * 1000))
    won = 0
    while won < 2:
        slot += 1
        won += any(network.lottery.draw(key, slot)[0] < network.lottery.chance(key) for key in keys)
    return constants.slot_start(slot) / 1000


def row(case: Case, trials: Sequence[Told | None]) -> tuple[str, bool]:
    """One line of the table, and whether it holds."""
    found = sorted((each for each in trials if each is not None), key=lambda each: each.delay)
    if not found:
        return f"{case.name:<26}{case.shown_by:<24}{0:>3} of {len(trials):<3}", False
    delays, worst = [each.delay for each in found], max(each.owed for each in found)
    cells = "".join(f"{delays[round(share * (len(delays) - 1))]:>8.2f}" for share in (0, 0.5, 0.9, 1))
    holds = len(found) == len(trials) and (not case.promised or worst <= PROMISED + 0.01)
    owed = f"{worst:>9.2f}" if case.promised else f"{'-':>9}"
    mark = "" if holds else "   MISSED" if len(found) < len(trials) else "   TOO LATE"
    return f"{case.name:<26}{case.shown_by:<24}{len(found):>3} of {len(trials):<3}{cells}{owed}{mark}", holds


def clean_days(folder: Path, seeds: int, nodes: int, hours: float, mute: float) -> bool:
    """Whether nothing was told in so many days of different networks, but of the share of daemons that never answer."""
    silent = True
    for seed in range(seeds):
        run = Trial(folder, seed, nodes, None)
        run.scene.cluster.silent.update(Random(seed).sample(sorted(run.scene.network.names), round(mute * nodes)))
        with run.history:
            run.watch(hours * 3600 / run.slot_s)
        for at, change in run.told:
            if mute and (str(change.kind), change.check, change.problem) == ("opened", "answers", "silent"):
                continue
            silent = False
            left = (run.now - at) / run.slot_s
            words = f"{change.kind} {change.check}: {change.problem}: {change.summary}"
            print(f"seed {seed}: {words}, {left:.0f} slots before the end")
    words = f"{seeds} clean runs of {hours:g} h, {nodes} nodes" + (f", {mute:.0%} of them silent" if mute else "")
    print(f"{words}: {'no alarm' if silent else 'FALSE ALARMS'}")
    return silent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES])
    parser.add_argument("--clean", type=int, default=0, metavar="SEEDS", help="clean days instead of faults")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--silent", type=float, default=0.0, metavar="SHARE", help="of the daemons, in clean days")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.clean:
            return 0 if clean_days(Path(folder), options.clean, options.nodes, options.hours, options.silent) else 1
        print(f"{'fault':<26}{'shown by':<24}{'found':<10}{'min':>8}{'median':>8}{'90 %':>8}{'max':>8}{'owed max':>9}")
        good = True
        for case in CASES:
            if options.only and case.name not in options.only:
                continue
            trials = [trial(Path(folder), seed, options.nodes, case) for seed in range(1, options.seeds + 1)]
            line, holds = row(case, trials)
            print(line, flush=True)
            good = good and holds
        print(f"slots; promised: at most {PROMISED:.2f} (two and a poll) from when it can be known")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
