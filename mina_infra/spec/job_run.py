"""Which Jobs one run of the engine makes: never the document's word, always that of a command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

VARIABLE = "MINA_INFRA_JOBS"
"""Hands a JobRun to the program, which runs in a process of the engine's or in ours."""

Phase = Literal["setup", "verify"]


@dataclass(frozen=True)
class JobRun:
    """One half of a check: `phase` of the nodes in `heights`.

    `run` is eight hex digits, the same before and after a disruption. `heights`: each node's chain height before the
    disruption, as its daemon told it; None where it did not, or where no daemon runs.
    """

    phase: Phase
    run: str
    heights: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes whose Jobs are made, and which are paused meanwhile."""
        return frozenset(self.heights)

    def to_variable(self) -> str:
        """As text for the environment."""
        return json.dumps({"phase": self.phase, "run": self.run, "heights": dict(self.heights)}, sort_keys=True)


def from_variable(text: str) -> JobRun | None:
    """The run that the environment asks for. Raises ValueError for what `to_variable` did not write."""
    if not text:
        return None
    try:
        data = json.loads(text)
        phase, run, heights = data["phase"], str(data["run"]), dict(data["heights"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{VARIABLE} is set by `mina-infra check-state`, not by hand ({error})") from error
    if phase not in ("setup", "verify"):
        raise ValueError(f"{VARIABLE}: no phase '{phase}'")
    return JobRun(phase, run, heights)
