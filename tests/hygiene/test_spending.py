"""What a cluster's testnets cost, by the volumes that they really have."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.hygiene.contents import Contents
from mina_infra.hygiene.spending import NOBODY, Spending, State, spending
from tests.hygiene.test_orphans import CLASS, NAMESPACES, claim, moved, volume

MACHINE = {"metadata": {"name": "m", "labels": {"topology.kubernetes.io/region": "us-central1"}}}


def bound(name: str, pv: str, size: str = "10Gi") -> tuple[dict[str, Any], dict[str, Any]]:
    """A claim with its volume."""
    made = claim(name)
    made["spec"]["volumeName"] = pv
    disk = volume(pv, "Bound", f"zoo/{name}")
    disk["spec"]["capacity"]["storage"] = size
    return made, disk


def deployment(name: str, claimed: str, replicas: int) -> dict[str, Any]:
    source = {"persistentVolumeClaim": {"claimName": claimed}}
    template = {"spec": {"volumes": [source]}}
    return {"metadata": {"name": name, "namespace": "zoo"}, "spec": {"replicas": replicas, "template": template}}


def spent(**contents: Any) -> Spending:
    return spending(Contents(**{"namespaces": NAMESPACES, "classes": (CLASS,), "machines": (MACHINE,), **contents}))


def test_rule_30_running_paused_kept_pending_and_released_are_told_apart() -> None:
    claims, disks = zip(*(bound(f"{name}-runtime-state-e1", f"pv-{name}") for name in "abc"), strict=True)
    waiting = claim("d-runtime-state-e1")
    released = volume("pv-e", "Released", "zoo/e-runtime-state-e1")
    found = spent(
        claims=(*claims, waiting),
        volumes=(*disks, released),
        deployments=(deployment("a", "a-runtime-state-e1", 1), deployment("b", "b-runtime-state-e1", 0)),
    )
    assert [(row.testnet, row.state, row.volumes, row.gib, row.usd) for row in found.rows] == [
        ("zoo", State.RUNNING, 1, 10, pytest.approx(1.70)),
        ("zoo", State.PAUSED, 1, 10, pytest.approx(1.70)),
        ("zoo", State.KEPT, 1, 10, pytest.approx(1.70)),
        ("zoo", State.RELEASED, 1, 10, pytest.approx(1.70)),
        ("zoo", State.PENDING, 1, 10, 0),
    ]
    assert found.prices_of == "2026-08-20"


def test_what_migrate_left_is_paid_for_until_it_is_deleted() -> None:
    (row,) = spent(volumes=(moved(),)).rows
    assert (row.testnet, row.state, row.usd) == ("zoo", State.MOVED, pytest.approx(1.70))


def test_a_pods_claim_runs_whoever_made_the_pod() -> None:
    made, disk = bound("a-runtime-state-e1", "pv-a")
    source = {"persistentVolumeClaim": {"claimName": "a-runtime-state-e1"}}
    pod = {"metadata": {"namespace": "zoo"}, "spec": {"volumes": [source]}}
    (row,) = spent(claims=(made,), volumes=(disk,), pods=(pod,)).rows
    assert row.state is State.RUNNING


def test_what_is_paid_is_the_volume_and_not_the_request() -> None:
    made, disk = bound("a-runtime-state-e1", "pv-a", size="20Gi")
    (row,) = spent(claims=(made,), volumes=(disk,)).rows
    assert (row.gib, row.usd) == (20, pytest.approx(3.40))


@pytest.mark.parametrize(
    "change",
    [
        {"machines": ()},
        {"machines": ({"metadata": {"name": "m", "labels": {"topology.kubernetes.io/region": "mars-1"}}},)},
        {"classes": ()},
        {"classes": ({**CLASS, "provisioner": "driver.longhorn.io"},)},
    ],
    ids=["no region", "unknown region", "class is gone", "unknown driver"],
)
def test_an_unknown_price_is_said_and_never_guessed(change: dict[str, Any]) -> None:
    made, disk = bound("a-runtime-state-e1", "pv-a")
    (row,) = spent(claims=(made,), volumes=(disk,), **change).rows
    assert row.usd is None


def test_the_stacks_say_the_region_where_no_machine_does() -> None:
    made, disk = bound("a-runtime-state-e1", "pv-a")
    contents = Contents(namespaces=NAMESPACES, classes=(CLASS,), claims=(made,), volumes=(disk,))
    (row,) = spending(contents, {"us-central1"}).rows
    assert row.usd == pytest.approx(1.70)
    (row,) = spending(contents, {"us-central1", "us-east4"}).rows
    assert row.usd is None


def test_other_peoples_namespaces_and_volumes_are_left_out() -> None:
    theirs = {"metadata": {"name": "shop"}}
    foreign = (volume("pv-1", "Released", "shop/data-mysql-0", "standard-rwo"), volume("pv-2", "Bound", "shop/x"))
    of_shop = claim("data", "shop")
    assert spent(namespaces=(theirs,), claims=(of_shop,), volumes=foreign).rows == ()


def test_a_volume_that_never_had_a_claim_is_nobodys() -> None:
    (row,) = spent(volumes=(volume("pv", "Available", None),)).rows
    assert (row.testnet, row.state) == (NOBODY, State.RELEASED)
