"""`mina-infra:monitoring`: what a stack file may say about alerts, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mina_infra.spec import SpecError, load_monitoring, load_stack_spec, parse_monitoring

ROOT = Path(__file__).parents[2]
GOOGLE = {"project": "mina-tests", "cluster": "main", "channels": ["projects/mina-tests/notificationChannels/1"]}


def refused(**changes: Any) -> str:
    with pytest.raises(SpecError) as caught:
        parse_monitoring(changes)
    return str(caught.value)


def stack_with(tmp_path: Path, monitoring: Any) -> Path:
    stack = yaml.safe_load((ROOT / "Pulumi.qa.yaml").read_text())
    stack["config"]["mina-infra:testnet"]["genesis"]["runtimeConfig"] = str(ROOT / "config/qa/daemon.json")
    stack["config"]["mina-infra:monitoring"] = monitoring
    file = tmp_path / "Pulumi.qa.yaml"
    file.write_text(yaml.safe_dump(stack))
    return file


def test_everything_has_a_default() -> None:
    monitoring = parse_monitoring({})
    assert (monitoring.utilization, monitoring.quota, monitoring.idle) == (0.85, 0.8, "12h")
    assert monitoring.budget is None
    assert monitoring.google is None


def test_both_spellings_and_prefixes_are_read() -> None:
    monitoring = parse_monitoring({"budget": "4Ti", "testnets": {"ci-*": {"ttl": "6h"}}, "google": GOOGLE})
    assert monitoring.testnets["ci-*"].ttl == "6h"
    assert monitoring.google is not None
    assert monitoring.google.cluster == "main"


@pytest.mark.parametrize("value", [85, 1, 0, -0.1, 1.01])
def test_v38_a_threshold_that_is_no_fraction_is_refused_by_the_alerts_name(value: float) -> None:
    assert f"alert 'volume-nearly-full': utilization threshold is a fraction (0.85), got {value:g}." in refused(
        utilization=value
    )
    assert f"alert 'disk-quota': quota threshold is a fraction (0.8), got {value:g}." in refused(quota=value)


def test_v38_policies_that_tell_nobody_are_refused() -> None:
    text = refused(google={**GOOGLE, "channels": []})
    assert "google.channels" in text
    assert "no alert has a notification channel; nobody would be told" in text
    missing = refused(google={"project": "mina-tests", "cluster": "main"})
    assert "google.channels\n  is missing.\n  Who is told" in missing


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"utilisation": 0.9}, "Did you mean 'utilization'?"),
        ({"budget": "lots"}, "is not a size"),
        ({"idle": "soon"}, "is not a duration"),
        ({"utilization": True}, "must be a number"),
        ({"testnets": {"*": {}}}, "must be the name of a testnet, or the beginning of several"),
        ({"testnets": {"c*i": {}}}, "must be the name of a testnet, or the beginning of several"),
        ({"google": {**GOOGLE, "channels": ["me@example.org"]}}, "projects/PROJECT/notificationChannels/NUMBER"),
        ({"google": {**GOOGLE, "project": 'x"'}}, "must be the id of a Google Cloud project"),
        ({"google": {**GOOGLE, "cluster": 'a"} or {b="'}}, "must be the name of a GKE cluster"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    """What would end up inside a query cannot say anything but a name."""
    assert message in refused(**changes)


def test_a_stack_file_is_judged_with_its_monitoring(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_stack_spec(stack_with(tmp_path, {"utilization": 85}))
    (issue,) = caught.value.issues
    assert issue.line
    assert "mina-infra:monitoring.utilization" in issue.text()


def test_a_stack_file_gives_its_monitoring_or_the_defaults(tmp_path: Path) -> None:
    assert load_monitoring(stack_with(tmp_path, {"budget": "2Ti"})).budget == "2Ti"
    assert load_monitoring(ROOT / "Pulumi.qa.yaml") == parse_monitoring({})
    with pytest.raises(SpecError, match=r"Pulumi\.qa\.yaml:\d+:\d+  mina-infra:monitoring\.quota"):
        load_monitoring(stack_with(tmp_path, {"quota": 80}))
