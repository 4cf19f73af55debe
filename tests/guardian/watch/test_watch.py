"""Watches of simulated networks: silent when well, quick when ill, nothing told twice. Virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mina_infra.guardian.checks import CHECKS
from mina_infra.guardian.watch.history import History
from mina_infra.simulator import virtual_time
from mina_infra.simulator.faults import population
from mina_infra.simulator.node import NodeSpec
from tests.guardian.watch.watching import IDENTITY, Watching, watching

DAY = 480
POLL = 1 / 6
"""Of a slot."""


def stop_producers(run: Watching) -> None:
    for name in run.here.network.names:
        if name.startswith(("whale", "fish")):
            run.here.network.crash(name)


def hang_provers(run: Watching) -> None:
    """They stay synced and win slots, and no block comes."""
    network = run.here.network.network
    network.timing = replace(network.timing, proving=(1e15, 2e15))


def cut(run: Watching) -> None:
    run.here.network.partition(["whale-1", "fish-1", "fish-2", "seed-1"])


def test_a_clean_day_is_silent(tmp_path: Path) -> None:
    run = watching(tmp_path, poll_s=180.0)
    assert run.watch(DAY) == 0
    assert (run.printed, run.warnings) == ([], [])
    assert set(run.looks) == {"healthy"}


def test_a_network_that_starts_is_not_slandered(tmp_path: Path) -> None:
    run = watching(tmp_path, slots=0, poll_s=60.0)
    assert run.watch(50) == 0
    assert run.told() == []


@pytest.mark.parametrize("seed", range(1, 4))
def test_producers_that_are_down_are_a_halt_after_two_slots_and_a_poll(tmp_path: Path, seed: int) -> None:
    run = watching(tmp_path, seed)
    run.watch(3)
    stop_producers(run)
    began = run.now
    assert run.watch(4) == 1
    assert run.opened_at("production", "halt") - began <= (2 + POLL) * run.slot_s
    assert len(run.printed) <= 3, "what is sure at once, what is given its time, what follows from it"


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_partition_is_seen_in_two_looks(tmp_path: Path, seed: int) -> None:
    run = watching(tmp_path, seed)
    run.watch(3)
    cut(run)
    began = run.now
    assert run.watch(2) == 1
    assert run.opened_at("forks", "partition") - began <= 2 * POLL * run.slot_s
    change = run.printed[0].changes[0]
    assert sorted(change.nodes) == ["fish-1", "fish-2", "seed-1", "whale-1"]


@pytest.mark.parametrize("seed", range(1, 4))
def test_producers_that_announce_slots_and_make_no_block_are_told_at_the_second(tmp_path: Path, seed: int) -> None:
    """No later than a slot and a poll after the second announced slot began; silence alone would take 11."""
    run = watching(tmp_path, seed)
    run.watch(3)
    hang_provers(run)
    network = run.here.network.network
    keys = [node.spec.key for node in network.nodes.values() if node.spec.key]
    # A block that was being proved may still come; the tip that stays counts.
    began = run.here.network.slot
    assert run.watch(14) == 1
    tip = run.here.network.tip().slot
    won = [slot for slot in range(max(tip, began) + 1, began + 30) if any(
        network.lottery.draw(key, slot)[0] < network.lottery.chance(key) for key in keys
    )]  # fmt: skip
    second = run.here.network.constants.slot_start(won[1]) / 1000
    production = [each for each in run.told() if each[1] == "production"]
    first = production[0][2]
    assert run.opened_at("production", first) - second <= (1 + 2 * POLL) * run.slot_s
    # Of whom most of the stake has broken its word, that is a halt; until then the others may yet make blocks.
    assert (first == "halt") is (len(production) == 1)
    assert production[-1][2] == "halt"
    assert {each[0] for each in run.told()} <= {"opened", "worse"}


def test_a_fault_that_clears_is_closed_once_with_its_duration(tmp_path: Path) -> None:
    run = watching(tmp_path)
    cut(run)
    run.watch(2)
    run.here.network.heal()
    assert run.watch(30) == 0
    closed = [each for message in run.printed for each in message.changes if str(each.kind) == "closed"]
    partition = [each for each in closed if each.problem == "partition"]
    assert len(partition) == 1
    assert partition[0].duration_s == pytest.approx(2 * run.slot_s, abs=2 * POLL * run.slot_s)
    assert run.told().count(("opened", "forks", "partition")) == 1


def test_a_watch_that_comes_back_tells_nothing_twice_and_says_the_gap(tmp_path: Path) -> None:
    run = watching(tmp_path)
    cut(run)
    run.watch(2)
    run.here.network.run(slots=10)
    run.watch(1)
    assert run.told().count(("opened", "forks", "partition")) == 1
    gaps = [message.gap_s for message in run.printed if message.gap_s is not None]
    assert gaps == [pytest.approx(10 * run.slot_s, abs=run.slot_s)]


def test_what_ended_while_nobody_looked_says_so(tmp_path: Path) -> None:
    run = watching(tmp_path)
    cut(run)
    run.watch(2)
    run.here.network.heal()
    run.here.network.run(slots=10)
    run.watch(8)
    closed = next(each for message in run.printed for each in message.changes if str(each.kind) == "closed")
    assert closed.unsure_from is not None
    assert closed.ended is not None
    assert closed.unsure_from < closed.ended


def test_an_api_server_that_is_away_is_one_message_and_one_when_it_is_back(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.watch(2)
    run.here.cluster.blind_to = {"pods", "deployments", "claims"}
    assert run.watch(20) == 2
    assert run.told() == [("opened", "watch", "cannot-look")]
    run.here.cluster.blind_to = set()
    assert run.watch(6) == 0
    assert run.told()[1:] == [("closed", "watch", "cannot-look")]


def test_a_cluster_that_never_answers_is_a_look_without_sight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = watching(tmp_path)

    async def hang() -> object:
        await asyncio.sleep(3600)
        raise AssertionError("nobody waits so long")

    monkeypatch.setattr(run.here.cluster, "deployments", hang)
    with History.open(run.file, IDENTITY) as history:
        looked = virtual_time.run(run.watcher(history).look())
    assert str(looked.health) == "could not tell"
    assert "did not answer within 120 s" in looked.judged.seen.symptoms[("watch", "cannot-look")].summary


def test_a_fault_is_not_over_because_nobody_can_look(tmp_path: Path) -> None:
    run = watching(tmp_path)
    cut(run)
    run.watch(2)
    run.here.cluster.blind_to = {"pods"}
    assert run.watch(20) == 1, "what was ill and cannot be seen is not healthy, nor unknown"
    assert "closed" not in {kind for kind, _, _ in run.told()}


def test_a_tenth_of_the_daemons_silent_is_one_message_and_no_verdict(tmp_path: Path) -> None:
    """Six hours; `benchmarks/watch.py --clean 20 --silent 0.1` has whole days, and a look each half minute."""
    run = watching(tmp_path, nodes=population(20), poll_s=180.0)
    run.here.cluster.silent = {"plain-1", "whale-2"}
    assert run.watch(120) == 2
    assert run.told() == [("opened", "answers", "silent")]


def test_many_nodes_with_one_trouble_are_one_incident(tmp_path: Path) -> None:
    run = watching(tmp_path)
    for name in ("plain-1", "fish-1", "fish-2", "fish-3"):
        run.here.network.crash(name)
    run.watch(4)
    assert len(run.printed) <= 2
    checks = [check for _, check, _ in run.told()]
    assert sorted(checks) == sorted({*checks, "pods", "answers"}), "one incident for each check"
    assert all(len(each.nodes) == 4 for message in run.printed for each in message.changes)


def test_a_restarted_node_is_no_incident(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.watch(2)
    run.here.network.restart("whale-1", down_slots=0.5)
    run.watch(20)
    assert run.told() == []


def test_producers_that_are_exchanged_within_a_slot_are_no_halt(tmp_path: Path) -> None:
    """A new image, for instance: for a moment nobody can produce, and no criterion of the runbook is met by that."""
    run = watching(tmp_path)
    run.watch(2)
    producers = [name for name in run.here.network.names if name.startswith(("whale", "fish"))]
    for name in producers:
        run.here.network.network.stop(name)
    run.watch(1)
    for name in producers:
        run.here.network.restart(name)
    run.watch(20)
    assert "production" not in {check for _, check, _ in run.told()}
    assert ("opened", "criteria", "not-produced") not in run.told()


def test_a_criterion_of_the_runbook_is_told_with_its_row(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.watch(2)
    stop_producers(run)
    run.watch(5)
    found = next(each for message in run.printed for each in message.changes if each.problem == "not-produced")
    assert "criterion 2" in found.summary
    assert "hotfix" in found.action


def test_one_look_confirms_a_failure_and_ends(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.here.cluster.without_deployment.add("plain-1")
    assert run.watch(100, once=True) == 1
    assert ("opened", "inventory", "missing-node") in run.told()
    assert len(run.looks) == 2


def test_one_look_at_a_healthy_network_is_one_look(tmp_path: Path) -> None:
    run = watching(tmp_path)
    assert run.watch(100, once=True) == 0
    assert len(run.looks) == 1


def test_half_of_the_stake_off_without_a_trace_is_found_by_the_sum_of_slots(tmp_path: Path) -> None:
    """Nodes answer, have keys and peers, announce nothing: only the rate tells."""
    nodes = [NodeSpec("seed-1", seed=True), *(NodeSpec(f"whale-{i}", stake=1) for i in range(1, 5))]
    run = watching(tmp_path, nodes=nodes, poll_s=180.0)
    run.watch(30)
    network = run.here.network.network
    for key in ("whale-1", "whale-2"):
        network.lottery.declare(network.nodes[key].spec.key, 1e-9)
    network.lottery.declare("nobody", 2)
    run.watch(200)
    assert ("opened", "production", "slow-production") in run.told()


def test_the_history_keeps_every_look(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.watch(5)
    with History.open(run.file, IDENTITY, watching=False) as history:
        assert history.rows("SELECT count(*) FROM looks") == [(len(run.looks),)]
        spans = history.rows("SELECT name, state, until - since FROM spans WHERE kind = 'check'")
    assert {name for name, _, _ in spans} == {check.name for check, _ in CHECKS}
    assert all(lasted == pytest.approx(5 * run.slot_s, abs=run.slot_s / 3) for _, _, lasted in spans)
