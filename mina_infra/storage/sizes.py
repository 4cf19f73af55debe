"""What a provider provisions and bills for a requested size."""

from __future__ import annotations

from mina_infra.spec.values import Size
from mina_infra.storage.capabilities import Capability


def effective_gib(size: Size, capability: Capability) -> int:
    """Whole GiB: rounded up, raised to the smallest volume, then to the next size that is billed.

    So drivers and bills do it (docs/facts.md: storage/minimum-sizes). The claim asks for exactly this, so that what is
    planned, billed and counted against quotas is one number.
    """
    gib = max(size.gib, capability.min_gib)
    return next((step for step in capability.steps_gib if step >= gib), gib)
