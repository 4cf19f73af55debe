"""The runbook's eight criteria: each stable, unstable and unknown, each threshold, what counts and when it clears."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.cluster.objects import Container, Pod
from mina_infra.guardian import conditions, joining, report
from mina_infra.guardian.checks import CHECKS
from mina_infra.guardian.conditions import Condition, Seen
from mina_infra.guardian.evidence import Evidence, Unseen
from mina_infra.guardian.findings import Finding, Row, State
from mina_infra.guardian.instability import CRITERIA, Judgement, Memories, Memory, Stability, follow, judge
from mina_infra.guardian.survey import Survey
from mina_infra.guardian.verdict import Health
from mina_infra.outputs import ChainOutput, NodeOutput, OutputsDocument
from tests.guardian.fake_cluster import world
from tests.guardian.surveys import status, survey_of
from tests.guardian.test_forks import line
from tests.guardian.test_production import CRITERIA as LIMITS
from tests.guardian.test_verify import halt

MAIN = line(100)  # block of height h in slot h
NAMES = [criterion.name for criterion in CRITERIA]
STAKES = {"whale-1": 60.0, "whale-2": 35.0, "fish-1": 5.0, "plain-1": 0.0, "plain-2": 0.0}


def evidence(survey: Survey | Unseen, *, at: float = 1000.0, pods: list[Pod] | None = None) -> Evidence:
    """With five nodes, three of which hold stake."""
    nodes = [
        NodeOutput(name=name, role="block-producer" if stake else "plain", group="g", stake=stake)
        for name, stake in STAKES.items()
    ]
    outputs = OutputsDocument(
        testnet="t", era=1, namespace="t", nodes=nodes, seeds=[], claims=[], images={},
        chain=ChainOutput(slot_ms=1000, k=290),
    )  # fmt: skip
    return Evidence(outputs, LIMITS, at, [], pods or [], [], survey)


WELL = survey_of(dict.fromkeys(STAKES, MAIN), 101)
SURE = dict.fromkeys(("forks", "production", "gossip", "inclusion", "provers", "crashes", "join", "sync"), State.PASS)


def found(**changes: Finding) -> list[Finding]:
    """Every check passes, but for those."""
    return [changes.get(name) or Finding(name, state, f"{name} is in order") for name, state in SURE.items()]


def failed(check: str, *problems: str, rows: tuple[Row, ...] = (), **figures: Any) -> Finding:
    return Finding(check, State.FAIL, f"{check} is ill", evidence=rows, problems=problems, figures=figures)


def judged(findings: list[Finding], *, sweeps: int = 2, seen: Evidence | None = None) -> dict[str, Judgement]:
    memories: Memories = {}
    judgements: tuple[Judgement, ...] = ()
    for sweep in range(sweeps):
        here = seen or evidence(WELL)
        judgements, memories = judge(replace(here, at=here.at + sweep), findings, memories)
    return {each.name: each for each in judgements}


def states(findings: list[Finding], **more: Any) -> dict[str, Stability]:
    return {name: each.state for name, each in judged(findings, **more).items()}


def test_the_eight_of_the_runbook_in_its_order() -> None:
    assert [criterion.number for criterion in CRITERIA] == list(range(1, 9))
    assert {Stability.STABLE} == set(states(found()).values())


def test_each_is_concluded_from_checks_that_exist() -> None:
    known = {check.name for check, _ in CHECKS} | {joining.CHECK.name}
    assert {check for criterion in CRITERIA for check in criterion.checks} <= known
    assert (joining.CHECK.name, joining.JOINS_FORK) == (conditions.JOIN, conditions._JOINS_FORK)


def test_without_any_check_nothing_is_known_and_nothing_is_asked() -> None:
    everything = judged([], seen=evidence(Unseen("the API server answers 503")))
    assert {each.state for each in everything.values()} == {Stability.UNKNOWN}
    assert not any(each.asked for each in everything.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_check_that_could_not_look_leaves_its_criteria_unknown_and_asked(name: str) -> None:
    criterion = next(each for each in CRITERIA if each.name == name)
    blind = {check: Finding(check, State.UNKNOWN, "could not look") for check in criterion.checks}
    one = judged(found(**blind), seen=evidence(Unseen("the road is closed")))[name]
    assert (one.state, one.asked) == (Stability.UNKNOWN, True)


@pytest.mark.parametrize("check", ["gossip", "inclusion", "provers", "join"])
def test_what_a_network_is_not_asked_weighs_nowhere(check: str) -> None:
    unasked = Finding(check, State.UNKNOWN, "no load is declared", asked=False)
    open_ones = [each for each in judged(found(**{check: unasked})).values() if each.state is Stability.UNKNOWN]
    assert open_ones
    assert not any(each.asked for each in open_ones)


FAILURES = {
    "not-produced": failed("production", "halt", filled=0, slots=20, chance=1e-12, silence_slots=20),
    "not-gossiped": failed("gossip", "no-gossip"),
    "not-included": failed("inclusion", "no-transactions"),
    "prover-failures": failed("provers", "prover-failures"),
    "cannot-join": failed("join", "does-not-sync"),
    "joins-fork": failed("join", "joins-fork"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_one_failed_check_makes_one_criterion_unstable_and_no_other(name: str) -> None:
    finding = FAILURES[name]
    seen = states(found(**{finding.check: finding}))
    assert [each for each, state in seen.items() if state is Stability.UNSTABLE] == [name]


def fork_row(node: str, depth: int | None, since: float = 0.0) -> Row:
    return {"node": node, "found": "fork", "depth": depth, "height": 100, "tip": "x", "since_slots": since}


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([fork_row("plain-1", None)], Stability.UNSTABLE),  # a split, whoever it is
        ([fork_row("plain-1", 8)], Stability.STABLE),  # deep without stake: an ill node
        ([fork_row("fish-1", 8)], Stability.UNSTABLE),  # just 5 % of the stake
        ([fork_row("fish-1", 7)], Stability.STABLE),
        ([fork_row("plain-1", 2, 9), fork_row("plain-2", 2, 9)], Stability.UNSTABLE),
        ([fork_row("plain-1", 2, 8), fork_row("plain-2", 2, 9)], Stability.STABLE),  # 8 slots do not last yet
        ([fork_row("plain-1", 1, 9), fork_row("plain-2", 2, 9)], Stability.STABLE),  # 1 is no depth
        ([fork_row("plain-2", 2, 99)], Stability.STABLE),  # one witness
    ],
)
def test_criterion_1_at_its_thresholds(rows: list[Row], state: Stability) -> None:
    assert states(found(forks=failed("forks", "fork", rows=tuple(rows))))["network-forks"] is state


def test_a_split_with_two_witnesses_counts_at_once_and_with_one_after_a_second_sweep() -> None:
    two = found(forks=failed("forks", "split", rows=(fork_row("whale-1", None), fork_row("fish-1", None))))
    assert judged(two, sweeps=1)["network-forks"].state is Stability.UNSTABLE
    one = found(forks=failed("forks", "split", rows=(fork_row("whale-1", None),)))
    waits = judged(one, sweeps=1)["network-forks"]
    assert (waits.state, waits.confirmed) == (Stability.UNKNOWN, False)
    assert judged(one)["network-forks"].state is Stability.UNSTABLE


def test_criterion_2_says_since_when_and_how_sure_it_is() -> None:
    one = judged(found(production=FAILURES["not-produced"]))["not-produced"]
    assert one.since is not None
    assert one.since.timestamp() == 1000 + 1 - 20  # 20 slots of a second before the second sweep
    assert one.chance == pytest.approx(0.25**20)
    assert one.evidence[0]["height"] == 100
    assert one.evidence[0]["tip"] == "m100"
    assert "1970-01-01T00:01:40" in str(one.evidence[0]["found"])


def test_criterion_4_is_open_when_inclusion_fails_for_another_reason() -> None:
    assert states(found(inclusion=failed("inclusion", "no-coinbase")))["not-included"] is Stability.UNKNOWN


def test_criterion_4_is_not_asked_where_nobody_sends() -> None:
    """The check passes there by the proofs and the coinbase alone."""
    quiet = Finding("inclusion", State.PASS, "0 with transactions", figures={"declared_tps": 0.0})
    one = judged(found(inclusion=quiet))["not-included"]
    assert (one.state, one.asked) == (Stability.UNKNOWN, False)


def looping(*names: str) -> list[Pod]:
    state = Container("mina", False, 7, "CrashLoopBackOff", None, None)
    return [
        Pod(f"{name}-0", name, name, "Running", False, False, datetime(2026, 1, 1, tzinfo=UTC), (state,), None, {}, {})
        for name in names
    ]


SLOW = failed("production", "slow-production", filled=8, slots=20, chance=9e-4)


@pytest.mark.parametrize(
    ("production", "crashes", "pods", "state"),
    [
        (None, failed("crashes", "crash-burst"), [], Stability.STABLE),  # nothing is halted
        (None, None, looping("whale-1"), Stability.STABLE),
        (SLOW, None, [], Stability.STABLE),  # production suffers, not from crashes
        (SLOW, failed("crashes", "crash"), [], Stability.STABLE),  # one crash persists nowhere
        (SLOW, failed("crashes", "crash-burst"), [], Stability.UNSTABLE),
        (SLOW, None, looping("fish-1", "plain-1"), Stability.STABLE),  # 5 % of the stake
        (SLOW, None, looping("whale-2"), Stability.UNSTABLE),  # 35 %
        (Finding("production", State.UNKNOWN, "young"), None, looping("whale-2"), Stability.UNKNOWN),
        (Finding("production", State.UNKNOWN, "young"), None, [], Stability.STABLE),
        (SLOW, Finding("crashes", State.UNKNOWN, "no logs"), [], Stability.UNKNOWN),
    ],
)
def test_criterion_6_needs_crashes_that_persist_and_production_that_suffers(
    production: Finding | None, crashes: Finding | None, pods: list[Pod], state: Stability
) -> None:
    changes = {"production": production, "crashes": crashes}
    findings = found(**{name: finding for name, finding in changes.items() if finding})
    assert states(findings, seen=evidence(WELL, pods=pods))["crashes-halt-production"] is state


def test_criterion_7_counts_nodes_that_hang_on_their_way_in() -> None:
    hangs = failed("sync", "bootstrap-hangs", rows=({"node": "plain-1", "since_slots": 30.0},))
    assert states(found(sync=hangs))["cannot-join"] is Stability.UNSTABLE
    assert states(found(sync=failed("sync", "stuck")))["cannot-join"] is Stability.STABLE
    without_probe = [each for each in found() if each.check != "join"]
    assert states(without_probe)["cannot-join"] is Stability.UNKNOWN


@pytest.mark.parametrize(
    ("depth", "followers", "up", "state"),
    [
        (2, 1, 39, Stability.UNSTABLE),
        (3, 1, 39, Stability.UNSTABLE),
        (1, 1, 39, Stability.STABLE),  # siblings are normal
        (2, 0, 39, Stability.STABLE),  # alone it is an ill node
        (2, 1, 40, Stability.STABLE),  # no longer new
    ],
)
def test_criterion_8_is_a_new_node_that_others_follow_off_the_main_chain(
    depth: int, followers: int, up: int, state: Stability
) -> None:
    branch = [*MAIN[: 100 - depth], *line(depth, 101 - depth, "x", f"m{100 - depth}")]
    chains = {**dict.fromkeys(STAKES, MAIN), "plain-1": branch, **dict.fromkeys(["fish-1"][:followers], branch)}
    survey = survey_of(chains, 101, statuses={"plain-1": status(101, uptime_slots=up)})
    assert states(found(), seen=evidence(survey))["joins-fork"] is state


SHOWN, ABSENT, OPEN = (Seen(condition, "") for condition in Condition)


def walk(*steps: tuple[float, Seen], hysteresis: bool = True) -> list[Stability]:
    memory, states_seen = Memory(), []
    for at, seen in steps:
        memory = follow(memory, seen, at, LIMITS, hysteresis)
        states_seen.append(memory.state)
    return states_seen


def test_one_sweep_does_not_count_and_an_interruption_begins_anew() -> None:
    assert walk((0, SHOWN), (1, ABSENT), (2, SHOWN), (3, SHOWN))[-2:] == [Stability.UNKNOWN, Stability.UNSTABLE]


@pytest.mark.parametrize(("slots", "state"), [(3, "unstable"), (4, "stable"), (5, "stable")])
def test_it_clears_after_four_good_slots(slots: int, state: str) -> None:
    assert walk((0, SHOWN), (1, SHOWN), (2, ABSENT), (2 + slots, ABSENT))[-1] == state


def test_a_bad_sweep_or_a_blind_one_starts_the_good_slots_again() -> None:
    ill = ((0, SHOWN), (1, SHOWN), (2, ABSENT))
    assert walk(*ill, (4, SHOWN), (5, ABSENT), (8, ABSENT))[-1] is Stability.UNSTABLE
    assert walk(*ill, (4, OPEN), (5, ABSENT), (8, ABSENT))[-1] is Stability.UNSTABLE
    assert walk(*ill, (4, OPEN), (5, ABSENT), (9, ABSENT))[-1] is Stability.STABLE


def test_a_single_verification_believes_its_last_sweep() -> None:
    assert walk((0, SHOWN), (1, SHOWN), (2, ABSENT), hysteresis=False)[-1] is Stability.STABLE
    assert walk((0, SHOWN), (1, SHOWN), (2, OPEN), hysteresis=False)[-1] is Stability.UNKNOWN


@given(st.lists(st.sampled_from([SHOWN, ABSENT, OPEN]), max_size=30), st.booleans())
def test_nothing_is_unstable_that_two_sweeps_in_a_row_did_not_show(seen: list[Seen], hysteresis: bool) -> None:
    history = walk(*enumerate(seen), hysteresis=hysteresis)
    for number, state in enumerate(history):
        shown = [each is SHOWN for each in seen[: number + 1]]
        assert state is not Stability.UNSTABLE or any(a and b for a, b in pairwise(shown))
        assert state is not Stability.STABLE or seen[number] is ABSENT


def test_the_memory_between_sweeps_is_plain_data() -> None:
    memory = follow(Memory(), SHOWN, 5.0, LIMITS, True)
    assert Memory(**json.loads(json.dumps(asdict(memory)))) == memory


def test_a_halted_network_is_unstable_by_criterion_2_and_the_report_says_what_to_do() -> None:
    here = world()
    halt(here.network)
    here.network.run(slots=25)
    verdict = here.verify()
    assert [each.number for each in verdict.unstable] == [2, 5]  # slots are won, and their blocks are never proved
    words = report.text(verdict)
    assert "! criterion 2  Blocks are not being created since 20" in words
    assert "Blocker, Aneesha: create an issue" in words
    value = next(each for each in report.json_value(verdict)["criteria"] if each["number"] == 2)
    assert (value["state"], value["runbook"]["criticality"]) == ("unstable", "Blocker")
    assert value["chance"] < 1e-3


def test_two_halves_are_unstable_by_criterion_1() -> None:
    here = world()
    here.network.partition(["seed-1", "whale-1", "fish-1", "fish-2", "plain-1"])
    here.network.run(slots=60)
    assert 1 in [each.number for each in here.verify().unstable]


def test_a_young_network_that_falls_apart_is_no_matter_of_newcomers() -> None:
    """All its nodes are younger than 40 slots: those that leave did not come later than the others."""
    here = world(slots=10)
    here.network.partition(["seed-1", "whale-1", "fish-1", "fish-2", "plain-1"])
    here.network.run(slots=25)
    by_number = {each.number: each for each in here.verify().criteria}
    assert by_number[1].state is Stability.UNSTABLE
    assert (by_number[8].state, by_number[8].asked) == (Stability.UNKNOWN, False)


@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_network_is_unstable_by_nothing(seed: int) -> None:
    verdict = world(seed).verify()
    assert verdict.health is Health.HEALTHY
    assert verdict.unstable == ()
    by_number = {each.number: each.state for each in verdict.criteria}
    assert (by_number[1], by_number[2]) == (Stability.STABLE, Stability.STABLE)


def test_after_the_release_the_runbook_says_something_else() -> None:
    public = evidence(WELL)
    public = replace(public, criteria=replace(LIMITS, profile="public"))
    events = {each.event.criticality for each in judged(found(), seen=public).values()}
    assert events == {"Critical"}
