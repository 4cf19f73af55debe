"""The status of a period: from what was kept, and nothing that nobody saw is called healthy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mina_infra.guardian.watch import period_report
from mina_infra.guardian.watch.history import History
from mina_infra.guardian.watch.period import Period, period_of
from tests.guardian.watch.watching import IDENTITY, Watching, watching


def period(run: Watching, slots: float, until: float | None = None) -> Period:
    end = run.now if until is None else until
    with History.open(run.file, IDENTITY, watching=False) as history:
        return period_of(history, "testnet", end - slots * run.slot_s, end)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Watching:
    """Twenty good slots, ten in which the network is cut, ten in which nobody looks, twenty after it has mended.

    Lived once for all tests: they only read.
    """
    run = watching(tmp_path_factory.mktemp("watch"), poll_s=60.0)
    run.watch(20)
    run.here.network.partition(["whale-1", "fish-1"])
    run.watch(10)
    run.here.network.run(slots=10)
    run.here.network.heal()
    run.watch(20)
    return run


def test_shares_add_up_and_the_gap_is_nobodys(run: Watching) -> None:
    found = period(run, 60)
    share = {name: seconds / found.seconds for name, seconds in found.shares.items()}
    assert sum(share.values()) == pytest.approx(1)
    assert share["not looked"] == pytest.approx(10 / 60, abs=0.02)
    assert share["unstable"] == pytest.approx(20 / 60, abs=0.15)
    assert share["healthy"] > 0.3


def test_incidents_have_their_times_and_nodes(run: Watching) -> None:
    found = period(run, 60)
    partition = next(each for each in found.incidents if each.problem == "partition")
    assert partition.ended is not None
    assert partition.seconds(found.until) == pytest.approx(20 * run.slot_s, abs=run.slot_s)
    assert partition.unsure_from is not None
    assert set(partition.nodes) == {"whale-1", "fish-1"}
    assert {each.node for each in found.worst} >= {"whale-1", "fish-1"}


def test_production_is_what_the_chain_did(run: Watching) -> None:
    before = period(run, 20, until=run.now - 40 * run.slot_s).production
    assert before is not None
    assert before.slots == pytest.approx(20, abs=1)
    assert before.fill == pytest.approx(before.blocks / before.slots)
    assert before.expected == pytest.approx(0.75, abs=1e-6)


def test_the_end_of_a_period_cuts_what_goes_on(run: Watching) -> None:
    found = period(run, 5, until=run.now - 35 * run.slot_s)
    assert sum(found.shares.values()) == pytest.approx(found.seconds)
    assert found.shares["unstable"] == pytest.approx(found.seconds, abs=130)


def test_in_words(run: Watching) -> None:
    text = period_report.text(period(run, 60))
    assert text.startswith("testnet: healthy now; the 3 h until ")
    assert "not looked 1" in text
    assert "forks: partition  at most 6" in text
    assert "worst nodes" in text


def test_as_markdown_every_table_row_has_its_cells(run: Watching) -> None:
    lines = period_report.markdown(period(run, 60)).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) <= 2
    assert any("forks: partition" in line for line in rows)


def test_as_json(run: Watching) -> None:
    value = json.loads(period_report.json(period(run, 60)))
    assert value["schema"] == 1
    assert sum(value["shares"].values()) == pytest.approx(1, abs=1e-5)
    assert value["health"] == "healthy"
    assert {each["problem"] for each in value["incidents"]} >= {"partition"}


def test_a_period_without_a_look_says_so(run: Watching) -> None:
    late = run.now + 2 * 24 * 3600
    found = period(run, 60, until=late)
    assert (found.looks, found.incidents) == (0, ())
    assert "nobody looked in the 3 h until" in period_report.text(found)
    assert "healthy now" not in period_report.text(found)
    assert json.loads(period_report.json(found))["shares"]["notLooked"] == 1.0


def test_an_old_last_look_says_nothing_of_now(run: Watching) -> None:
    assert "healthy at the last look, 60 min ago" in period_report.text(period(run, 60, until=run.now + 3600))


def test_a_history_without_any_look(tmp_path: Path) -> None:
    History.open(tmp_path / "x.db", IDENTITY).close()
    with History.open(tmp_path / "x.db", IDENTITY, watching=False) as history:
        assert "nobody has looked at it" in period_report.text(period_of(history, "testnet", 0.0, 3600.0))
