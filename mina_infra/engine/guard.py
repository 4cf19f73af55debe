"""What would lose a volume is refused before the engine runs: the plan against the cluster and the engine's record.

Whose claims are in danger says `plan.losses`; here it gets to know what exists. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mina_infra.cluster.api import CLAIM, STORAGE_CLASS
from mina_infra.engine.inventory import Live
from mina_infra.engine.state import ObjectKey, Recorded
from mina_infra.errors import EngineError
from mina_infra.plan import TestnetPlan
from mina_infra.plan.labels import TESTNET
from mina_infra.plan.losses import Held, Loss, Verdict, held, judge, losses, message, resource_of


class VolumesInDangerError(EngineError):
    """A run that would lose volumes; `refused` are all of them."""

    def __init__(self, refused: Sequence[Loss]) -> None:
        super().__init__(message(refused))
        self.refused = tuple(refused)


def examine_volumes(
    plan: TestnetPlan, known: Recorded, live: Live, allow: Sequence[str], moved: tuple[str, str] | None = None
) -> Verdict:
    """What the plan would do to the claims that exist, and what of it the allow list names."""
    classes = [
        key.name
        for key, each in known.objects.items()
        # Those that a cluster's testnets share are not this one's to lose.
        if key.kind == STORAGE_CLASS.kind and (each.manifest["metadata"].get("labels") or {}).get(TESTNET)
    ]
    return judge(losses(holdings(known, live, moved), [plan], classes=classes, moved=moved), allow)


def holdings(known: Recorded, live: Live, moved: tuple[str, str] | None = None) -> Iterator[Held]:
    """The claims that exist: those on record which the cluster has, and what else it has in the namespaces looked at.

    A claim on record that is gone has nothing to lose; one that is being deleted, nothing to save. Of another cluster
    (`moved`) only the record tells.
    """
    for key, each in known.objects.items():
        if key.kind == CLAIM.kind and (moved or (key in live and not live[key].leaving)):
            yield held(each.manifest if moved else live[key].manifest, resource_of(each.urn))
    for key, found in live.items():
        if key.kind == CLAIM.kind and key not in known.objects and not found.leaving:
            yield held(found.manifest)


@dataclass(frozen=True)
class Way:
    """What has to be done before the engine can lose the volumes that it may lose. URNs, sorted.

    `unprotect`: on its record protected, and in the way. `remove`: claims that are made anew, taken away first with
    what mounts them: the provider would wait for their pods, and these for it
    (docs/facts.md: pulumi/replaced-while-mounted).
    """

    unprotect: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


def way_for(verdict: Verdict, plan: TestnetPlan, known: Recorded) -> Way:
    """Everything protected that leaves the plan: its claims are named, and what holds no claim holds no data."""
    anew = {
        ObjectKey("", CLAIM.kind, each.namespace, each.claim)
        for each in verdict.allowed
        if not each.leaves and each.field not in ("storage class", "cluster")
    }
    moved = any(each.field == "cluster" for each in verdict.allowed)
    planned = {ObjectKey.of(each.manifest) for each in plan.objects()}
    return Way(
        unprotect=tuple(
            sorted(
                each.urn
                for key, each in known.objects.items()
                if each.protect and (moved or key in anew or key not in planned)
            )
        ),
        remove=tuple(sorted(known.objects[key].urn for key in anew if key in known.objects)),
    )
