"""Series that give each of Mina's 37 alerts a chosen value: just below its limit, at it, and above it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mina_infra.guardian.alerts.mina import RULES, MinaRule
from tests.guardian.alerts.judge import TESTNET, flat, moment

MINUTE = 24
SLOT_S = 180

_STEP = {"of all": 0.01, "s": 1, "of 77": 1, "ms": 1, "slots": 1 / SLOT_S}
"""The smallest difference that matters, by the unit of the alert; else one of what is counted."""


@dataclass(frozen=True)
class Valued:
    """One alert at one value."""

    rule: MinaRule
    where: str
    value: float

    @property
    def fires(self) -> bool:
        return self.rule.alert.fires(self.value)

    def series(self) -> dict[str, str]:
        """The metrics of the rule, written so that what the rule measures is exactly `value`."""
        return {name: values.replace("x900", f"x{MINUTE + 1}") for name, values in self._series().items()}

    def _series(self) -> dict[str, str]:
        metric = next(word.split("{s}")[0] for word in self.rule.query.split("{m}_")[1:])
        name = f"Coda_{metric}"
        if self.rule.alert.unit == "slots":
            nodes = 2 if "count" in self.rule.query else 1
            found = {_one(name, node): moment(self.value * SLOT_S) for node in range(nodes)}
            return found | {_one("Coda_Snark_work_pending_snark_work", 0): flat(1)}
        if "uptime" in metric:
            young = {_one(name, node): "0+1000x900" for node in range(round(self.value))}
            return young | {_one(name, 99): "360000000+60000x900"}
        if "increase" in self.rule.query:
            # From 0, so that `increase` has nothing to extrapolate; late enough for the shortest look-back.
            return {_one(name, 0): f"0x9 {self.value:g}x900"}
        return {_one(name, 0): flat(self.value)}


def _one(name: str, node: int) -> str:
    return f'{name}{{testnet="{TESTNET}",app="node-{node}"}}'


def valued() -> Iterator[Valued]:
    """Each of the 37 three times; what cannot be below 0 is one step farther up."""
    for rule in RULES:
        step, limit = _STEP.get(rule.alert.unit, 1), rule.alert.limit
        values = {"below": limit - step, "at": limit, "above": limit + step}
        for where, value in values.items():
            if value >= 0:
                yield Valued(rule, where, value)
        if values["below"] < 0:
            yield Valued(rule, "farther above", limit + 2 * step)
