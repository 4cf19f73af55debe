"""Inclusion just below, at and above each limit; what nobody sends or proves is not asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mina_infra.guardian.checks.inclusion import Due, judge
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.load import Sender, offered
from mina_infra.outputs import NodeOutput
from tests.guardian.blocks import chain_of
from tests.guardian.fake_cluster import World, world
from tests.guardian.test_production import CRITERIA

HEAVY = [Sender(tps=2.0, from_ms=0)]
COUNT = 60


def newest(count: int, **changes: Any) -> Any:
    return lambda number: changes if number > COUNT - count else {}


def finding(
    change: Any = lambda _: {}, *, load: list[Sender] = HEAVY, proofs: bool = True, leaves: int = 12
) -> Finding:
    return judge(chain_of(COUNT, change), Due(load, proofs, leaves), CRITERIA)


@pytest.mark.parametrize(("empty", "state"), [(4, State.PASS), (5, State.FAIL), (6, State.FAIL), (20, State.FAIL)])
def test_five_empty_blocks_at_the_tip_under_load_fail(empty: int, state: State) -> None:
    found = finding(newest(empty, commands=0))
    assert found.state is state
    assert found.problems == (("no-transactions",) if state is State.FAIL else ())


def test_empty_blocks_are_no_wonder_while_little_is_sent() -> None:
    """Five slots at one payment in 5 s: e^-1. At 1.5 payments a slot e^-7.5 is no chance any more."""
    assert finding(newest(5, commands=0), load=[Sender(0.2, 0)]).state is State.PASS
    assert finding(newest(5, commands=0), load=[Sender(1.3, 0)]).state is State.PASS
    assert finding(newest(5, commands=0), load=[Sender(1.5, 0)]).state is State.FAIL


def test_an_empty_block_that_is_no_chance_is_a_warning_one_that_is_is_none() -> None:
    middle = lambda number: {"commands": 0} if number == COUNT - 3 else {}  # noqa: E731
    assert finding(middle, load=[Sender(7.0, 0)]).warnings
    assert finding(middle, load=[Sender(7.0, 0)]).problems == ("no-transactions",)
    assert not finding(middle, load=[Sender(6.0, 0)]).warnings


def test_without_anybody_to_send_nothing_is_asked_of_the_transactions() -> None:
    found = finding(newest(60, commands=0), load=[])
    assert (found.state, found.problems) == (State.PASS, ())


def test_while_the_user_agents_sleep_the_question_is_open_and_then_answered() -> None:
    asleep = finding(newest(60, commands=0), load=[Sender(2.0, from_ms=60_000)])
    assert (asleep.state, asleep.settling) == (State.UNKNOWN, True)
    awake = finding(newest(60, commands=0), load=[Sender(2.0, from_ms=56_000)])
    assert awake.state is State.FAIL
    early = finding(newest(60, commands=0), load=[Sender(2.0, from_ms=57_000)])
    assert early.state is State.UNKNOWN


def test_a_load_that_is_hardly_any_is_not_asked_for() -> None:
    assert finding(newest(60, commands=0), load=[Sender(0.03, 0)]).state is State.PASS


@pytest.mark.parametrize(("without", "state"), [(9, State.PASS), (10, State.FAIL), (11, State.FAIL)])
def test_ten_blocks_without_a_proof_fail(without: int, state: State) -> None:
    found = finding(newest(without, snark_jobs=0))
    assert found.state is state
    assert found.problems == (("no-proofs",) if state is State.FAIL else ())


@pytest.mark.parametrize(("leaves", "state"), [(99, State.FAIL), (100, State.FAIL), (101, State.PASS)])
def test_proofs_are_due_once_the_trees_that_may_wait_are_full(leaves: int, state: State) -> None:
    """50 older blocks with a coinbase and a transaction each are 100 leaves."""
    assert finding(newest(60, snark_jobs=0), leaves=leaves).state is state


def test_without_a_snark_coordinator_no_proof_is_asked_for() -> None:
    assert finding(newest(60, snark_jobs=0), proofs=False).state is State.PASS


@pytest.mark.parametrize(
    ("without", "state", "warned"), [(0, State.PASS, 0), (1, State.PASS, 1), (2, State.PASS, 1), (3, State.FAIL, 0)]
)
def test_one_block_without_coinbase_warns_three_fail(without: int, state: State, warned: int) -> None:
    found = finding(newest(without, coinbase=0))
    assert (found.state, len(found.warnings)) == (state, warned)
    assert found.problems == (("no-coinbase",) if without else ())


def test_no_coinbase_where_nobody_proves_names_who_is_missing() -> None:
    assert "snark-coordinator" in finding(newest(3, coinbase=0, snark_jobs=0), proofs=False).summary
    assert "snark-coordinator" not in finding(newest(3, coinbase=0)).summary


def test_of_all_at_once_the_cause_comes_first() -> None:
    found = finding(newest(20, coinbase=0, commands=0, snark_jobs=0))
    assert found.problems == ("no-proofs", "no-transactions", "no-coinbase")
    assert "snark" in found.action


def test_what_is_offered_begins_with_each_sender() -> None:
    load = [Sender(1.0, 0), Sender(2.0, 5_000)]
    assert offered(load, 4_000, 6_000) == pytest.approx(2.0 + 2.0)
    assert offered(load, 10_000, 9_000) == 0


def loaded(here: World, tps: float) -> World:
    """The same testnet with a user agent beside every fish."""
    nodes: list[NodeOutput] = [
        node.model_copy(update={"load_tps": tps}) if node.name.startswith("fish") else node
        for node in here.outputs.nodes
    ]
    here.outputs = here.outputs.model_copy(update={"nodes": nodes})
    return here


def test_a_network_under_load_passes_and_one_that_takes_nothing_fails() -> None:
    here = loaded(world(slots=60), 0.007)  # 4 agents, 5 payments a slot in all: what the simulation takes
    assert here.verify().finding("inclusion").state is State.PASS
    here.network.network.commands_per_slot = -1
    here.network.run(slots=20)
    found = here.verify().finding("inclusion")
    assert (found.state, found.problems[0]) == (State.FAIL, "no-transactions")


def test_of_a_halted_chain_nobody_asks_what_its_blocks_carry() -> None:
    here = loaded(world(slots=60), 0.007)
    here.network.network.timing = replace(here.network.network.timing, proving=(1e12, 1e12))
    here.network.run(slots=25)
    verdict = here.verify()
    for check in ("inclusion", "tps", "gossip", "producers"):
        assert (verdict.finding(check).state, verdict.finding(check).problems) == (State.UNKNOWN, ())
        assert "halted" in verdict.finding(check).summary
