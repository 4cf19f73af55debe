"""The component `Monitoring`: what it registers, with which provider, and what it refuses."""

from __future__ import annotations

import itertools
import json
import sys
from importlib import metadata
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from components import Monitoring, monitoring
from mina_infra.plan import parse_document, plan_testnet
from mina_infra.spec import SpecError, parse_monitoring
from mina_infra.storage.google_alerts import policies
from tests.components.conftest import ROOT, document_of
from tests.components.recording import Recording, record
from tests.components.test_parts import run_program

GOOGLE = {"project": "mina-tests", "cluster": "main", "channels": ["projects/mina-tests/notificationChannels/1"]}
SETTINGS: dict[str, Any] = {"budget": "4Ti", "utilization": 0.9, "google": GOOGLE}
KNOWN = json.loads((ROOT / "tests/recorded/alert-policy.json").read_text())


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release that pip would say is installed: the package itself is not needed to declare the policies."""
    monkeypatch.setattr(monitoring, "version", {"pulumi_gcp": "10.2.0"}.__getitem__)


def declared(settings: Any = SETTINGS, **more: Any) -> Recording:
    return record(lambda: Monitoring("alerts", {"settings": settings, **more}))


def test_it_registers_exactly_the_planned_policies() -> None:
    document = document_of("qa")
    recording = declared(testnets=[document])
    assert recording.error is None
    planned = policies(parse_monitoring(SETTINGS), [parse_document(document, base=ROOT)])
    assert {each.name: each.inputs for each in recording.objects} == {
        f"alerts-{policy.name}": policy.inputs for policy in planned
    }
    assert {each.type for each in recording.objects} == {"gcp:monitoring/alertPolicy:AlertPolicy"}
    (own,) = recording.components
    assert {each.parent for each in recording.objects} == {own.urn}
    assert recording.finished[own.urn] == {"policies": [policy.name for policy in planned], "objects": []}


def test_the_provider_is_of_the_installed_release_and_its_package_is_not_loaded() -> None:
    assert {each.version for each in declared().objects} == {"10.2.0"}
    assert "pulumi_gcp" not in sys.modules


def test_policies_are_made_one_after_the_other() -> None:
    """Google wants the policies of a project changed by one client at a time."""
    objects = declared().objects
    assert len(objects) > 5
    for before, each in itertools.pairwise(objects):
        assert each.dependencies == (before.urn,)


def test_rule_33_two_testnets_share_one_set() -> None:
    document = document_of("qa")
    one, two = declared(testnets=[document]), declared(testnets=[document, {**document, "name": "second"}])
    assert [each.name for each in one.objects] == [each.name for each in two.objects]
    allocation = two.named("alerts-testnet-allocation").inputs["conditions"][0]
    query = allocation["conditionPrometheusQueryLanguage"]["query"]
    assert 'namespace="qa"' in query
    assert 'namespace="second"' in query


def unknown(value: Any, fields: Any, path: str = "") -> list[str]:
    """Inputs that the provider does not know, and required ones that are missing."""
    found = [f"{path}.{name} is missing" for name, field in fields.items() if field["required"] and name not in value]
    for name, inner in value.items():
        if name not in fields:
            found.append(f"{path}.{name} is unknown")
        elif "fields" in fields[name]:
            for each in inner if isinstance(inner, list) else [inner]:
                found += unknown(each, fields[name]["fields"], f"{path}.{name}")
    return found


def test_the_provider_knows_every_input() -> None:
    """Raw resources have no types: a misspelt input would show only when Google refuses it."""
    for each in declared(testnets=[document_of("qa")]).objects:
        assert unknown(each.inputs, KNOWN) == []
    assert unknown({"displayname": "x"}, KNOWN) != []


def test_v38_nothing_is_registered_for_settings_that_are_refused() -> None:
    recording = declared({**SETTINGS, "utilization": 90})
    assert isinstance(recording.error, SpecError)
    assert "alert 'volume-nearly-full': utilization threshold is a fraction (0.85), got 90" in str(recording.error)
    assert recording.registrations == ()


def test_without_pulumi_gcp_the_message_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(monitoring, "version", absent)
    recording = declared()
    assert "pip install 'mina-infra[gcp]'" in str(recording.error)
    assert recording.registrations == ()


def test_without_google_nothing_is_needed_and_nothing_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "version", None)
    recording = declared({"budget": "4Ti"})
    assert recording.error is None
    assert recording.objects == ()


OPERATOR: dict[str, Any] = {
    "prometheus": {"namespace": "monitoring", "labels": {"release": "kube-prometheus-stack"}, "prefix": "Mina"}
}


def declared_inside(settings: Any, **more: Any) -> Recording:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("here", cluster_identifier="x")
        options = pulumi.ResourceOptions(provider=provider)
        Monitoring("alerts", {"settings": settings, "testnets": [document_of("qa")], **more}, options)

    return record(program)


def test_rules_scrapes_and_the_dashboard_are_objects_in_the_cluster() -> None:
    recording = declared_inside(OPERATOR)
    assert recording.error is None
    found = {each.name: each for each in recording.objects if each.name.startswith("alerts-")}
    assert {name: each.type.rpartition(":")[2] for name, each in found.items()} == {
        "alerts-rules-storage": "PrometheusRule",
        "alerts-rules-qa": "PrometheusRule",
        "alerts-scrape-qa": "PodMonitor",
        "alerts-dashboard": "ConfigMap",
    }
    assert found["alerts-rules-qa"].type == "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
    for each in found.values():
        assert each.inputs["metadata"]["namespace"] == "monitoring"
    labels = found["alerts-rules-qa"].inputs["metadata"]["labels"]
    assert labels == {
        "release": "kube-prometheus-stack", "app.kubernetes.io/managed-by": "mina-infra", "testnet": "qa",
    }  # fmt: skip
    assert [group["name"] for group in found["alerts-rules-qa"].inputs["spec"]["groups"]] == [
        "mina-infra-qa-daemons", "mina-infra-qa-watch",
    ]  # fmt: skip


def test_the_scrape_finds_the_daemons_and_gives_their_series_the_labels_of_the_rules() -> None:
    recording = declared_inside(OPERATOR)
    spec = recording.named("alerts-scrape-qa").inputs["spec"]
    plan = plan_testnet(parse_document(document_of("qa"), base=ROOT))
    plan = plan_testnet(parse_document(document_of("qa"), base=ROOT))
    pods = [
        each.manifest["spec"]["template"] for each in plan.objects() if each.manifest["kind"] == "Deployment"
    ]  # fmt: skip
    archives = {node.name for node in plan.outputs.nodes if node.role == "archive"}
    found = {
        endpoint["port"]: {
            pod["metadata"]["labels"]["app"]
            for pod in pods
            if spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
            and any(
                port["name"] == endpoint["port"] for each in pod["spec"]["containers"] for port in each.get("ports", ())
            )
        }
        for endpoint in spec["podMetricsEndpoints"]
    }
    assert archives
    assert found == {"metrics-port": {node.name for node in plan.outputs.daemons()}, "archive-metrics": archives}
    for pod in pods:
        assert {"testnet", "app", "role", "class"} == set(spec["podTargetLabels"]) <= pod["metadata"]["labels"].keys()
    assert spec["namespaceSelector"] == {"matchNames": ["qa"]}


def test_the_prefix_reaches_rules_and_dashboard() -> None:
    recording = declared_inside(OPERATOR)
    for name in ("alerts-rules-qa", "alerts-dashboard"):
        text = json.dumps(recording.named(name).inputs)
        assert "Mina_Network_peers" in text
        assert "Coda_" not in text


def test_what_is_switched_off_is_not_made() -> None:
    off = {"namespace": "monitoring", "watch": False, "storage": False, "dashboard": False, "profile": "mina-alerts"}
    recording = declared_inside({"prometheus": off})
    names = sorted(each.name for each in recording.objects if each.name.startswith("alerts-"))
    assert names == ["alerts-rules-qa", "alerts-scrape-qa"]
    (group,) = recording.named("alerts-rules-qa").inputs["spec"]["groups"]
    assert len(group["rules"]) == 37


def test_objects_in_the_cluster_need_its_provider() -> None:
    recording = declared(OPERATOR)
    assert "no Kubernetes provider was given" in str(recording.error)
    assert recording.registrations == ()


def test_the_program_declares_it_for_a_stack_that_asks() -> None:
    recording = run_program("qa", {"context": "here"}, {"mina-infra:monitoring": json.dumps(SETTINGS)})
    assert recording.error is None
    found = [each.name for each in recording.objects if each.type == monitoring.ALERT_POLICY]
    assert "monitoring-volume-nearly-full" in found
    assert not [each for each in run_program("qa", {"context": "here"}).objects if each.type == monitoring.ALERT_POLICY]
