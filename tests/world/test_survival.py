"""Whatever happens to a testnet of 200 nodes: every node keeps its claim, its marker and its chain.

One network lives through all that `mishaps` holds, one after the other, while a witness looks at its volumes and logs.
What a node has told lies on its volume (simulator/store.py), so heights are read there.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mina_infra.engine.process import leftovers
from mina_infra.local.nodes import count_for
from tests.told import tell_at_the_end
from tests.world.marks import heights
from tests.world.matrix import Matrix, deployed, table
from tests.world.mishaps import MISHAPS

NODES = 200


@pytest.fixture(scope="module")
def matrix(start, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Matrix]:
    cluster = start("survival", nodes=count_for(NODES))
    with deployed(cluster, NODES, tmp_path_factory.mktemp("survival")) as matrix:
        yield matrix
        tell_at_the_end(pytestconfig, table(NODES, matrix.rows))


@pytest.mark.timeout(500)
@pytest.mark.filterwarnings("ignore:Error in event stream")  # pytest sets the filters of warnings anew for each test
@pytest.mark.parametrize("case", MISHAPS, ids=lambda case: case.replace(",", "").replace(" ", "-"))
def test_every_node_keeps_its_claim_its_marker_and_its_chain(matrix: Matrix, case: str) -> None:
    for row in matrix.live_through(case):
        assert row.lost == []
        assert (row.fallen, row.bootstraps) == (0, 0)
        assert row.exit_code == 0, "not healthy"
    assert leftovers(matrix.network.env.lock) == {}


def test_after_all_that_there_is_nothing_left_to_do(matrix: Matrix) -> None:
    assert matrix.noticed_late() == (0, 0), "heights fallen, bootstraps"
    assert dict(matrix.network.up_again()) == {"same": len(matrix.network.env.plan.objects())}
    verdict = matrix.network.verdict()
    told = [node.height for node in verdict.nodes if node.height is not None]
    kept = heights(matrix.network)
    assert len(told) == len(matrix.network.env.plan.outputs.daemons()) == len(kept)
    assert max(told) <= max(kept.values()), "what is told is on a volume"
