"""A simulated daemon leaves who it is on its volume, and the start guard takes it away from the next owner's."""

from __future__ import annotations

from pathlib import Path

from mina_infra.plan import guard
from mina_infra.simulator import genesis
from mina_infra.simulator.genesis import PEER_STORE, Owner
from mina_infra.simulator.pods import daemon_pod
from tests.plan.testnets import nodes, plans


def test_the_simulator_plays_the_very_files_of_the_plan() -> None:
    assert (genesis.MARKER, genesis.OWNER, genesis.IDENTITY) == (guard.MARKER, guard.OWNER, guard.IDENTITY)
    assert PEER_STORE.startswith(guard.IDENTITY)


def test_a_pod_says_whose_volume_it_has() -> None:
    view = next(each for each in nodes(plans()["zoo"]) if each.name == "whale-2")
    metadata = {"name": "pod", "namespace": "zoo", "uid": "u", "labels": {"app": "whale-2"}}
    pod = daemon_pod({"metadata": metadata, "spec": view.pod})
    assert pod is not None
    assert pod.owner == Owner("zoo", "whale-2")


def test_each_life_is_remembered_until_the_volume_gets_another_owner(tmp_path: Path) -> None:
    (tmp_path / "frontier").mkdir()
    assert not genesis.own(tmp_path, Owner("a", "whale-1"))
    genesis.remember_peer(tmp_path, "first")
    assert not genesis.own(tmp_path, Owner("a", "whale-1"))
    genesis.remember_peer(tmp_path, "second")
    assert (tmp_path / PEER_STORE).read_text().split() == ["first", "second"]
    assert genesis.own(tmp_path, Owner("b", "whale-1"))
    genesis.remember_peer(tmp_path, "third")
    assert (tmp_path / PEER_STORE).read_text().split() == ["third"]
    assert (tmp_path / "frontier").is_dir()
