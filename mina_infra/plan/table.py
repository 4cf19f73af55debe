"""A table for a terminal: plain text, no colour, so that it reads the same in a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their content; a column of numbers to the right."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    right = [
        all(re.fullmatch(r"[\d.,]*|unknown|[\d.]+ %", line[column]) for line in lines[1:])
        for column in range(len(head))
    ]
    text = []
    for line in lines:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)
