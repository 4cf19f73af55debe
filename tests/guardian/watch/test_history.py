"""The history: all of a look or nothing; what is torn, foreign or in use is told in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from mina_infra.guardian.watch.history import FINE_S, History, HistoryError, LookRecord, Span
from mina_infra.guardian.watch.incidents import Change, Happened
from mina_infra.guardian.watch.messages import Message
from mina_infra.guardian.watch.symptoms import Severity

WHOSE = {"testnet": "qa", "namespace": "qa", "cluster": "https://one"}
DAY = 24 * 3600.0


def look(at: float, state: str = "pass", **more: object) -> LookRecord:
    record = LookRecord(
        at, 1.0, "healthy", {"height": 1}, (Span("check", "forks", state, "words"),), (), None, {"memory": b"{}"}
    )
    return LookRecord(**{**vars(record), **more})  # type: ignore[arg-type]


def change(number: int, kind: Happened = Happened.OPENED, **more: object) -> Change:
    return Change(kind, number, "forks", "fork", Severity.FAILURE, "words", ("a",), 10.0, **more)  # type: ignore[arg-type]


def message(number: int, at: float = 10.0) -> Message:
    return Message(number, "qa", at, "unstable", 1, (change(number),))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "states" / "qa.db"


def test_what_stays_as_it_is_is_one_span(file: Path) -> None:
    with History.open(file, WHOSE) as history:
        for at, state in ((0.0, "pass"), (30.0, "pass"), (60.0, "fail"), (90.0, "fail"), (120.0, "pass")):
            history.record(look(at, state, gap=at == 0.0))
        rows = history.rows("SELECT state, since, until FROM spans ORDER BY id")
    assert rows == [("pass", 0.0, 60.0), ("fail", 60.0, 120.0), ("pass", 120.0, 120.0)]


def test_a_gap_belongs_to_no_span(file: Path) -> None:
    with History.open(file, WHOSE) as history:
        history.record(look(0.0, gap=True))
        history.record(look(30.0))
        history.record(look(9000.0, gap=True))
        assert history.rows("SELECT since, until FROM spans ORDER BY id") == [(0.0, 30.0), (9000.0, 9000.0)]


def test_a_look_that_cannot_be_written_whole_leaves_nothing(file: Path) -> None:
    with History.open(file, WHOSE) as history:
        history.record(look(0.0, changes=(change(1),), message=message(1), kept={"memory": b'{"at":0}'}))
        with pytest.raises(HistoryError):
            history.record(
                look(30.0, "fail", changes=(change(1),), kept={"memory": b'{"at":30}'})
            )  # the number is taken
        assert history.rows("SELECT count(*) FROM looks") == [(1,)]
        assert history.rows("SELECT state FROM spans") == [("pass",)]
        assert history.kept(["memory", "past"]) == {"memory": b'{"at":0}'}


def test_an_incident_keeps_all_nodes_that_it_had(file: Path) -> None:
    with History.open(file, WHOSE) as history:
        history.record(look(0.0, changes=(change(1),), open=((1, 0.0, ("a", "b")),)))
        history.record(look(30.0, open=((1, 30.0, ("c",)),)))
        history.record(look(60.0, changes=(change(1, Happened.CLOSED, ended=45.0, unsure_from=30.0),)))
        row = history.rows("SELECT nodes, last, ended, unsure_from FROM incidents")
    assert row == [('["a","b","c"]', 30.0, 45.0, 30.0)]


def test_a_sink_gets_each_message_once_and_none_from_before_it_came(file: Path) -> None:
    with History.open(file, WHOSE) as history:
        history.add_sink("stdout")
        history.record(look(0.0, message=message(1)))
        history.add_sink("webhook")
        history.record(look(30.0, message=message(2)))
        assert [each.id for each in history.undelivered("stdout")] == [1, 2]
        assert [each.id for each in history.undelivered("webhook")] == [2]
        history.delivered("stdout", 1)
    with History.open(file, WHOSE) as history:
        history.add_sink("stdout")
        assert history.undelivered("stdout") == [message(2)]


def test_old_things_are_forgotten_and_what_is_open_is_not(file: Path) -> None:
    with History.open(file, WHOSE) as history:
        history.record(look(0.0, changes=(change(1), change(2)), message=message(1), gap=True))
        history.record(look(30.0, changes=(change(1, Happened.CLOSED, ended=30.0),)))
        for second in range(0, 600, 10):
            history.record(look(39 * DAY + second, gap=second == 0))
        history.record(look(40 * DAY + 2000))
        history.prune(40 * DAY + 2000)
        ats = [at for (at,) in history.rows("SELECT at FROM looks ORDER BY at")]
        assert history.rows("SELECT id FROM incidents") == [(2,)]
        assert history.rows("SELECT count(*) FROM messages") == [(0,)]
    assert len(ats) == 11, "one a minute of those older than a day, and the newest"
    assert all(at > 39 * DAY - FINE_S for at in ats)


def write_text(file: Path) -> None:
    file.write_text("not a database at all, but long enough to be taken for one by its size" * 20)


def write_foreign(file: Path) -> None:
    with sqlite3.connect(file) as base:
        base.execute("CREATE TABLE songs (name TEXT)")


def write_newer(file: Path) -> None:
    History.open(file, WHOSE).close()
    with sqlite3.connect(file) as base:
        base.execute("PRAGMA user_version = 99")


def write_torn(file: Path) -> None:
    with History.open(file, WHOSE) as history:
        for at in range(200):
            history.record(look(float(at)))
    with sqlite3.connect(file) as base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (write_text, "damaged"),
        (write_foreign, "another program"),
        (write_newer, "form 99"),
        (write_torn, "damaged"),
    ],
)
def test_a_file_that_is_no_history_is_told(file: Path, spoil: Callable[[Path], None], words: str) -> None:
    file.parent.mkdir()
    spoil(file)
    for watching in (True, False):
        with pytest.raises(HistoryError, match=words) as told:
            History.open(file, WHOSE, watching=watching)
        assert str(file) in str(told.value)


def test_the_history_of_another_cluster_is_refused(file: Path) -> None:
    History.open(file, WHOSE).close()
    with pytest.raises(HistoryError, match="https://two"):
        History.open(file, {**WHOSE, "cluster": "https://two"})


def test_two_watches_do_not_share_a_file(file: Path) -> None:
    with History.open(file, WHOSE):
        with pytest.raises(HistoryError, match="in use by another watch"):
            History.open(file, WHOSE)
        History.open(file, WHOSE, watching=False).close()
    History.open(file, WHOSE).close()


def test_a_report_does_not_make_a_history(file: Path) -> None:
    with pytest.raises(HistoryError, match="nobody has watched"):
        History.open(file, WHOSE, watching=False)
    assert not file.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError, match="--state"):
        History.open(tmp_path / "file" / "qa.db", WHOSE)
