"""The entries of docs/facts.md, for the tests that walk its tables."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FILE = Path(__file__).parents[1] / "docs" / "facts.md"
ID = r"[a-z0-9-]+/[A-Za-z0-9-]+"
"""`area/name`."""

_ENTRY = re.compile(rf"^(?:- \*\*({ID})\*\* |\| ({ID}) \| )", re.MULTILINE)


@cache
def entries() -> tuple[str, ...]:
    """All ids, in the order of the file."""
    return tuple(item or row for item, row in _ENTRY.findall(FILE.read_text()))


def names(area: str) -> list[str]:
    """The names of one area, in the order of the file."""
    return [each.partition("/")[2] for each in entries() if each.startswith(f"{area}/")]
