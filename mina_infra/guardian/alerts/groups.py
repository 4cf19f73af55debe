"""All rules of one testnet as the groups of a rules file, by profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mina_infra.guardian.alerts.daemons import chain_rules, network_of
from mina_infra.guardian.alerts.mina import mina_rules
from mina_infra.guardian.alerts.rule import PREFIX, Pace, Rule, Series, duration
from mina_infra.guardian.alerts.watched import watch_rules
from mina_infra.guardian.alerts.work import absent_rule, work_rules
from mina_infra.guardian.criteria import criteria_of
from mina_infra.outputs import OutputsDocument

RuleProfile = Literal["guardian", "mina-alerts"]


def daemon_rules(outputs: OutputsDocument, prefix: str = PREFIX) -> tuple[Rule, ...]:
    """The rules on the daemons' own metrics; none where no daemon should run."""
    network = network_of(outputs, criteria_of(outputs), prefix)
    if not network.daemons:
        return ()
    rules = (*chain_rules(network), *work_rules(network))
    return (*rules, absent_rule(network, rules))


def watch_metric_rules(outputs: OutputsDocument) -> tuple[Rule, ...]:
    """The rules on the metrics of `mina-infra watch`."""
    network = network_of(outputs, criteria_of(outputs), PREFIX)
    return tuple(watch_rules(network)) if network.daemons else ()


def rules_of(
    outputs: OutputsDocument, *, profile: RuleProfile = "guardian", prefix: str = PREFIX, watch: bool = True
) -> dict[str, tuple[Rule, ...]]:
    """The rules of a testnet by family: `daemons` and `watch`, or `mina-alerts`, Mina's own 37, for the first."""
    if not outputs.daemons():
        return {}
    if profile == "mina-alerts":
        found = {"mina-alerts": tuple(mina_rules(Series(outputs.testnet, prefix), criteria_of(outputs)))}
    else:
        found = {"daemons": daemon_rules(outputs, prefix)}
    return found | ({"watch": watch_metric_rules(outputs)} if watch else {})


def groups_of(testnet: str, families: Mapping[str, Sequence[Rule]]) -> list[dict[str, Any]]:
    """The families as the groups of a rules file."""
    return [
        {"name": f"mina-infra-{testnet}-{family}", "rules": [rule.to_prometheus(testnet) for rule in rules]}
        for family, rules in families.items()
    ]


def groups(
    outputs: OutputsDocument, *, profile: RuleProfile = "guardian", prefix: str = PREFIX, watch: bool = True
) -> list[dict[str, Any]]:
    """The rules of a testnet as the groups of a rules file."""
    return groups_of(outputs.testnet, rules_of(outputs, profile=profile, prefix=prefix, watch=watch))


def table(rules: Sequence[Rule]) -> str:
    """One line for each rule: the check that asks the same, how grave it is, and after how long it fires."""
    width = max((len(rule.name) for rule in rules), default=0)
    return "".join(
        f"{rule.check:<14}  {rule.name:<{width}}  {rule.severity.value:<8}  "
        f"{f'after {duration(rule.lasting_s)}' if rule.lasting_s else 'at once':<12}  {rule.problem}\n"
        for rule in rules
    )


def scrape_seconds(outputs: OutputsDocument) -> int:
    """How often the daemons of a network are to be scraped so that the rules see what they are made for."""
    return Pace(criteria_of(outputs)).scrape_s
