"""Direct evidence of halts and partitions, at its thresholds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mina_infra.daemon.replies import BlockProducerTimings, DaemonStatus, Peer, SlotStart, SyncStatus
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.survey import Cause, Silence, Survey
from mina_infra.guardian.watch.direct import (
    announced_slots,
    broken_announcements,
    online_stake,
    partition_symptoms,
    sides,
    stake_symptoms,
)
from mina_infra.guardian.watch.rate import Rate, empty_since_tip, finished_slots
from mina_infra.outputs import NodeOutput
from tests.guardian.fake_cluster import outputs_of, world

HERE = world(1)
CRITERIA = criteria_of(HERE.outputs)
SLOT = CRITERIA.slot_ms


def look() -> Survey:
    """What the healthy network says."""
    import asyncio

    from mina_infra.guardian.evidence import gather
    from tests.guardian.fake_cluster import SimulatedClock

    found = asyncio.run(gather(HERE.cluster, HERE.outputs, CRITERIA, SimulatedClock(HERE.network))).survey
    assert isinstance(found, Survey)
    return found


SURVEY = look()


def with_status(node: str, **fields: object) -> Survey:
    """The same, but for what one node says."""
    answer = SURVEY.answers[node]
    old = answer.status
    status = DaemonStatus(**{**{name: getattr(old, name) for name in old.__struct_fields__}, **fields})
    return replace(SURVEY, answers={**SURVEY.answers, node: replace(answer, status=status)})


def without(node: str, cause: Cause) -> Survey:
    answers = {name: answer for name, answer in SURVEY.answers.items() if name != node}
    return replace(SURVEY, answers=answers, silences={node: Silence(node, cause, "")})


def able(survey: Survey) -> set[str]:
    stake = online_stake(HERE.outputs.nodes, survey, CRITERIA)
    return {"off"} if stake.off else {"open"} if stake.open else {"able"}


@pytest.mark.parametrize(
    ("survey", "state"),
    [
        (SURVEY, "able"),
        (with_status("whale-1", sync_status=SyncStatus.CATCHUP), "able"),
        (with_status("whale-1", sync_status=SyncStatus.OFFLINE), "off"),
        (with_status("whale-1", sync_status=SyncStatus.BOOTSTRAP), "off"),
        (with_status("whale-1", sync_status=SyncStatus.BOOTSTRAP, uptime_secs=60), "open"),
        (with_status("whale-1", block_production_keys=()), "off"),
        (with_status("whale-1", peers=()), "off"),
        (without("whale-1", Cause.REFUSED), "off"),
        (without("whale-1", Cause.NO_POD), "off"),
        (without("whale-1", Cause.SILENT), "open"),
        (without("whale-1", Cause.ROAD), "open"),
    ],
)
def test_who_can_produce(survey: Survey, state: str) -> None:
    assert able(survey) == {state}


@pytest.mark.parametrize(
    ("off", "problem"), [((), None), ((1,), None), ((1, 2), "slow-production"), ((1, 2, 3), "halt")]
)
def test_stake_that_cannot_produce(off: tuple[int, ...], problem: str | None) -> None:
    """Three whales of 6 parts each, fish of 0.1: a third off is slow and no halt."""
    answers = {name: answer for name, answer in SURVEY.answers.items() if name not in {f"whale-{i}" for i in off}}
    silences = {f"whale-{i}": Silence(f"whale-{i}", Cause.REFUSED, "") for i in off}
    stake = online_stake(HERE.outputs.nodes, replace(SURVEY, answers=answers, silences=silences), CRITERIA)
    assert [each.problem for each in stake_symptoms(stake)] == ([problem] if problem else [])


def test_producers_without_a_declared_stake_share_it() -> None:
    nodes = [NodeOutput(name=f"whale-{i}", role="block-producer", group="whale") for i in (1, 2)]
    stake = online_stake(nodes, without("whale-1", Cause.REFUSED), CRITERIA)
    assert (stake.due, stake.able) == (100.0, 50.0)


NODES = HERE.outputs.nodes


def announcing(*starts: int) -> Survey:
    """whale-1 says that it has won these slots (ms from the newest block on)."""
    newest = max(answer.chain.tip.date_ms for answer in SURVEY.answers.values() if answer.chain)
    times = tuple(SlotStart(start_time=newest + start * SLOT) for start in starts)
    return with_status("whale-1", next_block_production=BlockProducerTimings(times=times))


def later(survey: Survey, slots: int) -> Survey:
    """The same so many slots after the newest block: nothing has come since."""
    newest = max(answer.chain.tip.date_ms for answer in survey.answers.values() if answer.chain)
    answers = {}
    for name, answer in survey.answers.items():
        status = answer.status
        now = status.consensus_time_now
        moved = type(now)(**{**{each: getattr(now, each) for each in now.__struct_fields__},
                             "start_time": newest + slots * SLOT})  # fmt: skip
        fields = {each: getattr(status, each) for each in status.__struct_fields__}
        answers[name] = replace(answer, status=DaemonStatus(**{**fields, "consensus_time_now": moved}))
    return replace(survey, answers=answers)


def test_two_announced_slots_that_passed_empty_are_told_and_one_is_not() -> None:
    announced = announced_slots(announcing(1, 2), CRITERIA)
    assert len(set(announced) - set(announced_slots(SURVEY, CRITERIA))) >= 2
    for now, halted in ((2, False), (3, True)):
        _, told = broken_announcements(announced, later(announcing(1, 2), now), NODES, CRITERIA)
        assert bool(told) is halted


@pytest.mark.parametrize(("whale", "rest", "word"), [(0.49, 0.51, "slow-production"), (0.51, 0.49, "halt")])
def test_only_who_holds_most_of_the_stake_halts_the_network(whale: float, rest: float, word: str) -> None:
    """One whale whose prover fails breaks its word, and the others make blocks."""
    stakes = {"whale-1": whale, "whale-2": rest}
    nodes = [
        NodeOutput(name=name, role="block-producer", group="whale", stake=100 * share) for name, share in stakes.items()
    ]
    survey = announcing(1, 2)
    mine = {start: node for start, node in announced_slots(survey, CRITERIA).items() if node == "whale-1"}
    _, told = broken_announcements(mine, later(survey, 5), nodes, CRITERIA)
    assert [each.problem for each in told] == [word]


def test_a_block_since_then_takes_the_announcement_away() -> None:
    promised = announced_slots(announcing(-2, -1), CRITERIA)
    _, told = broken_announcements(promised, later(announcing(), 3), NODES, CRITERIA)
    assert told == []


def test_a_producer_that_restarted_is_not_held_to_what_it_said() -> None:
    survey = later(announcing(1, 2), 3)
    answer = survey.answers["whale-1"]
    fields = {each: getattr(answer.status, each) for each in answer.status.__struct_fields__}
    restarted = replace(answer, status=DaemonStatus(**{**fields, "uptime_secs": 1}))
    mine = {start: node for start, node in announced_slots(announcing(1, 2), CRITERIA).items() if node == "whale-1"}
    again = replace(survey, answers={**survey.answers, "whale-1": restarted})
    kept, told = broken_announcements(mine, again, NODES, CRITERIA)
    assert (kept, told) == ({}, [])


def cut(*groups: set[str]) -> Survey:
    """Each node only lists those of its own group."""
    ids = {node: answer.status.addrs_and_ports.peer for node, answer in SURVEY.answers.items()}
    answers = dict(SURVEY.answers)
    for node, answer in SURVEY.answers.items():
        group = next(each for each in groups if node in each)
        peers = tuple(Peer(host="h", libp2p_port=1, peer_id=ids[other].peer_id) for other in group - {node})  # type: ignore[union-attr]
        fields = {each: getattr(answer.status, each) for each in answer.status.__struct_fields__}
        answers[node] = replace(answer, status=DaemonStatus(**{**fields, "peers": peers}))
    return replace(SURVEY, answers=answers)


ALL = set(SURVEY.answers)


@pytest.mark.parametrize(
    ("off", "problem"),
    [(set(), None), ({"plain-1"}, "isolated"), ({"whale-1"}, "partition"), ({"plain-1", "fish-1"}, "partition")],
)
def test_a_partition_is_told_by_peers(off: set[str], problem: str | None) -> None:
    found = list(partition_symptoms(cut(ALL - off, off), HERE.outputs.nodes, CRITERIA))
    assert [each.problem for each in found] == ([problem] if problem else [])
    assert [set(each.nodes) for each in found] == ([off] if off else [])


def test_a_silent_daemon_or_a_stranger_may_be_the_bridge() -> None:
    """Whoever both sides have as a peer may carry blocks between them."""
    survey = cut(ALL - {"fish-1", "fish-2"}, {"fish-1", "fish-2"})
    stranger = Peer(host="h", libp2p_port=1, peer_id="12D3KooWStranger")
    answers = dict(survey.answers)
    for node in ("fish-1", "whale-1"):
        status = answers[node].status
        fields = {each: getattr(status, each) for each in status.__struct_fields__}
        answers[node] = replace(answers[node], status=DaemonStatus(**{**fields, "peers": (*status.peers, stranger)}))
    assert len(sides(survey, CRITERIA)) == 2
    assert len(sides(replace(survey, answers=answers), CRITERIA)) == 1


def test_the_sum_of_slots_counts_each_slot_once_and_forgets_what_nobody_saw() -> None:
    slots = [(number, False) for number in range(1, 11)]
    once = Rate().take(slots, CRITERIA)
    assert once.take(slots, CRITERIA) == once
    assert once.score == pytest.approx(10 * 0.693, abs=0.01)
    assert once.take([(30, False)], CRITERIA).score == pytest.approx(0.693, abs=0.01)


@pytest.mark.parametrize(("empty", "alarm"), [(17, False), (18, True)])
def test_the_sum_alone_calls_a_halt_after_18_slots(empty: int, alarm: bool) -> None:
    assert Rate().take([(number, False) for number in range(empty)], CRITERIA).alarm is alarm


def test_finished_slots_end_before_those_in_flight() -> None:
    chain = SURVEY.reference_chain
    assert chain is not None
    slots = finished_slots(chain, chain.tip.date_ms + 5 * SLOT, 1000, CRITERIA)
    assert slots[-1] == (chain.tip.slot + 3, False)
    assert empty_since_tip(slots) == 3
    assert dict(slots)[chain.tip.slot] is True


def test_outputs_of_the_fixture_are_those_of_the_network() -> None:
    assert outputs_of(HERE.network) == HERE.outputs
