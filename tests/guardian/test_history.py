"""The chain as far back as daemons tell it, by either port, with no more questions than that takes."""

from __future__ import annotations

import pytest

from mina_infra.cluster.roads import Road
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.history import PORTION, read_history
from mina_infra.guardian.survey import FIRST_BLOCKS, survey
from mina_infra.simulator import virtual_time
from tests.guardian.fake_cluster import World, world
from tests.guardian.test_roads import Counted, counted


def looked(here: World, cluster: Counted, known: Chain | None) -> Chain:
    """One look; `cluster.counts` are those for the history alone."""

    async def look() -> Chain | None:
        seen = await survey(cluster, here.outputs, await cluster.pods(), cluster.clock)
        cluster.counts.clear()
        return await read_history(cluster, here.outputs, seen, known)

    chain = virtual_time.run(look())
    assert chain is not None
    return chain


def hashes(chain: Chain) -> list[str]:
    return [block.state_hash for block in chain.blocks]


def test_by_the_full_port_one_question_brings_all() -> None:
    here = world(slots=150)
    cluster = counted(here)
    cluster.road = Road.PORT_FORWARD
    first = looked(here, cluster, None)
    assert first.to_root
    assert cluster.counts == {"BestChain": 1}
    assert hashes(looked(here, cluster, first)) == hashes(first)
    assert cluster.counts == {}


@pytest.mark.parametrize("road", [Road.DIRECT, Road.PROXY])
def test_by_a_limited_port_it_grows_by_a_portion_to_the_same_chain(road: Road) -> None:
    """And never needs the full port, which an observer may not reach."""
    here = world(slots=150)
    whole = looked(here, counted(here), None)
    cluster = counted(here)
    cluster.road = road
    chain = looked(here, cluster, None)
    assert len(chain.blocks) == FIRST_BLOCKS + PORTION < len(whole.blocks)
    assert cluster.counts == {"Block": PORTION}
    while not chain.to_root:
        longer = looked(here, cluster, chain)
        assert len(longer.blocks) > len(chain.blocks) or longer.to_root
        chain = longer
    assert hashes(chain) == hashes(whole)
    looked(here, cluster, chain)
    assert cluster.counts == {}


def test_a_chain_that_begins_at_the_genesis_is_asked_for_its_root_once() -> None:
    here = world(slots=150)
    whole = looked(here, counted(here), None)
    cluster = counted(here)
    cluster.road = Road.PROXY
    assert looked(here, cluster, Chain(whole.blocks, to_root=False)).to_root
    assert "BestChain" not in cluster.counts
