"""The capacity of a chain, as the daemon computes it from its runtime config."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.daemon.scan_state import capacity_of


@pytest.mark.parametrize(
    ("proof", "log2", "goal"),
    [
        ({}, 7, 0.2),
        ({"transaction_capacity": {"txns_per_second_x10": 2}, "block_window_duration_ms": 180_000}, 7, 0.2),
        ({"transaction_capacity": {"txns_per_second_x10": 10}, "block_window_duration_ms": 180_000}, 9, 1.0),
        ({"transaction_capacity": {"txns_per_second_x10": 2}, "block_window_duration_ms": 10_000}, 3, 0.2),
        ({"transaction_capacity": {"2_to_the": 7}, "block_window_duration_ms": 180_000}, 7, 62 / 180),
        ({"transaction_capacity": {"two_to_the": 4}, "block_window_duration_ms": 1_000}, 4, 6.0),
        ({"transaction_capacity": {"log_2": 2}}, 2, None),
    ],
)
def test_goal_and_power(proof: dict[str, Any], log2: int, goal: float | None) -> None:
    """36 commands a slot for 0.2 a second in 3 minutes, so 2^7 slots in a block."""
    capacity = capacity_of({"proof": proof})
    assert capacity.log2 == log2
    assert capacity.goal == pytest.approx(goal)
    assert capacity.work_delay == 2


def test_what_fits_beside_coinbase_and_fees() -> None:
    assert capacity_of({"proof": {"transaction_capacity": {"2_to_the": 7}}}).commands == 126
