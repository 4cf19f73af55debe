"""What watches over a testnet when nobody looks: alert rules, and the dashboard."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from mina_infra.cli.options import DEFAULT_CLUSTER, DEFAULT_STACK, Stack
from mina_infra.cli.place import place_of

About = Annotated[
    Literal["all", "storage", "daemons", "watch"] | None,
    Parameter(help="Only the alerts on this: volumes, the daemons' own metrics, or the metrics of a watch."),
]
Profile = Annotated[
    Literal["guardian", "mina-alerts"] | None,
    Parameter(help="Rules on the daemons: made from our criteria, or Mina's own 37. Default: as the stack file says."),
]


def alerts(
    *,
    stack: Stack = DEFAULT_STACK,
    format: Annotated[Literal["table", "prometheus", "operator"], Parameter(name=["--format", "-o"])] = "table",
    about: About = None,
    profile: Profile = None,
) -> int:
    """Show the alerts on a stack's testnet and on the storage of its cluster, without asking any cluster.

    prometheus: a rules file over the metrics of the daemons, of `mina-infra watch`, of kube-state-metrics and the
    kubelets. operator: the objects that `up` makes where `mina-infra:monitoring` in the stack file has `prometheus`.
    Durations follow the slot of the testnet; docs/alerts.md says what each rule replaces of Mina's own.
    """
    from mina_infra.guardian.alerts.groups import groups_of, rules_of, scrape_seconds, table
    from mina_infra.guardian.alerts.panels import content
    from mina_infra.plan import load_stack, plan_testnet
    from mina_infra.plan.monitoring import WatchedNetwork, monitoring_objects
    from mina_infra.plan.prometheus import to_rules_file, to_table
    from mina_infra.plan.yaml import to_yaml
    from mina_infra.spec import load_monitoring
    from mina_infra.spec.monitoring import PrometheusOperator
    from mina_infra.storage.alerts import alerts as planned

    file = place_of(stack, local=False, cluster=DEFAULT_CLUSTER).stack_file
    spec, monitoring = load_stack(file), load_monitoring(file)
    operator = monitoring.prometheus or PrometheusOperator(namespace="monitoring")
    operator = operator.model_copy(update={"profile": profile or operator.profile})
    outputs = plan_testnet(spec).outputs
    wanted = about or "all"
    on_storage = planned(monitoring, [spec]) if wanted in ("all", "storage") else ()
    families = {
        family: rules
        for family, rules in rules_of(outputs, profile=operator.profile, prefix=operator.prefix).items()
        if wanted == "all" or (wanted != "storage" and (wanted == "watch") == (family == "watch"))
    }
    on_testnet = groups_of(outputs.testnet, families)
    if format == "prometheus":
        print(to_rules_file(on_storage, on_testnet), end="")
    elif format == "operator":
        network = WatchedNetwork(spec, on_testnet, scrape_seconds(outputs))
        shown = monitoring.model_copy(update={"prometheus": operator})
        print(to_yaml(monitoring_objects(shown, [network], content(operator.prefix))), end="")
    else:
        print(to_table(on_storage) if on_storage else "", end="")
        print(table([rule for rules in families.values() for rule in rules]), end="")
    return 0


def dashboard(*, stack: Stack = DEFAULT_STACK) -> int:
    """Print the dashboard of a testnet as JSON, to be imported into Grafana.

    It shows production, sync, forks, gossip, transactions, snark work, volumes and incidents, from the metrics of the
    daemons and of `mina-infra watch`; the testnet is chosen in it. `up` installs it where `mina-infra:monitoring` in
    the stack file has `prometheus`.
    """
    from mina_infra.guardian.alerts.panels import content
    from mina_infra.guardian.alerts.rule import PREFIX
    from mina_infra.spec import load_monitoring

    operator = load_monitoring(place_of(stack, local=False, cluster=DEFAULT_CLUSTER).stack_file).prometheus
    print(content(operator.prefix if operator else PREFIX), end="")
    return 0
