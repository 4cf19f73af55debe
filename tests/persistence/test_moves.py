"""Which volumes are to move, what holds the others meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.errors import MinaInfraError
from mina_infra.persistence.migrate import old_volumes
from mina_infra.persistence.moves import Scene, held, moves, table
from mina_infra.plan import TestnetPlan, labels, plan_testnet
from mina_infra.spec import Retention
from mina_infra.spec.hold import from_variable, to_variable, with_held
from tests.plan.testnets import of_kind, plan, zoo

TYPES = st.sampled_from(["ssd", "balanced"])
NODES = ("archive-1", "archive-2", "whale-1", "whale-2")


def documents(types: dict[str, str], **changes: Any) -> dict[str, Any]:
    """The document with the runtime state of single nodes on other types."""
    document = zoo(**changes)
    for group in document["nodes"]:
        name = group.get("group", group["role"])
        chosen = {node: {"type": types[node]} for node in types if node.startswith(f"{name}-")}
        group["overrides"] = {node: {"volumes": {"runtime-state": volume}} for node, volume in chosen.items()}
    return document


def claims(planned: TestnetPlan) -> dict[str, dict[str, Any]]:
    return {each.manifest["metadata"]["name"]: each.manifest for each in of_kind(planned, "PersistentVolumeClaim")}


def live(planned: TestnetPlan) -> Scene:
    """The cluster after an `up` of that plan."""
    there, volumes = {}, {}
    for name, manifest in claims(planned).items():
        spec = manifest["spec"] | {"volumeName": f"pvc-{name}"}
        meta = manifest["metadata"] | {"uid": f"uid-{name}"}
        there[name] = manifest | {"spec": spec, "metadata": meta, "status": {"phase": "Bound"}}
        volumes[f"pvc-{name}"] = {
            "metadata": {"name": f"pvc-{name}"},
            "spec": {
                "capacity": {"storage": spec["resources"]["requests"]["storage"]},
                "storageClassName": spec["storageClassName"],
                "claimRef": {"uid": f"uid-{name}", "namespace": "zoo", "name": name},
            },
            "status": {"phase": "Bound"},
        }
    classes = {each.manifest["metadata"]["name"]: each.manifest for each in of_kind(planned, "StorageClass")}
    return Scene(there, volumes, classes)


def test_nothing_moves_where_everything_is_as_planned() -> None:
    planned = plan(zoo())
    assert moves(planned, live(planned)) == []


def test_v15_a_volume_that_would_shrink_is_refused() -> None:
    before = live(plan(zoo(volumes={"runtime-state": {"size": "8Gi"}})))
    with pytest.raises(MinaInfraError, match=r"disks cannot shrink \(8Gi -> 2Gi\).*size: 8Gi"):
        moves(plan(zoo(volumes={"runtime-state": {"type": "balanced", "size": "2Gi"}})), before)


def test_the_cost_before_and_after_is_told() -> None:
    before, after = plan(zoo()), plan(zoo(volumes={"runtime-state": {"type": "balanced"}}))
    scene = live(before)
    (line,) = table(after.spec, scene, moves(after, scene))
    gib = sum("runtime-state" in name for name in claims(after)) * 2
    assert f"{gib} -> {gib} GiB, {gib * 0.17:.2f} -> {gib * 0.10:.2f} USD/month" in line


@given(
    st.dictionaries(st.sampled_from(NODES), TYPES),
    st.dictionaries(st.sampled_from(NODES), TYPES),
    st.sampled_from(Retention),
    st.data(),
)
def test_the_plan_in_between_keeps_whatever_still_waits_and_changes_whatever_moved(old, new, retention, data) -> None:
    """For every two documents and every part of the moves: the plan in between is the cluster in between."""
    before, after = (plan(documents(types, retention=retention.value)) for types in (old, new))
    scene = live(before)
    found = moves(after, scene)
    waiting = data.draw(st.lists(st.sampled_from(found), unique_by=lambda each: each.name)) if found else []
    kept = from_variable(to_variable(held(after.spec, waiting)))
    between = claims(plan_testnet(with_held(after.spec, kept)))
    names = {each.name for each in waiting}
    for name, manifest in between.items():
        source = claims(before)[name] if name in names else claims(after)[name]
        assert manifest["spec"] == source["spec"]
    classes = {
        each.manifest["metadata"]["name"] for each in of_kind(plan_testnet(with_held(after.spec, kept)), "StorageClass")
    }
    assert {scene.claims[name]["spec"]["storageClassName"] for name in names} <= classes


def test_a_class_that_is_not_the_testnets_own_is_held_by_its_name() -> None:
    before = plan(zoo(volumes={"runtime-state": {"storageClass": "premium"}}))
    after = plan(zoo())
    found = moves(after, live(before))
    said = held(after.spec, found)["whale-1"]["runtime-state"]
    assert said["storageClass"] == "premium"
    assert plan_testnet(with_held(after.spec, held(after.spec, found))).spec.volumes == {}


def test_the_last_copy_of_a_claims_data_is_never_an_old_volume() -> None:
    planned = plan(zoo())
    scene = live(planned)
    name = "whale-1-runtime-state-e1"
    marked = {
        "metadata": {
            "name": "old",
            "labels": labels.of_testnet(planned.spec) | {labels.MOVED: labels.DONE},
            "annotations": {labels.MOVED_FROM: f"zoo/{name}"},
        },
        "spec": {"capacity": {"storage": "2Gi"}},
        "status": {"phase": "Released"},
    }
    there = dict(scene.volumes) | {"old": marked}
    assert old_volumes(planned, Scene(scene.claims, there, {})) == [marked]
    pending = scene.claims[name] | {"status": {"phase": "Pending"}}
    for claims_ in ({}, dict(scene.claims) | {name: pending}):
        assert old_volumes(planned, Scene(claims_, there, {})) == []
