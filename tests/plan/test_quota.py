"""The namespace's quota: room for a second set, and still when one node comes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.plan import TestnetPlan
from mina_infra.spec.stack_file import TESTNET_KEY
from mina_infra.storage.quota import coarse
from tests.plan.testnets import ROOT, plan, zoo


def local() -> dict[str, Any]:
    """The stack of 12 nodes."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"][TESTNET_KEY]
    for group in document["nodes"]:
        if "stake" in group:
            group["stake"] = 1  # so that there is stake left for one more
    return document


def touched(before: TestnetPlan, after: TestnetPlan) -> set[str]:
    """The objects that an update would make, change or delete."""
    old = {each.key: (each.manifest, each.protect) for each in before.objects()}
    new = {each.key: (each.manifest, each.protect) for each in after.objects()}
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


@pytest.mark.parametrize("role", ["block-producer", "plain"])
def test_rule_32_from_12_to_13_nodes_only_the_nodes_own_objects_are_touched(role: str) -> None:
    """A seed or an archive more is another matter: others dial it."""
    document = local()
    group = next(group for group in document["nodes"] if group["role"] == role)
    before = plan(document)
    group["count"] = group.get("count", 1) + 1
    after = plan(document)
    assert (len(before.outputs.nodes), len(after.outputs.nodes)) == (12, 13)
    name = f"{group.get('group', role)}-{group['count']}"
    assert touched(before, after) == {name, f"{name}-runtime-state-e1", f"{name}-p2p"}


def test_rule_32_the_quota_moves_seldom_while_a_testnet_grows() -> None:
    """From 20 to 220 nodes, one at a time."""
    document = zoo()
    index = next(index for index, group in enumerate(document["nodes"]) if group["role"] == "plain")
    quotas = []
    for count in range(2, 202):
        document["nodes"][index]["count"] = count
        (quota,) = [each for each in plan(document).base if each.key == "quota"]
        quotas.append(quota.manifest["spec"]["hard"])
    moves = sum(before != after for before, after in pairwise(quotas))
    assert moves <= 24, "three limits, each a few times"
    for name in ("pods", "persistentvolumeclaims"):
        limits = [int(each[name]) for each in quotas]
        assert limits == sorted(limits)


@given(st.integers(min_value=1, max_value=10**9))
def test_rule_32_a_coarse_limit_is_enough_and_less_than_half_too_much(limit: int) -> None:
    assert limit <= coarse(limit) < 1.5 * limit + 1
    assert coarse(coarse(limit)) == coarse(limit)
    assert coarse(limit) <= coarse(limit + 1)
