"""V27: a volume that the document names must exist and fit, or the claim would wait for ever."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.engine.existing import lost_and_found, unfit
from tests.plan.testnets import plan, zoo


def claim_on(volume: str) -> dict[str, Any]:
    """The planned claim of a node whose document names this volume."""
    document = zoo()
    document["nodes"][1]["overrides"] = {"whale-1": {"volumes": {"runtime-state": {"existingVolume": volume}}}}
    key = "whale-1-runtime-state"
    return next(each.manifest for each in plan(document).objects() if each.key.startswith(key))


def volume(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "disk"},
        "spec": {
            "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOncePod"], "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": "Retain", **spec,
        },
        "status": {"phase": "Available"},
    }  # fmt: skip


def test_v27_a_volume_that_does_not_exist_is_refused() -> None:
    assert "no such volume exists" in next(iter(unfit([claim_on("disk")], [])))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"storageClassName": "premium"}, "class is 'premium'"),
        ({"accessModes": ["ReadOnlyMany"]}, "ReadOnlyMany"),
        ({"capacity": {"storage": "1Gi"}}, "1 GiB"),
        ({"claimRef": {"namespace": "other", "name": "c"}}, "other/c"),
    ],
)
def test_v27_a_volume_that_does_not_fit_is_refused_with_both_sides(spec: dict[str, Any], reason: str) -> None:
    assert reason in next(iter(unfit([claim_on("disk")], [volume(**spec)])))


def test_v27_a_volume_that_fits_is_let_through() -> None:
    assert list(unfit([claim_on("disk")], [volume()])) == []


def test_released_volumes_of_missing_claims_are_told() -> None:
    claim = claim_on("disk")
    mine = {"namespace": "zoo", "name": claim["metadata"]["name"], "uid": "dead"}
    released = {**volume(claimRef=mine), "status": {"phase": "Released"}}
    assert lost_and_found([claim], [released]) == ["disk"]
    assert lost_and_found([claim], [volume(claimRef={**mine, "namespace": "other"})]) == []
    assert "mina-infra rebind" in next(iter(unfit([claim], [released])))
