"""A new era beside kept ones: their claims stay as they were made, without a pod, and count."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.plan.losses import losses
from mina_infra.plan.summary import summarize
from mina_infra.spec import SpecError
from tests.plan.test_losses import classes, deployed
from tests.plan.testnets import of_kind, plan, zoo

CLAIM = "PersistentVolumeClaim"


def names(document: dict[str, Any]) -> set[str]:
    return {each.manifest["metadata"]["name"] for each in of_kind(plan(document), CLAIM)}


def test_a_kept_eras_claims_stay_and_lose_nothing() -> None:
    old, new = plan(zoo()), plan(zoo(era=2, keptEras=[1]))
    assert names(zoo(era=2, keptEras=[1])) == names(zoo()) | names(zoo(era=2))
    assert losses(deployed(old), [new], classes=classes(old)) == ()


def test_two_kept_eras_and_their_end() -> None:
    both = plan(zoo(era=3, keptEras=[1, 2], retention="retain"))
    assert losses(deployed(both), [plan(zoo(era=3, keptEras=[1, 2], retention="retain"))]) == ()
    found = losses(deployed(both), [plan(zoo(era=3, keptEras=[2], retention="retain"))], classes=classes(both))
    assert {each.claim for each in found} == names(zoo())
    assert {(each.field, each.old, each.new) for each in found} == {("era", "1", "3")}


def test_no_pod_mounts_a_kept_claim_and_nothing_waits_for_it() -> None:
    planned = plan(zoo(era=2, keptEras=[1]))
    kept = {each.key for each in planned.objects() if each.kept}
    assert kept == names(zoo())
    assert not any(set(each.after) & kept for each in planned.objects())
    text = str([each.manifest for each in of_kind(planned, "Deployment")])
    assert "-e2" in text
    assert "-e1" not in text


@pytest.mark.parametrize(
    "volumes",
    [{"size": "1Gi"}, {"type": "balanced"}, {"accessMode": "ReadWriteOnce"}, {"storageClass": "premium-rwo"}],
    ids=str,
)
def test_what_the_new_era_says_of_volumes_does_not_reach_a_kept_one(volumes: dict[str, str]) -> None:
    new = plan(zoo(era=2, keptEras=[1], volumes={"runtime-state": volumes}))
    assert {each.field for each in losses(deployed(plan(zoo())), [new])} == set()


def test_a_kept_claim_never_binds_what_the_new_era_binds() -> None:
    document = zoo(era=2, keptEras=[1])
    overrides = {"runtime-state": {"existingVolume": "pvc-1"}}
    document["nodes"][6]["overrides"] = {
        "plain-1": {"volumes": overrides}, "plain-2": {"volumes": {"runtime-state": {"existingClaim": "rescued"}}}
    }  # fmt: skip
    claims = {each.key: each.manifest["spec"] for each in of_kind(plan(document), CLAIM)}
    assert claims["plain-1-runtime-state-e2"]["volumeName"] == "pvc-1"
    assert "volumeName" not in claims["plain-1-runtime-state-e1"]
    assert claims["plain-1-runtime-state-e1"]["storageClassName"] != ""
    assert "plain-2-runtime-state-e1" in claims
    assert losses(deployed(plan(zoo())), [plan(document)]) == ()


def test_kept_claims_are_protected_with_their_class_and_counted() -> None:
    one, both = plan(zoo(era=2, retention="retain")), plan(zoo(era=2, keptEras=[1], retention="retain"))
    assert all(each.protect for each in both.objects() if each.kept)
    assert classes(one) == classes(both)
    single, double = summarize(one), summarize(both)
    assert double.gib == 2 * single.gib
    assert double.usd == pytest.approx(2 * single.usd)
    assert [row.claims for row in double.volumes if row.kind == "runtime-state (era 1)"] == [
        row.claims for row in single.volumes if row.kind == "runtime-state"
    ]
    quota = [of_kind(each, "ResourceQuota")[0].manifest["spec"]["hard"] for each in (one, both)]
    assert int(quota[1]["persistentvolumeclaims"]) > int(quota[0]["persistentvolumeclaims"])
    assert {each.name for each in both.outputs.claims if each.kept} == names(zoo())


@pytest.mark.parametrize(("kept", "words"), [([2], "the present one"), ([3], "not over"), ([1, 1], "listed twice")])
def test_only_earlier_eras_are_kept_and_each_once(kept: list[int], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        plan(zoo(era=2, keptEras=kept))


def test_a_kept_claim_is_not_mounted_by_its_name() -> None:
    document = zoo(era=2, keptEras=[1])
    instead = {"runtime-state": {"existingClaim": "plain-2-runtime-state-e1"}}
    document["nodes"][6]["overrides"] = {"plain-1": {"volumes": instead}}
    with pytest.raises(SpecError, match="is the name of the claim that the testnet makes for plain-2"):
        plan(document)
