"""Which snapshots are due, and which are no longer kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mina_infra.persistence.objects import name_of
from mina_infra.persistence.snapshots import due, slot, superfluous
from mina_infra.plan import labels
from mina_infra.spec.snapshots import Snapshots

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLAIMS = st.sampled_from(["whale-1", "whale-2"])


def claim(name: str = "whale-1", *, bound: bool = True) -> dict[str, Any]:
    spec = {"volumeName": f"pvc-{name}"} if bound else {}
    return {"metadata": {"name": name}, "spec": spec, "status": {"phase": "Bound" if bound else "Pending"}}


def snapshot(of: str, day: int, *, ready: bool = True, scheduled: bool = True) -> dict[str, Any]:
    occasion = f"s202601{day:02}000000"
    marks = {labels.SNAPSHOT: occasion} | ({labels.SCHEDULED: "true"} if scheduled else {})
    meta = {"name": f"{of}-{occasion}-{scheduled}", "labels": marks, "annotations": {labels.CLAIM: of}}
    return {"metadata": meta, "status": {"readyToUse": ready}}


SNAPSHOTS = st.lists(
    st.builds(snapshot, CLAIMS, st.integers(1, 28), ready=st.booleans(), scheduled=st.booleans()), unique_by=name_of
)


def test_one_snapshot_for_each_stretch_however_often_the_job_runs() -> None:
    schedule = Snapshots.model_validate({"every": "24h"})
    names = {due(schedule, [claim()], NOON + timedelta(minutes=minutes))[0].name for minutes in (0, 5, 11 * 60)}
    assert names == {"whale-1-s20260101000000"}
    (tomorrow,) = due(schedule, [claim()], NOON + timedelta(hours=12))
    assert tomorrow.name == "whale-1-s20260102000000"
    assert tomorrow.scheduled


def test_a_claim_without_a_volume_is_not_due() -> None:
    assert due(Snapshots(), [claim(bound=False)], NOON) == []


@given(st.integers(60, 10**7), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_a_stretch_holds_its_moment(every_s: int, now: datetime) -> None:
    assert timedelta(0) <= now - slot(every_s, now) < timedelta(seconds=every_s)


@given(SNAPSHOTS, st.integers(1, 5))
def test_the_schedule_deletes_only_its_own_and_keeps_the_newest_that_can_be_restored(there, keep: int) -> None:
    gone = {name_of(each) for each in superfluous(there, keep)}
    for of in ("whale-1", "whale-2"):
        own = sorted((each for each in there if each["metadata"]["annotations"][labels.CLAIM] == of), key=name_of)
        ready = [
            each for each in own if each["status"]["readyToUse"] and labels.SCHEDULED in each["metadata"]["labels"]
        ]
        assert {name_of(each) for each in ready[-keep:]}.isdisjoint(gone)
        assert {name_of(each) for each in ready[:-keep]} <= gone
    by_hand = {name_of(each) for each in there if labels.SCHEDULED not in each["metadata"]["labels"]}
    assert by_hand.isdisjoint(gone)
