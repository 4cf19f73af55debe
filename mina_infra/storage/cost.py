"""What a testnet's volumes cost a month: a pure function of the spec and a dated price table.

A region or product that the table does not know makes the estimate say so; it is never counted as nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mina_infra.spec import Provider, TestnetSpec
from mina_infra.storage.volumes import Volume, Volumes

PRICES_OF = "2026-08-20"
"""Date of the Cloud Billing catalog extract that the Persistent Disk prices are from (docs/facts.md: storage/prices). A
regional disk's price holds both copies. Filestore and Hyperdisk are from secondary sources, gp3 from Amazon's list."""

_US = ("us-central1", "us-east1", "us-west1")


def _pd(standard: float, balanced: float, ssd: float, high: Mapping[str, float]) -> dict[str, float]:
    prices = {"pd-standard": standard, "pd-balanced": balanced, "pd-ssd": ssd}
    return {**prices, **{f"regional-{product}": 2 * price for product, price in prices.items()}, **high}


_GKE_US = {"hyperdisk-balanced": 0.08, "hyperdisk-balanced-high-availability": 0.16, "filestore-basic-hdd": 0.20}

USD_PER_GIB_MONTH: Mapping[Provider, Mapping[str, Mapping[str, float]]] = {
    Provider.GKE: {
        **{region: _pd(0.04, 0.10, 0.17, _GKE_US) for region in _US},
        "us-east4": _pd(0.044, 0.11, 0.187, {}),
        "us-west2": _pd(0.048, 0.12, 0.204, {}),
        "europe-west1": _pd(0.04, 0.10, 0.17, {}),
        "asia-east1": _pd(0.04, 0.10, 0.17, {}),
        "southamerica-east1": _pd(0.06, 0.15, 0.255, {}),
    },
    Provider.EKS: {
        "us-east-1": {"gp3": 0.08},
        "us-west-2": {"gp3": 0.08},
        "eu-west-1": {"gp3": 0.088},
    },
    Provider.AKS: {},
}
"""USD for one GiB and month, by provider, region and product."""


@dataclass(frozen=True)
class Line:
    """The volumes of one storage class. `usd` is None where the price is not known."""

    storage_class: str
    product: str
    claims: int
    gib: int
    usd: float | None


@dataclass(frozen=True)
class Estimate:
    """A month of a testnet's volumes, kept all the time and whether they are attached or not."""

    lines: tuple[Line, ...]

    @property
    def usd(self) -> float | None:
        """USD a month; None when a part of it is not known."""
        parts = [line.usd for line in self.lines]
        return None if None in parts else sum(part for part in parts if part is not None)

    @property
    def known_usd(self) -> float:
        """USD a month of the part whose price is known."""
        return sum(line.usd for line in self.lines if line.usd is not None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Products without a known price."""
        return tuple(sorted({line.product for line in self.lines if line.usd is None}))


def price(provider: Provider, region: str, product: str) -> float | None:
    """USD per GiB and month; None where it is not known. The embedded cluster's disks cost nothing."""
    if provider is Provider.LOCAL:
        return 0.0
    return USD_PER_GIB_MONTH.get(provider, {}).get(region, {}).get(product)


def monthly(spec: TestnetSpec) -> Estimate:
    """The cost of every volume of a testnet, minimums and rounding applied."""
    return estimate(spec, (claimed.volume for claimed in Volumes(spec).all()))


def estimate(spec: TestnetSpec, volumes: Iterable[Volume]) -> Estimate:
    """The cost of some of its volumes."""
    alike: dict[tuple[str, str], list[Volume]] = {}
    for volume in volumes:
        alike.setdefault((volume.class_name, volume.storage_class.capability.product), []).append(volume)
    return Estimate(tuple(_line(spec, members) for members in alike.values()))


def _line(spec: TestnetSpec, volumes: list[Volume]) -> Line:
    product = volumes[0].storage_class.capability.product
    gib = sum(volume.effective_gib for volume in volumes)
    each = price(spec.target.provider, spec.target.region, product)
    return Line(volumes[0].class_name, product, len(volumes), gib, None if each is None else gib * each)
