"""Plans that would lose a volume are refused, with field, old and new value; growth is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.engine.guard import FIXED, problems, refuse_lost_volumes
from mina_infra.engine.inventory import LiveObject
from mina_infra.engine.state import ObjectKey
from mina_infra.errors import EngineError
from mina_infra.plan import PlannedObject

CLAIM: dict[str, Any] = {
    "storageClassName": "ssd",
    "accessModes": ["ReadWriteOncePod"],
    "volumeMode": "Filesystem",
    "resources": {"requests": {"storage": "4Gi"}},
}


def sized(storage: str) -> dict[str, Any]:
    return {**CLAIM, "resources": {"requests": {"storage": storage}}}


def test_an_unchanged_claim_is_fine_whatever_the_api_server_added() -> None:
    assert list(problems("c", CLAIM, {**CLAIM, "volumeName": "pvc-1"})) == []


@pytest.mark.parametrize(("old", "new"), [("4Gi", "4Gi"), ("4Gi", "5Gi"), ("4294967296", "4Gi"), ("4096Mi", "4Gi")])
def test_rule_23_growth_and_another_spelling_are_fine(old: str, new: str) -> None:
    assert list(problems("c", sized(new), sized(old))) == []


def test_v15_shrinking_is_refused_with_both_sizes() -> None:
    assert list(problems("whale-1", sized("3Gi"), sized("4Gi"))) == [
        "claim 'whale-1': disks cannot shrink (4Gi -> 3Gi). Keep 4Gi, or move to a new volume."
    ]


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_exactly_the_smaller_size_is_refused(old: int, new: int) -> None:
    assert bool(list(problems("c", sized(f"{new}Mi"), sized(f"{old}Mi")))) == (new < old)


@pytest.mark.parametrize("field", FIXED)
def test_v16_a_fixed_field_is_refused_with_old_and_new_value(field: str) -> None:
    (problem,) = problems("whale-1", {**CLAIM, field: ["new"]}, {**CLAIM, field: ["old"]})
    assert f"changing {field} from old to new" in problem
    assert "lose its data" in problem


def test_rule_23_all_claims_are_named_in_one_refusal() -> None:
    def planned(name: str) -> PlannedObject:
        manifest = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "qa"},
            "spec": {**CLAIM, "storageClassName": "standard"},
        }
        return PlannedObject(name, manifest, protect=False, after=())

    live = {
        ObjectKey("", "PersistentVolumeClaim", "qa", name): LiveObject("u", "qa", "x", claim=CLAIM)
        for name in ("whale-1", "whale-2")
    }
    with pytest.raises(EngineError) as refused:
        refuse_lost_volumes([planned("whale-1"), planned("whale-2"), planned("whale-3")], live)
    assert [line.split("'")[1] for line in str(refused.value).splitlines()[1:]] == ["whale-1", "whale-2"]
