"""A node's directory: what survives a kill at any point, and what is never overwritten."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.simulator.chain import ChainConstants, Header
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import GENESIS_MS, SimulatedNetwork
from mina_infra.simulator.store import DirectoryStore, StoredFrontier

GENESIS = ChainConstants(chain_id="c" * 64, genesis_ms=GENESIS_MS).genesis_block()


def header(height: int) -> Header:
    return Header(f"3N{height}", f"3N{height - 1}", height, height, "ff", "B62q", 0, 0, 0)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    store = DirectoryStore(tmp_path)
    store.replace(StoredFrontier("chain", (header(1), header(2))))
    return store


def heights(store: DirectoryStore) -> list[int]:
    frontier = store.load()
    return [block.height for block in frontier.blocks] if frontier else []


def test_an_empty_volume_holds_nothing(tmp_path: Path) -> None:
    assert DirectoryStore(tmp_path).load() is None


def test_the_journal_adds_to_the_snapshot(store: DirectoryStore) -> None:
    store.append([header(3), header(4)])
    store.append([header(5)])
    assert heights(store) == [1, 2, 3, 4, 5]


def test_a_new_snapshot_begins_a_new_journal(store: DirectoryStore) -> None:
    store.append([header(3)])
    store.replace(StoredFrontier("chain", (header(2), header(3))))
    assert heights(store) == [2, 3]


@given(cut=st.integers(1, 60))
def test_a_journal_cut_off_anywhere_keeps_its_whole_lines(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """A kill in the middle of a write."""
    store = DirectoryStore(tmp_path_factory.mktemp("volume"))
    store.replace(StoredFrontier("chain", (header(1),)))
    store.append([header(2), header(3)])
    journal = store.folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert heights(store) in ([1], [1, 2], [1, 2, 3])
    assert 2 in heights(store) or cut > 30


def test_a_kill_between_snapshot_and_journal_does_no_harm(store: DirectoryStore) -> None:
    store.append([header(3)])
    journal = (store.folder / "journal.jsonl").read_bytes()
    store.replace(StoredFrontier("chain", (header(2), header(3))))
    (store.folder / "journal.jsonl").write_bytes(journal)
    assert heights(store) == [2, 3, 3]


def test_a_kill_before_the_snapshot_is_in_place_keeps_the_old_one(store: DirectoryStore) -> None:
    (store.folder / ".frontier.json.new").write_bytes(b'{"chainId": "chain", "blo')
    assert heights(store) == [1, 2]


def test_the_frontier_of_another_genesis_is_kept_beside(store: DirectoryStore) -> None:
    store.set_aside("0123456789abcdef")
    store.replace(StoredFrontier("other", (header(1),)))
    store.set_aside("0123456789abcdef")
    assert store.load() is None
    assert {path.name for path in store.volume.iterdir()} == {"frontier.01234567", "frontier.01234567-2"}


def test_nothing_is_appended_to_a_volume_that_was_emptied(store: DirectoryStore) -> None:
    """A journal without its snapshot would look like a chain."""
    for file in store.folder.iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError):
        store.append([header(3)])


def test_a_node_carries_on_from_its_directory_and_stays_small(tmp_path: Path) -> None:
    network = SimulatedNetwork(seed=1, nodes=[], k=10)
    network.network.start(NodeSpec("seed-1", seed=True, stake=1), DirectoryStore(tmp_path))
    for _ in range(100):
        network.run(slots=1)
        network.status("seed-1")
    before = network.tip("seed-1")
    network.network.stop("seed-1", clean=False)
    network.network.start(NodeSpec("seed-1", seed=True, stake=1), DirectoryStore(tmp_path))
    assert network.tip("seed-1") == before
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.json*")) < 20_000
