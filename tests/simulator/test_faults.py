"""Faults are what they say: they concern the nodes named, repeat exactly, reshuffle nothing, and heal."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from mina_infra.cluster.logs import LogRange
from mina_infra.daemon.logs import Level, parse_lines
from mina_infra.daemon.replies import PRODUCTION_DELAYS_MS, SyncStatus
from mina_infra.simulator import virtual_time
from mina_infra.simulator.faults import FAULTS, Scene, Weight, inject, population, stage, staged
from mina_infra.simulator.forge import forge_branch
from mina_infra.simulator.simulated import SimulatedNetwork
from mina_infra.simulator.timing import Timing
from tests.guardian.cases import CASES

LASTING = {"split", "split-healed"}
"""Two chains that parted for good stay two, whatever ends."""


def test_there_are_enough_faults_and_each_says_what_it_is() -> None:
    assert len(FAULTS) >= 45
    for fault in FAULTS.values():
        assert fault.sentence.endswith(".")
        assert bool(fault.problems) == (fault.weight is not Weight.NONE)


WATCHDOG = (
    "crash-after-long-run", "crash-of-a-coordinator", "prover-failures-sometimes", "total-outage", "young-stuck",
    "silent-tenth", "metrics-renamed", "bootstrap-hang-after-days", "truncated-answer",
)  # fmt: skip
"""For each of the nine things that Mina's own watchdog gets wrong, a fault that it would not see."""


def test_each_blind_spot_of_the_watchdog_is_a_fault_that_says_so() -> None:
    assert all("(watchdog: " in FAULTS[name].sentence for name in WATCHDOG)


def test_the_documents_count_the_faults() -> None:
    root = Path(__file__).parents[2]
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"{len(FAULTS)} faults by name with ground truth" in changes
    assert f"`make faults`: {len(CASES)} named faults" in changes
    assert f"names {len(CASES)} faults" in (root / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FAULTS)
def test_a_scene_repeats_exactly_and_concerns_the_nodes_named(name: str) -> None:
    one, two = stage(name, seed=5, nodes=14), stage(name, seed=5, nodes=14)
    assert one.injected is not None
    assert two.injected is not None
    assert one.injected.nodes == two.injected.nodes
    assert one.network.tip() == two.network.tip()
    assert set(one.injected.nodes) <= {*one.network.names, "visitor"}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_healed_is_well_again(name: str) -> None:
    scene = stage(name, seed=3, nodes=14)
    assert scene.injected is not None
    scene.injected.heal()
    scene.network.run(slots=30)
    if name in LASTING:
        return
    top = scene.network.tip().height
    assert scene.network.running == scene.network.names
    for each in scene.network.names:
        status = scene.network.status(each)
        assert status.sync_status is SyncStatus.SYNCED
        assert top - (status.blockchain_length or 0) <= 2
        assert scene.network.fork_depth(each) <= 1
    pods = asyncio.run(scene.cluster.pods())
    assert all(pod.ready for pod in pods)
    assert not scene.cluster.silent | scene.cluster.refusing | scene.cluster.road_closed | scene.cluster.pending_claims


def producers_by_slot(scene: Scene) -> set[tuple[int, str]]:
    return {
        (block.slot, block.creator) for node in scene.network.network.nodes.values() for block in node.known.values()
    }


@pytest.mark.parametrize("name", ["node-deaf", "third-stake-off", "gossip-loss", "no-proofs", "crash-once"])
def test_a_fault_does_not_reshuffle_the_leaders(name: str) -> None:
    healthy, disturbed = staged(9), staged(9)
    inject(disturbed.cluster, name, Random(1))
    for scene in (healthy, disturbed):
        scene.network.run(slots=40)
    assert producers_by_slot(disturbed) <= producers_by_slot(healthy)


def test_severity_makes_it_worse() -> None:
    mild, gross = (stage("third-stake-off", seed=2, severity=severity).injected for severity in (0.0, 1.0))
    assert mild is not None
    assert gross is not None
    assert len(mild.nodes) <= len(gross.nodes)


@pytest.mark.parametrize("depth", [1, 2, 8, 16])
def test_a_forged_branch_is_so_deep_within_the_block_that_is_on_its_way(depth: int) -> None:
    scene = staged(4)
    forge_branch(scene.network.network, ["plain-1"], depth)
    assert scene.network.fork_depth("plain-1") in (depth, depth + 1, depth - 1)
    chain = scene.network.best_chain("plain-1", depth + 1)
    assert chain is not None
    assert all(child.parent_hash == parent.state_hash for parent, child in itertools.pairwise(chain))


def test_one_bug_of_two_nodes_has_the_shapes_of_real_crashes() -> None:
    scene = stage("same-crash-twice", seed=1)
    assert scene.injected is not None
    exns = []
    for name in scene.injected.nodes:
        log = asyncio.run(scene.cluster.read_log(f"{name}-0", "mina", LogRange(previous=True)))
        fatal = [line for line in parse_lines(log.splitlines()) if line.level is Level.FATAL]
        assert fatal[-1].message == "Unhandled top-level exception: $exn\nGenerating crash report"
        assert log.splitlines()[-1] == b"Mina process exited with status code 1"
        exns.append(fatal[-1].metadata["exn"])
    assert exns[0] != exns[1]  # other hashes, peers and lines
    assert exns[0].keys() == {"commit_id", "sexp", "backtrace"}
    older = stage("crash-once", seed=1)
    assert older.injected is not None
    log = asyncio.run(older.cluster.read_log(f"{older.injected.nodes[0]}-0", "mina", LogRange(previous=True)))
    assert isinstance([line for line in parse_lines(log.splitlines()) if line.structured][-1].metadata["exn"], str)


def test_an_evicted_pod_takes_its_last_words_along() -> None:
    scene = stage("sigterm-noise", seed=1)
    pods = {pod.node: pod for pod in asyncio.run(scene.cluster.pods())}
    assert scene.injected is not None
    (name,) = scene.injected.nodes
    assert pods[name].name == f"{name}-1"
    assert pods[name].containers[0].restarts == 0


def test_a_silent_daemon_keeps_whoever_waits_without_a_deadline() -> None:
    scene = stage("silent-node", seed=1)
    assert scene.injected is not None

    async def ask() -> bool:
        async def question() -> bytes:
            assert scene.injected is not None
            return await scene.cluster.graphql(f"{scene.injected.nodes[0]}-0", "{ version }")

        try:
            await asyncio.wait_for(question(), 3600)
        except TimeoutError:
            return True
        return False

    assert virtual_time.run(ask())


def test_populations_have_every_kind_of_node() -> None:
    for nodes in (14, 20, 200, 1000):
        specs = population(nodes)
        assert len(specs) == nodes
        assert len({spec.name for spec in specs}) == nodes
        assert sum(not (spec.stake or spec.seed or spec.snark_coordinator) for spec in specs) >= 3
    with pytest.raises(ValueError, match="fewer than 14"):
        population(13)


@pytest.mark.parametrize(("proving_s", "slow"), [((30, 60), 0.0), ((150, 260), 1.0)])
def test_a_look_at_the_producers_tells_how_long_they_prove(proving_s: tuple[int, int], slow: float) -> None:
    """The share of blocks that took more than 120 s of a slot of 180 (docs/facts.md: mina/production-delay)."""
    timing = replace(Timing.for_slot(180_000), proving=(1000 * proving_s[0], 1000 * proving_s[1]))
    network = SimulatedNetwork(5, population(20), timing=timing)
    network.run(slots=24)
    counts = [network.status(name).metrics.block_production_delay for name in network.names]
    made = sum(sum(each) for each in counts)
    assert made == network.truth.blocks > 15
    assert sum(sum(each[PRODUCTION_DELAYS_MS.index(120_000) + 1 :]) for each in counts) == slow * made
