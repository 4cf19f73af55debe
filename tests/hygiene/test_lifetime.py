"""How long a testnet lives, and who may make it live longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.errors import ClusterError
from mina_infra.hygiene.lifetime import lifetime, parse_time, print_time, span
from mina_infra.plan import labels
from tests.plan.testnets import of_kind, plan, plans, zoo

BORN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def live(name: str = "qa", **annotations: str) -> dict[str, Any]:
    """A testnet's namespace as the API server returns it."""
    return {
        "metadata": {
            "name": name,
            "uid": "u-1",
            "creationTimestamp": print_time(BORN),
            "labels": {labels.MANAGED_BY: "mina-infra", "testnet": name},
            "annotations": {f"mina-infra/{key.replace('_', '-')}": value for key, value in annotations.items()},
        }
    }


def expires(**annotations: str) -> datetime | None:
    found = lifetime(live(**annotations))
    assert found
    return found.expires


def test_it_ends_its_ttl_after_it_was_made() -> None:
    assert expires(ttl="72h") == BORN + timedelta(days=3)


def test_without_a_ttl_it_never_ends() -> None:
    assert expires() is None
    assert expires(renewed_until="2026-02-01T00:00:00Z") is None
    found = lifetime(live())
    assert found
    assert not found.expired(BORN + timedelta(days=10_000))


def test_it_has_expired_from_the_very_second_on() -> None:
    found = lifetime(live(ttl="1h"))
    assert found
    assert not found.expired(BORN + timedelta(seconds=3599))
    assert found.expired(BORN + timedelta(hours=1))


@given(st.integers(min_value=1, max_value=10**6), st.integers(min_value=0, max_value=10**6))
def test_a_renewal_never_shortens(ttl: int, later: int) -> None:
    until = BORN + timedelta(seconds=later)
    plain = expires(ttl=f"{ttl}s")
    renewed = expires(ttl=f"{ttl}s", renewed_until=print_time(until))
    assert plain
    assert renewed == max(plain, until)


def test_a_namespace_that_is_not_ours_has_no_lifetime() -> None:
    foreign = live(ttl="1s")
    del foreign["metadata"]["labels"][labels.MANAGED_BY]
    assert lifetime(foreign) is None
    borrowed = live(ttl="1s")
    borrowed["metadata"]["labels"]["testnet"] = "another"
    assert lifetime(borrowed) is None


@pytest.mark.parametrize("broken", [{"ttl": "soon"}, {"ttl": "1h", "renewed_until": "2026-01-31"}])
def test_what_somebody_garbled_is_never_expired(broken: dict[str, str]) -> None:
    with pytest.raises(ClusterError, match="does not say how long it lives"):
        lifetime(live(**broken))


def test_times_are_read_with_their_zone() -> None:
    assert parse_time("2026-01-31T13:00:00+01:00") == BORN
    assert print_time(BORN) == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("seconds", "text"), [(59, "0 min"), (720, "12 min"), (3600, "1 h"), (86400, "1 d"), (100_000, "1 d 3 h")]
)
def test_spans_are_short(seconds: int, text: str) -> None:
    assert span(seconds) == text


def test_rule_29_everything_says_whose_it_is() -> None:
    """Labels on every object; who answers and how long, on the namespace."""
    for planned in plans().values():
        own = {labels.MANAGED_BY: "mina-infra", "testnet": planned.spec.name}
        for each in planned.objects():
            assert own.items() <= each.manifest["metadata"]["labels"].items(), each.key
    (namespace,) = of_kind(plan(zoo(owner="somebody", ttl="6h", automated=True)), "Namespace")
    notes = namespace.manifest["metadata"]["annotations"]
    assert notes["mina-infra/owner"] == "somebody"
    assert notes["mina-infra/ttl"] == "6h"
    assert notes["mina-infra/automated"] == "true"


def test_no_plan_names_the_renewal() -> None:
    """Or the next `up` would take it away."""
    for planned in plans().values():
        for each in planned.objects():
            assert labels.RENEWED_UNTIL not in each.manifest["metadata"]["annotations"]
