"""Messages: one a look, a few a minute, and nothing is lost by that."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mina_infra.guardian.watch.incidents import Change, Happened
from mina_infra.guardian.watch.messages import (
    MESSAGES_A_MINUTE,
    SHOWN,
    Mailbox,
    Message,
    duration_words,
    json_line,
    text,
)
from mina_infra.guardian.watch.symptoms import Severity


def change(number: int = 1, kind: Happened = Happened.OPENED, **more: object) -> Change:
    return Change(kind, number, "forks", "fork", Severity.FAILURE, "2 sides", ("a", "b"), 0.0, "look", **more)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.floats(0.1, 40.0), st.integers(0, 3)), max_size=80))
def test_every_change_is_told_once_in_order_and_never_too_often(looks: list[tuple[float, int]]) -> None:
    mailbox, at, number = Mailbox(), 0.0, 0
    sent: list[Message] = []
    for pause, count in [*looks, (120.0, 0)]:
        at += pause
        changes = tuple(change(number + each) for each in range(count))
        number += count
        mailbox, message = mailbox.put(changes, None, at).take("qa", "unstable", 1, at)
        sent += [message] if message else []
    assert [each.incident for message in sent for each in message.changes] == list(range(number))
    assert [message.id for message in sent] == list(range(1, len(sent) + 1))
    for message in sent:
        assert sum(message.at - 60.0 < other.at <= message.at for other in sent) <= MESSAGES_A_MINUTE


def test_what_waited_says_for_how_long() -> None:
    message = Message(1, "qa", 100.0, "unstable", 1, (change(), change(2)), held_s=45.0)
    assert "2 changes held back for 45 s" in text(message)


def test_a_line_says_what_where_and_what_to_do() -> None:
    assert text(Message(1, "qa", 0.0, "unstable", 1, (change(),))) == (
        "1970-01-01 00:00:00Z qa: FAIL forks: fork (#1) 2 sides; nodes: a, b; to do: look"
    )


def test_a_closing_says_how_long_it_lasted() -> None:
    closed = change(kind=Happened.CLOSED, ended=720.0)
    assert text(Message(1, "qa", 900.0, "healthy", 0, (closed,))).endswith("OK forks: fork (#1) over after 12 min")


def test_a_flood_is_counted_in_words_and_whole_in_json() -> None:
    message = Message(1, "qa", 0.0, "unstable", 40, tuple(change(number) for number in range(40)))
    assert len(text(message).splitlines()) == SHOWN + 1
    assert "32 more opened" in text(message)
    assert len(json.loads(json_line(message))["changes"]) == 40


def test_json_is_one_line_with_all_fields() -> None:
    line = json_line(Message(7, "qa", 0.0, "healthy", 0, (change(kind=Happened.CLOSED, ended=60.0),), gap_s=400.0))
    assert "\n" not in line
    found = json.loads(line)
    assert (found["schema"], found["id"], found["gapSeconds"]) == (1, "qa-7", 400.0)
    assert found["changes"][0]["durationSeconds"] == 60.0
    assert found["changes"][0]["ended"] == "1970-01-01T00:01:00.000Z"


def test_durations_have_two_units() -> None:
    cases = {
        0.4: "0 s",
        119: "119 s",
        120: "2 min",
        7199: "119 min",
        7200: "2 h",
        11100: "3 h 5 min",
        187200: "2 d 4 h",
    }
    assert {seconds: duration_words(seconds) for seconds in cases} == cases
