"""Bugs that are known: what is ignored or only told, and until when: nothing is for ever, an end date is required."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from mina_infra.guardian.crashes.model import Group


class Action(StrEnum):
    """What is done about a crash that is known."""

    IGNORE = "ignore"
    WARN = "warn"


@dataclass(frozen=True)
class KnownIssue:
    """One entry of the list: a fingerprint, or a pattern that is searched in title, frames and sample."""

    issue: str
    action: Action
    expires: date
    fingerprint: str | None = None
    pattern: re.Pattern[str] | None = None

    def expired(self, today: date) -> bool:
        """From the day after `expires` on."""
        return today > self.expires

    def covers(self, group: Group) -> bool:
        """Whether it is about these crashes, whatever the date."""
        if self.fingerprint is not None:
            return self.fingerprint == group.fingerprint
        text = "\n".join((group.signature.title, *group.signature.frames, group.sample.sample))
        return self.pattern is not None and self.pattern.search(text) is not None

    @property
    def name(self) -> str:
        """How a message calls it."""
        return f"{self.issue} ({self.fingerprint or (self.pattern and self.pattern.pattern)})"


@dataclass(frozen=True)
class Sorted:
    """Groups by what is known of them. `new` includes those of expired entries."""

    new: tuple[Group, ...]
    told: tuple[tuple[Group, KnownIssue], ...]
    ignored: tuple[tuple[Group, KnownIssue], ...]
    expired: tuple[KnownIssue, ...]


def sort(groups: Iterable[Group], known: Iterable[KnownIssue], today: date) -> Sorted:
    """Take out what is known and has not expired. Of several entries the first that has not expired counts."""
    entries = tuple(known)
    valid = [entry for entry in entries if not entry.expired(today)]
    new: list[Group] = []
    told: list[tuple[Group, KnownIssue]] = []
    ignored: list[tuple[Group, KnownIssue]] = []
    for group in groups:
        entry = next((entry for entry in valid if entry.covers(group)), None)
        if entry is None:
            new.append(group)
        elif entry.action is Action.IGNORE:
            ignored.append((group, entry))
        else:
            told.append((group, entry))
    return Sorted(tuple(new), tuple(told), tuple(ignored), tuple(entry for entry in entries if entry.expired(today)))
