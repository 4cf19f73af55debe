"""All rules of one testnet as the groups of a rules file, by profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from mina_infra.guardian.alerts.daemons import chain_rules, network_of
from mina_infra.guardian.alerts.mina import mina_rules
from mina_infra.guardian.alerts.rule import PREFIX, Pace, Rule, Series, duration
from mina_infra.guardian.alerts.watched import watch_rules
from mina_infra.guardian.alerts.work import work_rules
from mina_infra.guardian.criteria import criteria_of
from mina_infra.outputs import OutputsDocument

RuleProfile = Literal["guardian", "mina-alerts"]


def daemon_rules(outputs: OutputsDocument, prefix: str = PREFIX) -> tuple[Rule, ...]:
    """The rules on the daemons' own metrics; none where no daemon should run."""
    network = network_of(outputs, criteria_of(outputs), prefix)
    return (*chain_rules(network), *work_rules(network)) if network.daemons else ()


def watch_metric_rules(outputs: OutputsDocument) -> tuple[Rule, ...]:
    """The rules on the metrics of `mina-infra watch`."""
    network = network_of(outputs, criteria_of(outputs), PREFIX)
    return tuple(watch_rules(network)) if network.daemons else ()


def groups(
    outputs: OutputsDocument, *, profile: RuleProfile = "guardian", prefix: str = PREFIX, watch: bool = True
) -> list[dict[str, Any]]:
    """The groups of a testnet. `profile` `mina-alerts`: Mina's own 37 in place of ours on the daemons' metrics."""
    criteria = criteria_of(outputs)
    if profile == "mina-alerts":
        own = tuple(mina_rules(Series(outputs.testnet, prefix), criteria)) if outputs.daemons() else ()
    else:
        own = daemon_rules(outputs, prefix)
    found = [_group(outputs.testnet, "daemons" if profile == "guardian" else profile, own)]
    if watch:
        found.append(_group(outputs.testnet, "watch", watch_metric_rules(outputs)))
    return [group for group in found if group["rules"]]


def _group(testnet: str, what: str, rules: Sequence[Rule]) -> dict[str, Any]:
    return {"name": f"mina-infra-{testnet}-{what}", "rules": [rule.to_prometheus(testnet) for rule in rules]}


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
