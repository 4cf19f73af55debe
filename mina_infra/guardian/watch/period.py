"""How a stretch of time was, from the history: shares of health, incidents, production, the nodes that were worst."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from mina_infra.guardian.production import active_stake
from mina_infra.guardian.watch.history import History

WORST = 5
NOT_LOOKED = "not looked"
"""Time in which nobody watched: never counted as healthy."""


@dataclass(frozen=True)
class Incident:
    """One incident that was open within the period. `ended` None: it still is. Times in seconds since 1970."""

    number: int
    check: str
    problem: str
    severity: str
    summary: str
    nodes: tuple[str, ...]
    since: float
    ended: float | None
    unsure_from: float | None
    last: float

    def seconds(self, until: float) -> float:
        """How long it has lasted; at most, where nobody looked at its end."""
        return max(0.0, (until if self.ended is None else self.ended) - self.since)


@dataclass(frozen=True)
class Production:
    """Blocks of the chain in the period. `fill` and `active_stake` as shares; `expected` the fill that was due."""

    blocks: int
    slots: float
    fill: float
    expected: float
    active_stake: float


@dataclass(frozen=True)
class NodeTrouble:
    """What one node suffered from, in seconds by `check: problem`; the total counts overlaps once for each problem."""

    node: str
    problems: Mapping[str, float]

    @property
    def seconds(self) -> float:
        """The longest of its troubles: overlapping ones are one bad time."""
        return max(self.problems.values(), default=0.0)


@dataclass(frozen=True)
class Period:
    """The status of a testnet over a period. `last_look` None: nobody has ever looked."""

    testnet: str
    since: float
    until: float
    looks: int
    last_look: float | None
    health: str
    shares: Mapping[str, float]
    """Seconds by health (healthy, unstable, could not tell) and in which nobody looked."""
    checks: Mapping[str, str]
    """The state of each check in the last look."""
    incidents: tuple[Incident, ...]
    production: Production | None
    figures: Mapping[str, float | int | None]
    worst: tuple[NodeTrouble, ...]

    @property
    def seconds(self) -> float:
        return self.until - self.since

    @property
    def open(self) -> tuple[Incident, ...]:
        return tuple(each for each in self.incidents if each.ended is None)

    @property
    def crashes(self) -> tuple[Incident, ...]:
        return tuple(each for each in self.incidents if each.check == "crashes")


def period_of(history: History, testnet: str, since: float, until: float) -> Period:
    """Read one period. A look counts for the time up to the next one."""
    last = history.rows("SELECT at, health, figures FROM looks WHERE at <= ? ORDER BY at DESC LIMIT 1", (until,))
    at, health, figures = last[0] if last else (None, NOT_LOOKED, "{}")
    return Period(
        testnet=testnet,
        since=since,
        until=until,
        looks=int(history.rows("SELECT count(*) FROM looks WHERE at BETWEEN ? AND ?", (since, until))[0][0]),
        last_look=at,
        health=str(health),
        shares=_shares(history, since, until),
        checks=dict(history.rows("SELECT name, state FROM spans WHERE kind = 'check' AND live = 1 ORDER BY id")),
        incidents=tuple(_incidents(history, since, until)),
        production=_production(history, since, until),
        figures=msgspec.json.decode(figures),
        worst=_worst(history, since, until),
    )


def _shares(history: History, since: float, until: float) -> Mapping[str, float]:
    shares: dict[str, float] = defaultdict(float)
    spans = _spans(history, "health", since, until)
    for _, state, began, ended in spans:
        shares[state] += ended - began
    shares[NOT_LOOKED] = max(0.0, until - since - sum(shares.values()))
    return dict(shares)


def _spans(history: History, kind: str, since: float, until: float) -> Iterable[tuple[str, str, float, float]]:
    """Name, state, begin and end, cut to the period."""
    rows = history.rows(
        "SELECT name, state, max(since, ?), min(until, ?) FROM spans WHERE kind = ? AND until >= ? AND since <= ?",
        (since, until, kind, since, until),
    )
    return [(str(name), str(state), float(began), float(ended)) for name, state, began, ended in rows]


def _incidents(history: History, since: float, until: float) -> Iterable[Incident]:
    rows = history.rows(
        "SELECT id, check_name, problem, severity, summary, nodes, since, ended, unsure_from, last FROM incidents "
        "WHERE since <= ? AND (ended IS NULL OR ended >= ?) ORDER BY since, id",
        (until, since),
    )
    for number, check, problem, severity, summary, nodes, began, ended, unsure, last in rows:
        names = msgspec.json.decode(nodes, type=tuple[str, ...])
        yield Incident(number, check, problem, severity, summary, names, began, ended, unsure, last)


def _production(history: History, since: float, until: float) -> Production | None:
    """By heights, so that no look need have seen each block. A chain that begins anew (another era) adds its own."""
    rows = history.rows("SELECT at, figures FROM looks WHERE at BETWEEN ? AND ? ORDER BY at", (since, until))
    blocks, slots, expected, f = 0, 0.0, 0.0, 0.0
    before: tuple[float, int] | None = None
    for at, text in rows:
        figures = msgspec.json.decode(text)
        height, slot_s = figures.get("height"), figures.get("slot_s")
        if height is None or not slot_s:
            continue
        if before is not None and height >= before[1]:
            passed = (at - before[0]) / slot_s
            blocks, slots = blocks + height - before[1], slots + passed
            expected += figures["expected_fill"] * passed
            f = figures["active_slots"]
        before = (at, height)
    if slots < 1:
        return None
    fill = min(1.0, blocks / slots)
    return Production(blocks, slots, fill, expected / slots, active_stake(fill, f))


def _worst(history: History, since: float, until: float) -> tuple[NodeTrouble, ...]:
    troubles: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for name, _, began, ended in _spans(history, "node", since, until):
        node, check, problem = name.split("/", 2)
        troubles[node][f"{check}: {problem}"] += ended - began
    found = [NodeTrouble(node, dict(problems)) for node, problems in troubles.items()]
    return tuple(sorted(found, key=lambda each: (-each.seconds, each.node))[:WORST])
