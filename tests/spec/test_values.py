"""Sizes and durations, hosts and networks: what they accept, what they mean, what they refuse."""

from __future__ import annotations

import contextlib
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.spec.values import Duration, Size, host, network, number, number_text

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@given(st.integers(1, 10**12 - 1), st.sampled_from(sorted(UNITS)))
def test_a_whole_size_is_its_number_times_its_unit(amount: int, unit: str) -> None:
    assert Size(f"{amount}{unit}").bytes == amount * UNITS[unit]


@given(st.decimals(Decimal("0.001"), 10**6, places=3), st.sampled_from(sorted(UNITS)))
def test_a_fraction_of_a_byte_is_rounded_up_and_never_through_a_float(amount: Decimal, unit: str) -> None:
    assert Size(f"{amount:f}{unit}").bytes == math.ceil(amount * UNITS[unit])


@given(st.integers(1, 10**6), st.sampled_from(sorted(UNITS)))
def test_whole_gib_hold_the_size_and_one_less_would_not(amount: int, unit: str) -> None:
    size = Size(f"{amount}{unit}")
    assert (size.gib - 1) * 2**30 < size.bytes <= size.gib * 2**30


@given(st.integers(1, 10**9 - 1), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
def test_a_duration_is_its_number_times_its_unit(amount: int, unit: tuple[str, int]) -> None:
    assert Duration(f"{amount}{unit[0]}").seconds == amount * unit[1]


@pytest.mark.parametrize("text", ["", "2", "2gi", "Gi", "-2Gi", "2 Gi", "2Gi\n", "٢Gi", "1e3Gi", "0Gi", "0.0Gi", "512m", "9" * 5000 + "Gi", 2, None])  # fmt: skip  # noqa: E501
def test_what_is_no_size_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a size; write it like 2Gi"):
        Size(text)


@pytest.mark.parametrize("text", ["", "72", "72H", "1.5h", "0h", "-1h", "1h30m", "1h\n", "1w", 72])
def test_what_is_no_duration_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration; write it like 72h"):
        Duration(text)


def test_a_size_keeps_how_it_was_written() -> None:
    assert f"{Size('4096Mi')}" == "4096Mi"


@given(st.text())
def test_any_text_is_a_size_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert Size(text).bytes > 0


@pytest.mark.parametrize("text", ["203.0.113.7", "2001:db8::1", "seed-1.example.org", "localhost"])
def test_hosts(text: str) -> None:
    assert host(text) == text


@pytest.mark.parametrize("text", ["", "300.1.1.1", "1.2.3", "a b", "-a.org", "a..b", "Seed.org", "a/b", "x" * 64, "é.org", "a.org\n"])  # fmt: skip  # noqa: E501
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="IP address or a DNS name"):
        host(text)


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "ten", "10.0.0.0/-1"])
def test_what_is_no_network_is_refused(text: str) -> None:
    assert network("10.0.0.0/8") == "10.0.0.0/8"
    with pytest.raises(ValueError, match="address range such as"):
        network(text)


def test_true_is_not_one() -> None:
    with pytest.raises(ValueError, match="must be a number"):
        number(True)
    assert number(1) == 1


def test_a_number_of_cores_is_text_for_kubernetes() -> None:
    assert [number_text(value) for value in (2, 0.5, "500m", True)] == ["2", "0.5", "500m", True]
