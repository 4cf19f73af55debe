"""A testnet starts from another one's state: at its heights, with identities of its own, and the source goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mina_infra.cluster.api import CLAIM, SNAPSHOT_CONTENT, VOLUME_SNAPSHOT
from tests.world.copies import with_other_identities
from tests.world.marks import heights, identity_files, mark, marks, plant_keys, volumes
from tests.world.survivors import Network, kill, when
from tests.world.witness import Witness


@dataclass(frozen=True)
class Pair:
    """The source, and the testnet that is to start from it; two stacks of one project."""

    source: Network
    target: Network
    witness: Witness

    def clone(self, *more: str) -> int:
        return self.source.run("clone", *self.words, *more)

    @property
    def words(self) -> list[str]:
        return ["--from", self.source.name, "--to", self.target.name]

    def peer_ids(self, network: Network) -> set[str]:
        """What the network's daemons call themselves."""
        return {node.peer_id for node in network.verdict().nodes if node.peer_id}

    def snapshots(self) -> list[str]:
        found = [
            self.source.ask(lambda api, kind=kind: api.objects(kind)) for kind in (VOLUME_SNAPSHOT, SNAPSHOT_CONTENT)
        ]
        return [item["metadata"]["name"] for items in found for item in items]


@pytest.fixture(scope="module")
def pair(start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    cluster, project = start("clone"), tmp_path_factory.mktemp("project")
    source = Network("origin", cluster, project)
    target = Network("copy", cluster, project, {"nodes": with_other_identities(source.document["nodes"])})
    witness = Witness(cluster, tmp_path_factory.mktemp("evidence") / "logs")
    try:
        assert source.up() == 0
        yield Pair(source, target, witness)
    finally:
        witness.close()


@pytest.mark.timeout(300)
def test_the_copy_starts_at_the_sources_height_with_identities_of_its_own(pair: Pair) -> None:
    """Killed in the middle, and completed by the same command."""
    source, target = pair.source, pair.target
    marked, claims, peers = mark(source), source.claims(), pair.peer_ids(source)
    plant_keys(source)
    before, sight = heights(source), pair.witness.look()

    def act() -> None:
        kill(process.pid)
        process.wait()

    with when(target, CLAIM, lambda objects: len(objects) >= 3, act):
        command = [sys.executable, "-m", "mina_infra.cli", "clone", *pair.words, "--cluster", source.cluster.name]
        with (source.project / "command.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=source.project, stdout=log, stderr=log)
        process.wait(120)
    assert pair.clone() == 0, source.printed()

    after = heights(target)
    assert {claim: height for claim, height in before.items() if after.get(claim, 0) < height} == {}
    assert pair.witness.look().bootstraps == sight.bootstraps, "nobody began at the genesis"
    copied = {claim: text for claim, text in marks(target).items() if "genesis" not in claim}
    assert copied == {claim: text for claim, text in marked.items() if "genesis" not in claim}
    assert target.command("verify") == 0

    own = pair.peer_ids(target)
    assert not own & peers
    left = [text for folder in volumes(target).values() for text in identity_files(folder)]
    assert len(left) >= len(own), "each daemon has written its own"
    assert not [text for text in left if "secret of origin" in text or any(peer in text for peer in peers)]
    assert pair.snapshots() == [], "what was taken for the clone is gone"

    assert (source.claims(), marks(source)) == (claims, marked)
    assert source.command("verify") == 0
    assert pair.witness.look().falls == sight.falls
    assert pair.clone() == 0, "again is nothing more"
    assert dict(target.up_again()) == {"same": len(target.env.plan.objects())}


@pytest.mark.timeout(300)
def test_a_stopped_source_is_cloned_at_one_moment_and_goes_on(pair: Pair) -> None:
    source, target = pair.source, pair.target
    assert target.destroy() == 0
    before = heights(source)
    assert pair.clone("--stop", "--map", "whale-1=whale-2", "--map", "whale-2=whale-1") == 0
    crossed = marks(target)
    assert crossed["whale-2-runtime-state-e1"].endswith("/whale-1-runtime-state-e1")
    assert crossed["whale-1-runtime-state-e1"].endswith("/whale-2-runtime-state-e1")
    assert [claim for claim, height in before.items() if heights(source)[claim] < height] == []
    assert source.command("verify") == 0
    assert target.command("verify") == 0
