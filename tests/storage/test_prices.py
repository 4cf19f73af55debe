"""The price lists themselves, and reading a live class back into the product that it is billed as."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mina_infra.spec import DiskType, Provider, SpecError
from mina_infra.storage.capabilities import capability
from mina_infra.storage.classes import NoSuchDisk, storage_class
from mina_infra.storage.cost import monthly
from mina_infra.storage.prices import dated, lists, price, usd_a_month
from mina_infra.storage.products import product_of
from mina_infra.storage.whatif import with_type
from tests.plan.testnets import plan, zoo
from tests.storage.targets import TARGETS, spec_for
from tests.storage.test_cost import only_disks


@pytest.mark.parametrize("provider", [Provider.GKE, Provider.EKS, Provider.AKS])
def test_every_list_has_a_date_and_prices_above_zero(provider: Provider) -> None:
    for each in lists(provider).values():
        assert date.fromisoformat(each.dated) < date(2026, 12, 1)
        prices = [*each.per_gib.values(), *(usd for sizes in each.per_disk.values() for usd in sizes.values())]
        assert prices
        assert min(prices) > 0


@pytest.mark.parametrize("provider", [Provider.GKE, Provider.EKS, Provider.AKS])
def test_a_larger_disk_never_costs_less(provider: Provider) -> None:
    for each in lists(provider).values():
        for sizes in each.per_disk.values():
            usd = [price for _, price in sorted(sizes.items())]
            assert usd == sorted(usd)


def test_azure_bills_the_next_size_and_not_the_gib() -> None:
    """docs/facts.md: storage/minimum-sizes"""
    exact, above = (usd_a_month(Provider.AKS, "westeurope", "Premium_LRS", gib) for gib in (128, 129))
    assert (exact, above) == (21.68, 41.811428)
    assert price(Provider.AKS, "westeurope", "Premium_LRS") is None, "there is no price for a GiB"
    assert usd_a_month(Provider.AKS, "westeurope", "Premium_LRS", 40_000) is None, "no such disk"


def test_rule_18_an_azure_plan_is_paid_by_the_size_that_is_billed() -> None:
    document = only_disks(10, "5Gi", "ssd", provider="aks", region="westeurope")
    (line,) = monthly(plan(document).spec).lines
    assert (line.gib, line.usd) == (80, pytest.approx(10 * 1.56))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: "-".join(map(str, target.values())))
def test_a_live_class_is_billed_as_it_was_planned(target: dict[str, Any]) -> None:
    """Whoever reads the cluster comes to the same product as whoever reads the document."""
    spec = spec_for(target)
    for disk in DiskType:
        try:
            made = storage_class(spec, disk)
        except NoSuchDisk:
            continue
        found = capability(spec, disk)
        assert found
        assert product_of(made.manifest({})) == (spec.target.provider, found.product)


@pytest.mark.parametrize(
    ("driver", "parameters", "product"),
    [
        ("pd.csi.storage.gke.io", {}, "pd-standard"),
        ("kubernetes.io/gce-pd", {"type": "pd-ssd"}, "pd-ssd"),
        ("ebs.csi.aws.com", {}, "gp3"),
        ("disk.csi.azure.com", {"skuname": "Premium_LRS"}, "Premium_LRS"),
        ("disk.csi.azure.com", {}, "StandardSSD_LRS"),
        ("filestore.csi.storage.gke.io", {"tier": "zonal"}, "filestore-zonal"),
    ],
)
def test_somebody_elses_class_is_read_with_its_drivers_defaults(
    driver: str, parameters: dict[str, str], product: str
) -> None:
    found = product_of({"provisioner": driver, "parameters": parameters})
    assert found
    assert found[1] == product


def test_a_driver_that_nobody_knows_has_no_product() -> None:
    assert product_of({"provisioner": "driver.longhorn.io"}) is None


def test_the_date_is_that_of_the_oldest_list_used() -> None:
    assert dated(Provider.GKE, ["pd-ssd"]) == "2026-08-20"
    assert dated(Provider.EKS, ["gp3", "efs"]) == "2021-07-14"
    assert dated(Provider.GKE, ["unheard-of"]) is None
    assert monthly(plan(zoo()).spec).prices_of == "2026-08-20"


def test_another_type_is_told_before_it_is_made() -> None:
    spec = plan(only_disks(200, "3Gi", "ssd")).spec
    assert monthly(spec).usd == pytest.approx(102)
    assert monthly(with_type(spec, DiskType.BALANCED)).usd == pytest.approx(60)
    with pytest.raises(SpecError, match="a database needs 500"):
        with_type(spec, DiskType.STANDARD)


def test_another_type_wins_over_what_groups_and_nodes_say() -> None:
    document = only_disks(200, "3Gi", "ssd")
    document["nodes"][1]["volumes"] = {"runtime-state": {"type": "ssd", "size": "4Gi"}}
    document["nodes"][1]["overrides"] = {"block-producer-1": {"volumes": {"runtime-state": {"type": "ssd"}}}}
    changed = monthly(with_type(plan(document).spec, DiskType.BALANCED))
    assert [(line.product, line.gib) for line in changed.lines] == [("pd-balanced", 3 + 199 * 4)]
