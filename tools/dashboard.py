"""Write the dashboard's JSON from its panels with Grafana's own SDK: python -m tools.dashboard

The SDK is a package of the developers; users read the file (`mina-infra dashboard`). A test compares the two.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from mina_infra.guardian.alerts.daemons import UPTIME
from mina_infra.guardian.alerts.panels import FILE, ROWS, Panel
from mina_infra.guardian.alerts.rule import PREFIX

UID = "mina-infra"
HEIGHT = 7
SOURCE = DataSourceRef(type_val="prometheus", uid="$datasource")


def rendered() -> str:
    """The JSON as it is kept."""
    built = (
        dashboard.Dashboard("Mina testnet")
        .uid(UID)
        .description("Production, sync, forks, gossip, transactions, snark work, volumes and incidents of one testnet.")
        .tags(["mina", "mina-infra"])
        .refresh("1m")
        .time("now-6h", "now")
        .timezone("utc")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(values_of("testnet", f"{PREFIX}_{UPTIME}"))
        .with_variable(values_of("role", f'{PREFIX}_{UPTIME}{{testnet="$testnet"}}').multi(True).include_all(True))
    )
    for title, panels in ROWS:
        built = built.with_row(dashboard.Row(title))
        for panel in panels:
            built = built.with_panel(panel_of(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def values_of(label: str, metric: str) -> dashboard.QueryVariable:
    """A variable with the values that a label has."""
    query = f"label_values({metric}, {label})"
    return (
        dashboard.QueryVariable(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def panel_of(panel: Panel) -> timeseries.Panel | stat.Panel | table.Panel:
    """One panel in its own kind."""
    made = {"timeseries": timeseries.Panel, "stat": stat.Panel, "table": table.Panel}[panel.kind]()
    made = made.title(panel.title).description(panel.about).datasource(SOURCE)
    made = made.unit(panel.unit).height(HEIGHT).span(panel.width)
    if isinstance(made, timeseries.Panel):
        made = made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)).min(0)
    for number, (legend, query) in enumerate(panel.queries.items()):
        target = prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + number))
        if panel.kind == "table":
            target = target.instant().format(PromQueryFormat.TABLE)
        made = made.with_target(target)
    return made


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
