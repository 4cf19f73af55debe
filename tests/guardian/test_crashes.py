"""What is a crash, what is none, and what a network without restarts costs: nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.objects import Container, Event, Pod
from mina_infra.guardian.checks import crashes
from mina_infra.guardian.crashes.ends import Disruption
from mina_infra.guardian.crashes.intake import LOG_BYTES, Context, look
from mina_infra.guardian.crashes.known import Action, KnownIssue
from mina_infra.guardian.crashes.model import Crashes
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.findings import Finding, State
from mina_infra.outputs import ChainOutput, NodeOutput, OutputsDocument
from tests.guardian.crash_logs import BANNER, HASH_A, HASH_B, PEER_A, PEER_B, SIGTERM_NOISE, dead, missing_ancestor

NODES = ("whale-1", "whale-2", "fish-1")
OUTPUTS = OutputsDocument(
    testnet="t", era=1, namespace="t", seeds=[], claims=[], images={"daemon": "mina"},
    nodes=[NodeOutput(name=name, role="block-producer", group="g", ports={"graphql": 3085}) for name in NODES],
    chain=ChainOutput(slot_ms=180_000, k=290),
)  # fmt: skip
CRITERIA = criteria_of(OUTPUTS)
NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
RAN = timedelta(hours=5)
A_MINUTE_AGO = NOW - timedelta(minutes=1)


def ended(
    code: int | None = 1,
    reason: str | None = "Error",
    *,
    at: datetime = A_MINUTE_AGO,
    ran: timedelta = RAN,
    restarts: int = 1,
) -> Container:
    return Container(
        "mina", True, restarts, None, code, reason, started=at, last_started=at - ran, last_ended=at
    )  # fmt: skip


def pod(node: str, *containers: Container, **changes: Any) -> Pod:
    made = Pod(
        f"{node}-0", f"uid-{node}", node, "Running", True, False, NOW - timedelta(days=3), containers, None,
        {"app": node}, {},
    )  # fmt: skip
    return replace(made, **changes)


@dataclass
class Logs:
    """A cluster that only has events and previous logs, and counts what it is asked for."""

    previous: Mapping[str, bytes] = field(default_factory=dict)
    told: Sequence[Event] = ()
    asked: list[str] = field(default_factory=list)

    async def events(self) -> list[Event]:
        self.asked.append("events")
        return list(self.told)

    async def read_log(self, pod: str, container: str, part: LogRange = LogRange()) -> bytes:  # noqa: B008
        self.asked.append(f"log of {pod}/{container}")
        assert part.previous
        assert part.limit_bytes == LOG_BYTES
        if pod not in self.previous:
            raise ApiStatusError(404, "NotFound", "previous terminated container not found")
        lines = self.previous[pod].splitlines(keepends=True)
        return b"".join(lines[-(part.tail_lines or len(lines)) :])[:LOG_BYTES]


def found(pods: Sequence[Pod], logs: Logs, context: Context | None = None, before: Crashes | None = None) -> Crashes:
    return asyncio.run(look(logs, OUTPUTS, pods, context or Context(), before))  # type: ignore[arg-type]


def judged(
    pods: Sequence[Pod], logs: Logs, known: Sequence[KnownIssue] = (), context: Context | None = None
) -> Finding:
    return crashes.judge(found(pods, logs, context), known, CRITERIA, NOW.timestamp())


BUG = missing_ancestor(HASH_A, PEER_A, 1)
SAME_BUG = missing_ancestor(HASH_B, PEER_B, 2)
QUIET = Container("mina", True, 0, None, None, None)


def test_a_network_without_restarts_costs_no_request() -> None:
    logs = Logs()
    finding = judged([pod(name, QUIET) for name in NODES], logs)
    assert (finding.state, logs.asked) == (State.PASS, [])


def test_only_the_logs_of_restarted_containers_are_read() -> None:
    logs = Logs({"whale-1-0": dead(BUG)})
    finding = judged([pod("whale-1", ended()), pod("whale-2", QUIET)], logs)
    assert (finding.state, finding.problems, finding.nodes) == (State.FAIL, ("crash",), ["whale-1"])
    assert logs.asked == ["events", "log of whale-1-0/mina"]
    assert "no ancestor of <hash>" in finding.summary


def test_what_was_read_once_is_not_read_again() -> None:
    pods = [pod("whale-1", ended()), pod("whale-2", ended(143))]
    logs = Logs({"whale-1-0": dead(BUG), "whale-2-0": b""})
    first = found(pods, logs)
    logs.asked.clear()
    again = found(pods, logs, before=first)
    assert (set(again.found), logs.asked) == (set(first.found), [])
    pods[0] = pod("whale-1", ended(restarts=2))
    found(pods, logs, before=first)
    assert logs.asked == ["events", "log of whale-1-0/mina"]


def test_a_log_that_could_not_be_read_is_tried_again_and_never_taken_for_peace() -> None:
    logs = Logs()
    pods = [pod("whale-1", ended())]
    first = found(pods, logs)
    finding = crashes.judge(first, (), CRITERIA, NOW.timestamp())
    assert (finding.state, finding.problems) == (State.FAIL, ("crash",))
    assert "could not be read" in finding.warnings[-1]
    logs.previous = {"whale-1-0": dead(BUG)}
    assert "no ancestor" in found(pods, logs, before=first).found[0].signature.title


def test_one_bug_of_two_nodes_is_one_entry() -> None:
    logs = Logs({"whale-1-0": dead(BUG), "fish-1-0": dead(SAME_BUG)})
    finding = judged([pod("whale-1", ended()), pod("fish-1", ended())], logs)
    assert (finding.figures["crashes"], finding.figures["fingerprints"]) == (2, 1)
    assert sorted(finding.nodes) == ["fish-1", "whale-1"]
    assert finding.problems == ("crash",)


@pytest.mark.parametrize(("restarts", "minutes", "burst"), [(2, 4, True), (1, 4, False), (2, 50, False)])
def test_a_bug_that_comes_three_times_an_hour_on_two_nodes_is_a_burst(restarts: int, minutes: int, burst: bool) -> None:
    """Two nodes: one ended once, the other `restarts` times after runs of so many minutes."""
    logs = Logs({"whale-1-0": dead(BUG), "fish-1-0": dead(SAME_BUG)})
    often = ended(restarts=restarts, ran=timedelta(minutes=minutes))
    finding = judged([pod("whale-1", often), pod("fish-1", ended())], logs)
    assert finding.problems == (("crash-burst", "crash") if burst else ("crash",))


def test_a_bug_that_loops_on_one_node_is_no_burst() -> None:
    logs = Logs({"whale-1-0": dead(BUG)})
    assert judged([pod("whale-1", ended(restarts=9, ran=timedelta(minutes=1)))], logs).problems == ("crash",)


def test_want_of_memory_is_told_as_such_whatever_the_log_says() -> None:
    logs = Logs({"whale-1-0": b"", "fish-1-0": dead(BUG)})
    pods = [pod("whale-1", ended(137, "OOMKilled")), pod("fish-1", ended(137, "OOMKilled", restarts=3))]
    finding = judged(pods, logs)
    assert (finding.problems, finding.figures["fingerprints"]) == (("oom",), 1)


def test_a_segmentation_fault_without_a_word_is_a_crash() -> None:
    finding = judged([pod("whale-1", ended(139))], Logs({"whale-1-0": b""}))
    assert finding.problems == ("crash",)
    assert "SIGSEGV" in finding.summary


@pytest.mark.parametrize("code", [0, 130, 143])
def test_a_restart_that_nobody_asked_for_is_not_passed_over(code: int) -> None:
    finding = judged([pod("whale-1", ended(code))], Logs({"whale-1-0": (SIGTERM_NOISE + BANNER).encode()}))
    assert (finding.state, finding.problems) == (State.FAIL, ("restart-unexplained",))


def test_a_failed_probe_is_named() -> None:
    event = Event(
        "Pod/whale-1-0", "Normal", "Killing", "Container mina failed liveness probe, will be restarted", 1, NOW
    )
    finding = judged([pod("whale-1", ended(137))], Logs({"whale-1-0": SIGTERM_NOISE.encode()}, [event]))
    assert finding.problems == ("restart-unexplained",)
    assert "liveness probe" in str(finding.evidence[0]["detail"])


def test_fatal_lines_of_a_pod_that_is_deleted_are_its_shutdown() -> None:
    """Within the deletion, its grace period and 30 s more."""
    deleted = A_MINUTE_AGO + timedelta(seconds=25)  # as the API server writes it: the grace period included
    shutting = pod("whale-1", ended(143), deleting=True, deleted=deleted, grace_s=30.0)
    assert judged([shutting], Logs({"whale-1-0": SIGTERM_NOISE.encode()})).state is State.PASS
    earlier = replace(shutting, containers=(ended(1, at=A_MINUTE_AGO - timedelta(minutes=30)),))
    assert judged([earlier], Logs({"whale-1-0": dead(BUG)})).problems == ("crash",)


@pytest.mark.parametrize("reason", ["Evicted", "NodeShutdown", "Terminated"])
def test_a_pod_that_its_machine_ended_has_not_crashed(reason: str) -> None:
    assert judged([pod("whale-1", ended(137), reason=reason)], Logs()).state is State.PASS


def test_an_eviction_that_an_event_tells_of_is_no_crash() -> None:
    event = Event("Pod/whale-1-0", "Warning", "Preempted", "by a pod of higher priority", 1, NOW)
    finding = judged([pod("whale-1", ended(143))], Logs({}, [event]))
    assert finding.state is State.PASS
    assert "Preempted" in finding.warnings[0]


def test_what_was_disrupted_on_purpose_is_no_crash_but_its_second_restart_is() -> None:
    done = Context([Disruption("whale-1", A_MINUTE_AGO.timestamp() - 5, restarts=2)])
    logs = Logs({"whale-1-0": dead(BUG)})
    assert judged([pod("whale-1", ended(restarts=3))], logs, context=done).state is State.PASS
    assert judged([pod("whale-1", ended(restarts=4))], logs, context=done).problems == ("crash",)
    late = ended(at=A_MINUTE_AGO + timedelta(minutes=2), restarts=3)
    assert judged([pod("whale-1", late)], logs, context=done).problems == ("crash",)
    assert judged([pod("fish-1", ended(restarts=3))], Logs({"fish-1-0": dead(BUG)}), context=done).problems == (
        "crash",
    )


def test_a_daemon_that_found_no_peer_yet_may_start_again_a_few_times() -> None:
    alone = Logs({"whale-1-0": b"failed to connect to any initial peers\nMina process exited with status code 1"})
    assert judged([pod("whale-1", ended(restarts=4), ready=False)], alone).state is State.PASS
    assert judged([pod("whale-1", ended(restarts=9), ready=False)], alone).problems == ("crash",)
    assert judged([pod("whale-1", ended(restarts=9), ready=True)], alone).state is State.PASS


def test_a_crash_in_a_very_long_log_is_found_at_its_end() -> None:
    """The oldest bytes of a range come first: a single long range would end before the crash."""
    long = b"\n".join(b'{"message":"%s"}' % (b"x" * 20_000) for _ in range(200)) + b"\n"
    finding = judged([pod("whale-1", ended())], Logs({"whale-1-0": long + dead(BUG)}))
    assert "no ancestor" in finding.summary


def test_a_crash_of_last_week_does_not_fail_today() -> None:
    old = ended(at=NOW - timedelta(seconds=CRITERIA.crash_window_s + 1))
    assert judged([pod("whale-1", old)], Logs({"whale-1-0": dead(BUG)})).state is State.PASS
    young = ended(at=NOW - timedelta(seconds=CRITERIA.crash_window_s - 1))
    assert judged([pod("whale-1", young)], Logs({"whale-1-0": dead(BUG)})).state is State.FAIL


def test_a_node_that_ran_long_and_then_crashed_counts_by_its_end() -> None:
    """Mina's watchdog asks when the dead container began, so whoever ran for half an hour never crashed."""
    assert judged([pod("whale-1", ended(ran=timedelta(days=2)))], Logs({"whale-1-0": dead(BUG)})).state is State.FAIL


def test_paused_nodes_and_strangers_are_not_asked() -> None:
    assert judged([pod("visitor", ended())], Logs()).state is State.PASS


FINGERPRINT = found([pod("whale-1", ended())], Logs({"whale-1-0": dead(BUG)})).found[0].fingerprint
BY_PRINT = KnownIssue("mina#1", Action.IGNORE, date(2026, 1, 2), fingerprint=FINGERPRINT)
BY_WORDS = KnownIssue("mina#2", Action.WARN, date(2026, 1, 2), pattern=re.compile("no ancestor"))


@pytest.mark.parametrize(
    ("entry", "state", "words"),
    [
        (BY_PRINT, State.PASS, ""),
        (BY_WORDS, State.PASS, "known, mina#2"),
        (replace(BY_PRINT, expires=date(2026, 1, 1)), State.FAIL, "expired on 2026-01-01"),
        (replace(BY_WORDS, expires=date(2026, 1, 1)), State.FAIL, "expired on 2026-01-01"),
        (replace(BY_PRINT, fingerprint="0" * 12), State.FAIL, ""),
    ],
)
def test_a_known_issue_counts_until_it_expires(entry: KnownIssue, state: State, words: str) -> None:
    finding = judged([pod("whale-1", ended())], Logs({"whale-1-0": dead(BUG)}), [entry])
    assert finding.state is state
    assert words in "".join(finding.warnings)
    assert bool(finding.warnings) == bool(words)


def test_a_known_issue_does_not_hide_another() -> None:
    logs = Logs({"whale-1-0": dead(BUG), "fish-1-0": dead({"sexp": ["Out_of_memory"]})})
    finding = judged([pod("whale-1", ended()), pod("fish-1", ended())], logs, [BY_PRINT, BY_WORDS])
    assert (finding.state, finding.nodes) == (State.FAIL, ["fish-1"])
