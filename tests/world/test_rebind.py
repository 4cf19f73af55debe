"""Volumes find back to their claims on the embedded cluster: after deleted claims, and after a lost cluster."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from mina_infra.cluster.api import CLAIM, PERSISTENT_VOLUME
from mina_infra.errors import EngineError
from mina_infra.local import control_plane
from mina_infra.local.tools import ensure_tools
from mina_infra.local.world import start_world
from mina_infra.persistence.rebind import carry_out, plan_rebind
from mina_infra.persistence.volumes import look
from tests.world.marks import heights, mark, marks, volumes
from tests.world.survivors import Network, wait_for_nothing


@pytest.fixture(scope="module")
def network(start, tmp_path_factory: pytest.TempPathFactory) -> Network:
    made = Network("kept", start("rebind"), tmp_path_factory.mktemp("project"), {"retention": "retain"})
    assert made.up() == 0
    return made


def rose(before: dict[str, int], after: dict[str, int]) -> bool:
    """No height fell, none is missing."""
    return before.keys() <= after.keys() and all(after[claim] >= height for claim, height in before.items())


def delete_claims(network: Network) -> None:
    """Somebody's hand: the workloads are gone, and the claims are deleted. Their volumes become Released."""
    assert network.destroy() == 0

    async def delete(api) -> None:
        for claim in await api.objects(CLAIM, network.name):
            await api.delete(CLAIM, claim["metadata"]["name"], network.name)

    network.ask(delete)

    async def held(api) -> list[str]:
        items = await api.objects(PERSISTENT_VOLUME)
        return [item["metadata"]["name"] for item in items if item["status"]["phase"] != "Released"]

    assert wait_for_nothing(lambda: network.ask(held), 30) == []


@pytest.mark.timeout(240)
def test_deleted_claims_get_their_volumes_back_also_after_an_interruption(network: Network, capfd) -> None:
    marked, before = mark(network), heights(network)
    folders = volumes(network)
    delete_claims(network)
    with pytest.raises(EngineError, match=r"Released[\s\S]*mina-infra rebind"):
        network.up()
    plan = network.env.plan
    seen = network.ask(partial(look, plan=plan))
    todo = plan_rebind(plan, seen)
    assert len(todo.pairs) == len(folders)

    done = 0

    def stop_in_the_middle(_line: str) -> None:
        nonlocal done
        done += 1
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        network.ask(partial(carry_out, plan=plan, rebind=todo, update=stop_in_the_middle))
    assert network.command("rebind") == 0
    assert "claims have their volumes back" in capfd.readouterr().err
    assert volumes(network) == folders, "each claim has the very volume that it had"
    assert network.command("rebind") == 0, "nothing more to do"
    assert network.up() == 0
    assert (marks(network), rose(before, heights(network))) == (marked, True)
    assert dict(network.up_again()) == {"same": len(plan.objects())}


@pytest.mark.timeout(120)
def test_v27_a_volume_of_another_node_is_refused_before_the_engine_runs(network: Network) -> None:
    """A node's own claim is bound; a new node that names its volume would wait for ever."""
    taken = volumes(network)["whale-1-runtime-state-e1"].name
    nodes = network.document["nodes"]
    more = {"role": "plain", "group": "late", "count": 1}
    for name, reason in ((taken, "whale-1-runtime-state-e1"), ("nowhere", "no such volume exists")):
        late = {**more, "overrides": {"late-1": {"volumes": {"runtime-state": {"existingVolume": name}}}}}
        network.change(nodes=[*nodes, late])
        with pytest.raises(EngineError, match=reason):
            network.command("local", "up")
    network.change(nodes=nodes)
    assert dict(network.up_again()) == {"same": len(network.env.plan.objects())}


@pytest.mark.timeout(300)
def test_a_lost_cluster_comes_back_from_the_file_of_its_volumes(
    network: Network, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """etcd and the engine's record are gone; what is left are the disks, and the file that was made beforehand."""
    marked = mark(network)
    capfd.readouterr()
    assert network.command("volumes", "--json") == 0
    file = tmp_path / "volumes.json"
    file.write_text(capfd.readouterr().out)
    assert network.command("pause") == 0
    before = heights(network)
    lose_cluster(network, tmp_path / "disks")

    assert network.command("volumes") == 1, "planned claims without a volume"
    assert network.command("rebind", "--from-file", str(file)) == 0
    assert network.command("rebind", "--from-file", str(file)) == 0, "again is nothing more"
    assert marks(network) == marked
    assert network.up() == 0
    assert (marks(network), rose(before, heights(network))) == (marked, True)
    assert dict(network.up_again()) == {"same": len(network.env.plan.objects())}


def lose_cluster(network: Network, disks: Path) -> None:
    """All of its state but the volumes' directories, which a cluster's end leaves where they are."""
    paths, name = network.cluster.paths, network.cluster.name
    shutil.copytree(paths.volumes, disks, symlinks=True)
    control_plane.stop(name)
    network.cluster = control_plane.start(name, ensure_tools(print), print)
    start_world(network.cluster)
    for folder in disks.iterdir():
        folder.rename(paths.volumes / folder.name)
