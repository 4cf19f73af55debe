"""A paused node has no pod and keeps everything else: pausing and resuming change `replicas` and nothing more."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mina_infra.plan import plan_testnet
from mina_infra.plan.summary import headline, summarize
from mina_infra.spec import SpecError, TestnetSpec
from mina_infra.spec.pause import ALL, from_variable, to_variable, with_paused
from tests.plan.testnets import of_kind, plan, plans, zoo

SPEC = plans()["zoo"].spec
NAMES = [name for group in SPEC.nodes for name in group.node_names()]


def stopped(spec: TestnetSpec) -> set[str]:
    """The nodes whose Deployment wants no pod."""
    return {each.key for each in of_kind(plan_testnet(spec), "Deployment") if each.manifest["spec"]["replicas"] == 0}


def without_replicas(spec: TestnetSpec) -> dict[str, Any]:
    """Every planned object by its key, but for the number of pods."""
    found = {
        each.key: (copy.deepcopy(each.manifest), each.protect, each.after) for each in plan_testnet(spec).objects()
    }
    for manifest, _, _ in found.values():
        if manifest["kind"] == "Deployment":
            assert manifest["spec"].pop("replicas") in (0, 1)
    return found


@settings(max_examples=30, deadline=None)
@given(st.sets(st.sampled_from(NAMES)))
def test_whatever_is_paused_only_the_number_of_pods_differs(names: set[str]) -> None:
    """Claims, Services, quota, budgets, Secrets and pod templates stay: a resumed node is the one that was paused."""
    changed = with_paused(SPEC, names)
    assert stopped(changed) == names == changed.paused_nodes()
    assert without_replicas(changed) == without_replicas(SPEC)


def test_all_means_every_node_whatever_the_document_says() -> None:
    document = zoo()
    document["nodes"][1] |= {"paused": False, "overrides": {"whale-1": {"paused": False}}}
    changed = with_paused(plan(document).spec, ALL)
    assert stopped(changed) == set(NAMES)
    assert [node.name for node in plan_testnet(changed).outputs.running()] == []


def test_a_node_goes_before_its_group_and_a_group_before_the_testnet() -> None:
    document = zoo(paused=True)
    document["nodes"][1] |= {"paused": False, "overrides": {"whale-2": {"paused": True}}}
    assert stopped(plan(document).spec) == set(NAMES) - {"whale-1"}


def test_a_run_stops_nodes_beyond_those_that_the_document_stops() -> None:
    document = zoo()
    document["nodes"][1] |= {"overrides": {"whale-2": {"paused": True, "volumes": {"runtime-state": {"size": "9Gi"}}}}}
    spec = plan(document).spec
    assert stopped(with_paused(spec, {"fish-1"})) == {"whale-2", "fish-1"}
    assert stopped(with_paused(spec, {"whale-1"})) == {"whale-1", "whale-2"}
    assert without_replicas(with_paused(spec, {"whale-1", "whale-2"})) == without_replicas(spec)


def test_outputs_and_headline_say_what_is_paused() -> None:
    planned = plan_testnet(with_paused(SPEC, {"whale-1", "echo-1"}))
    assert [node.name for node in planned.outputs.paused()] == ["whale-1", "echo-1"]
    assert "whale-1" not in [node.name for node in planned.outputs.daemons()]
    assert "2 of them paused" in headline(summarize(planned))


def test_a_name_that_is_no_node_is_refused_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"no node 'whale-7'[\s\S]*Did you mean 'whale-"):
        with_paused(SPEC, {"whale-7"})


@given(st.one_of(st.just(ALL), st.frozensets(st.sampled_from(NAMES))))
def test_the_variable_of_a_run_says_exactly_these_nodes(names: frozenset[str]) -> None:
    assert from_variable(to_variable(names)) == names
