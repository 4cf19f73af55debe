"""How a check of the nodes' state is judged: what could not be looked at is never kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mina_infra.errors import EngineError
from mina_infra.persistence.check_state import (
    Asked,
    JobResult,
    NodeCheck,
    NodeRecord,
    Record,
    State,
    as_json,
    digests,
    exit_code,
    judge_setup,
    judge_verify,
    read_record,
    table,
)

ASKED = Asked("whale-1", ("runtime-state",), built_in=True, tells_height=True)
OWN = Asked("whale-1", ("runtime-state",), built_in=False, tells_height=True)
BEFORE = NodeRecord(height=7, digests={"runtime-state": "d1"})


def line(marker: str, digest: str = "d1", run: str = "0123abcd", volume: str = "runtime-state") -> str:
    said = {"volume": volume, "marker": marker, "run": run, "height": "7", "digest": digest}
    return f"check-state {json.dumps(said)}\n"


def complete(log: str = "") -> JobResult:
    return JobResult("whale-1", True, log=log)


def failed(code: int, log: str = "") -> JobResult:
    return JobResult("whale-1", False, f"check ended with exit code {code}", code, log)


@pytest.mark.parametrize(
    ("result", "after", "state", "reason"),
    [
        (complete(line("kept")), 7, State.KEPT, ""),
        (complete(line("kept")), 9, State.KEPT, ""),
        (complete(line("kept")), 6, State.LOST, "shorter"),
        (complete(line("kept")), None, State.UNKNOWN, "does not tell its height"),
        (complete(line("kept", digest="d2")), 9, State.LOST, "other checksums"),
        (failed(42, line("lost", "", "")), 9, State.LOST, "has no marker"),
        (failed(42, line("damaged")), 9, State.LOST, "damaged"),
        (failed(42, line("older", run="aaaa0000")), 9, State.LOST, "aaaa0000"),
        (complete(""), 9, State.UNKNOWN, "does not tell of runtime-state"),
        (complete(line("kept", volume="postgres-state")), 9, State.UNKNOWN, "does not tell of runtime-state"),
        (complete("check-state {half"), 9, State.UNKNOWN, "does not tell"),
        (failed(1), 9, State.UNKNOWN, "exit code 1"),
        (failed(1, line("kept")), 9, State.UNKNOWN, "exit code 1"),
        (JobResult("whale-1", None, "its pod is Pending"), 9, State.UNKNOWN, "Pending"),
        (None, 9, State.UNKNOWN, "no Job ran"),
    ],
)
def test_a_node_with_the_built_in_pair(result: JobResult | None, after: int | None, state: State, reason: str) -> None:
    check = judge_verify(ASKED, result, BEFORE, after)
    assert (check.state, check.before, check.after) == (state, 7, after)
    assert reason in check.reason


@pytest.mark.parametrize(
    ("result", "state"),
    [(complete("fine"), State.KEPT), (failed(42), State.LOST), (failed(1), State.FAILED), (None, State.UNKNOWN)],
)
def test_a_node_with_a_script_of_its_own(result: JobResult | None, state: State) -> None:
    assert judge_verify(OWN, result, BEFORE, 8).state is state


def test_a_node_that_told_no_height_before_is_judged_by_its_markers() -> None:
    assert judge_verify(ASKED, complete(line("kept")), NodeRecord(), None).state is State.KEPT


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (complete(line("written")), State.WRITTEN),
        (complete(""), State.UNKNOWN),
        (failed(42), State.LOST),
        (failed(1), State.FAILED),
        (JobResult("whale-1", None, "its pod is Pending"), State.UNKNOWN),
        (None, State.UNKNOWN),
    ],
)
def test_a_setup(result: JobResult | None, state: State) -> None:
    assert judge_setup(ASKED, result, 7).state is state


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([State.KEPT, State.WRITTEN], 0),
        ([State.KEPT, State.UNKNOWN], 2),
        ([State.LOST, State.UNKNOWN], 1),
        ([State.FAILED, State.KEPT], 1),
        ([], 2),
    ],
)
def test_exit_codes(states: list[State], code: int) -> None:
    checks = [NodeCheck(f"node-{index}", state) for index, state in enumerate(states)]
    assert exit_code(checks) == code
    assert json.loads(as_json("verify", "0123abcd", checks))["exitCode"] == code


def test_the_table_names_the_node_and_shows_the_end_of_its_log() -> None:
    bad = judge_verify(OWN, failed(1, "one\ntwo\n"), BEFORE, 8)
    text = table([NodeCheck("fish-1", State.KEPT, 3, 4), bad])
    assert text.splitlines()[1].split() == ["fish-1", "kept", "3", "4"]
    assert text.splitlines()[2].split()[:4] == ["whale-1", "failed", "7", "8"]
    assert text.splitlines()[3:] == ["           | one", "           | two"]


def test_the_digests_that_were_written() -> None:
    results = {"whale-1": complete(line("written", "d1") + line("written", "d2", volume="postgres-state"))}
    assert digests(results) == {"whale-1": {"runtime-state": "d1", "postgres-state": "d2"}}


def test_a_record_is_read_back(tmp_path: Path) -> None:
    record = Record(testnet="qa", era=1, run="0123abcd", nodes={"whale-1": BEFORE})
    assert read_record(tmp_path / "record.json") is None
    record.write(tmp_path / "deep" / "record.json")
    assert read_record(tmp_path / "deep" / "record.json") == record
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["record.json"]


@pytest.mark.parametrize("text", ["", "{}", '{"version": 2, "testnet": "qa", "era": 1, "run": "01234567"}'])
def test_what_is_no_record_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text(text)
    with pytest.raises(EngineError, match=r"record\.json is no record"):
        read_record(file)
