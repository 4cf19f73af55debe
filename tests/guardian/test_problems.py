"""Every check says in stable words what is wrong, the gravest first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mina_infra.daemon.replies import SyncStatus
from mina_infra.guardian.checks import answers, claims, forks, inventory, pods, production, sync
from mina_infra.guardian.checks.production import History
from mina_infra.guardian.survey import Cause, Silence
from tests.guardian.surveys import status, survey_of
from tests.guardian.test_forks import line
from tests.guardian.test_objects_checks import GIB, GOOD, HAVE, NODES, WANT, deployment, pod
from tests.guardian.test_production import CRITERIA
from tests.guardian.test_thresholds import MAIN, others


def test_inventory() -> None:
    assert inventory.judge(NODES, [deployment("a"), deployment("b")], []).problems == ()
    assert inventory.judge(NODES, [deployment("a", 0)], [pod("ghost")]).problems == ("missing-node", "extra-node")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"containers": (replace(GOOD, waiting="CrashLoopBackOff"),)}, "crash-loop"),
        ({"containers": (replace(GOOD, waiting="ErrImagePull"),)}, "image"),
        ({"containers": (), "unschedulable": "0/4 nodes fit", "phase": "Pending"}, "not-scheduled"),
        ({"deleting": True}, "no-pod"),
        ({"ready": False}, "not-ready"),
    ],
)
def test_pods(changes: dict[str, object], word: str) -> None:
    assert pods.judge(NODES, [pod("a"), pod("b", **changes)]).problems == (word,)
    assert pods.judge(NODES, [pod("a"), pod("b")]).problems == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "other"}, ("missing-claim", "extra-claim")),
        ({"phase": "Lost"}, ("lost",)),
        ({"storage_class": "hdd"}, ("other-class",)),
        ({"access_modes": ("ReadWriteOnce",)}, ("other-mode",)),
        ({"phase": "Pending"}, ("unbound",)),
        ({"capacity_bytes": GIB}, ("other-size",)),
        ({}, ()),
    ],
)
def test_claims(changes: dict[str, object], words: tuple[str, ...]) -> None:
    assert claims.judge([WANT], [replace(HAVE, **changes)]).problems == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cause", "word"),
    [(Cause.REFUSED, "refused"), (Cause.BAD_REPLY, "bad-reply"), (Cause.SILENT, "silent"), (Cause.ROAD, "road"),
     (Cause.NO_POD, "no-pod")],
)  # fmt: skip
def test_answers(cause: Cause, word: str) -> None:
    survey = survey_of(others(), 101, silent=["s"])
    assert answers.judge(replace(survey, silences={"s": Silence("s", cause, "")})).problems == (word,)


def test_answers_of_another_chain_are_graver_than_silence() -> None:
    statuses = {"n1": replace_chain("d")}
    survey = survey_of(others(), 101, statuses=statuses, silent=["s"])
    assert answers.judge(survey).problems == ("other-chain", "silent")


def replace_chain(chain_id: str):  # type: ignore[no-untyped-def]
    usual = status(101)
    return type(usual)(**{**{name: getattr(usual, name) for name in usual.__struct_fields__}, "chain_id": chain_id})


@pytest.mark.parametrize(
    ("says", "has", "word"),
    [
        (SyncStatus.SYNCED, MAIN[:50], "stuck"),
        (SyncStatus.CATCHUP, MAIN[:50], "catchup-hangs"),
        (SyncStatus.BOOTSTRAP, [], "bootstrap-hangs"),
        (SyncStatus.LISTENING, [], "bootstrap-hangs"),
        (SyncStatus.SYNCED, MAIN[:97], "behind"),
    ],
)
def test_sync(says: SyncStatus, has: list, word: str) -> None:
    survey = survey_of({**others(), "a": has}, 101, statuses={"a": status(101, says, uptime_slots=60)})
    assert sync.judge(survey, CRITERIA).problems == (word,)
    assert sync.judge(survey_of(others(), 101), CRITERIA).problems == ()


@pytest.mark.parametrize(
    ("branch", "words"),
    [
        (line(100, 1, "x", "x0"), ("split",)),
        ([*MAIN[:90], *line(10, 91, "x", "m90")], ("deep-fork", "fork")),
        ([*MAIN[:98], *line(2, 99, "x", "m98")], ("fork",)),
        ([*MAIN[:99], *line(1, 100, "x", "m99")], ()),
    ],
)
def test_forks(branch: list, words: tuple[str, ...]) -> None:
    survey = survey_of({**others(), "a": branch}, now_slot=110)
    assert forks.judge(survey, CRITERIA).problems == words


@pytest.mark.parametrize(
    ("strip", "words"),
    [
        ([True] * 8 + [False] * 12, ("halt",)),
        ([True, False, False] * 6 + [True, False], ("slow-production",)),
        ([True] * 20, ()),
    ],
)
def test_production(strip: list[bool], words: tuple[str, ...]) -> None:
    assert production.judge(History(strip, True, 0, False), CRITERIA).problems == words


def test_production_that_never_began_is_a_halt() -> None:
    assert production.judge(History((), False, 9, False), CRITERIA).problems == ("halt",)
