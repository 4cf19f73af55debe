"""Progress folded over recorded events (tests/engine/events: a testnet of six nodes; properties were cut off)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import EngineEvent

from mina_infra.engine.progress import Progress, summary

EVENTS = Path(__file__).parent / "events"


def folded(name: str, total: int = 28) -> Progress:
    progress = Progress(total=total, prefix="rec-")
    for event in events(name):
        progress.see(event, now=0.0)
    return progress


def events(name: str) -> list[EngineEvent]:
    return [EngineEvent.from_json(json.loads(line)) for line in (EVENTS / f"{name}.jsonl").read_text().splitlines()]


def step(kind: str, op: str, name: str = "rec-whale-1") -> EngineEvent:
    urn = f"urn:pulumi:rec::mina-infra::kubernetes:apps/v1:Deployment::{name}"
    metadata: dict[str, Any] = {"op": op, "urn": urn, "type": "kubernetes:apps/v1:Deployment"}
    return EngineEvent.from_json({kind: {"metadata": metadata}})


@pytest.mark.parametrize(
    ("name", "changes", "changed"),
    [
        ("up", {"create": 28}, 28),
        ("change", {"same": 22, "update": 6}, 6),
        ("destroy", {"delete": 28}, 28),
    ],
)
def test_components_and_providers_are_not_counted(name: str, changes: dict[str, int], changed: int) -> None:
    progress = folded(name)
    assert progress.changes == changes
    assert (progress.done, progress.changed, progress.waiting, progress.failures) == (28, changed, {}, {})


def test_every_event_moves_forward() -> None:
    progress, last = Progress(total=28), 0
    for event in events("up"):
        progress.see(event, now=0.0)
        assert progress.done >= last
        last = progress.done


def test_what_takes_longest_is_named() -> None:
    progress = Progress(total=28, prefix="rec-")
    progress.see(step("resourcePreEvent", "create"), now=10.0)
    progress.see(step("resourcePreEvent", "create", "rec-fish-1"), now=12.0)
    assert progress.line(now=15.0) == "0/28   waiting for whale-1 and 1 more, 5 s"
    progress.see(step("resOutputsEvent", "create"), now=15.0)
    assert progress.line(now=16.0) == "1/28   waiting for fish-1, 4 s"


def test_more_objects_than_expected_raise_the_total() -> None:
    assert folded("up", total=5).line(now=0.0) == "28/28"


def test_a_replacement_counts_once() -> None:
    progress = Progress()
    for op in ("delete-replaced", "replace", "create-replacement"):
        progress.see(step("resourcePreEvent", op), now=0.0)
        progress.see(step("resOutputsEvent", op), now=0.0)
    assert progress.changes == {"replace": 1}


def test_a_failure_is_said_without_decoration() -> None:
    progress = folded("fail")
    assert progress.failure_text() == (
        'whale-3-p2p: not successfully created by the Kubernetes API server: services "whale-3" already exists'
    )


def test_many_failures_are_cut() -> None:
    progress = Progress()
    for index in range(20):
        progress.see(step("resOpFailedEvent", "create", f"fish-{index}"), now=0.0)
    lines = progress.failure_text().splitlines()
    assert len(lines) == 9
    assert lines[-1].startswith("and 12 more: fish-8, ")


def test_a_failure_of_the_run_as_a_whole() -> None:
    progress = Progress()
    message = {"severity": "error", "message": "error: <{%reset%}>no Pulumi.yaml<{%reset%}>\n"}
    progress.see(EngineEvent.from_json({"diagnosticEvent": message}), now=0.0)
    assert progress.failure_text() == "error: no Pulumi.yaml"


def test_summary_reads_in_a_fixed_order() -> None:
    assert summary({"same": 3, "delete": 1, "create": 2}) == "2 created, 1 deleted, 3 unchanged"
    assert summary({}) == "nothing to do"
