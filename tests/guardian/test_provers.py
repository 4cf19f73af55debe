"""Blocks that producers lose: by their counters, by earlier readings, by what the prover said."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from mina_infra.daemon.logs import parse_records
from mina_infra.guardian.checks.provers import judge
from mina_infra.guardian.counters import Producers, Tally, prover_errors, tally_of
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.findings import State
from tests.guardian.fake_cluster import outputs_of, world
from tests.guardian.test_crashes import OUTPUTS

CRITERIA = criteria_of(OUTPUTS)


def producers(won: int, made: int, up_slots: float = 20, *, earlier: Sequence[Tally] = (), said: str = "") -> Producers:
    return Producers(
        at=100.0,
        tallies={"whale-1": Tally("p", won, made, up_slots)},
        errors={"whale-1": (said,)} if said else {},
        earlier=tuple((float(index), {"whale-1": tally}) for index, tally in enumerate(earlier)),
    )


@pytest.mark.parametrize(
    ("won", "made", "up_slots", "state", "warned"),
    [
        (5, 5, 20, State.PASS, False),
        (5, 4, 20, State.PASS, False),  # one may still be proved
        (5, 3, 20, State.FAIL, False),
        (2, 0, 8, State.FAIL, False),
        (2, 0, 7, State.UNKNOWN, False),  # it has just begun, and proves its first
        (30, 28, 21, State.PASS, True),  # spread over more than 20 slots, and few of many
        (10, 8, 80, State.FAIL, False),
        (50, 48, 400, State.PASS, True),
        (50, 10, 400, State.FAIL, False),
    ],
)
def test_two_blocks_lost_in_twenty_slots_fail(won: int, made: int, up_slots: float, state: State, warned: bool) -> None:
    finding = judge(["whale-1"], producers(won, made, up_slots), CRITERIA)
    assert (finding.state, bool(finding.warnings)) == (state, warned)
    assert finding.problems == (("blocks-lost",) if state is State.FAIL else ())


def test_an_earlier_reading_tells_when_a_long_lived_producer_lost_them() -> None:
    steady = producers(50, 40, 400, earlier=[Tally("p", 48, 38, 380)])
    worse = producers(500, 490, 4000, earlier=[Tally("p", 498, 490, 3980)])
    assert judge(["whale-1"], steady, CRITERIA).state is State.PASS
    assert judge(["whale-1"], worse, CRITERIA).state is State.FAIL


def test_a_reading_of_another_process_is_none() -> None:
    fresh = producers(30, 28, 4000, earlier=[Tally("other", 1, 1, 10)])
    assert judge(["whale-1"], fresh, CRITERIA).state is State.PASS


def test_the_provers_own_words_are_a_failure_by_themselves() -> None:
    finding = judge(["whale-1"], producers(50, 48, 400, said="Prover failed to prove"), CRITERIA)
    assert (finding.state, finding.problems) == (State.FAIL, ("prover-failures",))
    assert finding.evidence[0]["detail"] == "Prover failed to prove"


def test_metrics_that_nobody_can_read_leave_the_question_open() -> None:
    finding = judge(["whale-1"], Producers(1.0, {}, {"whale-1": "refused"}), CRITERIA)
    assert (finding.state, finding.asked, finding.silent) == (State.UNKNOWN, True, ("whale-1",))


@pytest.mark.parametrize(
    ("text", "tally"),
    [
        (b"Coda_Block_producer_slots_won 7.000000\nCoda_Block_producer_blocks_produced 5.000000\n", (7, 5)),
        (b"Coda_Block_producer_slots_won_total{a=\"b\"} 1e1\nCoda_Block_producer_blocks_produced_total{} 5", (10, 5)),
        (b"Coda_Block_producer_slots_won 7", None),
        (b"<html>", None),
        (b"Coda_Block_producer_slots_won e\nCoda_Block_producer_blocks_produced 1e999", None),
    ],
)  # fmt: skip
def test_counters_are_read_from_the_metrics(text: bytes, tally: tuple[int, int] | None) -> None:
    found = tally_of(text, "p", 3)
    assert (None if found is None else (found.won, found.made)) == tally


@pytest.mark.parametrize(
    ("level", "module", "message", "counts"),
    [
        ("Error", "Block_producer", "Prover failed to prove freshly generated transition: $error", True),
        ("Error", "Verifier", "it crashed", True),
        ("Fatal", "Prover__Worker", "out of memory", True),
        ("Info", "Prover", "Prover started", False),
        ("Faulty_peer", "Verifier", "the proof of a peer does not hold", False),
        ("Error", "Network", "improver of things", False),
    ],
)
def test_what_counts_as_an_error_of_the_prover(level: str, module: str, message: str, counts: bool) -> None:
    record = json.dumps({"level": level, "message": message, "source": {"module": module, "location": ""}})
    assert bool(prover_errors(list(parse_records([record])))) is counts


def test_producers_of_a_healthy_network_make_what_they_win() -> None:
    for seed in range(10):
        finding = world(seed).verify().finding("provers")
        assert (finding.state, finding.warnings) == (State.PASS, ()), seed


def test_a_testnet_without_metrics_is_not_asked() -> None:
    here = world(slots=5)
    nodes = [node.model_copy(update={"ports": {"graphql": 3085}}) for node in here.outputs.nodes]
    here.outputs = outputs_of(here.network, nodes=nodes)
    finding = here.verify().finding("provers")
    assert (finding.state, finding.asked) == (State.UNKNOWN, False)
