"""The measurement of a directory of this machine: real, short, and nothing stays."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mina_infra.bench.here import measure, percentiles
from mina_infra.bench.profiles import PROFILES


def test_every_load_is_really_measured_and_nothing_stays(tmp_path: Path) -> None:
    found = measure(tmp_path, list(PROFILES), seconds=0.05)
    assert [each.profile for each in found] == list(PROFILES)
    for each in found:
        assert each.iops > 0
        assert each.latency is not None
        assert 0 < each.latency.p50 <= each.latency.p99 <= each.latency.p999
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.floats(min_value=1e-6, max_value=10), min_size=1, max_size=2000))
def test_percentiles_are_durations_that_were_seen(times: list[float]) -> None:
    found = percentiles(times)
    seen = {each * 1000 for each in times}
    assert {found.p50, found.p99, found.p999} <= seen
    assert found.p50 <= found.p99 <= found.p999
