"""The command's table, JSON and issue text; Cloud Logging with a client that answers from a list."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from mina_infra.errors import ClusterError, MinaInfraError, ToolError
from mina_infra.guardian.crashes import cloud_logging, issue
from mina_infra.guardian.crashes.cloud_logging import Query, connect, filter_text, merged
from mina_infra.guardian.crashes.known import Action, KnownIssue, sort
from mina_infra.guardian.crashes.model import Crash, Crashes, grouped
from tests.guardian.crash_logs import HASH_A, HASH_B, PEER_A, PEER_B, SIGTERM_NOISE, dead, missing_ancestor, unhandled
from tests.guardian.test_crashes import NOW, OUTPUTS, Logs, ended, found, pod

BUG = missing_ancestor(HASH_A, PEER_A, 1)
SAME_BUG = missing_ancestor(HASH_B, PEER_B, 2)
SINCE = NOW - timedelta(days=1)


def seen() -> Crashes:
    logs = Logs({"whale-1-0": dead(BUG), "fish-1-0": dead(SAME_BUG), "whale-2-0": b""})
    return found([pod("whale-1", ended()), pod("fish-1", ended()), pod("whale-2", ended(137, "OOMKilled"))], logs)


def intake(*known: KnownIssue) -> issue.Intake:
    crashes = seen()
    return issue.Intake(OUTPUTS, sort(grouped(crashes.found), known, NOW.date()), crashes.explained, crashes.unread, SINCE.timestamp())  # fmt: skip  # noqa: E501


def test_the_table_has_one_line_for_each_bug() -> None:
    lines = issue.table(intake()).splitlines()
    assert [line.split()[1] for line in lines[1:3]] == ["crash", "oom"]
    assert "2 nodes" in lines[1]
    assert "no ancestor of <hash>" in lines[1]
    assert "whale-2" in lines[2]


def test_the_table_says_what_is_known_and_what_has_expired() -> None:
    bug, oom = (group.fingerprint for group in intake().groups)
    known = KnownIssue("mina#7", Action.WARN, date(2030, 1, 1), fingerprint=bug)
    old = KnownIssue("mina#8", Action.IGNORE, date(2025, 1, 1), fingerprint=oom)
    words = issue.table(intake(known, old))
    assert "warn: mina#7" in words
    assert "expired: the entry mina#8" in words
    assert [line.split()[0] for line in words.splitlines()[1:3]] == [oom, bug]  # the new ones first


def test_json_holds_every_end_and_the_sample() -> None:
    data = json.loads(issue.as_json(intake()))
    assert (data["schema"], data["testnet"], len(data["crashes"])) == (1, "t", 2)
    crash = data["crashes"][0]
    assert (crash["cause"], crash["count"], sorted(crash["nodes"])) == ("crash", 2, ["fish-1", "whale-1"])
    assert crash["firstSeen"] == "2026-01-02T11:59:00Z"
    assert "Unhandled top-level exception" in crash["sample"]
    assert {end["pod"] for end in crash["ends"]} == {"whale-1-0", "fish-1-0"}


def test_an_issue_is_ready_to_be_filed() -> None:
    here = intake()
    text = issue.markdown(here, here.groups[0])
    lines = text.splitlines()
    assert lines[0].startswith("# Crash: monitor.ml.Error Failure no ancestor of <hash>")
    assert text.count("```") == 4
    expected = ("**Testnet**: t, era 1", "**Image**: `mina`", "**Commit**: `0123abc`", "2 (block-producer)", "whale-1")
    assert all(words in text for words in expected)
    assert f"**Fingerprint**: `{here.groups[0].fingerprint}`" in text
    assert "kubectl logs -n t whale-1-0 -c mina --previous" in text


def test_a_sample_cannot_end_its_own_fence() -> None:
    crash = found([pod("whale-1", ended())], Logs({"whale-1-0": dead({"sexp": ["Failure", "```\n# not a title"]})}))
    here = issue.Intake(OUTPUTS, sort(grouped(crash.found), (), NOW.date()), (), (), 0)
    assert "````" in issue.markdown(here, here.groups[0])


def test_an_issue_is_found_by_the_beginning_of_its_fingerprint() -> None:
    here = intake()
    wanted = here.groups[0]
    assert here.find(wanted.fingerprint[:6]) is wanted
    with pytest.raises(MinaInfraError, match=wanted.fingerprint):
        here.find("zzz")


def test_nothing_found_is_said() -> None:
    here = issue.Intake(OUTPUTS, sort((), (), NOW.date()), (), (), SINCE.timestamp())
    assert issue.table(here).startswith("no crash since 2026-01-01 12:00")


# --- Cloud Logging ----------------------------------------------------------------------------------------------------


@dataclass
class FakeEntry:
    payload: Any
    timestamp: datetime | None
    pod: str = "whale-1-5d9c7-x2x4v"
    app: str | None = "whale-1"

    @property
    def labels(self) -> dict[str, str] | None:
        return {"k8s-pod/app": self.app} if self.app else None

    @property
    def resource(self) -> Any:
        return SimpleNamespace(labels={"pod_name": self.pod, "container_name": "mina"})


@dataclass
class FakeClient:
    entries: list[FakeEntry]
    asked: list[dict[str, Any]] = field(default_factory=list)

    def list_entries(self, **arguments: Any) -> Iterable[FakeEntry]:
        self.asked.append(arguments)
        return iter(self.entries)


def fatal(exn: Any, at: datetime = NOW, **changes: Any) -> FakeEntry:
    return FakeEntry(json.loads(unhandled(exn)), at, **changes)


def asked(client: Any) -> tuple[Crash, ...]:
    return asyncio.run(cloud_logging.look(Query(client, "C", "N", SINCE)))


def test_the_query_is_exactly_this() -> None:
    client = FakeClient([])
    asked(client)
    assert client.asked == [
        {
            "filter_": 'resource.type="k8s_container" AND resource.labels.cluster_name="C" AND resource.labels.namespace_name="N"\n'  # noqa: E501
            'AND resource.labels.container_name=("mina" OR "coda" OR "seed" OR "coordinator")\n'
            'AND timestamp>="2026-01-01T12:00:00Z"\n'
            'AND (jsonPayload.level="Fatal" OR jsonPayload.message:"Unhandled top-level exception")',
            "order_by": "timestamp desc",
            "page_size": 1000,
            "max_results": 10_000,
        }
    ]


def test_the_time_of_a_query_is_utc_wherever_it_is_asked() -> None:
    """Mina's own script writes local time and calls it Z."""
    here = datetime(2026, 1, 1, 14, 30, tzinfo=timezone(timedelta(hours=2, minutes=30)))
    assert 'timestamp>="2026-01-01T12:00:00Z"' in filter_text("C", "N", here)


def test_a_query_that_is_too_long_is_not_sent() -> None:
    with pytest.raises(ClusterError, match="20000"):
        filter_text("C", "N", NOW, [f"container-{number}" for number in range(2000)])


def test_pods_that_are_gone_are_known_by_their_node() -> None:
    (crash,) = asked(FakeClient([fatal(BUG)]))
    assert (crash.node, crash.source, crash.at, crash.commit) == (
        "whale-1",
        "Cloud Logging",
        NOW.timestamp(),
        "0123abc",
    )
    assert crash.fingerprint == seen().found[0].fingerprint


def test_lines_of_one_end_are_one_crash_and_a_shutdown_is_none() -> None:
    report = FakeEntry("Exception when generating crash report", NOW + timedelta(seconds=3))
    noise = [
        FakeEntry(json.loads(line), NOW + timedelta(seconds=number), "fish-1-x-y", "fish-1")
        for number, line in enumerate(SIGTERM_NOISE.splitlines())
    ]
    later = fatal(SAME_BUG, NOW + timedelta(hours=1))
    found_ = asked(FakeClient([report, *noise, fatal(BUG), later]))
    assert [crash.node for crash in found_] == ["whale-1", "whale-1"]
    assert len({crash.fingerprint for crash in found_}) == 1


def test_what_the_pods_told_is_not_counted_twice() -> None:
    told = [crash for crash in seen().found if crash.node == "whale-1"]
    history = asked(FakeClient([fatal(BUG, NOW - timedelta(seconds=62)), fatal(BUG, NOW - timedelta(hours=3))]))
    assert [crash.source for crash in merged(told, history)] == ["previous log", "Cloud Logging"]


def test_a_client_that_fails_is_a_cluster_that_does_not_answer() -> None:
    class Broken:
        def list_entries(self, **_: Any) -> Iterable[FakeEntry]:
            raise RuntimeError("429 quota exceeded")

    with pytest.raises(ClusterError, match="429 quota"):
        asked(Broken())


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ToolError, match=r"pip install 'mina-infra\[gcp\]'"):
        connect("project")


def test_the_client_is_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(Client=lambda project: SimpleNamespace(project=project))
    monkeypatch.setattr(importlib, "import_module", lambda name: {"google.cloud.logging": module}[name])
    assert connect("project").project == "project"  # type: ignore[attr-defined]


def test_entries_without_labels_or_times_break_nothing() -> None:
    entries = [
        fatal(BUG, NOW + timedelta(seconds=1), app=None),
        FakeEntry({"weird": [1]}, NOW),
        FakeEntry("text", None),
        FakeEntry(None, NOW),
    ]
    assert [crash.node for crash in asked(FakeClient(entries))] == ["whale-1-5d9c7-x2x4v"]
