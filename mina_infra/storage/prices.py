"""List prices of disks, as dated data: `pricelists/`, one file for each provider.

A price is for a month of existence, whether the disk is attached or not. Where each list comes from, and how old it is,
says docs/facts.md: storage/prices. What is in no list is not known, and is never counted as nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mina_infra.spec import Provider

SNAPSHOT = "snapshot"
"""The product name of what snapshots are billed as. They are billed for what they hold, at most the disk's size."""


@dataclass(frozen=True)
class PriceList:
    """One product's prices by region: USD for a GiB, or for a whole disk of each size that is billed (GiB to USD)."""

    product: str
    dated: str
    per_gib: Mapping[str, float]
    per_disk: Mapping[str, Mapping[int, float]]


@cache
def lists(provider: Provider) -> Mapping[str, PriceList]:
    """A provider's lists by product; none for one that has no file."""
    file = files("mina_infra.storage") / "pricelists" / f"{provider.value}.json"
    if not file.is_file():
        return {}
    return {entry["product"]: _list(entry) for entry in json.loads(file.read_text())}


def _list(entry: Mapping[str, object]) -> PriceList:
    usd = entry["usd"]
    assert isinstance(usd, dict)
    return PriceList(
        str(entry["product"]),
        str(entry["dated"]),
        {region: each for region, each in usd.items() if not isinstance(each, dict)},
        {
            region: {int(gib): price for gib, price in each.items()}
            for region, each in usd.items()
            if isinstance(each, dict)
        },
    )


def price(provider: Provider, region: str, product: str) -> float | None:
    """USD per GiB and month; None where it is not known or the product is not billed by the GiB.

    The embedded cluster's disks cost nothing.
    """
    if provider is Provider.LOCAL:
        return 0.0
    found = lists(provider).get(product)
    return found.per_gib.get(region) if found else None


def usd_a_month(provider: Provider, region: str, product: str, gib: int) -> float | None:
    """USD for one disk and month; None where it is not known. Where sizes are billed in steps: the next one."""
    if provider is Provider.LOCAL:
        return 0.0
    found = lists(provider).get(product)
    if found is None:
        return None
    if region in found.per_gib:
        return found.per_gib[region] * gib
    steps = found.per_disk.get(region, {})
    return next((usd for step, usd in sorted(steps.items()) if step >= gib), None)


def dated(provider: Provider, products: Iterable[str]) -> str | None:
    """The date of the oldest list that these products' prices come from; None where no list is used."""
    known = lists(provider)
    return min((known[product].dated for product in products if product in known), default=None)
