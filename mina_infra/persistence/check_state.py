"""Did every node keep its volumes and its chain? What is found before and after a disruption, and how it is judged.

Pure: the Jobs are `plan/jobs.py`, their results are read by `job_results.py`, `check_run.py` puts it together.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mina_infra.errors import EngineError

PREFIX = "check-state "
"""What a line of a built-in script begins with; JSON follows."""


class State(StrEnum):
    """What is known of a node's state. Not being able to look is never `kept`."""

    WRITTEN = "written"
    KEPT = "kept"
    LOST = "lost"
    FAILED = "failed"
    UNKNOWN = "unknown"


class VolumeMark(BaseModel):
    """What a built-in script found on one volume. `digest` is that of the tree's checksums."""

    model_config = ConfigDict(frozen=True)

    volume: str
    marker: str
    run: Annotated[str, Field(pattern="^[0-9a-f]*$")]
    height: Annotated[str, Field(pattern="^[0-9]*$")]
    digest: str


class NodeRecord(BaseModel):
    """A node before the disruption. `height` is None where no daemon told one; `digests` by volume kind."""

    model_config = ConfigDict(frozen=True)

    height: int | None = None
    digests: dict[str, str] = Field(default_factory=dict)


class Record(BaseModel):
    """What `--before` found; `--after` compares with it. `complete` is False until every Job has ended well."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Annotated[int, Field(ge=1, le=1)] = 1
    testnet: str
    era: int
    run: Annotated[str, Field(pattern="^[0-9a-f]{8}$")]
    complete: bool = False
    nodes: dict[str, NodeRecord]

    def heights(self, nodes: Iterable[str]) -> dict[str, int | None]:
        """The heights of some nodes, None for those that were not there."""
        return {node: self.nodes[node].height if node in self.nodes else None for node in nodes}

    def write(self, file: Path) -> None:
        """Whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.new")
        fresh.write_text(self.model_dump_json(indent=2) + "\n")
        fresh.replace(file)


def read_record(file: Path) -> Record | None:
    """The record of the last `--before`; None when there is none. Raises EngineError for what cannot be read."""
    try:
        return Record.model_validate_json(file.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise EngineError(
            f"{file} is no record of check-state ({error}). Remove it and run `--before` again."
        ) from error


@dataclass(frozen=True)
class JobResult:
    """How a node's Job ended. `complete` is None for a Job that has not ended or is not there; `why` is why not.

    `exit_code` is that of the last container that failed, `log` what the script said.
    """

    node: str
    complete: bool | None
    why: str = ""
    exit_code: int | None = None
    log: str = ""

    def marks(self) -> dict[str, VolumeMark]:
        """What the built-in script said of each volume; lines that are not whole say nothing."""
        found = {}
        for line in self.log.splitlines():
            if line.startswith(PREFIX):
                try:
                    mark = VolumeMark.model_validate_json(line.removeprefix(PREFIX))
                except ValidationError:
                    continue
                found[mark.volume] = mark
        return found

    def last_lines(self, count: int = 5) -> list[str]:
        """The end of its log, for a message."""
        return [line for line in self.log.splitlines() if line.strip()][-count:]


@dataclass(frozen=True)
class NodeCheck:
    """One row of the table: `before` and `after` are chain heights."""

    node: str
    state: State
    before: int | None = None
    after: int | None = None
    reason: str = ""
    log: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Asked:
    """A node to look at: the volumes that it has, whether its scripts are the built-in ones, whether it runs."""

    node: str
    volumes: tuple[str, ...]
    built_in: bool
    tells_height: bool


def judge_setup(asked: Asked, result: JobResult | None, height: int | None) -> NodeCheck:
    """Was everything written?"""
    if result is None or result.complete is None:
        return NodeCheck(asked.node, State.UNKNOWN, height, reason=result.why if result else "no Job ran")
    if not result.complete:
        return _failed(asked, result, height)
    missing = [kind for kind in asked.volumes if kind not in result.marks()] if asked.built_in else []
    if missing:
        return NodeCheck(asked.node, State.UNKNOWN, height, reason=f"the Job's log does not tell of {missing[0]}")
    if height is None and asked.tells_height:
        return NodeCheck(asked.node, State.WRITTEN, height, reason="no height is told; only markers are compared")
    return NodeCheck(asked.node, State.WRITTEN, height)


def judge_verify(asked: Asked, result: JobResult | None, before: NodeRecord, after: int | None) -> NodeCheck:
    """Are volumes and chain as they were, or further?"""
    heights = before.height, after
    if result is None or (result.complete is None and not result.marks()):
        return NodeCheck(asked.node, State.UNKNOWN, *heights, result.why if result else "no Job ran")
    if asked.built_in:
        worst = _worst(asked, result, before)
        if worst is not None:
            return NodeCheck(asked.node, worst[0], *heights, worst[1], tuple(result.last_lines()))
    elif not result.complete:
        return _failed(asked, result, before.height, after)
    if before.height is not None and after is not None and after < before.height:
        return NodeCheck(asked.node, State.LOST, *heights, "its chain is shorter than it was")
    if before.height is not None and after is None and asked.tells_height:
        return NodeCheck(asked.node, State.UNKNOWN, *heights, "its daemon does not tell its height")
    return NodeCheck(asked.node, State.KEPT, *heights)


def _worst(asked: Asked, result: JobResult, before: NodeRecord) -> tuple[State, str] | None:
    """The worst that the built-in script found on a node's volumes; None when all is there."""
    marks = result.marks()
    said = {
        "lost": "has no marker: it is another volume, or was emptied",
        "damaged": "has a damaged marker",
        "older": "holds an older state (marker of run {run}): it was restored from before `--before`",
    }
    for kind, mark in marks.items():
        if mark.marker in said:
            return State.LOST, f"{kind} {said[mark.marker].format(run=mark.run)}"
        if mark.marker == "kept" and before.digests.get(kind) not in (None, mark.digest):
            return State.LOST, f"{kind} holds other checksums than were written"
    missing = [kind for kind in asked.volumes if getattr(marks.get(kind), "marker", "") != "kept"]
    if missing:
        return State.UNKNOWN, result.why or f"the Job's log does not tell of {missing[0]}"
    if not result.complete:
        return State.UNKNOWN, result.why or "the Job has not ended"
    return None


def _failed(asked: Asked, result: JobResult, before: int | None, after: int | None = None) -> NodeCheck:
    lost = result.exit_code == 42
    state = State.LOST if lost else State.FAILED
    return NodeCheck(asked.node, state, before, after, result.why, tuple(result.last_lines()))


def exit_code(checks: Iterable[NodeCheck]) -> int:
    """0 all well, 1 something is lost or a script failed, 2 something could not be told."""
    states = {check.state for check in checks}
    if states & {State.LOST, State.FAILED}:
        return 1
    return 2 if State.UNKNOWN in states or not states else 0


def digests(results: Mapping[str, JobResult]) -> dict[str, dict[str, str]]:
    """The digests that setup Jobs wrote, by node and volume kind."""
    return {
        node: {kind: mark.digest for kind, mark in result.marks().items() if mark.marker == "written"}
        for node, result in results.items()
    }


def table(checks: Iterable[NodeCheck]) -> str:
    """One line for each node; below a bad one the end of its log."""
    rows = list(checks)
    width = max([4, *(len(row.node) for row in rows)])
    lines = [f"{'node':<{width}}  {'state':<8} {'before':>8} {'after':>8}"]
    for row in rows:
        heights = f"{_number(row.before):>8} {_number(row.after):>8}"
        lines.append(f"{row.node:<{width}}  {row.state.value:<8} {heights}  {row.reason}".rstrip())
        lines += [f"{'':<{width}}    | {line}" for line in row.log]
    return "\n".join(lines)


def as_json(phase: str, run: str, checks: Iterable[NodeCheck]) -> str:
    """The same for machines."""
    rows = [
        {"node": row.node, "state": row.state.value, "before": row.before, "after": row.after, "reason": row.reason}
        for row in checks
    ]
    value: dict[str, Any] = {"phase": phase, "run": run, "exitCode": exit_code(checks), "nodes": rows}
    return json.dumps(value, indent=2)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
