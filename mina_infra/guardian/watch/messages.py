"""Messages: what changed, in one message a look, and never more than a few a minute. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mina_infra.guardian.findings import some
from mina_infra.guardian.watch.incidents import Change, Happened
from mina_infra.guardian.watch.symptoms import Severity

SCHEMA = 1
A_MINUTE_S = 60.0
MESSAGES_A_MINUTE = 6
SHOWN = 8
"""Changes that one message spells out; the rest are counted. All of them are in its JSON and in the history."""

_WORDS = {Severity.FAILURE: "FAIL", Severity.WARNING: "WARN", Severity.BLIND: "BLIND"}


@dataclass(frozen=True)
class Message:
    """One message. `gap_s`: nobody looked for so long before. `held_s`: the oldest change waited so long to be told."""

    id: int
    testnet: str
    at: float
    health: str
    open: int
    changes: tuple[Change, ...] = ()
    gap_s: float | None = None
    held_s: float = 0.0


@dataclass(frozen=True)
class Mailbox:
    """What waits to be told, and when the last messages were made: part of what survives a restart."""

    next_id: int = 1
    waiting: tuple[Change, ...] = ()
    waiting_since: float | None = None
    gap_s: float | None = None
    sent: tuple[float, ...] = ()

    def put(self, changes: tuple[Change, ...], gap_s: float | None, at: float) -> Mailbox:
        """The mailbox with what a look brought."""
        if not changes and gap_s is None:
            return self
        since = at if self.waiting_since is None else self.waiting_since
        gap = gap_s if self.gap_s is None else self.gap_s + (gap_s or 0.0)
        return replace(self, waiting=(*self.waiting, *changes), waiting_since=since, gap_s=gap)

    def take(self, testnet: str, health: str, open_now: int, at: float) -> tuple[Mailbox, Message | None]:
        """All that waits, as one message, unless the minute is full: then it waits for a place."""
        sent = tuple(moment for moment in self.sent if at - A_MINUTE_S < moment <= at)
        if self.waiting_since is None or len(sent) >= MESSAGES_A_MINUTE:
            return replace(self, sent=sent), None
        message = Message(
            self.next_id, testnet, at, health, open_now, self.waiting, self.gap_s, max(0.0, at - self.waiting_since)
        )
        return Mailbox(self.next_id + 1, sent=(*sent, at)), message


def text(message: Message) -> str:
    """For a person: one line for each change; the first says what waited and why."""
    head = [f"{clock_of(message.at)} {message.testnet}: {line}" for line in _notes(message)]
    shown = [f"{clock_of(message.at)} {message.testnet}: {change_words(each)}" for each in message.changes[:SHOWN]]
    rest = message.changes[SHOWN:]
    more = [f"{clock_of(message.at)} {message.testnet}: and {_counts(rest)}"] if rest else []
    return "\n".join([*head, *shown, *more])


def _notes(message: Message) -> list[str]:
    notes = []
    if message.gap_s is not None:
        still = f"{incidents(message.open)} still open" if message.open else "nothing is open"
        notes.append(f"nobody looked for {duration_words(message.gap_s)}; watching again, {message.health}, {still}")
    if message.held_s > 0 and message.changes:
        notes.append(
            f"{len(message.changes)} changes held back for {duration_words(message.held_s)}, to keep to "
            f"{MESSAGES_A_MINUTE} messages a minute"
        )
    return notes


def incidents(count: int) -> str:
    """`1 incident`, `2 incidents`."""
    return f"{count} incident{'' if count == 1 else 's'}"


def change_words(change: Change) -> str:
    """`FAIL forks: partition (#3) 2 sides that …; to do: …`."""
    what = f"{change.check}: {change.problem} (#{change.incident})"
    if change.kind is Happened.CLOSED:
        assert change.duration_s is not None
        lasted = f"over after {duration_words(change.duration_s)}"
        if change.unsure_from is not None:
            lasted = f"over; it ended while nobody looked, after {clock_of(change.unsure_from)}"
        return f"OK {what} {lasted}"
    words = f"{_WORDS[change.severity]} {what}"
    words += " worse:" * (change.kind is Happened.WORSE)
    words += f" {change.summary}"
    if change.nodes:
        words += f"; nodes: {some(change.nodes)}"
    if change.again:
        words += f"; opened {change.again + 1} times within a day"
    return words + (f"; to do: {change.action}" if change.action else "")


def _counts(changes: tuple[Change, ...]) -> str:
    counts = [(sum(each.kind is kind for each in changes), kind) for kind in Happened]
    return ", ".join(f"{count} more {kind}" for count, kind in counts if count)


def value(message: Message) -> dict[str, Any]:
    """The message as plain data: keys in camelCase, times RFC 3339 in UTC (schema 1: fields are added only)."""
    return {
        "schema": SCHEMA,
        "id": f"{message.testnet}-{message.id}",
        "testnet": message.testnet,
        "at": moment_of(message.at),
        "health": message.health,
        "openIncidents": message.open,
        "gapSeconds": message.gap_s,
        "heldSeconds": round(message.held_s, 3),
        "changes": [_change_value(change) for change in message.changes],
        "text": text(message),
    }


def json_line(message: Message) -> str:
    """One line of JSON."""
    return json.dumps(value(message), ensure_ascii=False)


def _change_value(change: Change) -> dict[str, Any]:
    return {
        "incident": change.incident,
        "kind": str(change.kind),
        "check": change.check,
        "problem": change.problem,
        "severity": str(change.severity),
        "summary": change.summary,
        "nodes": list(change.nodes),
        "action": change.action,
        "openedBeforeWithinADay": change.again,
        "since": moment_of(change.since),
        "ended": None if change.ended is None else moment_of(change.ended),
        "endedNotBefore": None if change.unsure_from is None else moment_of(change.unsure_from),
        "durationSeconds": None if change.duration_s is None else round(change.duration_s, 3),
    }


def moment_of(at: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock_of(at: float) -> str:
    """`2026-01-01 10:02:11Z`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"


def duration_words(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`: two units at most."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    days, hours = divmod(hours, 24)
    return f"{days} d" + (f" {hours} h" if hours else "")
