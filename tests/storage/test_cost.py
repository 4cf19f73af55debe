"""Sizes, cost and quota: what is billed, with the storage RFC's own slip of a factor ten as a case."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.plan.summary import money, summarize, to_text
from mina_infra.spec import DiskType, Provider
from mina_infra.spec.values import Size
from mina_infra.storage.capabilities import capability
from mina_infra.storage.cost import monthly, price
from mina_infra.storage.quota import storage_quota
from mina_infra.storage.sizes import effective_gib
from tests.plan.testnets import plan, zoo
from tests.storage.targets import spec_for

GKE = {"provider": "gke", "region": "us-central1"}


def only_disks(count: int, size: str, disk: str, **target: Any) -> dict[str, Any]:
    """A testnet with `count` runtime volumes and nothing else that costs."""
    return zoo(
        target={**GKE, **target},
        genesis={"runtimeConfig": zoo()["genesis"]["runtimeConfig"], "ledger": {"source": "config-map"}},
        volumes={"runtime-state": {"type": disk, "size": size}},
        nodes=[zoo()["nodes"][0] | {"count": 1, "identities": zoo()["nodes"][0]["identities"][:1]},
               {"role": "block-producer", "count": count - 1, "stake": 0.1}],
    )  # fmt: skip


def usd(count: int, size: str, disk: str, **target: Any) -> float | None:
    return monthly(plan(only_disks(count, size, disk, **target)).spec).usd


def test_rule_30_ten_gb_cost_what_the_rfc_says_divided_by_ten() -> None:
    """About $17 SSD and $4 standard for 10 GB; that is 100 GB (docs/facts.md: storage/rfc-defects)."""
    assert 10 * (price(Provider.GKE, "us-central1", "pd-ssd") or 0) == pytest.approx(1.70)
    assert 10 * (price(Provider.GKE, "us-central1", "pd-standard") or 0) == pytest.approx(0.40)
    assert usd(5, "2Gi", "ssd") == pytest.approx(1.70)


@pytest.mark.parametrize(("product", "dollars"), [("pd-standard", 24), ("pd-balanced", 60), ("pd-ssd", 102)])
def test_rule_30_600_gib_cost_24_60_or_102_dollars(product: str, dollars: float) -> None:
    assert 600 * (price(Provider.GKE, "us-central1", product) or 0) == pytest.approx(dollars)


def test_200_nodes_with_3_gib() -> None:
    assert usd(200, "3Gi", "ssd") == pytest.approx(102)
    assert usd(200, "3Gi", "balanced") == pytest.approx(60)


def test_a_regional_disk_costs_both_copies_once() -> None:
    assert usd(200, "3Gi", "ssd", replication="regional") == pytest.approx(204)
    assert usd(200, "3Gi", "balanced", replication="regional") == pytest.approx(120)


def test_hyperdisk_starts_at_4_gib() -> None:
    assert usd(200, "4Gi", "balanced", diskFamily="hyperdisk") == pytest.approx(64)


@pytest.mark.parametrize(
    ("target", "disk", "asked", "gib"),
    [
        (GKE, DiskType.SSD, "12Ki", 1),
        (GKE, DiskType.SSD, "2Gi", 2),
        (GKE, DiskType.SSD, "2500Mi", 3),
        (GKE, DiskType.SSD, "10G", 10),
        (GKE, DiskType.SHARED, "1Gi", 100),
        (GKE, DiskType.SHARED, "200Gi", 200),
        ({"provider": "aks", "region": "eastus"}, DiskType.SSD, "2Gi", 4),
        ({"provider": "aks", "region": "eastus"}, DiskType.SSD, "5Gi", 8),
        ({"provider": "aks", "region": "eastus"}, DiskType.STANDARD, "2Gi", 32),
        ({"provider": "local", "region": "local"}, DiskType.SSD, "2Gi", 2),
    ],
)
def test_sizes_are_what_the_provider_bills(target: dict[str, Any], disk: DiskType, asked: str, gib: int) -> None:
    found = capability(spec_for(target), disk)
    assert found
    assert effective_gib(Size(asked), found) == gib


def test_an_unknown_region_is_said_to_be_unknown_and_never_counts_as_nothing() -> None:
    summary = summarize(plan(only_disks(10, "10Gi", "ssd", region="europe-north9")))
    assert summary.usd is None
    assert money(summary) == "at least 0.00 USD/month (no price known for pd-ssd in gke europe-north9)"
    assert "unknown" in to_text(summary)


def test_the_known_part_is_still_added_up() -> None:
    document = only_disks(10, "10Gi", "ssd", region="us-east4")
    document["genesis"] = zoo()["genesis"]
    summary = summarize(plan(document))
    assert summary.usd is None
    assert summary.known_usd == pytest.approx(18.70)
    assert summary.unknown_prices == ("filestore-basic-hdd",)


def test_the_embedded_cluster_costs_nothing() -> None:
    assert monthly(spec_for({"provider": "local", "region": "local"})).usd == 0


def test_the_quota_has_room_for_a_second_era() -> None:
    planned = plan(zoo())
    quota = storage_quota(planned.spec)
    claims = planned.outputs.claims
    assert quota.claims >= 2 * len(claims)
    assert quota.gib >= 2 * sum(claim.size_gib for claim in claims)
    hard = next(each for each in planned.base if each.key == "quota").manifest["spec"]["hard"]
    assert hard["requests.storage"] == f"{quota.gib}Gi"
    assert hard["persistentvolumeclaims"] == str(quota.claims)
    assert int(hard["pods"]) >= 2 * len(planned.outputs.nodes)
