"""What an alert rule is, and how its PromQL is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.mina_alerts import Severity

TIME_OFFSET_S = 1_609_459_200
"""The daemons' `*_time_sec` gauges count from 2021-01-01 (docs/facts.md: mina/time-gauges)."""

PREFIX = "Coda"
"""Namespace of the daemons' metrics; it never followed the project's new name."""


@dataclass(frozen=True)
class Rule:
    """One alert. It fires for each series of `expr` that stayed for `lasting_s` seconds.

    `check` and `problem` are the guardian's words for the same fault, so that an alert and a verdict name it alike.
    `title` may name labels of the series in Prometheus' templates; `advice` says what to do first.
    """

    name: str
    severity: Severity
    check: str
    problem: str
    expr: str
    title: str
    advice: str
    lasting_s: int = 0

    def to_prometheus(self, testnet: str) -> dict[str, Any]:
        """The rule as a rules file has it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": duration(self.lasting_s),
            "labels": {
                "severity": self.severity.value, "testnet": testnet, "check": self.check, "problem": self.problem,
            },
            "annotations": {"summary": self.title, "description": self.advice},
        }  # fmt: skip


@dataclass(frozen=True)
class Series:
    """Writes the metrics of one testnet. A node is its label `app`, whatever pod it has lived in."""

    testnet: str
    prefix: str = PREFIX

    def one(self, name: str, *matchers: str) -> str:
        """The series of a metric of the daemons: `Coda_Network_peers{testnet="qa"}`."""
        return self.raw(f"{self.prefix}_{name}", *matchers)

    def raw(self, name: str, *matchers: str) -> str:
        """The series of any metric of this testnet."""
        inner = ",".join((f'testnet="{self.testnet}"', *matchers))
        return f"{name}{{{inner}}}"

    def node(self, name: str, after: str = "") -> str:
        """One value for each node; `after` is written behind the metric (`offset 9m`)."""
        return f"max by (testnet, app) ({self.one(name)}{f' {after}' if after else ''})"

    def top(self, name: str, after: str = "") -> str:
        """The greatest value of the testnet."""
        return f"max by (testnet) ({self.one(name)}{f' {after}' if after else ''})"

    def middle(self, inner: str) -> str:
        """The median over the nodes: no single ill node decides, neither way."""
        return f"quantile by (testnet) (0.5, {inner})"

    def age(self, name: str) -> str:
        """Seconds since the latest moment that any node has in a time gauge."""
        return f"time() - {TIME_OFFSET_S} - {self.top(name)}"


@dataclass(frozen=True)
class Pace:
    """Durations of one network: slots as seconds, never shorter than what a scrape can see."""

    criteria: Criteria

    @property
    def scrape_s(self) -> int:
        """Seconds between two scrapes: a sixth of a slot sees every change, within what Prometheus is used for."""
        return round(min(max(self.criteria.seconds(1) / 6, 15), 60))

    def seconds(self, slots: float) -> int:
        """A number of slots in seconds; at least four scrapes, since a rate needs two and one may be lost."""
        return max(round(self.criteria.seconds(slots)), 4 * self.scrape_s)

    def span(self, slots: float) -> str:
        """The same as PromQL writes it."""
        return duration(self.seconds(slots))


def duration(seconds: int) -> str:
    """`90s`, `45m`, `2h`: the largest unit that is exact."""
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
