"""Criteria as data: each number explains itself, profiles differ where they say so, small chains are judged."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mina_infra.guardian.checks.production import History, judge
from mina_infra.guardian.criteria import PROFILES, Criteria, Limit, criteria_of, limits_of
from mina_infra.guardian.findings import State
from mina_infra.guardian.mina_alerts import ALERTS, Severity
from mina_infra.outputs import ChainOutput, OutputsDocument, Profile, Thresholds

CHAIN = ChainOutput(slot_ms=180_000, k=290)


def document(profile: Profile = "qa", **chain: Any) -> OutputsDocument:
    return OutputsDocument(
        testnet="t", era=1, namespace="t", nodes=[], seeds=[], claims=[], images={},
        chain=CHAIN.model_copy(update=chain), thresholds=Thresholds(profile=profile),
    )  # fmt: skip


def test_every_number_says_its_unit_and_where_it_comes_from() -> None:
    hints = get_type_hints(Criteria, include_extras=True)
    silent = [
        each.name for each in fields(Criteria) if not any(isinstance(a, Limit) for a in get_args(hints[each.name]))
    ]
    assert silent == [], "give these `Annotated[type, Limit(unit, why, (checks,))]`: `explain` prints them"
    assert [name for name, limit in limits_of("production").items() if not limit.why] == []
    assert {"production_window", "silence_error", "fill_floor"} <= limits_of("production").keys()


def test_the_profiles_of_a_document() -> None:
    numbers = {
        name: (each.fork_depth, each.behind_blocks, each.synced_share, each.production_window, each.production_error)
        for name in PROFILES
        for each in [criteria_of(document(name))]
    }
    assert numbers == {
        "qa": (8, 2, 0.9, 20, 1e-3),
        "public": (8, 3, 0.9, 77, 1e-4),
        "mina-alerts": (16, 3, 0.6, 290, 1e-3),
    }


def test_what_a_document_says_wins_over_its_profile_and_survives_being_written() -> None:
    limits = Thresholds.model_validate({"profile": "mina-alerts", "forkDepth": 9})
    assert (limits.fork_depth, limits.synced_share) == (9, 0.6)
    assert Thresholds.model_validate(limits.model_dump(by_alias=True)) == limits
    named = Thresholds(profile="public", behind_blocks=1)
    assert (named.behind_blocks, named.production_window) == (1, 77)


def test_a_document_without_a_profile_is_as_before() -> None:
    assert Thresholds() == Thresholds(profile="qa")
    with pytest.raises(ValidationError, match="profile"):
        Thresholds.model_validate({"profile": "prod"})


def test_another_profile_than_the_documents_can_be_asked_for() -> None:
    asked = criteria_of(document("qa"), "mina-alerts")
    assert (asked.profile, asked.fork_depth, asked.old_tip_slots) == ("mina-alerts", 16, 15)


@pytest.mark.parametrize(("filled", "state"), [(162, State.FAIL), (163, State.FAIL), (164, State.PASS)])
def test_the_fill_of_mina_alerts_just_below_at_and_above(filled: int, state: State) -> None:
    """0.5625 of 290 slots are 163.125."""
    slots = [index * filled // 290 != (index + 1) * filled // 290 for index in range(290)]
    assert sum(slots) == filled
    assert judge(History(slots, True, 0, False), criteria_of(document("mina-alerts"))).state is state


@pytest.mark.parametrize(("silent", "state"), [(14, State.PASS), (15, State.FAIL), (16, State.FAIL)])
def test_the_old_tip_of_mina_alerts_just_below_at_and_above(silent: int, state: State) -> None:
    assert (
        judge(History([True] * 300 + [False] * silent, True, 0, False), criteria_of(document("mina-alerts"))).state
        is state
    )


@given(slots=st.integers(1, 300), stake=st.floats(0.05, 1), floor=st.floats(0.01, 0.75))
def test_a_floor_never_makes_the_bound_stricter(slots: int, stake: float, floor: float) -> None:
    plain = Criteria(**{**vars(criteria_of(document())), "online_stake": stake})
    floored = Criteria(**{**vars(plain), "fill_floor": floor})
    assert floored.production_bound(slots) <= plain.production_bound(slots)
    assert floored.production_bound(slots) < floor * slots


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("k", [5, 20, 290])
@pytest.mark.parametrize("ages", [1, 2])
def test_small_and_young_networks_are_judged_by_what_there_is(profile: Profile, k: int, ages: int) -> None:
    """As many slots as k blocks take and twice that: healthy passes and silent fails, under every profile."""
    criteria = criteria_of(document(profile, k=k))
    age = ages * k
    healthy = History([index % 4 != 0 for index in range(age)], True, 0, False)
    assert judge(healthy, criteria).state is State.PASS
    assert criteria.fork_depth <= k
    silent = History([True] * age + [False] * 20, True, 0, False)
    assert judge(silent, criteria).problems == ("halt",)


def test_those_who_look_at_every_slot_err_as_rarely_in_the_whole_horizon() -> None:
    once = criteria_of(document())
    always = once.watching()
    assert always.production_error * always.horizon_slots == pytest.approx(always.silence_error)
    assert (once.production_bound(20), always.production_bound(20)) == (8, 4)


def test_minas_table_is_whole() -> None:
    severities = [alert.severity for alert in ALERTS.values()]
    assert (severities.count(Severity.CRITICAL), severities.count(Severity.WARNING)) == (23, 14)
    assert ALERTS["LongFork"].rule() == "fork length >= 16 blocks"


@pytest.mark.parametrize("alert", ALERTS.values(), ids=list(ALERTS))
def test_each_of_minas_alerts_just_below_at_and_above_its_limit(alert: Any) -> None:
    step = 0.001 if isinstance(alert.limit, float) and alert.limit < 1 else 1
    fires = tuple(alert.fires(alert.limit + each) for each in (-step, 0, step))
    assert fires == {
        ">": (False, False, True), ">=": (False, True, True), "<": (True, False, False), "<=": (True, True, False),
        "==": (False, True, False),
    }[alert.sign]  # fmt: skip
