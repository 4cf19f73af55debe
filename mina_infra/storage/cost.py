"""What a testnet's volumes cost a month: a pure function of the spec and the dated price lists.

A region or product that the lists do not know makes the estimate say so; it is never counted as nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mina_infra.spec import TestnetSpec
from mina_infra.storage.prices import dated, usd_a_month
from mina_infra.storage.prices import price as price
from mina_infra.storage.volumes import Volume, Volumes


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
    """A month of a testnet's volumes, kept all the time and whether they are attached or not.

    `prices_of`: date of the oldest price list that was used, None where no list has any of the products.
    """

    lines: tuple[Line, ...]
    prices_of: str | None = None

    @property
    def usd(self) -> float | None:
        """USD a month; None when a part of it is not known."""
        return None if self.unknown else self.known_usd

    @property
    def known_usd(self) -> float:
        """USD a month of the part whose price is known."""
        return sum(line.usd for line in self.lines if line.usd is not None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Products without a known price."""
        return tuple(sorted({line.product for line in self.lines if line.usd is None}))


def monthly(spec: TestnetSpec) -> Estimate:
    """The cost of every volume of a testnet, minimums and rounding applied."""
    return estimate(spec, (claimed.volume for claimed in Volumes(spec).all()))


def estimate(spec: TestnetSpec, volumes: Iterable[Volume]) -> Estimate:
    """The cost of some of its volumes."""
    alike: dict[tuple[str, str], list[Volume]] = {}
    for volume in volumes:
        alike.setdefault((volume.class_name, volume.storage_class.capability.product), []).append(volume)
    lines = tuple(_line(spec, members) for members in alike.values())
    return Estimate(lines, dated(spec.target.provider, (line.product for line in lines)))


def _line(spec: TestnetSpec, volumes: list[Volume]) -> Line:
    product = volumes[0].storage_class.capability.product
    sizes = Counter(volume.effective_gib for volume in volumes)
    each = {gib: usd_a_month(spec.target.provider, spec.target.region, product, gib) for gib in sizes}
    known = [usd * sizes[gib] for gib, usd in each.items() if usd is not None]
    total = sum(known) if len(known) == len(sizes) else None
    return Line(volumes[0].class_name, product, len(volumes), sum(gib * n for gib, n in sizes.items()), total)
