"""Volumes that start as clones of others of their testnet."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.spec import Issue, SpecError
from tests.plan.testnets import of_kind, plan, zoo

ARCHIVE = 5
SOURCE = "archive-1-runtime-state-e1"
ONE_ZONE = {"provider": "gke", "region": "us-central1", "zones": ["us-central1-a"]}


def cloning(source: str = SOURCE, target: dict[str, Any] = ONE_ZONE, **volume: Any) -> dict[str, Any]:
    """archive-2 starts as a clone."""
    document = zoo(target=target)
    volumes = {"runtime-state": {"fromClaim": source, **volume}}
    document["nodes"][ARCHIVE]["overrides"] = {"archive-2": {"volumes": volumes}}
    return document


def refused(document: dict[str, Any]) -> Issue:
    with pytest.raises(SpecError) as caught:
        plan(document)
    (issue,) = caught.value.issues
    assert issue.path == ("nodes", ARCHIVE, "overrides", "archive-2", "volumes", "runtime-state", "fromClaim")
    return issue


def test_rule_36_a_clone_of_the_same_type_zone_and_size_is_planned() -> None:
    claims = {
        each.manifest["metadata"]["name"]: each.manifest["spec"]
        for each in of_kind(plan(cloning(size="8Gi")), "PersistentVolumeClaim")
    }
    assert claims["archive-2-runtime-state-e1"]["dataSource"] == {"kind": "PersistentVolumeClaim", "name": SOURCE}
    assert "dataSource" not in claims[SOURCE]


@pytest.mark.parametrize(
    "document",
    [
        cloning(type="balanced"),
        cloning(size="1Gi"),
        cloning(target={"provider": "gke", "region": "us-central1"}),
    ],
    ids=["type", "size", "zone"],
)
def test_v29_a_clone_of_another_type_size_or_zone_is_refused(document: dict[str, Any]) -> None:
    issue = refused(document)
    assert f"clone of '{SOURCE}' must keep type ssd, " in issue.message
    assert "size >= 2Gi" in issue.message
    assert "use a snapshot" in issue.hint


def test_v28_a_claim_of_another_namespace_is_refused() -> None:
    assert "'other/state' is in another namespace" in refused(cloning("other/state")).message


def test_a_claim_that_the_testnet_does_not_have_is_refused() -> None:
    assert "no volume of this testnet is called 'nothing'" in refused(cloning("nothing")).message


def test_a_volume_starts_from_one_thing() -> None:
    document = cloning(fromSnapshot="before")
    assert "starts from one thing only" in refused(document).message


def test_v39_a_provider_without_clones_is_refused_by_name() -> None:
    target = {"provider": "eks", "region": "us-east-1", "fileSystem": "fs-0123456789abcdef0", "zones": ["us-east-1a"]}
    document = cloning(target=target)
    for identity in document["nodes"][0]["identities"]:
        identity.pop("address", None)
        identity.pop("ip", None)
    assert "provider 'eks' has no 'clones' of volumes of ebs.csi.aws.com" in refused(document).message
