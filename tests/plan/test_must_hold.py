"""No edit of a document loses a volume that this run did not name: the guard against a model of engine and provider.

The model is the provider's own rules of difference (`local/provider/diff.py`, which agree with the recorded answers of
the official one) and the engine's two habits: what has no resource of the same name any more is deleted at the end,
and a replaced object of the same name is deleted first.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mina_infra.local.provider.diff import compare
from mina_infra.plan import TestnetPlan, parse_document, plan_testnet
from mina_infra.plan.losses import held, judge, losses, message
from tests.plan import edits

SEEDS = 200
STEPS = 4
CLAIM = "PersistentVolumeClaim"
Resource = tuple[str, str]
State = Mapping[Resource, dict[str, Any]]
"""What the engine has on record, by component and name: all that its URNs tell apart here."""


def declared(plan: TestnetPlan) -> dict[Resource, tuple[dict[str, Any], bool]]:
    """What a program registers, and whether its spec is ignored."""
    return {(home, f"{plan.spec.name}-{each.key}"): (each.manifest, each.kept) for home, each in plan.registered()}


def after_up(state: State, plan: TestnetPlan) -> dict[Resource, dict[str, Any]]:
    """The record after an update: a kept claim stays as it was made."""
    return {
        resource: {**manifest, "spec": state[resource]["spec"]} if kept and resource in state else manifest
        for resource, (manifest, kept) in declared(plan).items()
    }


def engine(state: State, plan: TestnetPlan) -> tuple[set[str], set[str]]:
    """The claims that an update would delete or replace, and those over which it would fail, losing nothing."""
    wanted, lost, stuck = declared(plan), set(), set()
    there = {named(old) for old in state.values()}
    for resource, old in state.items():
        if old["kind"] != CLAIM:
            continue
        name = old["metadata"]["name"]
        if resource not in wanted:
            lost.add(name)
            continue
        new, kept = wanted[resource]
        new = {**new, "spec": old["spec"]} if kept else new
        difference = compare({**old, "__inputs": old}, new, namespaced=True)
        if difference.replaces:
            lost.add(name)
        elif gib(new) < gib(old) or "spec.dataSource" in str(sorted(difference.detailed)):
            stuck.add(name)
    stuck |= {
        new["metadata"]["name"]
        for resource, (new, _) in wanted.items()
        if new["kind"] == CLAIM and resource not in state and named(new) in there
    }
    return lost, stuck


def named(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def gib(claim: Mapping[str, Any]) -> int:
    return int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_must_hold_no_edit_loses_a_volume_that_is_not_named(seed: int) -> None:
    random = Random(seed)
    document = edits.start("edited")
    plan = plan_testnet(parse_document(document, base=Path()))
    state = after_up({}, plan)
    for _ in range(STEPS):
        made, fresh, plan = edits.edited(document, random, (*edits.EDITS, edits.rename))
        lost, stuck = engine(state, plan)
        holdings = [held(manifest, resource) for resource, manifest in state.items() if manifest["kind"] == CLAIM]
        classes = [each["metadata"]["name"] for each in state.values() if each["kind"] == "StorageClass"]
        found = losses(holdings, [plan], classes=classes)
        told = {each.claim for each in found if each.field != "storage class"}
        assert lost <= told, f"{made}: lost in silence"
        assert told <= lost | stuck, f"{made}: refused without need"

        allow = random.choice([[], ["*"], ["whale-*"], sorted(told)[:1], sorted(told)])
        verdict = judge(found, allow)
        if verdict.refused:
            assert all(f"'{each.claim}'" in message(verdict.refused, shown=None) for each in verdict.refused)
            continue  # nothing ran; the operator thinks again
        assert all(any(fnmatchcase(name, pattern) for pattern in allow) for name in lost)
        document, state = fresh, after_up(state, plan)


def test_the_edits_reach_every_reason_and_many_pass() -> None:
    """So that the law above is no law about nothing."""
    random, passed = Random(0), 0
    fields: set[str] = set()
    for _ in range(300):
        document = edits.start("edited")
        old = plan_testnet(parse_document(document, base=Path()))
        _, _, plan = edits.edited(document, random, (*edits.EDITS, edits.rename))
        claims = [
            held(manifest, resource) for resource, manifest in after_up({}, old).items() if manifest["kind"] == CLAIM
        ]
        found = losses(claims, [plan])
        fields |= {each.field.partition(" of ")[0] for each in found}
        passed += not found
    assert fields >= {"count", "group", "era", "name", "claim", "size", "storageClassName", "accessModes"}
    assert passed > 90
