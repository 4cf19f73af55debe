"""The dashboard: what is kept as dashboard.json is what the SDK makes, and all its queries ask for what exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from mina_infra.guardian.alerts.panels import FILE, ROWS, content
from mina_infra.guardian.watch.metrics import METRICS
from tests.guardian.alerts.judge import judged, outputs
from tests.guardian.alerts.recorded import simulated_names
from tools.dashboard import rendered

OF_THE_CLUSTER = {
    "ALERTS", "kubelet_volume_stats_used_bytes", "kubelet_volume_stats_capacity_bytes",
    "kube_persistentvolumeclaim_resource_requests_storage_bytes",
}  # fmt: skip
TOPICS = ("Production", "Sync", "Forks", "gossip", "Transactions", "snark work", "Volumes", "Incidents")


def kept() -> Any:
    return json.loads(FILE.read_text())


def queries() -> Iterator[tuple[str, str]]:
    for panel in kept()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def test_the_kept_file_is_what_the_sdk_makes() -> None:
    """`make schema` writes it anew."""
    assert FILE.read_text() == rendered()


def test_grafana_reads_it() -> None:
    """Decoded into the SDK's own types, nothing is lost."""
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(kept()))) == kept()


def test_it_has_a_row_for_each_topic_and_a_panel_for_each_question() -> None:
    rows = [panel["title"] for panel in kept()["panels"] if panel["type"] == "row"]
    assert all(any(topic in row for row in rows) for topic in TOPICS)
    titles = [panel["title"] for panel in kept()["panels"] if panel["type"] != "row"]
    assert titles == [panel.title for _, panels in ROWS for panel in panels]
    assert len(set(titles)) == len(titles)
    assert all(panel.about and panel.queries for _, panels in ROWS for panel in panels)


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in kept()["panels"]:
        place = panel["gridPos"]
        x, y = place.get("x", 0), place.get("y", 0)
        cells = {(x + i, y + j) for i in range(place["w"]) for j in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert x + place["w"] <= 24
        taken |= cells


def test_every_query_uses_metrics_that_exist() -> None:
    known = simulated_names() | {metric.name for metric in METRICS} | OF_THE_CLUSTER
    for title, query in queries():
        used = set(re.findall(r"\b(\w+)\{", query))
        assert used, title
        assert used <= known, title


def test_every_query_is_promql(tool: Path, tmp_path: Path) -> None:
    """As recording rules, promtool parses them and evaluates them on a network."""
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$testnet", "qa").replace("$role", ".*")}
        for number, (_, query) in enumerate(queries())
    ]
    tests = [{"interval": "1m", "input_series": [], "promql_expr_test": [{"expr": "1", "eval_time": "3m", "exp_samples": [{"value": 1}]}]}]  # fmt: skip  # noqa: E501
    code, words = judged(tool, tmp_path, [{"name": "dashboard", "rules": rules}], tests)
    assert code == 0, words


def test_the_prefix_is_replaced_everywhere() -> None:
    assert content() == FILE.read_text()
    assert "Coda_" not in content("Mina")
    assert content("Mina").count("Mina_") == content().count("Coda_") > 20
    assert outputs().testnet not in [variable.get("query") for variable in kept()["templating"]["list"]]
