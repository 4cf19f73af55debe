"""What one look leaves for the next: whole after a kill, and not forgotten when a look sees nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from mina_infra.guardian.crashes.model import Crashes, Explained
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.evidence import Evidence, Unseen
from mina_infra.guardian.past import Past
from mina_infra.guardian.watch.history import History
from mina_infra.guardian.watch.remembered import CHAIN_BLOCKS, Remembered
from mina_infra.simulator.faults import inject
from tests.guardian.watch.watching import IDENTITY, Watching, watching

EXPLAINED = Crashes((), (Explained("whale-1", "mina", "evicted", ("uid", "mina", 1)),))


@pytest.fixture
def run(tmp_path: Path) -> Watching:
    return watching(tmp_path)


def look(run: Watching) -> Remembered:
    with History.open(run.file, IDENTITY) as history:
        watcher = run.watcher(history)
        watcher.resume()
        asyncio.run(watcher.look())
        return watcher.remembered


def test_what_is_read_again_is_what_was_kept(run: Watching) -> None:
    inject(run.here.cluster, "crash-once", Random(1))
    run.here.network.run(slots=3)
    kept = look(run)
    assert kept.crashes is not None
    assert kept.crashes.found
    assert kept.producers is not None
    again = Remembered.of(kept.parts())
    assert kept.past.chain is not None
    assert again.past.chain is not None
    assert list(again.past.chain.blocks) == list(kept.past.chain.blocks)
    assert len(kept.past.chain.blocks) <= CHAIN_BLOCKS
    assert replace(again, past=replace(again.past, chain=None)) == replace(kept, past=replace(kept.past, chain=None))


def test_of_a_long_chain_the_newest_blocks_are_kept_and_the_rest_can_be_asked_again(tmp_path: Path) -> None:
    kept = look(watching(tmp_path, slots=120))
    again = Remembered.of(kept.parts())
    assert kept.past.chain is not None
    assert again.past.chain is not None
    assert list(again.past.chain.blocks) == list(kept.past.chain.blocks[-CHAIN_BLOCKS:])
    assert (kept.past.chain.to_root, again.past.chain.to_root) == (True, False)


def test_a_look_that_sees_nothing_forgets_nothing(run: Watching) -> None:
    """The event that explained a restart is gone an hour later: read again, it would be called unexplained."""
    known = replace(look(run), crashes=EXPLAINED)
    away = Unseen("the API server was away")
    nothing = Evidence.blind(away, run.here.outputs, criteria_of(run.here.outputs), run.now, Past())
    assert known.after(nothing).crashes == EXPLAINED
    assert known.into(nothing).crashes == EXPLAINED


def test_what_cannot_be_read_again_is_told_and_begins_anew(run: Watching) -> None:
    look(run)
    with History.open(run.file, IDENTITY) as history:
        history._base.execute("UPDATE meta SET value = '{\"looks\": 1}' WHERE name = 'past'")
        watcher = run.watcher(history)
        watcher.resume()
        assert watcher.remembered == Remembered()
    assert "beginning anew" in run.warnings[0]
