"""What a check says: one of three states, and the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """A check that could not look says UNKNOWN, never PASS."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


Value = str | int | float | bool | None
Row = Mapping[str, Value]
"""One line of evidence; the key `node` names the node it is about."""


@dataclass(frozen=True)
class Slots:
    """A duration in slots, the only unit in which criteria hold on fast and slow networks alike."""

    count: int


@dataclass(frozen=True)
class CheckInfo:
    """What a check is for and what it needs.

    `needs` names what it reads of evidence.SOURCES: nothing else is asked for its sake. `warm_up` counts the slots
    after the start of a network in which the check cannot tell, `runbook` is the line of the runbook that it does.
    """

    name: str
    needs: tuple[str, ...]
    warm_up: Slots
    runbook: str


@dataclass(frozen=True)
class Finding:
    """The answer of one check.

    `settling`: a network that starts or mends itself may change the answer; it stands once nobody waits any longer.
    `silent`: the nodes that could not be asked. `warnings`: what is not as it should be, yet within the criteria.
    `problems`: what is wrong in one stable word each (`halt`, `split`), for machines; empty unless it fails or warns.
    `asked`: False where this network does not do what the check is about (no load, no workers): the answer is UNKNOWN
    and does not weigh in the verdict.
    """

    check: str
    state: State
    summary: str
    expected: str = ""
    seen: str = ""
    action: str = ""
    evidence: tuple[Row, ...] = ()
    silent: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    settling: bool = False
    asked: bool = True
    figures: Mapping[str, Value] = field(default_factory=dict)

    @property
    def nodes(self) -> list[str]:
        """The nodes that the evidence names, each once, in its order."""
        return list(dict.fromkeys(str(row["node"]) for row in self.evidence if row.get("node") is not None))


def some(names: list[str] | tuple[str, ...], most: int = 5) -> str:
    """The first names and how many more there are: `a, b, c, d, e and 7 more`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
