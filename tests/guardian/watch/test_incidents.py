"""Incidents: what opens them, what keeps them open, what is told. Laws over random looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mina_infra.guardian.watch.incidents import Book, Change, Moment, advance
from mina_infra.guardian.watch.symptoms import Onset, Seen, Severity, Symptom

SLOT_S = 180.0
POLL_S = 30.0


def symptom(problem: str = "fork", onset: Onset = Onset.CONFIRMED, nodes: tuple[str, ...] = ("a",)) -> Symptom:
    return Symptom("forks", problem, Severity.FAILURE, onset, "words", nodes)


def seen(*symptoms: Symptom, blind: bool = False) -> Seen:
    return Seen({each.key: each for each in symptoms}, nothing=blind)


def run(looks: list[Seen], poll_s: float = POLL_S) -> list[tuple[int, Change]]:
    """The changes with the number of the look that brought them."""
    book, told = Book(), []
    for number, look in enumerate(looks):
        moment = Moment(number * poll_s, SLOT_S, poll_s if number else None)
        book, changes = advance(book, look, moment)
        told += [(number, change) for change in changes]
    return told


def kinds(looks: list[Seen], poll_s: float = POLL_S) -> list[tuple[int, str]]:
    return [(number, str(change.kind)) for number, change in run(looks, poll_s)]


def test_one_look_is_no_incident_and_two_are() -> None:
    assert kinds([seen(symptom()), seen(), seen()]) == []
    assert kinds([seen(symptom()), seen(symptom())]) == [(1, "opened")]


def test_what_cannot_be_chance_opens_at_once() -> None:
    assert kinds([seen(symptom("split", Onset.AT_ONCE))]) == [(0, "opened")]


def test_what_may_mend_itself_has_two_slots() -> None:
    looks = [seen(symptom(onset=Onset.LASTING))] * 14
    assert kinds(looks) == [(12, "opened")]  # 12 polls of 30 s are two slots


def test_short_slots_leave_a_restart_half_a_minute() -> None:
    book, told = Book(), []
    for number in range(40):
        book, changes = advance(book, seen(symptom(onset=Onset.SETTLING)), Moment(float(number), 1.0, 1.0))
        told += [number for _ in changes]
    assert told == [30]


def test_it_is_over_after_four_good_slots_and_since_the_first_of_them() -> None:
    told = run([seen(symptom())] * 2 + [seen()] * 30)
    assert [(number, str(change.kind)) for number, change in told] == [(1, "opened"), (2 + 24, "closed")]
    assert told[1][1].duration_s == 2 * POLL_S


def test_what_flaps_is_one_incident() -> None:
    looks = ([seen(symptom())] * 2 + [seen()] * 10) * 5 + [seen()] * 30
    assert [kind for _, kind in kinds(looks)] == ["opened", "closed"]


def test_looks_that_see_nothing_open_and_close_nothing() -> None:
    assert kinds([seen(symptom()), seen(blind=True), seen(symptom())]) == [(2, "opened")]
    assert kinds([seen(symptom())] * 2 + [seen(blind=True)] * 100) == [(1, "opened")]


def test_an_illness_that_gets_graver_is_the_same_incident() -> None:
    told = run([seen(symptom("fork"))] * 3 + [seen(symptom("deep-fork"))] * 3)
    assert [(str(change.kind), change.problem, change.incident) for _, change in told] == [
        ("opened", "fork", 1),
        ("worse", "deep-fork", 1),
    ]


def test_it_does_not_get_less_grave_before_it_is_over() -> None:
    told = run([seen(symptom("deep-fork"))] * 3 + [seen(symptom("fork"))] * 30)
    assert len(told) == 1


def test_twice_as_many_nodes_are_worth_a_word_but_not_at_once() -> None:
    many = tuple("abcdefgh")
    assert kinds([seen(symptom())] * 2 + [seen(symptom(nodes=many))] * 30) == [(1, "opened"), (25, "worse")]


def test_what_comes_again_says_so() -> None:
    looks = ([seen(symptom())] * 2 + [seen()] * 30) * 3
    assert [change.again for _, change in run(looks) if str(change.kind) == "opened"] == [0, 1, 2]


LOOKS = st.lists(st.sampled_from(["bad", "worse", "good", "blind"]), max_size=120)


@given(LOOKS, st.floats(5.0, 400.0))
def test_openings_and_closings_alternate_and_numbers_are_given_once(words: list[str], poll_s: float) -> None:
    table = {"bad": seen(symptom()), "worse": seen(symptom("split")), "good": seen(), "blind": seen(blind=True)}
    told = [change for _, change in run([table[word] for word in words], poll_s)]
    open_now: int | None = None
    opened: list[int] = []
    for change in told:
        if str(change.kind) == "opened":
            assert open_now is None
            open_now = change.incident
            opened.append(change.incident)
        else:
            assert change.incident == open_now
            open_now = None if str(change.kind) == "closed" else open_now
    assert opened == list(range(1, len(opened) + 1))


@given(LOOKS)
def test_without_two_bad_looks_nothing_is_told(words: list[str]) -> None:
    table = {"bad": seen(symptom()), "worse": seen(), "good": seen(), "blind": seen(blind=True)}
    looks, before = [], ""
    for word in words:
        if word in ("bad",) and before == "bad":
            word = "good"
        if word != "blind":
            before = word
        looks.append(table[word])
    assert run(looks) == []
