"""Whole verifications of simulated networks: every illness named, health not slandered. Virtual time, ground truth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mina_infra.errors import ClusterError
from mina_infra.guardian.checks import CHECKS
from mina_infra.guardian.findings import State
from mina_infra.guardian.verdict import Health, Verdict
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import SimulatedNetwork, small_network
from tests.guardian.fake_cluster import FakeCluster, World, outputs_of, world


def failed(verdict: Verdict) -> set[str]:
    return {finding.check for finding in verdict.findings if finding.state is State.FAIL}


def unknown(verdict: Verdict) -> set[str]:
    """The open questions; what the network is not asked is none."""
    return {finding.check for finding in verdict.findings if finding.state is State.UNKNOWN and finding.asked}


ABOUT_BLOCKS = {"production", "producers", "gossip", "inclusion", "tps"}


def test_a_healthy_network_passes_at_the_first_look() -> None:
    here = world()
    verdict = here.verify()
    assert verdict.health is Health.HEALTHY
    assert verdict.sweeps == 1
    assert verdict.exit_code == 0


def test_no_false_alarm_on_200_healthy_networks() -> None:
    """One look each; the production test alone may err once in a thousand, fork depth 2 does not occur when healthy."""
    unhealthy = {seed: here.findings for seed in range(200) if not (here := world(seed).verify()).healthy}
    assert unhealthy == {}


def test_a_large_healthy_network_passes() -> None:
    here = world(3, small_network(whales=15, fish=60, seeds=2, plain=122))
    assert len(here.outputs.nodes) == 200
    assert here.verify().healthy


def test_a_fresh_network_warms_up_and_then_passes() -> None:
    here = world(slots=0)
    verdict = here.verify(deadline_slots=60)
    assert verdict.healthy
    assert here.progress[0].waiting  # it did not begin so
    assert not any(
        finding.state is State.FAIL and not finding.settling
        for progress in here.progress
        for finding in progress.findings
    )


def test_no_false_alarm_while_20_networks_start() -> None:
    verdicts = [world(seed, slots=0).verify(deadline_slots=60) for seed in range(20)]
    assert [verdict.health for verdict in verdicts if not verdict.healthy] == []


def test_a_fresh_network_without_patience_is_not_called_healthy_nor_ill() -> None:
    verdict = world(slots=0).verify()
    assert verdict.health is Health.UNKNOWN
    assert verdict.exit_code == 2


def test_one_node_down_fails_and_is_named() -> None:
    here = world()
    here.network.crash("whale-2")
    verdict = here.verify()
    assert verdict.exit_code == 1
    assert verdict.finding("pods").nodes == ["whale-2"]
    assert verdict.finding("answers").nodes == ["whale-2"]
    assert verdict.finding("sync").state is State.UNKNOWN  # a node that was not seen is not taken for synced


def test_a_missing_deployment_fails_the_inventory() -> None:
    here = world()
    here.cluster.without_deployment.add("fish-1")
    here.cluster.extra_deployments.add("visitor")
    verdict = here.verify()
    assert verdict.finding("inventory").nodes == ["fish-1"]
    assert "visitor" in verdict.finding("inventory").warnings[0]


def test_a_silent_node_leaves_the_verdict_open() -> None:
    """The road may be at fault: not seen is neither well nor ill."""
    here = world()
    here.cluster.silent = {"seed-1"}
    verdict = here.verify()
    assert verdict.exit_code == 2
    assert failed(verdict) == set()
    assert unknown(verdict) == {"answers", "sync", "forks", "seeds"}
    assert all(verdict.finding(check).silent == ("seed-1",) for check in ("answers", "sync", "forks", "seeds"))


def test_all_nodes_unreachable_is_never_zero_forks_found() -> None:
    here = world()
    here.cluster.road_closed = set(here.network.names)
    verdict = here.verify()
    assert verdict.exit_code == 2
    assert unknown(verdict) >= {"answers", "sync", "forks", "production", "versions", "clocks"}
    assert failed(verdict) == set()


def test_all_daemons_dead_behind_running_pods_fails() -> None:
    here = world()
    for name in here.network.names:
        here.network.crash(name)
    verdict = here.verify()
    assert verdict.exit_code == 1
    assert {"pods", "answers"} <= failed(verdict)


@pytest.mark.parametrize(
    "reply",
    [b"<html>502 Bad Gateway</html>", b"", b"{}", b'{"data": null}', b'{"data": {"daemonStatus": {}}}', b"[" * 5000],
)
def test_an_unreadable_reply_fails_and_breaks_nothing(reply: bytes) -> None:
    here = world()
    here.cluster.babbling = {"plain-1": reply}
    verdict = here.verify()
    assert verdict.finding("answers").state is State.FAIL
    assert verdict.finding("answers").nodes == ["plain-1"]


def test_a_deep_fork_is_found_and_names_the_smaller_side() -> None:
    here = world()
    here.network.partition(["whale-1", "fish-1"])
    here.network.run(slots=60)
    verdict = here.verify()
    assert verdict.finding("forks").state is State.FAIL
    assert verdict.finding("forks").nodes == ["fish-1", "whale-1"]
    assert verdict.finding("forks").figures["deepest"] == here.network.fork_depth("whale-1")


def test_a_fork_longer_than_k_is_a_split() -> None:
    here = world(k=20)
    here.network.partition(["whale-1", "fish-1"])
    here.network.run(slots=70)  # longer, and the sides do not even overlap in height: undecidable from frontiers
    finding = here.verify().finding("forks")
    assert finding.state is State.FAIL
    assert finding.figures["split"] == 2


def test_an_even_split_into_two_chains_fails_whichever_side_is_higher() -> None:
    here = world()
    here.network.partition(["seed-1", "whale-1", "fish-1", "fish-2", "plain-1"])
    here.network.run(slots=60)
    verdict = here.verify()
    assert verdict.finding("forks").state is State.FAIL
    assert len(verdict.finding("forks").nodes) in (5, 6)


def halt(network: SimulatedNetwork) -> None:
    """Every daemon lives and is synced, but no block is ever finished."""
    timing = network.network.timing
    network.network.timing = replace(timing, proving=(1e12, 1e12))


def test_halted_production_fails_once_it_cannot_be_chance() -> None:
    here = world(slots=80)
    halt(here.network)
    here.network.run(slots=25)
    verdict = here.verify()
    assert failed(verdict) == {"production", "provers"}  # the slots are won, the blocks are lost
    assert verdict.finding("production").figures["filled"] == 0


def test_a_network_that_never_made_a_block_fails_after_its_warm_up() -> None:
    here = world(slots=0)
    halt(here.network)
    assert here.verify(deadline_slots=5).exit_code == 2
    assert failed(here.verify(deadline_slots=20)) == {"provers"}  # surer, and so sooner, than that no block came


def test_a_node_left_behind_fails_sync_and_is_not_called_forked() -> None:
    here = world(slots=60)
    here.network.partition(["plain-1"])
    here.network.run(slots=30)
    verdict = here.verify()
    assert verdict.finding("sync").state is State.FAIL
    assert verdict.finding("sync").nodes == ["plain-1"]
    assert verdict.finding("forks").state is State.PASS


def test_a_node_further_behind_than_a_frontier_is_not_synced() -> None:
    here = world(slots=60, k=15)
    here.network.partition(["plain-1"])
    here.network.run(slots=60)
    verdict = here.verify()
    assert verdict.finding("sync").nodes == ["plain-1"]
    assert verdict.finding("forks").state is State.UNKNOWN


def test_a_bootstrapping_node_leaves_the_question_open_until_it_takes_too_long() -> None:
    here = world()
    here.network.add(NodeSpec("plain-2", hold=True))
    here.outputs = outputs_of(here.network)
    here.network.run(slots=2)
    early = here.verify(deadline_slots=3)
    assert (early.exit_code, unknown(early)) == (2, {"sync"})
    here.network.run(slots=25)
    late = here.verify()
    assert (late.exit_code, failed(late), late.finding("sync").nodes) == (1, {"sync"}, ["plain-2"])


def test_a_restarted_node_is_waited_for() -> None:
    here = world(slots=60)
    here.network.restart("whale-1", down_slots=10)
    assert here.verify(deadline_slots=10).healthy


def test_a_network_that_was_paused_is_not_accused_of_the_gap() -> None:
    here = world(slots=60)
    for name in here.network.names:
        here.network.crash(name)
    here.network.run(slots=50)
    for name in here.network.names:
        here.network.restart(name)
    verdict = here.verify(deadline_slots=40)
    assert verdict.healthy, verdict.findings


def test_daemons_of_another_chain_are_named() -> None:
    here = world()
    other = world(99)
    here.cluster.strangers = {"fish-3": other.network}
    verdict = here.verify()
    assert verdict.finding("answers").state is State.FAIL
    assert verdict.finding("answers").nodes == ["fish-3"]
    assert verdict.finding("forks").state is State.FAIL  # its blocks share no ancestor with ours


def test_an_unbound_claim_fails_and_is_named() -> None:
    here = world()
    here.cluster.pending_claims = {"whale-1"}
    verdict = here.verify()
    assert failed(verdict) == {"claims"}
    assert verdict.finding("claims").nodes == ["whale-1"]


@pytest.mark.parametrize(
    ("blind", "open_checks"),
    [
        ("claims", {"claims"}),
        ("deployments", {"inventory"}),
        ("pods", {check.name for check, _ in CHECKS} - {"claims"}),
    ],
)
def test_what_cannot_be_listed_is_unknown(blind: str, open_checks: set[str]) -> None:
    here = world()
    here.cluster.blind_to = {blind}
    verdict = here.verify()
    assert verdict.exit_code == 2
    assert unknown(verdict) == open_checks


def test_a_hard_failure_needs_two_looks_even_after_the_deadline() -> None:
    here = world()
    here.cluster.without_deployment.add("fish-1")
    assert here.verify(deadline_slots=0).sweeps == 2


def test_a_hard_failure_does_not_wait_for_the_deadline() -> None:
    here = world()
    here.cluster.without_deployment.add("fish-1")
    assert here.verify(deadline_slots=1000).sweeps == 2


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, ["does not exist", "'testnet'"]),
        ({}, ["not managed by mina-infra", "no such label"]),
        ({"app.kubernetes.io/managed-by": "Helm"}, ["Helm", "'testnet'"]),
        ({"app.kubernetes.io/managed-by": "mina-infra", "testnet": "other"}, ["'other'", "'testnet'"]),
    ],
)
def test_a_foreign_namespace_is_refused_and_both_are_named(labels: dict[str, str] | None, words: list[str]) -> None:
    here = world(slots=1)
    here.cluster.labels = labels
    with pytest.raises(ClusterError) as refused:
        here.verify()
    assert all(word in str(refused.value) for word in words)


def test_nothing_deployed_is_not_healthy() -> None:
    network = SimulatedNetwork(1, [])
    assert World(network, FakeCluster(network), outputs_of(network)).verify().exit_code != 0
