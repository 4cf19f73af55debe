"""Lines of a daemon's standard output.

With `-log-json` a line is an object with timestamp, level, source, message, metadata and, for structured events,
event_id. The message keeps its `$placeholders`; their values are in the metadata. Lines that are not JSON do occur: the
crash banner, `Mina process exited with status code N`, prompts. They are kept: they are often the ones that matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

import msgspec

from mina_infra.daemon.replies import parse_timestamp


class Level(IntEnum):
    """Levels in the logger's own order."""

    INTERNAL = 0
    SPAM = 1
    TRACE = 2
    DEBUG = 3
    INFO = 4
    WARN = 5
    ERROR = 6
    FAULTY_PEER = 7
    FATAL = 8

    @classmethod
    def of(cls, text: str) -> Level:
        """INFO for a name that this version does not know, so that no line is lost by its level."""
        return cls.__members__.get(text.strip().upper(), cls.INFO)


class Source(msgspec.Struct, frozen=True):
    """Where in the program a line was written."""

    module: str = ""
    location: str = ""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line. A line that is not JSON has only `message` (`structured` is False)."""

    message: str
    structured: bool = True
    timestamp: datetime | None = None
    level: Level = Level.INFO
    source: Source = Source()
    metadata: dict[str, Any] = {}
    event_id: str | None = None

    @property
    def text(self) -> str:
        """The message with the values in place of its placeholders (longest names first, as `$a` begins `$ab`)."""
        text = self.message
        for name in sorted(self.metadata, key=len, reverse=True):
            text = text.replace(f"${name}", _printed(self.metadata[name]))
        return text


class _Wire(msgspec.Struct, frozen=True):
    message: str
    timestamp: str = ""
    level: str = "Info"
    source: Source | None = None
    metadata: dict[str, Any] = {}
    event_id: str | None = None


_DECODER = msgspec.json.Decoder(_Wire)


def parse_line(line: str | bytes) -> LogLine:
    """Never raises: what is not a JSON log line becomes an unstructured one."""
    raw = line if isinstance(line, bytes) else line.encode()
    try:
        wire = _DECODER.decode(raw)
        moment = parse_timestamp(wire.timestamp) if wire.timestamp else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return LogLine(message=raw.decode("utf-8", "replace").rstrip("\r\n"), structured=False)
    return LogLine(
        message=wire.message,
        timestamp=moment,
        level=Level.of(wire.level),
        source=wire.source or Source(),
        metadata=wire.metadata,
        event_id=wire.event_id,
    )


def parse_lines(lines: Iterable[str | bytes]) -> Iterator[LogLine]:
    """All lines but empty ones."""
    for line in lines:
        if line.strip():
            yield parse_line(line)


@dataclass(frozen=True)
class Record:
    """One line and the lines after it that are no JSON: backtraces, the panic of a helper, the crash banner."""

    line: LogLine
    after: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All of it, as a person would read it."""
        return "\n".join((self.line.text, *self.after))


def parse_records(lines: Iterable[str | bytes]) -> Iterator[Record]:
    """Lines that are no JSON belong to the record before them; those at the very beginning make one of their own."""
    head: LogLine | None = None
    after: list[str] = []
    for line in parse_lines(lines):
        if head is not None and not line.structured:
            after.append(line.message)
            continue
        if head is not None:
            yield Record(head, tuple(after))
        head, after = line, []
    if head is not None:
        yield Record(head, tuple(after))


def _printed(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
