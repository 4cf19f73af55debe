"""The benchmark's own arithmetic: what it counts, and that it fails when a step does not do what is measured."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from audit import Request, parse
from deploy import changes, up_again
from measuring import Line, Measured, StepFailedError, run
from table import Row, as_data, as_text, ratios

BEGAN = 1000.0


def measured(*texts: str, seconds: float = 10.0) -> Measured:
    lines = tuple(Line(float(index), text) for index, text in enumerate(texts, start=1))
    return Measured(BEGAN, seconds, cpu=4.0, lines=lines, peaks={"engine": 300.0})


def row(name: str, **milestones: float) -> Row:
    return Row(name, measured(), 7.0, {key.replace("_", " "): value for key, value in milestones.items()})


ROWS = [
    row("up", objects_deployed=10.0, all_pods_run=20.0),
    row("up again", nothing_to_change=5.0),
    row("destroy", nothing_is_left=30.0),
    row("kubectl apply", objects_deployed=40.0, all_pods_run=50.0),
    row("kubectl apply again", nothing_to_change=10.0),
    row("kubectl delete", nothing_is_left=60.0),
]


def event(agent: str, at: float = BEGAN + 1, verb: str = "create") -> str:
    received = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return json.dumps({"requestReceivedTimestamp": received, "verb": verb, "userAgent": agent})


@pytest.mark.parametrize(
    ("agent", "ours", "kubectl"),
    [
        ("mina-infra/0.1.0", True, False),
        ("mina-infra/0.1.0 (provider)", True, False),
        ("mina-infra/0.1.0 (world)", False, False),
        ("kubectl/v1.36.3 (linux/amd64) kubernetes/abcdef", False, True),
        ("kube-controller-manager/v1.36.3", False, False),
    ],
)
def test_the_audit_log_tells_whose_request_it_was(agent: str, ours: bool, kubectl: bool) -> None:
    request = parse(event(agent))
    assert (request.at, request.verb, request.ours, request.kubectl) == (BEGAN + 1, "create", ours, kubectl)


@pytest.mark.parametrize(("at", "counted"), [(BEGAN - 0.001, 0), (BEGAN, 1), (BEGAN + 9.999, 1), (BEGAN + 10, 0)])
def test_a_step_counts_the_requests_of_its_own_time(at: float, counted: int) -> None:
    assert row("up").requests([Request(at, "get", "mina-infra/0.1.0")]).total() == counted


def test_each_step_counts_its_own_programs() -> None:
    everybody = [Request(BEGAN, "get", agent) for agent in ("mina-infra/1", "mina-infra/1 (world)", "kubectl/1")]
    counts = [row(name).requests(everybody).total() for name in ("up", "kubectl apply", "idle")]
    assert counts == [1, 1, 3]


def test_silence_before_the_first_and_after_the_last_line_counts() -> None:
    assert Measured(0, 10, 0, (Line(4, "a"), Line(5, "b"))).silence == 5
    assert Measured(0, 6, 0, (Line(4, "a"), Line(5, "b"))).silence == 4


def test_ratios_are_ours_to_kubectls() -> None:
    assert list(ratios(ROWS).values()) == [0.25, 0.4, 0.5, 0.5]


def test_the_table_says_what_the_data_say() -> None:
    requests = [Request(BEGAN + 1, "create", "mina-infra/0.1.0")] * 24
    data: dict[str, Any] = as_data(ROWS, requests, nodes=12)
    assert data["steps"][0]["requestsPerNode"] == {"create": 2.0}
    text = as_text({**data, "clusterStartSeconds": 3.2, "clusterPeakMiB": {"etcd": 70}})
    assert "up                     create 2\n" in text
    assert "deploy until objects are there   0.25" in text


def test_the_changes_of_a_deployment_are_read_from_its_line() -> None:
    assert changes("deployed    3 created, 372 unchanged in 10 s") == "3 created, 372 unchanged"


@pytest.mark.parametrize("said", ["1 updated, 374 unchanged", "375 created", "nothing to do"])
def test_a_second_up_that_changes_something_fails_the_benchmark(said: str) -> None:
    with pytest.raises(StepFailedError, match="changed something"):
        up_again(FakeCase(f"deployed    {said} in 10 s"))  # type: ignore[arg-type]


def test_a_second_up_that_changes_nothing_is_measured() -> None:
    case = FakeCase("deployed    375 unchanged in 10 s")
    up_again(case)  # type: ignore[arg-type]
    assert case.rows[0].milestones == {"nothing to change": 1.0}


class FakeCase:
    """A case whose command printed one line."""

    def __init__(self, line: str) -> None:
        self.rows: list[Row] = []
        self._line = line

    def command(self, *_: str) -> Measured:
        return measured(self._line)

    def step(self, name: str, work: Any) -> Measured:
        done: Measured = work()
        self.rows.append(Row(name, done, 0.0))
        return done


def test_a_command_is_measured(tmp_path: Path) -> None:
    done = run([sys.executable, "-c", "print('a'); sum(range(10**6)); print('b')"], tmp_path)
    assert [line.text for line in done.lines] == ["a", "b"]
    assert done.cpu > 0
    assert done.lines[0].at <= done.lines[1].at <= done.seconds


def test_a_failing_command_fails_the_step_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match=r"(?s)ended with 3.*last words"):
        run([sys.executable, "-c", "print('last words'); raise SystemExit(3)"], tmp_path)


def test_a_line_that_is_missing_is_an_error() -> None:
    with pytest.raises(StepFailedError, match="no line like"):
        measured("one", "two").line("^deployed ")
