"""How fast the simulated network is, and how honest: a day of it, healthy and ill, for 20, 200 and 1000 nodes.

Each line is one network: processor seconds, events, what the chain became (filled and tied slots, how often all tips
agree, the deepest fork that a look saw). Exit code 1 when 200 nodes take longer for a day than they may.

    python benchmarks/simulate.py [--json] [--slots 480]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mina_infra.simulator.faults import population
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import SimulatedNetwork
from mina_infra.simulator.timing import Timing

SLOT_MS = 180_000
LOOKS_PER_SLOT = 6
LIMIT_S = 10.0
"""Longest processor time for 200 nodes and 480 slots, looks included."""


def timing(proving_s: tuple[float, float] = (30, 60), gossip_s: float = 2.0) -> Timing:
    """The usual times with others for proving and gossip, in seconds."""
    usual = Timing.for_slot(SLOT_MS)
    return replace(usual, proving=(proving_s[0] * 1000, proving_s[1] * 1000), gossip=gossip_s * 1000)


CASES: tuple[tuple[str, int, Timing], ...] = (
    ("healthy", 20, timing()),
    ("healthy", 200, timing()),
    ("proofs in 60-200 s", 200, timing((60, 200))),
    ("proofs in 150-260 s", 200, timing((150, 260))),
    ("gossip 10 s", 200, timing(gossip_s=10)),
    ("healthy", 1000, timing()),
)


def measure(
    name: str, nodes: int, times: Timing, slots: int, specs: Sequence[NodeSpec] | None = None
) -> dict[str, Any]:
    """One network for so many slots, looked at `LOOKS_PER_SLOT` times a slot."""
    started = time.process_time()
    network = SimulatedNetwork(1, specs or population(nodes), timing=times)
    network.run(slots=2)
    agree = looks = deepest = 0
    for _ in range(slots * LOOKS_PER_SLOT):
        network.run(slots=1 / LOOKS_PER_SLOT)
        tips = {node.tip.state_hash for node in network.network.nodes.values() if node.tip}
        looks += 1
        agree += len(tips) == 1
        if len(tips) > 1:
            deepest = max(deepest, network.deepest_fork())
    chain = network.network.nodes["seed-1"].chain(slots)
    return {
        "case": name,
        "nodes": nodes,
        "slots": slots,
        "cpu_s": round(time.process_time() - started, 2),
        "events": network.network.events_so_far,
        "filled": round(network.truth.filled / network.truth.slots, 3),
        "tied": round(network.truth.tied / max(network.truth.filled, 1), 3),
        "canonical_fill": round((len(chain) - 1) / max(chain[-1].slot - chain[0].slot, 1), 3),
        "tips_agree": round(agree / looks, 3),
        "deepest_fork": deepest,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="data instead of a table")
    parser.add_argument("--slots", type=int, default=480, help="how long each network lives; 480 are a day")
    options = parser.parse_args()
    rows = []
    for name, nodes, times in CASES:
        rows.append(measure(name, nodes, times, options.slots))
        if not options.json:
            print(line(rows[-1], header=len(rows) == 1), flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))
    slowest = max(row["cpu_s"] for row in rows if row["nodes"] <= 200)
    return int(slowest * 480 / options.slots > LIMIT_S)


def line(row: dict[str, Any], *, header: bool) -> str:
    """One line of the table."""
    widths = {key: max(len(key), 20 if key == "case" else 7) for key in row}
    text = "  ".join(
        f"{row[key]!s:<{width}}" if key == "case" else f"{row[key]!s:>{width}}" for key, width in widths.items()
    )
    names = "  ".join(f"{key:<{width}}" if key == "case" else f"{key:>{width}}" for key, width in widths.items())
    return f"{names}\n{text}" if header else text


if __name__ == "__main__":
    sys.exit(main())
