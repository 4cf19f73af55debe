"""Nothing is expected of a node that is paused, and nothing is taken for healthy because nothing is expected."""

from __future__ import annotations

import pytest

from mina_infra.cluster.objects import Claim
from mina_infra.guardian.checks import claims
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.findings import State
from mina_infra.guardian.report import json_value, text
from mina_infra.guardian.verdict import Health
from mina_infra.outputs import OutputsDocument
from mina_infra.publish.seeds import seed_list
from tests.guardian.fake_cluster import CLASS, GIB, World, outputs_of, world


def paused(outputs: OutputsDocument, names: set[str]) -> OutputsDocument:
    nodes = [node.model_copy(update={"paused": node.name in names}) for node in outputs.nodes]
    return outputs.model_copy(update={"nodes": nodes})


def pause(here: World, *names: str) -> World:
    """The nodes stop, as the outputs document says they do."""
    for name in names:
        here.network.crash(name)
    here.cluster.paused |= set(names)
    here.outputs = paused(here.outputs, here.cluster.paused)
    return here


def test_a_testnet_with_a_paused_node_is_judged_by_the_rest() -> None:
    here = pause(world(), "plain-1")
    verdict = here.verify()
    assert verdict.healthy, text(verdict)
    total = len(here.outputs.nodes)
    assert verdict.finding("pods").figures["expected"] == total - 1
    assert verdict.finding("sync").figures["expected"] == len(here.outputs.daemons()) == total - 1
    assert "plain-1" in verdict.finding("inventory").warnings[0]
    assert f"{total} nodes (1 paused)" in text(verdict)
    assert [node["name"] for node in json_value(verdict)["nodes"] if node["paused"]] == ["plain-1"]


def test_production_expects_the_stake_that_runs() -> None:
    here = world()
    whales = [node for node in here.outputs.nodes if node.stake > 10]
    before = criteria_of(here.outputs).online_stake
    after = criteria_of(paused(here.outputs, {whales[0].name})).online_stake
    assert before - after == pytest.approx(whales[0].stake / 100)


def test_without_a_producer_that_runs_nobody_can_tell_and_nobody_waits() -> None:
    here = world()
    producers = [node.name for node in here.outputs.nodes if node.role == "block-producer"]
    verdict = pause(here, *producers).verify(deadline_slots=60)
    assert verdict.finding("production").state is State.UNKNOWN
    assert "paused" in verdict.finding("production").summary
    assert verdict.exit_code == 2
    assert verdict.sweeps == 1


def test_a_wholly_paused_testnet_is_never_healthy_by_vacuity() -> None:
    here = world()
    verdict = pause(here, *here.network.names).verify(deadline_slots=60)
    assert (verdict.health, verdict.exit_code, verdict.sweeps) == (Health.UNKNOWN, 2, 1)
    assert "could not tell: paused" in text(verdict)
    assert verdict.finding("inventory").state is State.PASS
    assert verdict.finding("claims").state is State.PASS


def test_a_claim_of_a_paused_testnet_that_is_missing_is_a_failure_all_the_same() -> None:
    here = world()
    pause(here, *here.network.names)
    want = outputs_of(here.network).claims
    live = [claim_of(each.name, "Bound") for each in want[1:]]
    names = {node.name for node in here.outputs.nodes}
    assert claims.judge(want, live, names).state is State.FAIL
    assert claims.judge(want, [claim_of(want[0].name, "Lost"), *live], names).state is State.FAIL


def test_a_claim_that_waits_for_the_pod_of_a_paused_node_is_in_order() -> None:
    want = outputs_of(world().network).claims
    live = [claim_of(want[0].name, "Pending"), *(claim_of(each.name, "Bound") for each in want[1:])]
    assert claims.judge(want, live, {str(want[0].node)}).state is State.PASS
    assert claims.judge(want, live).state is State.FAIL


def test_a_paused_node_that_runs_and_a_running_one_that_is_stopped_are_both_named() -> None:
    here = world()
    here.outputs = paused(here.outputs, {"fish-1"})
    here.cluster.paused.add("fish-2")
    here.network.crash("fish-2")
    finding = here.verify().finding("inventory")
    assert finding.state is State.FAIL
    assert [(row["node"], row["found"]) for row in finding.evidence] == [
        ("fish-2", "scaled to 0"), ("fish-1", "runs, but is paused"),
    ]  # fmt: skip


def test_a_paused_seed_is_not_published() -> None:
    outputs = world().outputs
    first = outputs.seeds[0].name
    assert first not in [seed.name for seed in seed_list(paused(outputs, {first}))]


def claim_of(name: str, phase: str) -> Claim:
    return Claim(name, phase, CLASS, ("ReadWriteOncePod",), 4 * GIB, 4 * GIB if phase == "Bound" else None, "pv", {})
