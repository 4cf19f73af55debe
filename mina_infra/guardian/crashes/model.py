"""Crashes one by one, and those of one fingerprint together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mina_infra.guardian.crashes.fingerprint import Signature


class Cause(StrEnum):
    """What ended the program. The words are problems of the check `crashes`."""

    CRASH = "crash"
    OOM = "oom"
    RESTART = "restart-unexplained"


Key = tuple[str, str, int]
"""A container's end: uid of the pod, name of the container, restarts since the pod was made."""


@dataclass(frozen=True)
class Crash:
    """One program's end that nobody asked for.

    `at`: seconds since 1970, None where nothing tells. `hourly`: how often it can have come in the hour before, as far
    as restarts and the length of the last run tell. `sample`: the log's own words, whole. `commit`: the daemon's build.
    """

    node: str
    pod: str
    container: str
    cause: Cause
    at: float | None
    signature: Signature
    sample: str
    detail: str = ""
    commit: str = ""
    hourly: int = 1
    source: str = "pod status"
    key: Key | None = None

    @property
    def fingerprint(self) -> str:
        return self.signature.fingerprint


@dataclass(frozen=True)
class Explained:
    """A restart that is nobody's bug, and why."""

    node: str
    container: str
    why: str
    key: Key | None = None


@dataclass(frozen=True)
class Crashes:
    """All that was found. `unread`: logs that could not be read, as (node, reason)."""

    found: tuple[Crash, ...] = ()
    explained: tuple[Explained, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Group:
    """All crashes of one fingerprint, the newest last. Times in seconds since 1970."""

    crashes: tuple[Crash, ...]

    @property
    def fingerprint(self) -> str:
        return self.crashes[0].fingerprint

    @property
    def signature(self) -> Signature:
        return self.crashes[0].signature

    @property
    def cause(self) -> Cause:
        return self.crashes[0].cause

    @property
    def count(self) -> int:
        """How many were seen; containers that restart often count once for each time that can be told."""
        return sum(crash.hourly for crash in self.crashes)

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(crash.node for crash in self.crashes))

    @property
    def commits(self) -> tuple[str, ...]:
        return tuple(sorted({crash.commit for crash in self.crashes if crash.commit}))

    @property
    def first(self) -> float | None:
        return min((crash.at for crash in self.crashes if crash.at is not None), default=None)

    @property
    def last(self) -> float | None:
        return max((crash.at for crash in self.crashes if crash.at is not None), default=None)

    @property
    def sample(self) -> Crash:
        """The one that says most."""
        return max(self.crashes, key=lambda crash: len(crash.sample))

    def since(self, moment: float) -> Group | None:
        """Those of a time and after; one without a time may be of any. None when none is left."""
        kept = tuple(crash for crash in self.crashes if crash.at is None or crash.at >= moment)
        return Group(kept) if kept else None


def grouped(crashes: Iterable[Crash]) -> tuple[Group, ...]:
    """By fingerprint; the group that most nodes have comes first."""
    members: dict[str, list[Crash]] = {}
    for crash in sorted(crashes, key=lambda crash: (crash.at or 0.0, crash.node)):
        members.setdefault(crash.fingerprint, []).append(crash)
    groups = [Group(tuple(each)) for each in members.values()]
    return tuple(sorted(groups, key=lambda group: (-len(group.nodes), -group.count, group.fingerprint)))
