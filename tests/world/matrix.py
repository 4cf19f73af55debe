"""The survival matrix, alone: `python -m tests.world.matrix [--nodes 12|200] [PART OF A NAME ...]`, or `make survival`.

One testnet lives through everything that `mishaps` holds, one after the other. A witness looks at its volumes and logs
all the while; after each mishap claims, volumes, the marker in each volume and the height of each chain are compared.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mina_infra.errors import MinaInfraError
from mina_infra.local import control_plane
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.nodes import count_for
from mina_infra.local.paths import STATE_VARIABLE
from mina_infra.local.tools import ensure_tools
from tests.world import copies
from tests.world.marks import heights
from tests.world.mishaps import MISHAPS
from tests.world.survivors import Network
from tests.world.witness import Sight, Witness

Words = Mapping[str, str]

STACKS = {12: "local", 200: "qa"}
"""Whose nodes the testnet has, by their number."""


class Row(NamedTuple):
    """What a mishap came to. `lost` says what did not survive, in words."""

    case: str
    claims: str
    markers: str
    lost: list[str]
    fallen: int
    bootstraps: int
    exit_code: int
    seconds: float

    @property
    def survived(self) -> bool:
        return not (self.lost or self.fallen or self.bootstraps or self.exit_code)


_LINE = "{:<36}{:>12}{:>12}{:>12}{:>16}{:>12}{:>9}".format


def table(nodes: int, rows: Sequence[Row]) -> str:
    """The matrix as text."""
    head = _LINE(f"{nodes} nodes", "claims", "markers", "lost", "heights fallen", "bootstraps", "seconds")
    lines = [
        _LINE(row.case, row.claims, row.markers, len(row.lost), row.fallen, row.bootstraps, f"{row.seconds:.1f}")
        for row in rows
    ]
    return "\n".join(["", head, *lines])


@dataclass
class Matrix:
    """The testnet that lives through everything, and what has been written down so far.

    Each row begins with the sight that the one before ended with: what is noticed late counts in the next row.
    """

    network: Network
    witness: Witness
    nodes: int
    sight: Sight
    rows: list[Row] = field(default_factory=list)

    def live_through(self, case: str) -> list[Row]:
        """Let it happen, put it right, compare: the testnet, then its copy if there is one."""
        mishap = MISHAPS[case]
        claims, markers = self.network.claims(), self.network.markers()
        tall = heights(self.network)
        mishap.happen(self.network)
        began = time.monotonic()
        try:
            code, error = mishap.recover(self.network), ""
        except MinaInfraError as problem:
            code, error = 1, str(problem)
        seconds = time.monotonic() - began
        row = self._row(case, claims, markers, code, seconds)
        if error:
            row.lost.append(error)
        rows = [row, self._copy_row(markers, tall)] if mishap.copied and not code else [row]
        self.rows.extend(rows)
        self.network.mark()  # volumes that are new
        return rows

    def noticed_late(self) -> tuple[int, int]:
        """Heights that fell and bootstraps that no row has counted, once everything is written."""
        before, self.sight = self.sight, self.witness.rested()
        return len(self.sight.falls) - len(before.falls), self.sight.bootstraps - before.bootstraps

    def _copy_row(self, markers: Words, tall: Mapping[str, int]) -> Row:
        before, began = self.sight, time.monotonic()
        found = copies.compared(self.network, markers, tall)
        left = copies.removed(self.network)
        after = self.sight = self.witness.look()
        return Row(
            f"  its copy: {found.nodes} nodes, one worker",
            f"{found.claims}/{found.wanted}",
            f"{found.markers}/{found.wanted}",
            [*found.lost, *left],
            found.lower + len(after.falls) - len(before.falls),
            after.bootstraps - before.bootstraps,
            found.exit_code,
            time.monotonic() - began,
        )

    def _row(self, case: str, claims: Words, markers: Words, code: int, seconds: float) -> Row:
        before, after = self.sight, self.witness.look()
        self.sight = after
        claims_now, markers_now = self.network.claims(), self.network.markers()
        given_up = {name for name in claims if self._is_given_up(name)}
        claims = {name: uid for name, uid in claims.items() if name not in given_up}
        markers = {name: text for name, text in markers.items() if name not in given_up}
        kept = {name for name, uid in claims.items() if claims_now.get(name) == uid}
        same = {name for name, text in markers.items() if markers_now.get(name) == text}
        falls = [volume for volume, height in before.heights.items() if after.heights[volume] < height]
        falls += after.falls[len(before.falls) :]
        new_daemons = sum("runtime-state" in name for name in claims_now.keys() - claims.keys())
        return Row(
            case,
            f"{len(kept)}/{len(claims)}",
            f"{len(same)}/{len(markers)}",
            [
                *(f"claim {name}" for name in claims.keys() - kept),
                *(f"marker in {name}" for name in markers.keys() - same),
                *(f"{name} was given up and is there" for name in given_up & claims_now.keys()),
            ],
            len(falls),
            # Nodes that are new have to; all others have a chain.
            after.bootstraps - before.bootstraps - new_daemons,
            code,
            seconds,
        )

    def _is_given_up(self, claim: str) -> bool:
        return any(fnmatch.fnmatchcase(claim, pattern) for pattern in self.network.given_up)


@contextmanager
def deployed(cluster: EmbeddedCluster, nodes: int, folder: Path) -> Iterator[Matrix]:
    """The testnet, up and healthy, with a marker in every volume."""
    start = {"image": "registry.example/mina-daemon:night-1", "daemonVersion": "3.0.1"}
    network = Network("keep", cluster, folder / "project", start, like=STACKS[nodes])
    witness = Witness(cluster, folder / "logs")
    try:
        assert network.up() == 0
        network.mark()
        # More than one of a daemon that had to wait for the genesis Job in a BOOTSTRAP that never ends.
        sight = witness.rested()
        assert sight.bootstraps >= len(network.env.plan.outputs.daemons()), "a witness that sees what there is to see"
        yield Matrix(network, witness, nodes, sight)
    finally:
        witness.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.world.matrix", description=__doc__)
    parser.add_argument("--nodes", type=int, choices=sorted(STACKS), default=200)
    parser.add_argument("cases", nargs="*", help="only those whose name contains one of these")
    arguments = parser.parse_args()
    chosen = [case for case in MISHAPS if not arguments.cases or any(part in case for part in arguments.cases)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ[STATE_VARIABLE] = str(Path(folder) / "state")
        try:
            cluster = control_plane.start("survival", ensure_tools(print), print, nodes=count_for(arguments.nodes))
            with deployed(cluster, arguments.nodes, Path(folder)) as matrix:
                for case in chosen:
                    matrix.live_through(case)
                late = matrix.noticed_late()
        finally:
            control_plane.stop("survival")
    print(table(arguments.nodes, matrix.rows))
    bad = [f"{row.case}: {row}" for row in matrix.rows if not row.survived]
    bad += [f"noticed late: {late[0]} heights fallen, {late[1]} bootstraps"] if any(late) else []
    print(*bad, sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
