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
    """Limits of a namespace: GiB of all requests, number of claims."""

    gib: int
    claims: int


def storage_quota(spec: TestnetSpec) -> StorageQuota:
    volumes = Volumes(spec)
    # A claim that was there before counts as well; of its size nothing is known but the default.
    sizes = [each.volume.effective_gib for each in (*volumes.all(), *volumes.existing())]
    return StorageQuota(HEADROOM * sum(sizes) + SPARE_GIB, HEADROOM * len(sizes) + SPARE_CLAIMS)
