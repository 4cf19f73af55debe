"""How far an outsider has come, and when that is a finding: stages on a simulated network, limits by the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from mina_infra.daemon.replies import Peer, SyncStatus
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.instability import Judgement, Stability
from mina_infra.guardian.joining import (
    OUTSIDER,
    START_SECONDS,
    Dialled,
    Sight,
    Stage,
    confirmed,
    dial_all,
    join,
    judge,
    stage_of,
)
from mina_infra.guardian.survey import Answer
from mina_infra.guardian.verdict import Verdict
from mina_infra.guardian.verify import verify
from mina_infra.simulator import virtual_time
from mina_infra.simulator.node import NodeSpec
from tests.guardian.fake_cluster import FakeCluster, World, world
from tests.guardian.surveys import status, survey_of
from tests.guardian.test_forks import line

CRITERIA = replace(criteria_of(world(slots=0).outputs), slot_ms=180_000)
CHAIN = line(20)
NETWORK = survey_of({"a": CHAIN, "b": CHAIN}, 20)
NOWHERE = (Dialled("/dns4/seed/tcp/1/p2p/x", "no such name"),)


def sight(
    blocks: Sequence[object] | None = None, *, peers: int = 2, sync: SyncStatus = SyncStatus.SYNCED, chain_id: str = "c"
) -> Sight:
    own = msgspec.structs.replace(
        status(20, sync),
        chain_id=chain_id,
        peers=tuple(Peer(host="h", libp2p_port=1, peer_id="p") for _ in range(peers)),
    )
    chain = Chain(blocks, True) if blocks else None  # type: ignore[arg-type]
    return Sight(NETWORK, Answer(OUTSIDER, OUTSIDER, 0, 0, own, chain))


SILENT = Sight(NETWORK, None, "connection refused")


@pytest.mark.parametrize(
    ("seen", "runs", "stage"),
    [
        (SILENT, False, Stage.STARTS),
        (SILENT, True, Stage.SEEKS),
        (sight(peers=0, sync=SyncStatus.CONNECTING), True, Stage.SEEKS),
        (sight(sync=SyncStatus.BOOTSTRAP), True, Stage.SYNCS),
        (sight(CHAIN[:10]), True, Stage.SYNCS),
        (sight(CHAIN[:18]), True, Stage.IN),
        (sight(CHAIN), True, Stage.IN),
        (sight([*CHAIN[:15], *line(5, 16, "x", "m15")]), True, Stage.ASTRAY),
        (sight(CHAIN, chain_id="another"), True, Stage.ASTRAY),
    ],
)
def test_its_stage(seen: Sight, runs: bool, stage: Stage) -> None:
    assert stage_of(seen, runs, CRITERIA)[0] is stage


@pytest.mark.parametrize(
    ("seen", "running_s", "state", "problems"),
    [
        (sight(CHAIN), 60.0, State.PASS, ()),
        (SILENT, 119.0, None, ()),
        (SILENT, 121.0, State.FAIL, ("cannot-connect",)),
        (sight(peers=0), 121.0, State.FAIL, ("cannot-connect",)),
        (sight(CHAIN[:10]), 1799.0, None, ()),
        (sight(CHAIN[:10]), 1801.0, State.FAIL, ("does-not-sync",)),
        (sight([*CHAIN[:15], *line(5, 16, "x", "m15")]), 60.0, None, ()),
        (sight([*CHAIN[:15], *line(5, 16, "x", "m15")]), 1801.0, State.FAIL, ("joins-fork",)),
        (sight(CHAIN, chain_id="another"), 1.0, State.FAIL, ("joins-fork",)),
    ],
)
def test_its_finding(seen: Sight, running_s: float, state: State | None, problems: tuple[str, ...]) -> None:
    stage, words = stage_of(seen, True, CRITERIA)
    finding = judge(stage, words, running_s, running_s, CRITERIA, seen, NOWHERE)
    if finding is None:
        assert state is None
        return
    assert (finding.state, finding.problems) == (state, problems)
    # What was published is in the evidence of a failure, with what became of a plain connection.
    assert any(row.get("detail") == NOWHERE[0].address for row in finding.evidence) is (state is State.FAIL)


def test_a_pod_that_does_not_start_is_not_the_networks_fault() -> None:
    assert judge(Stage.STARTS, "Pending", START_SECONDS - 1, None, CRITERIA, SILENT, ()) is None
    late = judge(Stage.STARTS, "Pending", START_SECONDS + 1, None, CRITERIA, SILENT, ())
    assert late is not None
    assert (late.state, late.problems) == (State.UNKNOWN, ())


def test_where_nobody_answers_nobody_can_be_joined() -> None:
    silent = Sight(survey_of({}, 20, silent=["a"]), None, "")
    finding = judge(Stage.SEEKS, "", 500, 500, CRITERIA, silent, ())
    assert finding is not None
    assert finding.state is State.UNKNOWN


def test_short_slots_leave_time_to_start() -> None:
    """Ten slots of a second are no time to start a node in."""
    quick = replace(CRITERIA, slot_ms=1000)
    stage, words = stage_of(sight(CHAIN[:10]), True, quick)
    assert judge(stage, words, 60, 60, quick, sight(CHAIN[:10]), ()) is None


def test_a_plain_connection_is_tried_to_each_address() -> None:
    async def run() -> tuple[Dialled, ...]:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            peer = "12D3KooW" + "A" * 44
            return await dial_all(
                [f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer}", f"/ip4/127.0.0.1/tcp/1/p2p/{peer}", "nonsense"]
            )

    good, refused, nonsense = asyncio.run(run())
    assert good.failed is None
    assert refused.failed
    assert "nonsense" in (nonsense.failed or "")


# --- verify --join ----------------------------------------------------------------------------------------------------

FRESH, SHUT_OUT = NodeSpec(OUTSIDER), NodeSpec(OUTSIDER, hold=True)


def visited(here: World, monkeypatch: pytest.MonkeyPatch, *specs: NodeSpec) -> tuple[Verdict, int]:
    """A verification with one outsider after the other, and how many came."""
    waiting = list(specs)
    here.cluster.without_deployment = {OUTSIDER}  # its namespace is another one
    outside = FakeCluster(here.network, without_deployment=set(here.network.names))

    async def nowhere(_: Sequence[str]) -> tuple[Dialled, ...]:
        return ()

    async def visit() -> Finding:
        here.network.add(waiting.pop(0))
        try:
            return await join(here.cluster, outside, here.outputs, here.cluster.clock)
        finally:
            here.network.crash(OUTSIDER)

    monkeypatch.setattr("mina_infra.guardian.joining.dial_all", nowhere)
    judging = verify(here.cluster, here.outputs, 0, clock=here.cluster.clock, outsider=lambda: confirmed(visit))
    return virtual_time.run(judging), len(specs) - len(waiting)


def of_number(verdict: Verdict, number: int) -> Judgement:
    return next(each for each in verdict.criteria if each.number == number)


def test_an_outsider_that_gets_in_answers_criteria_7_and_8(monkeypatch: pytest.MonkeyPatch) -> None:
    here = world()
    alone = here.verify()
    assert [(of_number(alone, each).state, of_number(alone, each).asked) for each in (7, 8)] == [
        (Stability.UNKNOWN, False)
    ] * 2
    verdict, came = visited(here, monkeypatch, FRESH, FRESH)
    assert (verdict.exit_code, came) == (0, 1)
    assert verdict.finding("join").state is State.PASS
    assert [of_number(verdict, each).state for each in (7, 8)] == [Stability.STABLE] * 2
    assert verdict.sweeps == 2  # the network is looked at again after the visit


def test_two_outsiders_that_do_not_get_in_make_the_testnet_unstable_by_criterion_7(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict, came = visited(world(), monkeypatch, SHUT_OUT, SHUT_OUT, FRESH)
    assert (verdict.exit_code, came) == (1, 2)
    assert verdict.finding("join").problems == ("does-not-sync",)
    assert [each.number for each in verdict.unstable] == [7]


def test_one_outsider_that_does_not_get_in_may_have_been_unlucky(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, came = visited(world(), monkeypatch, SHUT_OUT, FRESH)
    assert (verdict.exit_code, came) == (0, 2)
    assert "was not let in: an outsider is not synced" in verdict.finding("join").warnings[0]
