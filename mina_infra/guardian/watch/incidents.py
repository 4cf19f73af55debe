"""When symptoms become an incident, when it is over, and what there is to report about it. Pure; times in seconds.

An incident opens when its symptom held in two looks in a row (or as its onset says) and closes after four good
slots, so that what flaps is one incident. A look that could not see neither opens nor closes anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from mina_infra.guardian.watch.symptoms import Key, Onset, Seen, Severity, Symptom, gravity, key_of

# docs/facts.md: guardian/instability
LOOKS = 2
GOOD_SLOTS = 4
LASTING_SLOTS = 2
# A pod that is replaced is back within half a minute, also where slots take a second.
SETTLING_S = 30.0
# A new network may need its start-up and a production window before every check can tell.
SLOW_SLOTS = 48
SLOW_S = 60.0
# Worse means: twice as many nodes. It is told at most once in so many slots.
WORSE_FACTOR = 2
AGAIN_S = 24 * 3600.0


class Happened(StrEnum):
    """What became of an incident."""

    OPENED = "opened"
    WORSE = "worse"
    CLOSED = "closed"


@dataclass(frozen=True)
class Track:
    """One symptom over the looks. `incident` is None until it counts; `since` the first look that showed it.

    `graver`: looks in a row that showed it graver than it was told. `good_since` and `good_s`: the good looks in a row
    since it was last seen. `unseen`: nobody looked for a while just before the first of them, so its end is only known
    to lie between `last` and `good_since`.
    """

    check: str
    problem: str
    severity: Severity
    summary: str
    action: str
    nodes: tuple[str, ...]
    since: float
    last: float
    looks: int = 1
    incident: int | None = None
    told: int = 0
    told_at: float = 0.0
    graver: int = 0
    good_since: float | None = None
    good_s: float = 0.0
    unseen: bool = False

    @property
    def key(self) -> Key:
        return key_of(self.check, self.problem)


@dataclass(frozen=True)
class Change:
    """One thing to report. `ended` and `unsure_from`: it was over at the latest then, at the earliest then."""

    kind: Happened
    incident: int
    check: str
    problem: str
    severity: Severity
    summary: str
    nodes: tuple[str, ...]
    since: float
    action: str = ""
    again: int = 0
    ended: float | None = None
    unsure_from: float | None = None

    @property
    def duration_s(self) -> float | None:
        """How long it lasted, None while it does; at most, where nobody looked at its end."""
        return None if self.ended is None else max(0.0, self.ended - self.since)


@dataclass(frozen=True)
class Book:
    """All that must survive a restart, or one incident would be told twice."""

    tracks: tuple[Track, ...] = ()
    next_incident: int = 1
    opened: tuple[tuple[str, str, float], ...] = ()
    """Check, problem and moment of what opened within a day, to say that it came again."""

    @property
    def open(self) -> tuple[Track, ...]:
        return tuple(track for track in self.tracks if track.incident is not None)


@dataclass(frozen=True)
class Moment:
    """When a look was: its end, the time since the look before (None: it is the first), and the length of a slot.

    `gap`: more time passed than between two looks, so nobody knows what was in between.
    """

    at: float
    slot_s: float
    elapsed_s: float | None = None
    gap: bool = False


@dataclass
class _Turn:
    """One look's work on the book."""

    moment: Moment
    seen: Seen
    book: Book
    changes: list[Change] = field(default_factory=list)
    opened: list[tuple[str, str, float]] = field(default_factory=list)
    number: int = 0


def advance(book: Book, seen: Seen, moment: Moment) -> tuple[Book, tuple[Change, ...]]:
    """The book after one more look, and what changed: closings first, then what is new, the gravest first."""
    turn = _Turn(moment, seen, book, number=book.next_incident)
    turn.opened = [each for each in book.opened if each[2] > moment.at - AGAIN_S]
    known = {track.key: track for track in book.tracks}
    tracks: list[Track] = []
    for key in sorted(known.keys() | seen.symptoms.keys(), key=lambda key: _order(key, seen)):
        symptom, track = seen.symptoms.get(key), known.get(key)
        if symptom is not None:
            tracks.append(_bad(turn, track, symptom))
        elif track is not None and (kept := _absent(turn, track)) is not None:
            tracks.append(kept)
    order = [Happened.CLOSED, Happened.OPENED, Happened.WORSE]
    changes = sorted(turn.changes, key=lambda change: order.index(change.kind))
    return Book(tuple(tracks), turn.number, tuple(turn.opened)), tuple(changes)


def _order(key: Key, seen: Seen) -> tuple[int, Key]:
    symptom = seen.symptoms.get(key)
    return (len(Severity) if symptom is None else list(Severity).index(symptom.severity), key)


def _bad(turn: _Turn, track: Track | None, symptom: Symptom) -> Track:
    at = turn.moment.at
    if track is not None and track.incident is not None:
        return _worse(turn, track, symptom)
    if track is None or turn.moment.gap:
        track = Track(symptom.check, symptom.problem, symptom.severity, "", "", (), at, at, looks=0)
    track = replace(_as_seen(track, symptom, at), problem=symptom.problem, severity=symptom.severity)
    return _open(turn, track) if _counts(track, symptom.onset, turn.moment) else track


def _as_seen(track: Track, symptom: Symptom, at: float) -> Track:
    return replace(
        track, summary=symptom.summary, action=symptom.action, nodes=symptom.nodes, last=at, looks=track.looks + 1,
        good_since=None, good_s=0.0, unseen=False,
    )  # fmt: skip


def _counts(track: Track, onset: Onset, moment: Moment) -> bool:
    """Whether a symptom has shown often and long enough."""
    if onset is Onset.AT_ONCE:
        return True
    lasting = {
        Onset.CONFIRMED: 0.0,
        Onset.LASTING: LASTING_SLOTS * moment.slot_s,
        Onset.SETTLING: max(LASTING_SLOTS * moment.slot_s, SETTLING_S),
        Onset.SLOW: max(SLOW_SLOTS * moment.slot_s, SLOW_S),
    }[onset]
    return track.looks >= LOOKS and moment.at - track.since >= lasting


def _open(turn: _Turn, track: Track) -> Track:
    again = sum(key_of(*each[:2]) == track.key for each in turn.opened)
    track = replace(track, incident=turn.number, told=len(track.nodes), told_at=turn.moment.at)
    turn.opened.append((track.check, track.problem, turn.moment.at))
    turn.changes.append(_change(Happened.OPENED, track, again=again))
    turn.number += 1
    return track


def _worse(turn: _Turn, track: Track, symptom: Symptom) -> Track:
    """Told when it is graver in two looks, or when twice as many nodes suffer as were told. It stays as grave."""
    before, now = _grave(track), _grave(symptom)
    track = _as_seen(track, symptom, turn.moment.at)
    track = replace(track, graver=track.graver + 1 if now < before else 0)
    more = len(track.nodes) >= max(WORSE_FACTOR * track.told, track.told + 2)
    quiet = turn.moment.at - track.told_at >= GOOD_SLOTS * turn.moment.slot_s
    graver = track.graver >= (1 if symptom.onset is Onset.AT_ONCE else LOOKS)
    if graver:
        severity = min(track.severity, symptom.severity, key=list(Severity).index)
        problem = min(track.problem, symptom.problem, key=lambda problem: gravity(track.check, problem))
        track = replace(track, severity=severity, problem=problem, graver=0)
    if not graver and not (more and quiet):
        return track
    turn.changes.append(_change(Happened.WORSE, track))
    return replace(track, told=len(track.nodes), told_at=turn.moment.at)


def _grave(seen: Track | Symptom) -> tuple[int, int]:
    return list(Severity).index(seen.severity), gravity(seen.check, seen.problem)


def _absent(turn: _Turn, track: Track) -> Track | None:
    """Not seen in this look: gone, or only not looked at. None when there is nothing left to follow."""
    if turn.seen.is_blind_to(track.check, track.nodes):
        return track
    if track.incident is None:
        return None
    moment = turn.moment
    if track.good_since is None:
        track = replace(track, good_since=moment.at, good_s=0.0, unseen=moment.gap)
    elif not moment.gap:
        track = replace(track, good_s=track.good_s + (moment.elapsed_s or 0.0))
    if track.good_s < GOOD_SLOTS * moment.slot_s:
        return track
    unsure = track.last if track.unseen else None
    turn.changes.append(
        _change(Happened.CLOSED, track, ended=track.good_since, unsure_from=unsure)
    )  # fmt: skip
    return None


def _change(kind: Happened, track: Track, **more: Any) -> Change:
    assert track.incident is not None
    return Change(
        kind, track.incident, track.check, track.problem, track.severity, track.summary, track.nodes, track.since,
        track.action, **more,
    )  # fmt: skip
