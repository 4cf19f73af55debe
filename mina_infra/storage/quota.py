"""How much storage a testnet may claim in its namespace."""

from __future__ import annotations

from dataclasses import dataclass

from mina_infra.spec import TestnetSpec
from mina_infra.storage.volumes import Volumes

HEADROOM = 2
"""Times what is planned: a new era's volumes are made before the old era's go."""

SPARE_CLAIMS = 10
SPARE_GIB = 100
"""A restored snapshot or a volume under inspection."""


@dataclass(frozen=True)
class StorageQuota:
    """Limits of a namespace: GiB of all requests, number of claims. Both are `coarse`."""

    gib: int
    claims: int


def storage_quota(spec: TestnetSpec) -> StorageQuota:
    volumes = Volumes(spec)
    # A claim that was there before counts as well; of its size nothing is known but the default.
    sizes = [each.volume.effective_gib for each in (*volumes.all(), *volumes.existing())]
    return StorageQuota(coarse(HEADROOM * sum(sizes) + SPARE_GIB), coarse(HEADROOM * len(sizes) + SPARE_CLAIMS))


def coarse(limit: int) -> int:
    """The next of 1, 2, 3, 4, 6, 8, 12, 16, 24, ...: at least the limit, and less than half of it more.

    A limit that followed each node would change with each node: adding one would touch the whole testnet's quota, and
    a review would show a change that means nothing.
    """
    power = 1 << (limit - 1).bit_length()
    return power * 3 // 4 if limit > 2 and power * 3 // 4 >= limit else power
