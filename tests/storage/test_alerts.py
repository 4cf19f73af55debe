"""The alerts on storage, judged by promtool: what fires, and what comes near without firing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from mina_infra.errors import ToolError
from mina_infra.plan import load_stack, parse_document
from mina_infra.plan.prometheus import rules, to_rules_file, to_table
from mina_infra.spec import Monitoring, TestnetSpec, parse_monitoring
from mina_infra.storage import alerts as module
from mina_infra.storage.alerts import Alert, Kind, alerts
from mina_infra.storage.google_alerts import policies
from mina_infra.storage.quota import storage_quota
from mina_infra.storage.volumes import Volumes
from tests import promtool
from tests.storage.alert_cases import CASES, GIB, GOOGLE_CASES, Case

ROOT = Path(__file__).parents[2]
GOOGLE = {"project": "mina-tests", "cluster": "main", "channels": ["projects/mina-tests/notificationChannels/1"]}
MONITORING = parse_monitoring(
    {"budget": "1Ti", "idle": "2h", "testnets": {"ci-*": {"storage": "10Gi", "ttl": "1h"}}, "google": GOOGLE}
)
KINDS = tuple(value for value in vars(module).values() if isinstance(value, Kind))


@pytest.fixture(scope="session")
def tool() -> Path:
    return promtool.ensure_promtool(print)


@pytest.fixture(scope="session")
def qa() -> TestnetSpec:
    """A testnet that plans exactly 100 GiB, for six hours."""
    document = yaml.safe_load((ROOT / "Pulumi.qa.yaml").read_text())["config"]["mina-infra:testnet"]
    document |= {"ttl": "6h", "nodes": [document["nodes"][0], {"role": "block-producer", "stake": 1, "count": 2}]}
    document["genesis"]["ledger"] = {"source": "config-map"}
    document["volumes"] = {"runtime-state": {"type": "ssd", "size": "25Gi"}}
    spec = parse_document(document, base=ROOT)
    assert sum(each.volume.effective_gib for each in Volumes(spec).all()) == 100
    return spec


def run(tool: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(tool), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)


def rule_name(alert: str) -> str:
    return alert.title().replace("-", "")


def judged(tool: Path, folder: Path, content: dict[str, Any], cases: Iterable[Case]) -> str:
    """What promtool says of the cases; the rules go without annotations, which have a test of their own."""
    for rule in content["groups"][0]["rules"]:
        rule.pop("annotations", None)
    by_name = {rule["alert"]: rule["labels"] for rule in content["groups"][0]["rules"]}
    (folder / "rules.yaml").write_text(yaml.safe_dump(content))
    tests = [
        {
            "name": f"{case.alert}: {case.why}",
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
            "alert_rule_test": [
                {
                    "eval_time": f"{case.minute}m",
                    "alertname": rule_name(case.alert),
                    "exp_alerts": [{"exp_labels": {**by_name[rule_name(case.alert)], **each}} for each in case.fires],
                }
            ],
        }
        for case in cases
    ]
    content_of_tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "tests.yaml").write_text(yaml.safe_dump(content_of_tests))
    done = run(tool, "test", "rules", str(folder / "tests.yaml"))
    assert done.returncode == 0, done.stdout
    return done.stdout


def google_rules(qa: TestnetSpec) -> dict[str, Any]:
    """The PromQL of the alert policies as a rules file: Google's names are names to Prometheus as well."""
    found = []
    for policy in policies(MONITORING, [qa]):
        promql = policy.inputs["conditions"][0].get("conditionPrometheusQueryLanguage")
        if promql:
            rule = {"alert": rule_name(policy.name), "expr": promql["query"], "for": promql["duration"]}
            found.append({**rule, "labels": {"severity": policy.inputs["severity"]}})
    return {"groups": [{"name": "google", "rules": found}]}


def test_promtool_accepts_the_rules(tool: Path, tmp_path: Path, qa: TestnetSpec) -> None:
    planned = alerts(MONITORING, [qa])
    (tmp_path / "rules.yaml").write_text(to_rules_file(planned))
    done = run(tool, "check", "rules", str(tmp_path / "rules.yaml"))
    assert done.returncode == 0, done.stdout
    assert f"SUCCESS: {len(planned)} rules found" in done.stdout


@pytest.mark.parametrize("stack", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda file: file.name)
def test_promtool_accepts_the_rules_of_our_stacks(tool: Path, tmp_path: Path, stack: Path) -> None:
    (tmp_path / "rules.yaml").write_text(to_rules_file(alerts(Monitoring(), [load_stack(stack)])))
    assert run(tool, "check", "rules", "--lint-fatal", str(tmp_path / "rules.yaml")).returncode == 0


@pytest.mark.parametrize("alert", sorted({case.alert for case in CASES}))
def test_each_rule_fires_when_it_should_and_only_then(tool: Path, tmp_path: Path, qa: TestnetSpec, alert: str) -> None:
    cases = [case for case in CASES if case.alert == alert]
    assert {bool(case.fires) for case in cases} == {True, False}
    judged(tool, tmp_path, rules(alerts(MONITORING, [qa])), cases)


@pytest.mark.parametrize("alert", sorted({case.alert for case in GOOGLE_CASES}))
def test_each_policy_query_fires_when_it_should(tool: Path, tmp_path: Path, qa: TestnetSpec, alert: str) -> None:
    judged(tool, tmp_path, google_rules(qa), [case for case in GOOGLE_CASES if case.alert == alert])


def test_a_case_that_expects_the_wrong_thing_is_noticed(tool: Path, tmp_path: Path, qa: TestnetSpec) -> None:
    """The cases above prove something: turned round, each fails."""
    for case in (CASES[0], CASES[1]):
        wrong = Case(case.alert, case.why, case.series, case.minute, () if case.fires else [{}])
        with pytest.raises(AssertionError, match="FAILED"):
            judged(tool, tmp_path, rules(alerts(MONITORING, [qa])), [wrong])


def test_every_alert_has_cases(qa: TestnetSpec) -> None:
    assert {case.alert for case in CASES} == {each.kind.name for each in alerts(MONITORING, [qa])}
    assert {case.alert for case in (*CASES, *GOOGLE_CASES)} == {kind.name for kind in KINDS}


def test_what_a_reader_is_told(tool: Path, tmp_path: Path, qa: TestnetSpec) -> None:
    """The templates of the annotations are filled in as meant."""
    content = rules(alerts(MONITORING, [qa]))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(content))
    full = {each["alert"]: each for each in content["groups"][0]["rules"]}["VolumeNearlyFull"]
    case = next(case for case in CASES if case.alert == "volume-nearly-full" and case.fires)
    expected = {
        "exp_labels": {**full["labels"], **case.fires[0]},
        "exp_annotations": {
            "summary": "qa/whale-1-runtime-state-e1 is 86% full",
            "description": full["annotations"]["description"],
        },
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [{"eval_time": "16m", "alertname": "VolumeNearlyFull", "exp_alerts": [expected]}],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    done = run(tool, "test", "rules", str(tmp_path / "tests.yaml"))
    assert done.returncode == 0, done.stdout


def test_the_four_categories_of_the_rfc_are_there(qa: TestnetSpec) -> None:
    found = {each.kind.category for each in alerts(MONITORING, [qa])}
    assert found == {"totals", "testnets", "automated runs", "idle", "volumes"}


def named(found: Sequence[Alert], name: str) -> Alert:
    (one,) = (each for each in found if each.kind.name == name)
    return one


def test_a_document_decides_before_the_monitoring_does(qa: TestnetSpec) -> None:
    monitoring = parse_monitoring({"testnets": {"qa": {"storage": "1Gi", "ttl": "1h"}, "next": {"storage": "2Gi"}}})
    found = alerts(monitoring, [qa])
    assert named(found, "testnet-allocation").query.count(f"> {100 * GIB}") == 1
    assert f"> {2 * GIB}" in named(found, "testnet-allocation").query
    assert "> 21600" in named(found, "testnet-overdue").query


def test_an_existing_claim_is_part_of_the_allocation(qa: TestnetSpec) -> None:
    """It counts in its namespace like every other; an adopted volume would be a false alarm for ever."""
    document = qa.model_dump(mode="json", exclude_none=True)
    document["nodes"][1] |= {"count": 1, "volumes": {"runtime-state": {"existingClaim": "kept"}}}
    spec = parse_document(document, base=ROOT)
    assert len(list(Volumes(spec).existing())) == 1
    assert f"> {75 * GIB}" in named(alerts(MONITORING, [spec]), "testnet-allocation").query


def test_an_alert_comes_before_the_hard_stop(qa: TestnetSpec) -> None:
    """Alerts tell, the ResourceQuota prevents: whoever is told can still do something."""
    assert storage_quota(qa).gib > 100


def test_nothing_to_compare_with_is_no_alert(qa: TestnetSpec) -> None:
    without = qa.model_copy(update={"ttl": None})
    names = {each.kind.name for each in alerts(Monitoring(), [without])}
    assert not names & {"storage-total", "testnet-overdue"}


def test_the_table_has_a_line_for_each_alert(qa: TestnetSpec) -> None:
    found = alerts(MONITORING, [qa])
    assert [line.split("  ")[0] for line in to_table(found).splitlines()] == [each.kind.category for each in found]


def test_rule_33_policies_are_thresholds_or_promql_one_set_for_a_cluster(qa: TestnetSpec) -> None:
    other = qa.model_copy(update={"name": "other"})
    one, two = policies(MONITORING, [qa]), policies(MONITORING, [qa, other])
    assert [policy.name for policy in one] == [policy.name for policy in two]
    for policy in two:
        (condition,) = policy.inputs["conditions"]
        assert len(condition.keys() & {"conditionThreshold", "conditionPrometheusQueryLanguage"}) == 1
        assert len(condition) == 2
        promql = condition.get("conditionPrometheusQueryLanguage")
        if promql:
            assert promql["disableMetricValidation"] is True
            assert int(promql["evaluationInterval"].removesuffix("s")) % 30 == 0
            assert "by (namespace" in promql["query"] or policy.name in WITHOUT_NAMESPACE
        else:
            threshold = condition["conditionThreshold"]
            assert 'metric.labels.persistentvolumeclaim_name!=""' in threshold["filter"]
            assert "resource.label.namespace_name" in threshold["aggregations"][0]["groupByFields"]


WITHOUT_NAMESPACE = ("storage-total", "disk-quota", "volume-orphaned")
"""Of the whole cluster or project, and volumes that no namespace holds."""


def test_rule_34_unattached_disks_are_never_looked_for_among_metrics_of_machines(qa: TestnetSpec) -> None:
    queries = {policy.name: str(policy.inputs["conditions"]) for policy in policies(MONITORING, [qa])}
    assert [name for name, text in queries.items() if "compute_googleapis_com" in text] == ["volume-idle"]
    assert "kubernetes_io:pod_volume_utilization" in queries["claim-unused"]


def test_policies_and_rules_are_the_same_alerts(qa: TestnetSpec) -> None:
    google = {policy.name for policy in policies(MONITORING, [qa])}
    assert google == {each.kind.name for each in alerts(MONITORING, [qa])} | {"disk-quota"}


def test_policies_look_at_one_cluster_only(qa: TestnetSpec) -> None:
    for policy in policies(MONITORING, [qa]):
        text = str(policy.inputs["conditions"])
        assert any(word in text for word in ('cluster="main"', 'cluster_name="main"')) or policy.name == "disk-quota"


def test_labels_of_policies_are_as_google_wants_them(qa: TestnetSpec) -> None:
    for policy in policies(MONITORING, [qa]):
        for text in (*policy.inputs["userLabels"], *policy.inputs["userLabels"].values()):
            assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
            assert text[0].isalpha()


def test_without_google_there_are_no_policies(qa: TestnetSpec) -> None:
    assert policies(Monitoring(), [qa]) == ()


def on_path(names: dict[str, str]) -> Callable[[str], str | None]:
    return lambda name: names.get(name)


def test_promtool_on_path_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", on_path({"promtool": "/bin/promtool"}))
    assert promtool.ensure_promtool(print) == Path("/bin/promtool")


def test_no_promtool_and_no_debian_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", on_path({}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ToolError, match=r"no promtool, and no apt-get to fetch it\. Put promtool on PATH"):
        promtool.ensure_promtool(print)
