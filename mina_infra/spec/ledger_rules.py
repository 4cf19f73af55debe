"""Where the genesis artefacts come from: what each source needs, and what says nothing with it."""

from __future__ import annotations

from collections.abc import Iterator

from mina_infra.spec.errors import Issue
from mina_infra.spec.models import Ledger

PATH = ("genesis", "ledger")
NEEDS = {
    "shared-claim": ("image",),
    "config-map": (),
    "image": ("image",),
    "init-copy": ("image",),
    "existing-claim": ("claim", "digest"),
    "bucket": ("bucket", "digest"),
    "disk-copies": ("snapshot", "digest"),
}
"""What has to be said with each source."""

_ONLY = {"claim": "existing-claim", "bucket": "bucket", "workload_identity": "bucket", "snapshot": "disk-copies"}
_MEANS = {
    "image": "the image that holds /genesis",
    "claim": "the claim that holds the artefacts",
    "bucket": "the bucket that holds the artefacts",
    "snapshot": "a snapshot of a disk that holds the artefacts",
    "digest": "the digest of their files: nothing else tells one genesis from another there",
}
_DIGEST_HINT = (
    "Take the one that the filling Job printed, or: find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum "
    "| sha256sum"
)


def check(ledger: Ledger) -> Iterator[Issue]:
    """All issues of `genesis.ledger` that need no provider."""
    if ledger.image is not None and "@sha256:" not in ledger.image:  # docs/facts.md: refusal/V18
        yield Issue(
            (*PATH, "image"),
            f"image '{ledger.image}' has a tag; a genesis artifact must be pinned by digest (@sha256:...).",
            "Take the digest that the registry printed when the image was pushed.",
        )
    for field in NEEDS[ledger.source]:
        if getattr(ledger, field) is None:
            yield _missing(ledger.source, field)
    for field, source in _ONLY.items():
        if getattr(ledger, field) is not None and ledger.source != source:
            key = "workloadIdentity" if field == "workload_identity" else field
            yield Issue((*PATH, key), f"`{key}` says nothing with source {ledger.source}.", f"Set source: {source}.")
    for field in ("claim", "snapshot"):
        name = getattr(ledger, field)
        if name and "/" in name:  # docs/facts.md: refusal/V28
            yield Issue(
                (*PATH, field),
                f"'{name}' is in another namespace; claims and snapshots cannot be shared.",
                "Import it into the testnet's namespace, or use a source without a namespace: image or bucket.",
            )


def _missing(source: str, field: str) -> Issue:
    """What a source needs and has not got; a disk without data is docs/facts.md: refusal/V3 by another name."""
    if field == "snapshot":
        message = f"a ReadOnlyMany persistent disk must be created from data: source {source} needs {_MEANS[field]}."
        return Issue((*PATH, field), message, "Set genesis.ledger.snapshot, or choose source: image.")
    hint = f"Set genesis.ledger.{field}."
    if source == "shared-claim":
        hint = "Set genesis.ledger.image, or source: config-map when the ledger is inside the runtime config."
    elif field == "digest":
        hint = _DIGEST_HINT
    return Issue((*PATH, field), f"source {source} needs {_MEANS[field]}.", hint)
