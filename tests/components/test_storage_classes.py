"""The storage classes that a cluster's stack registers, for itself and beside a testnet."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components import RegionalStorageClasses, Testnet
from components.objects import PlannedComponent
from mina_infra.plan import PlannedObject, laws, parse_classes, plan_classes
from mina_infra.spec import SpecError
from tests.components.recording import Recording, provider, record

TARGET = {"provider": "gke", "region": "us-central1"}
STORAGE = {"target": TARGET, "types": ["ssd"], "fixed": {"testnet-ssd": {"type": "testnet-ssd"}}}


def declared(**args: Any) -> Recording:
    return record(lambda: RegionalStorageClasses("storage", args, pulumi.ResourceOptions(provider=provider())))  # type: ignore[arg-type]


def test_the_clusters_classes_are_registered_as_planned() -> None:
    recording = declared(cluster=STORAGE)
    assert recording.error is None
    planned = plan_classes(parse_classes(STORAGE), "test")
    assert {each.name: each.inputs for each in recording.objects} == {
        f"cluster-{each.key}": each.manifest for each in planned
    }
    (component,) = recording.components
    names = {each.manifest["metadata"]["name"] for each in planned}
    assert set(recording.finished[component.urn]["names"]) == names
    assert all(each.inputs["metadata"]["annotations"]["mina-infra/stack"] == "test" for each in recording.objects)


def test_rule_7_options_of_fixed_names_and_of_names_by_content() -> None:
    for each in declared(cluster=STORAGE).objects:
        fixed = each.name == "cluster-class-testnet-ssd"
        assert each.replace_on_changes == (("reclaimPolicy", "volumeBindingMode") if fixed else ())
        assert each.delete_before_replace == fixed
        assert each.retain_on_delete == (not fixed), "claims may refer to a class that left the program"


def test_a_testnet_with_shared_classes_registers_none(document: Any) -> None:
    document["target"]["storageClasses"] = "shared"
    recording = record(lambda: Testnet("t", document, pulumi.ResourceOptions(provider=provider())))
    assert recording.error is None
    assert not [each for each in recording.objects if each.inputs["kind"] == "StorageClass"]


@pytest.mark.parametrize("args", [{}, {"cluster": STORAGE, "testnet": {"name": "x"}}])
def test_one_document_is_wanted(args: dict[str, Any]) -> None:
    recording = declared(**args)
    assert "give either `testnet` or `cluster`" in str(recording.error)
    assert recording.registrations[1:] == ()


def test_a_bad_section_registers_nothing() -> None:
    recording = declared(cluster={**STORAGE, "types": ["sdd"]})
    assert isinstance(recording.error, SpecError)
    assert "mina-infra:storage" in str(recording.error)
    assert recording.components == ()


def test_v21_v22_a_component_refuses_to_register_what_breaks_a_law() -> None:
    """Whoever plans objects of their own meets the same laws."""

    class Mine(PlannedComponent):
        def __init__(self, planned: PlannedObject) -> None:
            super().__init__("mine:index:Mine", "mine", {}, pulumi.ResourceOptions(provider=provider()))
            self.register([planned], "mine")

    pod = {"containers": [{"name": "c"}], "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "v"}}]}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "whale-1"},
        "spec": {"replicas": 2, "strategy": {"type": "RollingUpdate"}, "template": {"spec": pod}},
    }
    recording = record(lambda: Mine(PlannedObject("whale-1", manifest)))
    assert isinstance(recording.error, laws.BrokenLaw)
    assert "replicas must be 1" in str(recording.error)
    assert "strategy must be Recreate" in str(recording.error)
    assert recording.objects == ()
