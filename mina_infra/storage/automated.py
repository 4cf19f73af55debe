"""A testnet that a machine makes keeps nothing: every run would leave its volumes behind, and nobody looks."""

from __future__ import annotations

from collections.abc import Iterator

from mina_infra.spec import Issue, Retention, TestnetSpec
from mina_infra.storage.classes import NoSuchDisk
from mina_infra.storage.cost import estimate
from mina_infra.storage.volumes import Volumes


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """Volumes that outlive an automated testnet (docs/facts.md: refusal/V33)."""
    if not spec.automated:
        return
    try:
        kept = [each.volume for each in Volumes(spec).all() if each.volume.retention is Retention.RETAIN]
    except NoSuchDisk:
        return  # said for the volume itself
    if kept:
        usd = estimate(spec, kept).usd
        price = "at a price not known" if usd is None else f"${usd:,.2f}/month"
        yield Issue(
            ("retention",) if spec.retention is Retention.RETAIN else ("automated",),
            f"testnet '{spec.name}': retention 'retain' on an automated testnet leaks "
            f"{sum(volume.effective_gib for volume in kept)} GiB ({price}) per run.",
            "Use retention: delete for all its volumes.",
        )
