"""What a watch remembers, in one SQLite file for each testnet: every look, every incident, every message.

A look is one transaction, so that a kill at any moment leaves either all of it or nothing. A message is written with
the look that caused it and delivered afterwards; what was delivered to whom is written down too. A kill between the
two repeats that one message, with the same id.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from mina_infra.errors import MinaInfraError
from mina_infra.guardian.watch.incidents import Change, Happened
from mina_infra.guardian.watch.messages import Message

APPLICATION_ID = 0x4D696E61  # "Mina": sets our files apart from any other program's
SCHEMA = 1
KEEP_DAYS = 30.0
FINE_S = 24 * 3600.0
"""Looks older than this are thinned to one a minute; the spans, which shares are counted from, keep every change."""

T = TypeVar("T")

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE looks (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, took REAL NOT NULL, health TEXT NOT NULL, figures TEXT NOT NULL) STRICT;
CREATE INDEX looks_at ON looks (at);
CREATE TABLE spans (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL,
    since REAL NOT NULL, until REAL NOT NULL, live INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX spans_live ON spans (kind, name) WHERE live = 1;
CREATE INDEX spans_until ON spans (until);
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY, check_name TEXT NOT NULL, problem TEXT NOT NULL, severity TEXT NOT NULL,
    summary TEXT NOT NULL, nodes TEXT NOT NULL, since REAL NOT NULL, last REAL NOT NULL, ended REAL,
    unsure_from REAL) STRICT;
CREATE TABLE messages (id INTEGER PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE sinks (name TEXT PRIMARY KEY, first_message INTEGER NOT NULL) STRICT;
CREATE TABLE deliveries (
    message INTEGER NOT NULL, sink TEXT NOT NULL, result TEXT NOT NULL, PRIMARY KEY (message, sink)) STRICT;
"""


class HistoryError(MinaInfraError):
    """The file of the history is no such file, is torn, is newer than this program, or is in use."""


@dataclass(frozen=True)
class Span:
    """A stretch of time in which something was in one state; `kind`: health, check or node."""

    kind: str
    name: str
    state: str
    detail: str = ""
    since: float = 0.0
    until: float = 0.0


@dataclass(frozen=True)
class LookRecord:
    """All that one look leaves behind. `kept`, by name: what the watch needs to go on; `gap`: no look just before."""

    at: float
    took: float
    health: str
    figures: Mapping[str, float | int | str | None]
    spans: tuple[Span, ...]
    changes: tuple[Change, ...]
    message: Message | None
    kept: Mapping[str, bytes]
    gap: bool = False
    open: tuple[tuple[int, float, tuple[str, ...]], ...] = ()
    """Of each open incident: its number, when it was last seen, its nodes."""


@dataclass
class History:
    """An open file. Use `History.open`; `close` gives it free for others."""

    path: Path
    _base: sqlite3.Connection
    _lock: IO[str] | None = None
    _cleaned: float = field(default=float("-inf"))
    _kept: dict[str, bytes] = field(default_factory=dict)
    """What was written of `kept`: what stays as it was need not be written again."""

    @classmethod
    def open(cls, path: Path, identity: Mapping[str, str], *, watching: bool = True) -> History:
        """The file, made when it is not there. `identity` says whose it is: testnet, namespace, server.

        `watching`: as the one that writes; only one may. Raises HistoryError.
        """
        lock = _locked(path) if watching else None
        try:
            with _told(path):
                base = _connect(path, identity, watching)
        except BaseException:
            if lock:
                lock.close()
            raise
        return cls(path, base, lock)

    def close(self) -> None:
        self._base.close()
        if self._lock:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- writing --------------------------------------------------------------------------------------------------

    def record(self, look: LookRecord) -> None:
        """Write one look, all of it or nothing."""
        with _told(self.path), self._base:
            put = self._base.execute
            put("BEGIN IMMEDIATE")
            figures = msgspec.json.encode(look.figures).decode()
            put("INSERT INTO looks (at, took, health, figures) VALUES (?, ?, ?, ?)",
                (look.at, look.took, look.health, figures))  # fmt: skip
            self._extend(look)
            for change in look.changes:
                self._incident(change, look.at)
            for number, last, nodes in look.open:
                put("UPDATE incidents SET last = ?, nodes = ? WHERE id = ?", (last, _nodes(self._all(number, nodes)), number))  # fmt: skip  # noqa: E501
            if look.message is not None:
                put("INSERT INTO messages VALUES (?, ?, ?)",
                    (look.message.id, look.at, msgspec.json.encode(look.message)))  # fmt: skip
            new = {name: part for name, part in look.kept.items() if self._kept.get(name) != part}
            self._base.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", [(name, part.decode()) for name, part in new.items()]
            )
        self._kept = dict(look.kept)

    def _extend(self, look: LookRecord) -> None:
        """What stays as it was grows longer; the rest ends, and what is new begins. After a gap all begins anew."""
        put = self._base.execute
        if look.gap:
            put("UPDATE spans SET live = 0 WHERE live = 1")
        live = {(kind, name): (key, state) for key, kind, name, state in
                put("SELECT id, kind, name, state FROM spans WHERE live = 1")}  # fmt: skip
        now = {(span.kind, span.name): span for span in look.spans}
        ended = [key for place, (key, state) in live.items() if place not in now or now[place].state != state]
        self._base.executemany("UPDATE spans SET live = 0, until = ? WHERE id = ?", [(look.at, key) for key in ended])
        same = {place for place, (key, _) in live.items() if key not in set(ended)}
        self._base.executemany(
            "UPDATE spans SET until = ?, detail = ? WHERE id = ?",
            [(look.at, now[place].detail, live[place][0]) for place in same],
        )
        self._base.executemany(
            "INSERT INTO spans (kind, name, state, detail, since, until, live) VALUES (?, ?, ?, ?, ?, ?, 1)",
            [(each.kind, each.name, each.state, each.detail, look.at, look.at)
             for place, each in now.items() if place not in same],
        )  # fmt: skip

    def _incident(self, change: Change, at: float) -> None:
        put = self._base.execute
        if change.kind is Happened.OPENED:
            put("INSERT INTO incidents VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                (change.incident, change.check, change.problem, change.severity, change.summary,
                 _nodes(change.nodes), change.since, at))  # fmt: skip
        elif change.kind is Happened.WORSE:
            put("UPDATE incidents SET severity = ?, problem = ?, summary = ? WHERE id = ?",
                (change.severity, change.problem, change.summary, change.incident))  # fmt: skip
        else:
            put("UPDATE incidents SET ended = ?, unsure_from = ? WHERE id = ?",
                (change.ended, change.unsure_from, change.incident))  # fmt: skip

    def _all(self, number: int, nodes: tuple[str, ...]) -> tuple[str, ...]:
        """The nodes that an incident has had, the new ones last."""
        row = self._base.execute("SELECT nodes FROM incidents WHERE id = ?", (number,)).fetchone()
        before = msgspec.json.decode(row[0], type=tuple[str, ...]) if row else ()
        return tuple(dict.fromkeys((*before, *nodes)))

    def prune(self, now: float, keep_days: float = KEEP_DAYS) -> None:
        """Forget what is older, at most once an hour; an open incident stays, however old it is."""
        if now - self._cleaned < 3600.0:
            return
        self._cleaned = now
        old, coarse = now - keep_days * 24 * 3600, now - FINE_S
        with _told(self.path), self._base:
            put = self._base.execute
            put("BEGIN IMMEDIATE")
            put("DELETE FROM looks WHERE at < ?", (old,))
            put("DELETE FROM looks WHERE at < ? AND id NOT IN "
                "(SELECT min(id) FROM looks WHERE at < ? GROUP BY CAST(at / 60 AS INTEGER))", (coarse, coarse))  # fmt: skip  # noqa: E501
            put("DELETE FROM spans WHERE until < ? AND live = 0", (old,))
            put("DELETE FROM incidents WHERE ended < ?", (old,))
            put("DELETE FROM deliveries WHERE message IN (SELECT id FROM messages WHERE at < ?)", (old,))
            put("DELETE FROM messages WHERE at < ?", (old,))

    # --- messages and who got them --------------------------------------------------------------------------------

    def add_sink(self, name: str) -> None:
        """A receiver; one that is new gets the messages from now on, not those of the past."""
        with _told(self.path), self._base:
            self._base.execute("INSERT OR IGNORE INTO sinks SELECT ?, coalesce(max(id), 0) + 1 FROM messages", (name,))

    def undelivered(self, sink: str, most: int = 100) -> list[Message]:
        """What a receiver did not get yet, oldest first."""
        with _told(self.path):
            rows = self._base.execute(
                "SELECT body FROM messages WHERE id >= (SELECT first_message FROM sinks WHERE name = ?) AND NOT EXISTS "
                "(SELECT 1 FROM deliveries WHERE message = messages.id AND sink = ?) ORDER BY id LIMIT ?",
                (sink, sink, most),
            ).fetchall()
            return [msgspec.json.decode(body, type=Message) for (body,) in rows]

    def delivered(self, sink: str, message: int, result: str = "delivered") -> None:
        """Note that a message reached a receiver, or that it was given up."""
        with _told(self.path), self._base:
            self._base.execute("INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?)", (message, sink, result))

    # --- reading --------------------------------------------------------------------------------------------------

    def kept(self, names: Iterable[str]) -> dict[str, bytes]:
        """What the last look left for the next, of these; what it did not leave is not there."""
        known = dict(self.rows("SELECT name, value FROM meta"))
        return {name: str(known[name]).encode() for name in names if name in known}

    def rows(self, question: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """The answer to a question in SQL, for the report."""
        with _told(self.path):
            return self._base.execute(question, tuple(parameters)).fetchall()


def _nodes(nodes: Iterable[str]) -> str:
    return msgspec.json.encode(tuple(nodes)).decode()


def _locked(path: Path) -> IO[str]:
    """The right to write, given up when the process ends however it ends. Raises HistoryError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = open(path.with_name(f"{path.name}.lock"), "a+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise HistoryError(
            f"cannot keep a history in {path.parent}: {error.strerror}. Name another folder: --state"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise HistoryError(
            f"{path} is in use by another watch (process {owner}); two would tell everything twice"
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _connect(path: Path, identity: Mapping[str, str], watching: bool) -> sqlite3.Connection:
    if not watching and not path.exists():
        raise HistoryError(f"no history in {path}: nobody has watched this testnet from here. Start: mina-infra watch")
    base = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    try:
        _check_kind(path, base)
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")
        if not base.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            base.executescript(
                f"BEGIN; {_TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA}; COMMIT;"
            )
            base.executemany("INSERT INTO meta VALUES (?, ?)", identity.items())
        _check_identity(path, base, identity)
    except BaseException:
        base.close()
        raise
    return base


def _check_kind(path: Path, base: sqlite3.Connection) -> None:
    application = base.execute("PRAGMA application_id").fetchone()[0]
    version = base.execute("PRAGMA user_version").fetchone()[0]
    tables = base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise HistoryError(f"{path} is a database of another program. Name another folder: --state")
    if tables and version != SCHEMA:
        raise HistoryError(
            f"{path} has form {version}, this version of mina-infra writes form {SCHEMA}. "
            "Use the version that wrote it, or move the file away to begin anew"
        )
    torn = base.execute("PRAGMA quick_check(1)").fetchone()[0]
    if torn != "ok":
        raise sqlite3.DatabaseError(torn)


def _check_identity(path: Path, base: sqlite3.Connection, identity: Mapping[str, str]) -> None:
    known = dict(base.execute("SELECT name, value FROM meta"))
    for name, wanted in identity.items():
        if known.get(name) != wanted:
            raise HistoryError(
                f"{path} is the history of {name} {known.get(name)!r}, this is {wanted!r}. Name another folder: --state"
            )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """SQLite's mishaps in our words. Raises HistoryError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise HistoryError(f"cannot use {path}: {error}") from error
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        raise HistoryError(
            f"{path} is damaged or no history of a watch ({error}). Move it away and start again: the watch begins "
            "anew, and incidents that are open now are told once more"
        ) from error
