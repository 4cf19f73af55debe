"""Where the lines and squares of a drawn report go: the tree as rows with lanes, the strip as rows of slots. Pure.

Lengths are CSS pixels. Nothing here knows SVG or colours; the template draws it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mina_infra.daemon.replies import Block
from mina_infra.guardian.findings import some
from mina_infra.guardian.picture import Strip, Vertex

ROW, LANE, MARGIN = 26, 18, 14
MOST_ROWS, MOST_LANES = 60, 12
SLOTS_A_ROW, CELL, CELL_HEIGHT, LABEL = 48, 14, 20, 70
_LETTER = 8
"""Width of a character of a label, a little more than it is."""


@dataclass(frozen=True)
class Dot:
    """One block of the tree that matters, with its label."""

    x: float
    y: float
    reference: bool
    tip: bool
    nodes: int
    label: str
    names: str


@dataclass(frozen=True)
class Edge:
    """From a block down its own lane, then over to the one below it."""

    x: float
    y: float
    turn: float
    to_x: float
    to_y: float
    reference: bool


@dataclass(frozen=True)
class TreeDrawing:
    """`hidden`: blocks of the tree for which there was no room."""

    width: float
    height: float
    text_x: float
    dots: tuple[Dot, ...]
    edges: tuple[Edge, ...]
    hidden: int


@dataclass(frozen=True)
class Cell:
    """One slot; `kind`: block, empty, or flight while its block may still be on its way."""

    x: float
    y: float
    kind: str
    title: str


@dataclass(frozen=True)
class StripDrawing:
    """`labels`: the first slot of each row, with its y. `filled` and `judged` count finished slots only."""

    width: float
    height: float
    cells: tuple[Cell, ...]
    labels: tuple[tuple[float, int], ...]
    filled: int
    judged: int


def draw_tree(vertices: Sequence[Vertex]) -> TreeDrawing:
    """Highest block first, each with a row of its own; the reference chain is the leftmost lane."""
    shown = vertices[:MOST_ROWS]
    lanes = _lanes(shown)
    rows = {vertex.state_hash: number for number, vertex in enumerate(shown)}
    text_x = MARGIN + LANE * (1 + max(lanes.values(), default=0))
    dots, edges = [], []
    for vertex in shown:
        x, y = MARGIN + LANE * lanes[vertex.state_hash], ROW * (rows[vertex.state_hash] + 0.5)
        label = _label(vertex)
        dots.append(Dot(x, y, vertex.reference, bool(vertex.tips), vertex.nodes, label, ", ".join(vertex.tips)))
        if vertex.parent in rows:
            to_x, to_y = MARGIN + LANE * lanes[vertex.parent], ROW * (rows[vertex.parent] + 0.5)
            edges.append(Edge(x, y, to_y - ROW / 2, to_x, to_y, vertex.reference))
    width = text_x + _LETTER * max((len(dot.label) for dot in dots), default=0) + MARGIN
    return TreeDrawing(width, ROW * len(shown), text_x, tuple(dots), tuple(edges), len(vertices) - len(shown))


def _lanes(vertices: Sequence[Vertex]) -> dict[str, int]:
    """A block goes on in the lane of its child that is the reference, or that most nodes have."""
    lanes: dict[str, int] = {}
    heir: dict[str, Vertex] = {}
    free = 1
    for vertex in vertices:
        child = heir.get(vertex.state_hash)
        if vertex.reference:
            lane = 0
        elif child is not None:
            lane = lanes[child.state_hash]
        else:
            lane, free = min(free, MOST_LANES), free + 1
        lanes[vertex.state_hash] = lane
        if vertex.parent is not None:
            other = heir.get(vertex.parent)
            if other is None or (vertex.reference, vertex.nodes) > (other.reference, other.nodes):
                heir[vertex.parent] = vertex
    return lanes


def _label(vertex: Vertex) -> str:
    words = [f"height {vertex.height}", f"{vertex.state_hash[:12]}…"]
    if vertex.tips:
        words.append(f"tip of {len(vertex.tips)}: {some(vertex.tips, 3)}")
    if vertex.nodes != len(vertex.tips):
        words.append(f"on the chain of {vertex.nodes}")
    if vertex.parent is not None and vertex.blocks > 1:
        words.append(f"+{vertex.blocks} blocks")
    return "  ".join(words)


def draw_strip(strip: Strip) -> StripDrawing:
    """Oldest slot first, `SLOTS_A_ROW` in a row."""
    blocks: Mapping[int, Block] = {block.slot: block for block in strip.blocks}
    slots = range(strip.first, strip.last + 1)
    cells = [
        Cell(
            LABEL + CELL * (number % SLOTS_A_ROW),
            (CELL_HEIGHT + 4) * (number // SLOTS_A_ROW),
            "block" if slot in blocks else "empty" if slot <= strip.judged_to else "flight",
            _slot_words(slot, blocks.get(slot)),
        )
        for number, slot in enumerate(slots)
    ]
    starts = slots[::SLOTS_A_ROW]
    judged = range(strip.first, strip.judged_to + 1)
    return StripDrawing(
        width=LABEL + CELL * SLOTS_A_ROW,
        height=(CELL_HEIGHT + 4) * len(starts),
        cells=tuple(cells),
        labels=tuple(((CELL_HEIGHT + 4) * number + 15, slot) for number, slot in enumerate(starts)),
        filled=sum(slot in blocks for slot in judged),
        judged=len(judged),
    )


def _slot_words(slot: int, block: Block | None) -> str:
    if block is None:
        return f"slot {slot}: no block"
    work = f"{block.commands} transactions, {block.snark_jobs} proofs"
    return f"slot {slot}: height {block.height}, {block.state_hash[:12]}…, by {block.creator[:16]}…, {work}"
