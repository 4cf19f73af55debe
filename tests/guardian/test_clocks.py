"""Clocks against the API server's, within a slot; the clock of whoever asks plays no part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.errors import ClusterError
from mina_infra.guardian.checks.clocks import judge
from mina_infra.guardian.findings import State
from mina_infra.guardian.survey import Answer, Survey
from mina_infra.guardian.times import Times, skew
from tests.guardian.fake_cluster import world
from tests.guardian.surveys import SLOT_MS, status

NOW = 1000
EXACT = Times(0.0, 0.0)


def answer(slots_ahead: float, at: float = NOW, lasting: float = 0.0) -> Answer:
    told = status(int(at * 1000 // SLOT_MS + slots_ahead))
    return Answer("a", "a-0", at, at + lasting, told, None)


def survey(*ahead: float) -> Survey:
    answers = {f"n{index}": replace(answer(slots), node=f"n{index}") for index, slots in enumerate(ahead)}
    return Survey(NOW, NOW, (*answers, "mute"), answers, {})


@pytest.mark.parametrize(("ahead", "off"), [(0, 0), (1, 0), (-1, 0), (2, 2), (-2, -2), (400, 400), (-3, -3)])
def test_one_slot_is_none(ahead: int, off: int) -> None:
    assert skew(answer(ahead), EXACT) == off


@given(st.floats(-1e5, 1e5), st.integers(-30, 30), st.floats(0, 5))
def test_the_clock_of_who_asks_plays_no_part(ours_ahead_s: float, ahead: int, lasting: float) -> None:
    """However wrong our own clock is, the server's time corrects it: what is in order is never accused."""
    asked = replace(answer(ahead), started=NOW + ours_ahead_s, ended=NOW + ours_ahead_s + lasting)
    found = skew(asked, Times(-ours_ahead_s - 1e-6, -ours_ahead_s + 1e-6))
    assert found == 0 or (abs(ahead) > 1 and (found > 0) == (ahead > 0))
    if ahead < -2 or ahead > lasting + 3:
        assert found != 0


def test_skewed_nodes_are_named_with_their_slots() -> None:
    finding = judge(survey(0, 1, -5, 3), EXACT)
    assert (finding.state, finding.problems, finding.nodes) == (State.FAIL, ("clock-skew",), ["n2", "n3"])
    assert [row["found"] for row in finding.evidence] == ["-5 slots", "+3 slots"]


def test_a_time_offset_is_told_from_a_wrong_clock() -> None:
    finding = judge(survey(0, -5, 3), replace(EXACT, offsets={"n1": 5}))
    assert finding.problems == ("clock-skew", "time-offset")
    assert judge(survey(0, -5), replace(EXACT, offsets={"n1": 5})).problems == ("time-offset",)
    assert "MINA_TIME_OFFSET" in finding.action


def test_nobody_tells_is_unknown() -> None:
    assert judge(survey(), EXACT).state is State.UNKNOWN


def test_before_the_genesis_there_is_no_slot_to_compare() -> None:
    finding = judge(survey(0, 400), Times(-2.0 * NOW, -2.0 * NOW))
    assert (finding.state, finding.settling) == (State.UNKNOWN, True)


def test_a_healthy_network_has_right_clocks_and_one_request_tells() -> None:
    here = world()
    asked: list[Any] = []
    honest = here.cluster.server_time

    async def server_time() -> Any:
        asked.append(1)
        return await honest()

    here.cluster.server_time = server_time  # type: ignore[method-assign]
    assert here.verify().finding("clocks").state is State.PASS
    assert len(asked) == 1


def test_a_server_that_tells_no_time_leaves_the_question_open() -> None:
    here = world()

    async def server_time() -> Any:
        raise ClusterError("no Date")

    here.cluster.server_time = server_time  # type: ignore[method-assign]
    verdict = here.verify()
    assert verdict.finding("clocks").state is State.UNKNOWN
    assert verdict.exit_code == 2
