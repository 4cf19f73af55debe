"""What a check or a criterion asks, and by which numbers on this network. Pure."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from mina_infra.errors import MinaInfraError
from mina_infra.guardian import joining, runbook
from mina_infra.guardian.checks import CHECKS
from mina_infra.guardian.criteria import Criteria, Limit, limits_of
from mina_infra.guardian.findings import CheckInfo
from mina_infra.guardian.instability import CRITERIA, Criterion
from mina_infra.guardian.mina_alerts import ALERTS

_MODULES = (*((check, look.__module__) for check, look in CHECKS), (joining.CHECK, joining.__name__))
"""Each check with the module that holds its rule."""

_WORD = re.compile(r"[a-z]+(-[a-z]+)*")


class NoSuchCheckError(MinaInfraError):
    """Nothing of that name is judged."""

    def __init__(self, name: str, names: Iterable[str]) -> None:
        allowed = list(names)
        near = get_close_matches(name, allowed, 1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"no check or criterion is called {name!r}.{meant} There are: {', '.join(allowed)}")


def contents() -> str:
    """What can be explained: a line for each check and criterion."""
    width = max(len(name) for name in (*(check.name for check, _ in _MODULES), *(each.name for each in CRITERIA)))
    checks = [f"  {check.name:<{width}}  {_question(module)}" for check, module in _MODULES]
    criteria = [f"  {each.name:<{width}}  {each.number} {each.title}" for each in CRITERIA]
    return "\n".join(["checks", *checks, "criteria of an unstable testnet", *criteria]) + "\n"


def explain(name: str, criteria: Criteria) -> str:
    """The formula with the numbers that are in force. `name`: of a check or criterion, or the number of a criterion.

    Raises NoSuchCheckError.
    """
    for check, module in _MODULES:
        if check.name == name:
            return "\n".join(_check(check, module, criteria)) + "\n"
    for criterion in CRITERIA:
        if name in (criterion.name, str(criterion.number)):
            return "\n".join(_criterion(criterion, criteria)) + "\n"
    raise NoSuchCheckError(name, [*(check.name for check, _ in _MODULES), *(each.name for each in CRITERIA)])


def _check(check: CheckInfo, module_name: str, criteria: Criteria) -> list[str]:
    module = sys.modules[module_name]
    lines = [f"check {check.name}: {_question(module_name)}", f"runbook   {check.runbook}"]
    rule = inspect.getdoc(module.judge) if hasattr(module, "judge") else None
    lines += ["rule", *_indented(rule)] * bool(rule)
    lines += [f"warm-up   {check.warm_up.count} slots ({_duration(criteria.seconds(check.warm_up.count))})"]
    words = _problems(module)
    lines += [f"problems  {', '.join(words)}"] * bool(words)
    lines += _numbers(check.name, limits_of(check.name), criteria)
    alerts = [
        f"{alert.name} ({alert.severity}): {alert.rule()}" for alert in ALERTS.values() if alert.check == check.name
    ]
    lines += ["alerts of Mina that ask the same", *(f"  {alert}" for alert in alerts)] * bool(alerts)
    used = [f"{each.number} {each.title}" for each in CRITERIA if check.name in each.checks]
    lines += [f"criteria  {'; '.join(used)}"] * bool(used)
    return [*lines, *_event(runbook.unstable(criteria.profile) if used else runbook.other(criteria.profile))]


def _question(module_name: str) -> str:
    return (sys.modules[module_name].__doc__ or "").strip().splitlines()[0]


def _criterion(criterion: Criterion, criteria: Criteria) -> list[str]:
    lines = [f"criterion {criterion.number}, {criterion.name}: {criterion.title}"]
    lines += [f"checks    {', '.join(criterion.checks)}", "rule", *_indented(criterion.rule)]
    lines += _indented(
        f"two sweeps in a row must show it ({criteria.confirm_sweeps}); a watch clears it after {criteria.clear_slots} "
        "good slots"
    )
    lines += _numbers(criterion.name, _limits_of_criterion(criterion), criteria)
    return [*lines, *_event(runbook.unstable(criteria.profile))]


def _limits_of_criterion(criterion: Criterion) -> dict[str, Limit]:
    """Its own, and those of its checks that its rule names."""
    of_checks = {field: limit for check in criterion.checks for field, limit in limits_of(check).items()}
    return limits_of(criterion.name) | {field: each for field, each in of_checks.items() if field in criterion.rule}


def _numbers(name: str, limits: Mapping[str, Limit], criteria: Criteria) -> list[str]:
    rows = [(field, getattr(criteria, field), limit.unit, limit.why) for field, limit in limits.items()]
    rows += _derived(name, criteria)
    width = max((len(field) for field, *_ in rows), default=0)
    lines = [f"  {field:<{width}}  {_number(value)} {unit}  ({why})" for field, value, unit, why in rows]
    return [f"numbers   (profile {criteria.profile})", *lines] if lines else []


def _derived(name: str, criteria: Criteria) -> list[tuple[str, object, str, str]]:
    """What follows from the limits of block production."""
    if name not in ("production", "not-produced") or criteria.online_stake <= 0:
        return []
    window = criteria.production_window
    return [
        ("fill", criteria.fill, "of the slots", "1 - (1 - active_slots) ^ online_stake"),
        ("production_bound", criteria.production_bound(window), f"of {window} slots or fewer filled fail",
         "the most for which P(Bin(window, fill) <= it) < production_error"),
        ("silence", criteria.silence_slots, "empty slots in a row fail",
         "old_tip_slots, else ceil(ln(silence_error / (horizon_slots fill)) / ln(1 - fill))"),
    ]  # fmt: skip


def _event(event: runbook.Event) -> list[str]:
    return [f"to do     {event.criticality}, {event.owner}: {event.action}", f"          ({event.row})"]


def _indented(text: str | None) -> list[str]:
    return [f"  {line}".rstrip() for line in (text or "").splitlines()]


def _problems(module: object) -> list[str]:
    """The stable words of a check: its tuple PROBLEMS, else its public constants."""
    listed = getattr(module, "PROBLEMS", None)
    if isinstance(listed, tuple):
        return [str(word) for word in listed]
    constants = {name: value for name, value in vars(module).items() if name.isupper() and name[0] != "_"}
    return [value for value in constants.values() if isinstance(value, str) and _WORD.fullmatch(value)]


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"
