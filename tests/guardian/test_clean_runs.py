"""Healthy networks raise no alarm, also while a tenth of their daemons is silent. `make clean-runs` has whole days."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.guardian.clean_runs import Run, as_text, live


@pytest.mark.parametrize("share", [0.0, 0.1])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_healthy_network_raises_no_alarm(seed: int, share: float) -> None:
    """From its first slot on, six hours at three minutes a slot, a look in each slot."""
    run = live(20, seed, 6, share)
    assert run.alarms == ()
    assert run.passed_over == 0
    assert run.open_looks == 0
    assert run.silent == round(20 * share)


def test_the_table_sums_what_each_kind_of_network_said() -> None:
    run = Run(20, 1, 2, 480, 4.8, ("slot 3: forks fail",), 1, 0, 3)
    assert as_text([run, replace(run, seed=2)]).splitlines()[1].split() == ["20", "2", "2", "960", "2", "0", "6", "10"]
