"""Before a run: do the volumes that the document names exist and fit, and what has a missing claim left behind?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from mina_infra.cluster.api import PERSISTENT_VOLUME, KubeApi
from mina_infra.engine.inventory import Live, some
from mina_infra.engine.state import ObjectKey
from mina_infra.errors import EngineError
from mina_infra.plan import TestnetPlan
from mina_infra.storage.matching import mismatch

Manifest = Mapping[str, Any]


async def examine_existing(api: KubeApi, plan: TestnetPlan, live: Live, allow: Sequence[str] = ()) -> None:
    """Raise EngineError for a named volume that cannot be bound, and for volumes that missing claims have left.

    A claim that a pattern of `allow` names may begin anew, whatever it has left. Asks only when a claim is to be made.
    Changes nothing.
    """
    new = [manifest for manifest in plan.claims() if ObjectKey.of(manifest) not in live]
    if not new:
        return
    volumes = await api.objects(PERSISTENT_VOLUME)
    problems = list(unfit(new, volumes))
    if problems:
        raise EngineError("\n".join(["nothing was changed; volumes of the document cannot be bound:", *problems]))
    forgiven = [each for each in new if not any(fnmatchcase(each["metadata"]["name"], one) for one in allow)]
    left = lost_and_found(forgiven, volumes)
    if left:
        raise EngineError(
            f"nothing was changed; {len(left)} claims are missing and their volumes are still there, Released: "
            f"{some(left)}. New, empty ones would take their place.\n"
            "Give them back first: mina-infra rebind. To begin anew on empty volumes: --allow-volume CLAIM."
        )


def unfit(claims: Iterable[Manifest], volumes: Iterable[Manifest]) -> Iterable[str]:
    """Why claims of the plan could not bind the volumes that they name (docs/facts.md: refusal/V27)."""
    known = {volume["metadata"]["name"]: volume for volume in volumes}
    for claim in claims:
        name = claim["spec"].get("volumeName")
        if not name:
            continue
        if name not in known:
            yield (
                f"volume '{claim['metadata']['name']}': existingVolume '{name}' turns off provisioning and no such "
                "volume exists. Remove it, or create the volume first (`mina-infra rebind --from-file`)."
            )
        elif reason := mismatch(claim, known[name]):
            yield (
                f"volume '{claim['metadata']['name']}': existingVolume '{name}' cannot be bound: {reason}. The claim "
                "would wait for ever."
            )
        elif (known[name].get("status") or {}).get("phase") == "Released":
            yield (
                f"volume '{claim['metadata']['name']}': existingVolume '{name}' is Released and still names the claim "
                "that is gone. Run: mina-infra rebind"
            )


def lost_and_found(claims: Iterable[Manifest], volumes: Iterable[Manifest]) -> list[str]:
    """The Released volumes that were of these claims, by their names."""
    wanted = {(claim["metadata"]["namespace"], claim["metadata"]["name"]) for claim in claims}
    return [
        volume["metadata"]["name"]
        for volume in volumes
        if (volume.get("status") or {}).get("phase") == "Released"
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain"
        and (reference := volume["spec"].get("claimRef") or {})
        and (reference.get("namespace"), reference.get("name")) in wanted
    ]
