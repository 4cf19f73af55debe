"""Retention that is switched on later: classes are immutable, and a claim keeps the one it was made with."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.plan import parse_document, plan_testnet
from mina_infra.plan.losses import held, losses
from mina_infra.spec import SpecError
from tests.engine.testnets import ROOT, document


def plan(**changes: Any):
    return plan_testnet(parse_document(document("switched", **changes), ROOT))


def claims(**changes: Any):
    return [each for each in plan(**changes).objects() if each.manifest["kind"] == "PersistentVolumeClaim"]


def classes(**changes: Any):
    return {each.key: (each.manifest["metadata"]["name"], each.protect) for each in plan(**changes).classes}


ON = {"retention": "retain", "classRetention": "delete"}


def test_claims_and_classes_stay_as_they_are_and_are_protected() -> None:
    before, after = claims(), claims(**ON)
    assert [each.manifest for each in after] == [each.manifest for each in before]
    assert not any(each.protect for each in before)
    assert all(each.protect for each in after)
    assert classes(**ON) == {key: (name, True) for key, (name, _) in classes().items()}


def test_a_volume_whose_retention_is_its_own_keeps_its_class_too() -> None:
    own = {"volumes": {"runtime-state": {"retention": "retain"}}}
    assert [each.manifest for each in claims(**ON, **own)] == [each.manifest for each in claims(**own)]


def test_without_the_word_the_change_guard_says_which_one() -> None:
    live = [held(each.manifest, ("", f"switched-{each.key}")) for each in claims()]
    found = losses(live, [plan(retention="retain")])
    assert {each.field for each in found} >= {"storageClassName"}
    told = [each.recipe for each in found if each.field == "storageClassName"]
    assert len(told) == len(live)
    assert all("classRetention: delete" in each for each in told)
    assert [each for each in losses(live, [plan(**ON)]) if each.field == "storageClassName"] == []


def test_only_delete_can_be_of_then() -> None:
    """The other way round takes two steps: `retention: delete`, and destroy."""
    with pytest.raises(SpecError, match="classRetention"):
        plan(retention="delete", classRetention="retain")
