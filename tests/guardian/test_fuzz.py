"""Whatever a daemon answers: no check breaks, the node never passes, and it has a row of its own.

What is read here: GraphQL by both ports, previous logs, the status of the command line. How much of an answer is read
at most is tested with the roads.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.fanout import NoAnswerError
from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.replies import MAX_BODY, BadReplyError, ForwardFailedError, PortRefusedError
from mina_infra.cluster.retry import DroppedError
from mina_infra.cluster.roads import Road
from mina_infra.daemon.logs import parse_line
from mina_infra.daemon.replies import GraphQLError, decode_best_chain, decode_block, decode_status, decode_version
from mina_infra.daemon.status_text import StatusTextError, parse_status
from mina_infra.errors import ClusterError
from mina_infra.guardian.checks import judge_all
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.evidence import Evidence, gather
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.report import json as as_json
from mina_infra.guardian.report import text
from mina_infra.guardian.survey import ANSWER_SECONDS, Survey
from mina_infra.guardian.verdict import Health, Verdict, verdict_of
from mina_infra.simulator import cli_status, virtual_time
from mina_infra.simulator.deployment import outputs_of
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import SimulatedNetwork
from mina_infra.simulator.view import View
from tests.guardian.fake_cluster import FakeCluster

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
VICTIM = "whale-2"
ROADS = st.sampled_from([Road.PORT_FORWARD, Road.DIRECT])

Corrupt = Callable[[bytes], bytes]


@cache
def network(seed: int = 1) -> SimulatedNetwork:
    """Five nodes that have lived for a while; nothing below lets time go on."""
    nodes = [NodeSpec("seed-1", seed=True), NodeSpec("seed-2", seed=True)]
    made = SimulatedNetwork(seed, nodes + [NodeSpec(f"whale-{n}", stake=5) for n in (1, 2, 3)])
    made.run(slots=45)
    return made


@dataclass
class Fuzzed(FakeCluster):
    """One node's answers are spoilt."""

    corrupt: Corrupt = bytes
    log: bytes = b""

    async def graphql(self, pod: str, query: str, variables: Any = None, **doors: Any) -> bytes:
        reply = await super().graphql(pod, query, variables, **doors)
        return self.corrupt(reply) if pod.startswith(VICTIM) else reply

    async def read_log(self, pod: str, container: str, part: LogRange = LogRange()) -> bytes:  # noqa: B008
        return self.log


def look(cluster: FakeCluster) -> tuple[Evidence, tuple[Finding, ...], Verdict]:
    outputs = outputs_of(cluster.network)
    evidence = virtual_time.run(gather(cluster, outputs, criteria_of(outputs), cluster.clock))
    findings = judge_all(evidence)
    verdict = verdict_of(evidence, findings, server=cluster.server, started=evidence.at, sweeps=1)
    assert text(verdict)
    assert json.loads(as_json(verdict))
    return evidence, findings, verdict


def standings(verdict: Verdict) -> dict[str, object]:
    return {node.name: (node.standing, node.height) for node in verdict.nodes if node.name != VICTIM}


@cache
def undisturbed() -> Verdict:
    return look(Fuzzed(network()))[2]


def reported(corrupt: Corrupt, road: Road = Road.PORT_FORWARD, states: tuple[State, ...] = (State.FAIL,)) -> Finding:
    """The finding `answers` about the node, after everything that must hold whatever it said."""
    _, findings, verdict = look(Fuzzed(network(), corrupt=corrupt, road=road))
    answers = next(finding for finding in findings if finding.check == "answers")
    assert answers.state in states
    assert answers.nodes == [VICTIM]
    assert verdict.health is not Health.HEALTHY
    assert verdict.node(VICTIM).status is None or answers.problems == ("other-chain",)
    assert standings(verdict) == standings(undisturbed())
    return answers


def test_undisturbed_it_is_healthy() -> None:
    assert undisturbed().healthy


# --- what is no answer at all -----------------------------------------------------------------------------------------

HTML = b"<!doctype html><html><body>Please sign in</body></html>"
HUGE_CHAIN = 3000


def many_blocks(reply: bytes) -> bytes:
    value = json.loads(reply)
    if value.get("data", {}).get("bestChain"):
        value["data"]["bestChain"] *= HUGE_CHAIN
    return json.dumps(value).encode()


@pytest.mark.parametrize("road", [Road.PORT_FORWARD, Road.PROXY])
@pytest.mark.parametrize(
    "reply",
    [
        HTML, b"\xff\xfe\x00", b"", b"null",
        b"[]", b'"yes"', b"{}", b'{"data": null}', b'{"data": []}', b'{"errors": []}',
        b'{"errors": "no"}', b'{"errors": [{}]}', b"[" * 100_000, b'{"data": ' + b"[" * 100_000, b"{" * 5000,
        b'{"data": {"daemonStatus": null}}', b" " * 1_000_000, b'{"kind": "Status", "code": 502}', b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_what_is_no_reply_fails_the_node_that_said_it(reply: bytes, road: Road) -> None:
    assert reported(lambda _: reply, road).problems == ("bad-reply",)


@QUICK
@given(share=st.floats(0, 1, exclude_max=True), road=ROADS)
def test_a_truncated_reply_fails_the_node(share: float, road: Road) -> None:
    reported(lambda reply: reply[: int(len(reply) * share)], road)


@QUICK
@given(noise=st.binary(max_size=200), road=ROADS)
def test_noise_fails_the_node(noise: bytes, road: Road) -> None:
    reported(lambda _: noise, road)


def test_a_chain_a_thousand_times_as_long_as_asked_for_fails_the_node() -> None:
    reported(many_blocks)


@pytest.mark.parametrize(
    ("error", "states"),
    [
        (BadReplyError(f"the reply is larger than {MAX_BODY} bytes"), (State.FAIL,)),
        (PortRefusedError("connection refused"), (State.FAIL,)),
        (ApiStatusError(404, "NotFound", "no such pod"), (State.FAIL,)),
        (ApiStatusError(502, "", "<html>bad gateway</html>"), (State.UNKNOWN,)),
        (NoAnswerError("no answer"), (State.UNKNOWN,)),
        (DroppedError("cut"), (State.UNKNOWN,)),
        (ForwardFailedError("no tunnel"), (State.UNKNOWN,)),
        (ClusterError("?"), (State.UNKNOWN,)),
    ],
)
def test_whatever_the_road_raises_is_a_row(error: ClusterError, states: tuple[State, ...]) -> None:
    def fail(_: bytes) -> bytes:
        raise error

    reported(fail, states=states)


@pytest.mark.parametrize("seconds", [ANSWER_SECONDS + 0.1, 3600.0])
def test_a_slow_drip_is_given_up_in_time_and_leaves_the_verdict_open(seconds: float) -> None:
    here = SimulatedNetwork(
        1, [NodeSpec("seed-1", seed=True), NodeSpec("seed-2", seed=True), NodeSpec(VICTIM, stake=1)]
    )
    here.run(slots=45)
    cluster = Fuzzed(here, delays={VICTIM: seconds})
    evidence, findings, verdict = look(cluster)
    assert isinstance(evidence.survey, Survey)
    assert evidence.survey.ended - evidence.survey.started < ANSWER_SECONDS + 1
    assert verdict.health is Health.UNKNOWN
    assert next(each for each in findings if each.check == "answers").silent == (VICTIM,)


# --- answers of the right form ----------------------------------------------------------------------------------------

LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20),
    st.sampled_from([-1, 0, 2**31, 2**53, 2**63, 2**64, 10**30, "", "-1", "1e9", "9" * 5000, "NaN", "0x10", [], {}]),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=5), st.none(), max_size=2),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to everything in a JSON value but its root."""
    found = [path] if path else []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [each for key, child in children for each in places(child, (*path, key))]


def replaced(value: Any, path: tuple[Any, ...], new: Any, *, drop: bool) -> Any:
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    if drop:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


@settings(QUICK, max_examples=200)
@given(place=st.floats(0, 1, exclude_max=True), new=LEAVES, drop=st.booleans(), road=ROADS)
@example(place=0.5, new="9" * 5000, drop=False, road=Road.PORT_FORWARD)
@example(place=0.9, new=10**30, drop=False, road=Road.DIRECT)
def test_any_field_of_any_reply_may_be_anything(place: float, new: Any, drop: bool, road: Road) -> None:
    """What is still a reply is judged as what it says; the others are judged as if nothing had happened."""

    def corrupt(reply: bytes) -> bytes:
        value = json.loads(reply)
        paths = places(value)
        return json.dumps(replaced(value, paths[int(place * len(paths))], new, drop=drop)).encode()

    _, findings, verdict = look(Fuzzed(network(), corrupt=corrupt, road=road))
    answers = next(finding for finding in findings if finding.check == "answers")
    if verdict.node(VICTIM).status is None:
        assert answers.nodes == [VICTIM]
        assert answers.state is not State.PASS
        assert verdict.health is not Health.HEALTHY
        assert standings(verdict) == standings(undisturbed())


@pytest.mark.parametrize("change", [{"blockHeight": "9000000"}, {"slotSinceGenesis": "1"}])
def test_a_chain_that_does_not_hang_together_fails_the_node_and_leads_nobody(change: dict[str, str]) -> None:
    def corrupt(reply: bytes) -> bytes:
        value = json.loads(reply)
        if value["data"].get("bestChain"):
            value["data"]["bestChain"][-1]["protocolState"]["consensusState"].update(change)
        return json.dumps(value).encode()

    reported(corrupt)


def test_a_tip_from_the_future_leads_nobody() -> None:
    """A whole chain, well linked, but of a time that has not come: the others are not behind it."""

    def corrupt(reply: bytes) -> bytes:
        value = json.loads(reply)
        for block in value["data"].get("bestChain") or ():
            state = block["protocolState"]
            state["blockchainState"]["date"] = str(int(state["blockchainState"]["date"]) + 10**12)
            for key in ("blockHeight", "slotSinceGenesis"):
                state["consensusState"][key] = str(int(state["consensusState"][key]) + 1000)
            block["stateHash"] = "3Nother" + block["stateHash"]
            state["previousStateHash"] = "3Nother" + state["previousStateHash"]
        return json.dumps(value).encode()

    evidence, findings, verdict = look(Fuzzed(network(), corrupt=corrupt))
    assert isinstance(evidence.survey, Survey)
    assert evidence.survey.reference != VICTIM
    assert standings(verdict) == standings(undisturbed())
    assert VICTIM in {node for each in findings if each.state is State.FAIL for node in each.nodes}


@pytest.mark.parametrize("slots", [20, 45, 120])
@pytest.mark.parametrize("road", [Road.PORT_FORWARD, Road.PROXY])
def test_a_node_of_another_chain_fails_however_long_its_chain_is(slots: int, road: Road) -> None:
    other = SimulatedNetwork(2, [NodeSpec("seed-1", seed=True), NodeSpec(VICTIM, stake=5)])
    other.run(slots=slots)
    _, findings, verdict = look(Fuzzed(network(), strangers={VICTIM: other}, road=road))
    answers = next(finding for finding in findings if finding.check == "answers")
    assert (answers.state, answers.nodes, answers.problems) == (State.FAIL, [VICTIM], ("other-chain",))
    assert verdict.health is Health.UNSTABLE
    assert standings(verdict) == standings(undisturbed())


def test_circles_of_parents_end() -> None:
    """Two nodes whose blocks name each other as parents: each chain alone looks well."""

    def corrupt(reply: bytes) -> bytes:
        value = json.loads(reply)
        for block in (value["data"].get("bestChain") or ())[:1]:
            block["protocolState"]["previousStateHash"] = value["data"]["bestChain"][-1]["stateHash"]
        return json.dumps(value).encode()

    assert look(Fuzzed(network(), corrupt=corrupt))[2].nodes


# --- decoders, logs, command line -------------------------------------------------------------------------------------

DECODERS: tuple[Callable[[bytes], object], ...] = (decode_status, decode_best_chain, decode_block, decode_version)


@settings(QUICK, max_examples=300)
@given(reply=st.one_of(st.binary(max_size=300), LEAVES.map(lambda value: json.dumps({"data": value}).encode())))
@example(reply=b'{"data": {"daemonStatus": ' + b'{"a":' * 50_000)
@example(reply=b'{"errors": [{"message": "\xff"}]}')
def test_decoders_raise_one_error_alone(reply: bytes) -> None:
    for decode in DECODERS:
        with pytest.raises(GraphQLError):
            decode(reply)


@settings(QUICK, max_examples=300)
@given(line=st.one_of(st.binary(max_size=300), LEAVES.map(lambda value: json.dumps({"message": value}).encode())))
@example(line=b'{"message": ' + b"[" * 100_000)
@example(line=b'{"message":"m","timestamp":"' + b"9" * 5000 + b'"}')
def test_a_log_line_is_read_whatever_it_is(line: bytes) -> None:
    assert parse_line(line).text is not None


@QUICK
@given(log=st.one_of(st.binary(max_size=2000), st.lists(LEAVES, max_size=5).map(lambda lines: "\n".join(
    json.dumps({"level": "Fatal", "message": "Unhandled top-level exception: $exn", "timestamp": "2026-01-01 00:00:00Z",
                "metadata": {"exn": line}}) for line in lines).encode())))  # fmt: skip
def test_a_crash_is_a_row_whatever_its_log_says(log: bytes) -> None:
    here = Fuzzed(network(), log=log)
    here.record(VICTIM).restarts = 1
    here.record(VICTIM).lives.append(_life(here))
    _, findings, verdict = look(here)
    crashes = next(finding for finding in findings if finding.check == "crashes")
    assert (crashes.state, crashes.nodes) == (State.FAIL, [VICTIM])
    assert verdict.health is Health.UNSTABLE


def _life(cluster: FakeCluster) -> Any:
    from mina_infra.simulator.containers import Life

    now = cluster.network.now_ms
    return Life(134, "Error", now - 600_000, now - 60_000)


@settings(QUICK, max_examples=200)
@given(output=st.one_of(st.text(max_size=300), st.binary(max_size=300)))
@example(output="Sync status: Synced\nBlock height: " + "9" * 10_000)
@example(output="Sync status: Synced\nLocal uptime: " + "9" * 10_000 + "d")
@example(output="{" * 100_000)
@example(output='{"sync_status": "Synced", "peers": 3}')
@example(output='{"sync_status": "Synced", "blockchain_length": "many"}')
def test_a_status_of_the_command_line_is_read_or_refused(output: str | bytes) -> None:
    try:
        status = parse_status(output)
    except StatusTextError:
        return
    assert status.blockchain_length is None or isinstance(status.blockchain_length, int)


@settings(QUICK, max_examples=100)
@given(place=st.floats(0, 1, exclude_max=True), new=LEAVES)
def test_any_field_of_the_json_status_may_be_anything(place: float, new: Any) -> None:
    value = json.loads(cli_status.as_json(View(network().network, network().network.nodes[VICTIM])))
    paths = places(value)
    with contextlib.suppress(StatusTextError):
        parse_status(json.dumps(replaced(value, paths[int(place * len(paths))], new, drop=False)))
