"""Every named fault with two seeds: detected, named right, nothing else named. `make faults` has 20 seeds."""

from __future__ import annotations

import pytest

from mina_infra.simulator.faults import FAULTS
from tests.guardian.cases import CASES, OPEN
from tests.guardian.matrix import Outcome, as_text, run_case

NODES = 14
SEEDS = (1, 2)


def test_there_are_faults_enough() -> None:
    assert len([fault for fault in CASES.values() if fault.problems]) >= 60
    assert set(FAULTS) <= set(CASES)
    assert set(OPEN) <= set(CASES)


@pytest.mark.parametrize("name", [name for name in CASES if name not in OPEN])
def test_a_fault_is_detected_and_named(name: str) -> None:
    outcomes = [run_case(name, seed, NODES) for seed in SEEDS]
    assert [outcome for outcome in outcomes if not outcome.right] == []


def test_the_table_counts_what_was_missed_and_misnamed() -> None:
    outcomes = [
        Outcome("oom", 1, frozenset({"oom"}), 3),
        Outcome("oom", 2, frozenset({"crash"}), None, missed="expected oom", wrong="also named crash"),
        Outcome("fork-1", 1, frozenset({"fork"}), None, wrong="also named fork"),
    ]
    rows = as_text(outcomes).splitlines()
    assert rows[1].split() == ["oom", "oom", "1/2", "3-3", "slots", "oom", "1", "crash", "1"]
    assert rows[-1] == ("1 faults: 1 of 2 runs detected, 1 misnamed; 1 harmless: 1 of 1 runs with a false alarm")
