"""The same verdict by every road: behind the limited port chains are walked block by block, each block read once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from mina_infra.cluster.fanout import NoAnswerError
from mina_infra.cluster.roads import Road
from mina_infra.daemon.replies import Block, GraphQLError, decode_block, decode_status, request_body
from mina_infra.guardian.evidence import gather
from mina_infra.guardian.findings import State
from mina_infra.guardian.forks import Standing
from mina_infra.guardian.survey import Survey, survey
from mina_infra.guardian.walking import Walker
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import SimulatedNetwork
from tests.guardian.fake_cluster import FakeCluster, SimulatedClock, World, outputs_of, world

LIMITED = [Road.DIRECT, Road.PROXY]


def crowd(count: int) -> list[NodeSpec]:
    return [NodeSpec("seed-1", seed=True), *(NodeSpec(f"node-{n}", stake=1) for n in range(count - 1))]


class Counted(FakeCluster):
    """Counts what is asked."""

    counts: Counter[str]

    async def graphql(self, pod: str, query: str, variables: Any = None, **doors: Any) -> bytes:
        self.counts[query.split()[1].partition("(")[0]] += 1
        return await super().graphql(pod, query, variables, **doors)


def counted(here: World) -> Counted:
    cluster = Counted(here.network)
    cluster.counts = Counter()
    return cluster


def look(here: World, cluster: FakeCluster, before: Survey | None = None, blocks: int = 24) -> Survey:
    async def run() -> Survey:
        pods = await cluster.pods()
        return await survey(
            cluster, here.outputs, pods, SimulatedClock(here.network), first_blocks=blocks, before=before
        )

    return asyncio.run(run())


@pytest.mark.parametrize("road", LIMITED)
def test_the_limited_port_gives_the_verdict_of_the_full_one(road: Road) -> None:
    here = world()
    full = here.verify()
    here.cluster.road = road
    limited = here.verify()
    assert limited.healthy
    assert [each.state for each in limited.findings] == [each.state for each in full.findings]
    assert [(node.name, node.height) for node in limited.nodes] == [(node.name, node.height) for node in full.nodes]


def test_both_schemas_say_the_same_of_a_block_and_the_limited_one_has_no_best_chain() -> None:
    network = world().network
    node = network.network.nodes["whale-1"]
    status = decode_status(network.answers.reply(node, request_body("status"), limited=True))
    assert status == network.status("whale-1")
    chain = network.best_chain("whale-1", 3)
    assert chain is not None
    assert (
        decode_block(network.answers.reply(node, request_body("block", stateHash=status.state_hash), limited=True))
        == (chain[-1])
    )
    refused = json.loads(network.answers.reply(node, request_body("best_chain", maxLength=3), limited=True))
    assert "bestChain" in refused["errors"][0]["message"]
    assert decode_block(network.answers.reply(node, request_body("block", stateHash="3Nnowhere"), limited=True)) is None


def test_two_hundred_nodes_of_one_chain_are_read_block_by_block_once() -> None:
    here = world(nodes=crowd(200), slots=60)
    cluster = counted(here)
    cluster.road = Road.PROXY
    before = look(here, cluster)
    assert cluster.counts["Status"] == 200
    assert cluster.counts["Block"] <= 24 + 3  # tips differ by a block or two
    cluster.counts.clear()
    here.network.run(slots=3)
    look(here, cluster, before)
    assert cluster.counts["Block"] <= 8


def test_a_fork_is_found_through_the_limited_port() -> None:
    here = world(nodes=crowd(12))
    here.network.partition(["node-0", "node-1", "node-2"])
    here.network.run(slots=30)
    here.cluster.road = Road.DIRECT
    seen = look(here, here.cluster)
    assert {node for node, each in seen.relations.items() if each.standing is Standing.FORKED} == {
        "node-0", "node-1", "node-2",
    }  # fmt: skip


def test_a_node_that_bootstraps_has_no_chain_there_either() -> None:
    here = world()
    here.network.restart("whale-1", keep_volume=False)
    here.cluster.road = Road.DIRECT
    assert look(here, here.cluster).relations["whale-1"].standing is Standing.SYNCING


def test_who_was_silent_in_the_last_sweep_is_asked_last() -> None:
    here = world()
    here.cluster.silent = {"seed-1", "whale-1"}
    before = look(here, here.cluster)
    here.cluster.asked.clear()
    look(here, here.cluster, before)
    assert set(here.cluster.asked[-2:]) == {"seed-1-0", "whale-1-0"}
    assert {door.pod for door in here.cluster.doors}.isdisjoint({"seed-1-0", "whale-1-0"})


def test_a_road_that_is_not_allowed_is_a_note_and_no_failure() -> None:
    here = world()
    here.cluster.road_notes = ("road proxy skipped, not allowed: no",)
    verdict = here.verify()
    assert verdict.healthy
    assert verdict.finding("answers").warnings == here.cluster.road_notes


def test_a_sweep_ends_though_many_never_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that were not reached within the sweep's time are silent: an open question, never a pass."""

    class Hanging(FakeCluster):
        async def graphql(self, pod: str, query: str, variables: Any = None, **doors: Any) -> bytes:
            if pod.removesuffix("-0") in self.silent:
                await asyncio.Event().wait()
            return await super().graphql(pod, query, variables, **doors)

    monkeypatch.setattr("mina_infra.guardian.survey.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("mina_infra.guardian.survey.SWEEP_SECONDS", 0.3)
    monkeypatch.setattr("mina_infra.guardian.survey.CONCURRENCY", 4)
    here = world(nodes=crowd(40))
    cluster = Hanging(here.network, silent={f"node-{n}" for n in range(12)})
    started = asyncio.new_event_loop().time()
    seen = look(here, cluster)
    assert asyncio.new_event_loop().time() - started < 3
    assert len(seen.answers) + len(seen.silences) == 40
    assert cluster.silent <= set(seen.silences)

    async def whole() -> State:
        from mina_infra.guardian.checks import judge_all
        from mina_infra.guardian.criteria import criteria_of

        clock = SimulatedClock(here.network)
        evidence = await gather(cluster, here.outputs, criteria_of(here.outputs), clock)
        return next(each for each in judge_all(evidence) if each.check == "answers").state

    assert asyncio.run(whole()) is State.UNKNOWN


# --- the walk ---------------------------------------------------------------------------------------------------------


def block(height: int) -> Block:
    return Block(
        state_hash=f"b{height}", parent_hash=f"b{height - 1}", height=height, slot=height, epoch=0,
        slot_in_epoch=height, creator="c", commands=0, snark_jobs=0, coinbase=0, date_ms=0,
    )  # fmt: skip


async def has_from(oldest: int, state_hash: str) -> Block | None:
    height = int(state_hash[1:])
    return block(height) if height >= oldest else None


def test_a_walk_ends_at_the_root_or_when_it_has_enough() -> None:
    async def run() -> None:
        ten = await Walker().chain(lambda name: has_from(1, name), "b50", 10, 290)
        assert [each.height for each in ten.blocks] == list(range(41, 51))
        assert not ten.to_root
        short = await Walker().chain(lambda name: has_from(45, name), "b50", 10, 290)
        assert [each.height for each in short.blocks] == list(range(45, 51))
        assert short.to_root

    asyncio.run(run())


def test_a_tip_that_is_not_there_and_another_block_than_asked_for_are_bad_replies() -> None:
    async def liar(_: str) -> Block | None:
        return block(7)

    for read in (lambda name: has_from(99, name), liar):
        with pytest.raises(GraphQLError):
            asyncio.run(Walker().chain(read, "b50", 10, 290))


def test_a_node_that_never_answers_does_not_hold_up_the_walk_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mina_infra.guardian.walking.SHARED_SECONDS", 0.05)

    async def silent(_: str) -> Block | None:
        await asyncio.Event().wait()
        return None

    async def failing(_: str) -> Block | None:
        raise NoAnswerError("no answer")

    async def run() -> None:
        walker = Walker()
        hung = asyncio.create_task(walker.chain(silent, "b50", 3, 290))
        broken = asyncio.create_task(walker.chain(failing, "b49", 3, 290))
        await asyncio.sleep(0)
        chain = await walker.chain(lambda name: has_from(1, name), "b50", 3, 290)
        assert chain.tip.height == 50
        hung.cancel()
        await asyncio.gather(hung, broken, return_exceptions=True)

    asyncio.run(run())


def test_many_walkers_of_one_chain_share_what_is_read() -> None:
    read: Counter[str] = Counter()

    async def slowly(state_hash: str) -> Block | None:
        read[state_hash] += 1
        await asyncio.sleep(0)
        return await has_from(1, state_hash)

    async def run() -> None:
        walker = Walker()
        chains = await asyncio.gather(*(walker.chain(slowly, "b50", 20, 290) for _ in range(30)))
        assert len({chain.tip.state_hash for chain in chains}) == 1
        assert len(walker.known) == 20

    asyncio.run(run())
    assert set(read.values()) == {1}


def test_a_network_that_is_seen_has_the_ports_that_it_is_asked_by() -> None:
    assert outputs_of(SimulatedNetwork(1)).daemons()[0].ports["limited-graphql"] == 3095
