"""How long a testnet lives: read from its live namespace, so it holds whoever asks and from wherever.

Created is the namespace's own creation time; a plan cannot know it, because the same spec gives the same bytes. It ends
after the `ttl` that was deployed, or when the last renewal ends, whichever is later: a renewal never shortens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mina_infra.cluster.api import NAMESPACE, KubeApi
from mina_infra.errors import ClusterError, MinaInfraError
from mina_infra.plan import labels
from mina_infra.spec.values import Duration


@dataclass(frozen=True)
class Lifetime:
    """When a testnet was made and when it ends. All times are UTC."""

    testnet: str
    uid: str
    created: datetime
    ttl: Duration | None
    renewed_until: datetime | None = None
    owner: str | None = None

    @property
    def expires(self) -> datetime | None:
        """None: it lives until somebody destroys it."""
        if self.ttl is None:
            return None
        end = self.created + timedelta(seconds=self.ttl.seconds)
        return max(end, self.renewed_until) if self.renewed_until else end

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= now


def lifetime(namespace: Mapping[str, Any]) -> Lifetime | None:
    """The lifetime of a testnet's live namespace; None for one that is not ours by its labels.

    Raises ClusterError for annotations that somebody edited into something else: that is never "expired".
    """
    metadata = namespace["metadata"]
    own = metadata.get("labels") or {}
    if own.get(labels.MANAGED_BY) != labels.MINA_INFRA or own.get("testnet") != metadata["name"]:
        return None
    notes = metadata.get("annotations") or {}
    try:
        return Lifetime(
            testnet=metadata["name"],
            uid=metadata["uid"],
            created=parse_time(metadata["creationTimestamp"]),
            ttl=Duration(notes[labels.TTL]) if labels.TTL in notes else None,
            renewed_until=parse_time(notes[labels.RENEWED_UNTIL]) if labels.RENEWED_UNTIL in notes else None,
            owner=notes.get(labels.OWNER),
        )
    except ValueError as error:
        raise ClusterError(f"the namespace '{metadata['name']}' does not say how long it lives: {error}") from error


async def renew(api: KubeApi, testnet: str, length: Duration, now: datetime) -> tuple[Lifetime, Lifetime]:
    """Let a testnet live at least `length` from now; its lifetime before and after.

    The renewal is an annotation of the live namespace that no plan names: `up` and `refresh` leave it alone, and it
    goes with the namespace. Raises ClusterError when there is no such testnet, MinaInfraError when it never ends.
    """
    before = await _ours(api, testnet)
    if before.ttl is None:
        raise MinaInfraError(
            f"testnet '{testnet}' has no ttl: it lives until it is destroyed, there is nothing to renew"
        )
    until = now + timedelta(seconds=length.seconds)
    if before.expires is not None and until <= before.expires:
        return before, before
    # The uid: a namespace that was made anew since we looked is another testnet.
    patch = {"metadata": {"uid": before.uid, "annotations": {labels.RENEWED_UNTIL: print_time(until)}}}
    await api.patch(NAMESPACE, testnet, patch)
    return before, await _ours(api, testnet)


async def _ours(api: KubeApi, testnet: str) -> Lifetime:
    namespace = await api.get(NAMESPACE, testnet)
    found = lifetime(namespace) if namespace else None
    if found is None:
        raise ClusterError(f"there is no testnet '{testnet}' in this cluster")
    return found


def parse_time(text: str) -> datetime:
    """A point in time as Kubernetes writes it: 2026-01-31T12:00:00Z. Raises ValueError."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return found.astimezone(UTC)


def print_time(moment: datetime) -> str:
    """The same the other way round, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(seconds: float) -> str:
    """A length of time for a reader: `3 d 4 h`, `5 h`, `12 min`."""
    minutes = int(abs(seconds)) // 60
    days, hours = minutes // 1440, minutes % 1440 // 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return f"{hours} h" if hours else f"{minutes} min"
