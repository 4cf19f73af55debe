"""The alerts on storage as a rules file of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from mina_infra.storage.alerts import Alert

GROUP = "mina-infra-storage"


Group = Mapping[str, Any]
"""A group of rules as a rules file has it."""


def rules(alerts: Iterable[Alert], more: Iterable[Group] = ()) -> dict[str, Any]:
    """The content of a rules file: the group of these alerts, if there are any, and others."""
    own = [_rule(each) for each in alerts]
    return {"groups": [*([{"name": GROUP, "rules": own}] if own else []), *more]}


def _rule(alert: Alert) -> dict[str, Any]:
    kind = alert.kind
    return {
        "alert": "".join(word.capitalize() for word in kind.name.split("-")),
        "expr": alert.query,
        "for": f"{alert.lasting_s}s",
        "labels": {"severity": kind.severity.value, "category": kind.category},
        "annotations": {"summary": kind.finding, "description": f"{kind.title}. {kind.advice}"},
    }


def to_rules_file(alerts: Iterable[Alert], more: Iterable[Group] = ()) -> str:
    """The rules as YAML, with groups that were made elsewhere: queries of several lines as they are."""
    return str(yaml.dump(rules(alerts, more), Dumper=_Dumper, sort_keys=False, width=120))


class _Dumper(yaml.SafeDumper):
    """Its own class, so that the style of its texts is nobody else's."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def to_table(alerts: Sequence[Alert]) -> str:
    """One line for each alert: what it is about, after how long it fires."""
    width = max(len(each.kind.name) for each in alerts)
    lines = [
        f"{each.kind.category:<14}  {each.kind.name:<{width}}  {each.kind.severity.value:<8}  "
        f"{f'after {each.lasting_s // 60} min' if each.lasting_s else 'at once':<12}  {each.kind.title}"
        for each in alerts
    ]
    return "\n".join(lines) + "\n"
