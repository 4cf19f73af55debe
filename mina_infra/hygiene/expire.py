"""Which testnets have outlived their time, and whose business it is to remove them.

Only the stack that made a testnet may remove it: deleting its objects behind the engine's back would leave a record of
things that are gone. So a testnet is removed here when a stack of this project has exactly this namespace on record;
any other expired one is named and left alone (docs/facts.md: hygiene/through-the-stack).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mina_infra.cluster.api import DEPLOYMENT, NAMESPACE, KubeApi
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.state import ObjectKey, recorded
from mina_infra.errors import ClusterError
from mina_infra.hygiene.lifetime import Lifetime, lifetime, print_time, span
from mina_infra.plan import labels


class Standing(StrEnum):
    """Where a testnet stands."""

    LIVING = "living"
    EXPIRED = "expired"
    """Its time is over, and a stack of this project may remove it."""
    LEFT = "left behind"
    """The namespace of a test that should have removed it itself: nothing is lost with it, and no stack knows it."""
    KEPT = "kept"
    """Its time is over, it was removed, and its volumes were kept on purpose (`retention: retain`)."""
    FOREIGN = "not ours to remove"
    """Its time is over, but no stack of this project has it on record."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Found:
    """One testnet of a cluster. `stack` is the one that owns it."""

    testnet: str
    standing: Standing
    life: Lifetime | None = None
    stack: str | None = None
    reason: str = ""

    def line(self, now: datetime) -> str:
        """What a reader wants to know of it."""
        end = self.life.expires if self.life else None
        if self.life is None:
            text = self.reason
        elif end is None:
            text = "no ttl, lives until it is destroyed"
        elif end > now:
            text = f"ends {print_time(end)}, in {span((end - now).total_seconds())}"
        else:
            text = f"ended {print_time(end)}, {span((now - end).total_seconds())} ago"
        whose = [f"stack {self.stack}"] if self.stack else []
        whose += [f"owner {self.life.owner}"] if self.life and self.life.owner else []
        reason = [self.reason] if self.reason and self.life else []
        return "; ".join([text, *whose, *reason])


@dataclass(frozen=True)
class Seen:
    """What a cluster holds: the namespaces that are ours, and how many Deployments are in each."""

    namespaces: tuple[Mapping[str, Any], ...]
    deployments: Mapping[str, int]


async def see(api: KubeApi) -> Seen:
    """All testnets of a cluster. Raises ClusterError."""
    namespaces = await api.objects(NAMESPACE, labels=labels.OURS)
    counts: dict[str, int] = {}
    for each in await api.objects(DEPLOYMENT, labels=labels.OURS):
        place = each["metadata"]["namespace"]
        counts[place] = counts.get(place, 0) + 1
    return Seen(tuple(namespaces), counts)


def owner_of(namespace_uid: str, name: str, environments: Iterable[EngineEnvironment]) -> EngineEnvironment | None:
    """The stack that has this very namespace on record; an older one of the same name is another testnet."""
    for environment in environments:
        if environment.plan.spec.namespace != name:
            continue
        known = recorded(environment).objects.get(ObjectKey("", "Namespace", "", name))
        if known is not None and known.uid == namespace_uid:
            return environment
    return None


def judge(seen: Seen, environments: Iterable[EngineEnvironment], now: datetime) -> tuple[Found, ...]:
    """Where each testnet of a cluster stands. Reads the record only of stacks whose testnet has expired."""
    stacks = tuple(environments)
    return tuple(_judge(namespace, seen, stacks, now) for namespace in seen.namespaces)


def _judge(
    namespace: Mapping[str, Any], seen: Seen, environments: tuple[EngineEnvironment, ...], now: datetime
) -> Found:
    name = namespace["metadata"]["name"]
    try:
        life = lifetime(namespace)
    except ClusterError as error:
        return Found(name, Standing.UNKNOWN, reason=str(error))
    if life is None:
        return Found(name, Standing.UNKNOWN, reason="its labels name another testnet than itself")
    if "deletionTimestamp" in namespace["metadata"] or not life.expired(now):
        return Found(name, Standing.LIVING, life)
    if (joined := (namespace["metadata"].get("labels") or {}).get(labels.JOIN)) is not None:
        return Found(name, Standing.LEFT, life, reason=f"an outsider that joined {joined} for a test")
    owner = owner_of(life.uid, name, environments)
    if owner is None:
        return Found(name, Standing.FOREIGN, life, reason="no stack of this project has it on record")
    if not seen.deployments.get(name) and recorded(owner).protected:
        return Found(name, Standing.KEPT, life, owner.stack, "only its kept volumes are left")
    return Found(name, Standing.EXPIRED, life, owner.stack)
