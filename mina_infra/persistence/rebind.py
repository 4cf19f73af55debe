"""Volumes that lost their claims are given back to them, without editing anything by hand.

A retained volume whose claim is gone is Released and never offered again: it still names the dead claim's uid. Giving
it back is to name the claim without a uid, then to make the claim from the plan with the volume's name
(docs/facts.md: storage/rebind). In between, nobody else can bind it. Every step is found done, or done again, when the
command is repeated. `plan_rebind` is pure.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mina_infra.cluster.api import CLAIM, PERSISTENT_VOLUME, KubeApi
from mina_infra.errors import MinaInfraError
from mina_infra.persistence import objects
from mina_infra.persistence.volumes import Contents, Saved, claim_of, handle_of, planned_claims, since
from mina_infra.persistence.waiting import until_bound
from mina_infra.plan import TestnetPlan, labels
from mina_infra.storage.matching import capacity_gib, mismatch, requested_gib

Manifest = Mapping[str, Any]

BOUND_DEADLINE_S = 120.0
"""Seconds for the binder to bring claims and volumes together; it takes one or two."""


class RebindRefusedError(MinaInfraError):
    """These volumes cannot be given back like this; nothing was changed."""


@dataclass(frozen=True)
class Pair:
    """One claim and the volume that it gets back. `make`: the volume's PersistentVolume is to be made first."""

    claim: Manifest
    volume: Manifest
    make: bool = False

    @property
    def name(self) -> str:
        return str(self.claim["metadata"]["name"])

    def line(self) -> str:
        """`whale-1-runtime-state-e1 ← pvc-0b5c (2 GiB, released 2026-11-22T04:00:00Z)`."""
        spec = self.volume["spec"]
        what = [f"{capacity_gib(spec):g} GiB"]
        phase = str((self.volume.get("status") or {}).get("phase", "")).lower()
        what += ["to be made from the file"] if self.make else [f"{phase} {since(self.volume)}".strip()]
        if requested_gib(self.claim["spec"]) > capacity_gib(spec):
            what.append(f"the next up grows it to {requested_gib(self.claim['spec']):g} GiB")
        return f"{self.name} ← {self.volume['metadata']['name']} ({', '.join(what)})"


@dataclass(frozen=True)
class RebindPlan:
    """What is to be done. `missing`: planned claims without a volume to give back; `passed_over`: volumes that were of
    this testnet and stay as they are, each with the reason."""

    pairs: tuple[Pair, ...] = ()
    missing: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()


def plan_rebind(
    plan: TestnetPlan, seen: Contents, *, saved: Iterable[Saved] = (), chosen: Mapping[str, str] | None = None
) -> RebindPlan:
    """Which claim gets which volume. `chosen`: volume by claim, where several fit.

    Only a volume that says that it was this very claim's: namespace and name, which hold testnet, node and era. Raises
    RebindRefusedError where two fit and none was chosen, and for a choice that is none of them.
    """
    _refuse_foreign(plan, seen)
    choices, there = dict(chosen or {}), {volume["metadata"]["name"]: volume for volume in seen.volumes}
    made = {each.manifest["metadata"]["name"]: each for each in saved if each.manifest["metadata"]["name"] not in there}
    _refuse_double(there.values(), made.values(), seen.others)
    pairs, missing = [], []
    passed_over = list(_not_planned(plan, seen))
    for name, manifest in planned_claims(plan).items():
        live = seen.claims.get(name)
        candidates = [volume for volume in seen.volumes if claim_of(volume)[1] == name and _is_free(volume, live)]
        candidates += [each.manifest for each in made.values() if each.claim == name]
        if live is not None and not _waits(live):
            passed_over += [
                f"{volume['metadata']['name']}: claim {name} has {live['spec']['volumeName']}" for volume in candidates
            ]
            continue
        reasons = {volume["metadata"]["name"]: _unfit(manifest, volume) for volume in candidates}
        passed_over += [f"{volume}: {reason}" for volume, reason in reasons.items() if reason]
        fit = [volume for volume in candidates if reasons[volume["metadata"]["name"]] is None]
        picked = _pick(name, fit, choices.pop(name, None))
        if picked is None:
            missing.append(name)
        else:
            pairs.append(Pair(manifest, picked, make=picked["metadata"]["name"] in made))
    if choices:
        raise RebindRefusedError(
            f"--volume names claim '{next(iter(choices))}', which waits for no volume. Waiting: "
            f"{', '.join([*missing, *(pair.name for pair in pairs)]) or 'none'}"
        )
    return RebindPlan(tuple(pairs), tuple(missing), tuple(passed_over))


def _waits(claim: Manifest) -> bool:
    """Whether a live claim has no volume: none yet, or one that is gone."""
    phase = (claim.get("status") or {}).get("phase", "Pending")
    return phase == "Lost" or (phase == "Pending" and not claim["spec"].get("volumeName")) or _half_done(claim)


def _half_done(claim: Manifest) -> bool:
    """Made by an interrupted run of ours (or waiting for a volume of that name) and not bound yet."""
    return (claim.get("status") or {}).get("phase", "Pending") == "Pending" and bool(claim["spec"].get("volumeName"))


def _is_free(volume: Manifest, claim: Manifest | None) -> bool:
    """Whether no living claim holds it."""
    phase = (volume.get("status") or {}).get("phase")
    if claim is not None and claim["spec"].get("volumeName") == volume["metadata"]["name"]:
        return phase != "Bound"
    return phase in ("Released", "Available")


def _unfit(claim: Manifest, volume: Manifest) -> str | None:
    """Why a volume of this claim cannot be given back. A smaller one can: the claim asks for what there is."""
    if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete" and _phase(volume) == "Released":
        return "its policy is Delete, so its provisioner is about to delete it"
    return mismatch(sized(claim, volume), volume)


def _phase(volume: Manifest) -> str:
    return str((volume.get("status") or {}).get("phase", ""))


def sized(claim: Manifest, volume: Manifest) -> dict[str, Any]:
    """The claim as the plan makes it, asking for no more than the volume has."""
    made: dict[str, Any] = copy.deepcopy(dict(claim))
    if requested_gib(claim["spec"]) > capacity_gib(volume["spec"]):
        made["spec"]["resources"]["requests"]["storage"] = volume["spec"]["capacity"]["storage"]
    return made


def _pick(claim: str, fit: Sequence[Manifest], choice: str | None) -> Manifest | None:
    names = [volume["metadata"]["name"] for volume in fit]
    if choice is not None:
        if choice not in names:
            raise RebindRefusedError(
                f"volume '{choice}' cannot be given to claim '{claim}': it was never that claim's, or does not fit. "
                f"That can: {', '.join(names) or 'none'}. Nothing was changed."
            )
        return fit[names.index(choice)]
    if len(fit) > 1:
        told = "; ".join(f"{volume['metadata']['name']} ({_phase(volume)} {since(volume)})" for volume in fit)
        raise RebindRefusedError(
            f"claim '{claim}' could get back {len(fit)} volumes: {told}. Nothing was changed. Say which with "
            f"--volume {claim}={names[0]}"
        )
    return fit[0] if fit else None


def _not_planned(plan: TestnetPlan, seen: Contents) -> Iterable[str]:
    planned = planned_claims(plan)
    for volume in seen.volumes:
        namespace, name = claim_of(volume)
        if namespace == plan.spec.namespace and name not in planned and _phase(volume) in ("Released", "Available"):
            yield f"{volume['metadata']['name']}: it was of '{name}', which the document does not plan"


def _refuse_foreign(plan: TestnetPlan, seen: Contents) -> None:
    if seen.is_anothers(plan.spec):
        raise RebindRefusedError(
            f"the namespace '{plan.spec.namespace}' belongs to somebody else; nothing was changed. Is it the right "
            "cluster (mina-infra:cluster in the stack file)?"
        )


def _refuse_double(there: Iterable[Manifest], made: Iterable[Saved], others: Mapping[str, str]) -> None:
    """One disk in two PersistentVolumes could be attached twice; a name that is taken is another's volume."""
    taken = {handle: str(each["metadata"]["name"]) for each in there if (handle := handle_of(each))} | dict(others)
    for each in made:
        for known in (handle_of(each.manifest), str(each.manifest["metadata"]["name"])):
            if known in taken:
                raise RebindRefusedError(
                    f"'{known}' of claim '{each.claim}' is volume '{taken[known]}' in this cluster already, and not "
                    "that claim's; nothing was changed. Take it out of the file."
                )


async def carry_out(
    api: KubeApi, plan: TestnetPlan, rebind: RebindPlan, update: Callable[[str], object] = lambda _line: None
) -> None:
    """Give the volumes back and wait until their claims are Bound. Raises ClusterError; again completes it."""
    if not rebind.pairs:
        return
    await _ensure_namespace(api, plan)
    for number, pair in enumerate(rebind.pairs, 1):
        update(f"{number}/{len(rebind.pairs)} {pair.name}")
        await _give_back(api, pair)
    await until_bound(api, plan.spec.namespace, {pair.name for pair in rebind.pairs}, BOUND_DEADLINE_S, update)


async def _ensure_namespace(api: KubeApi, plan: TestnetPlan) -> None:
    """Into a cluster that never saw the testnet, its namespace comes first; `up` adopts it."""
    await objects.create_once(api, plan.namespace())


async def _give_back(api: KubeApi, pair: Pair) -> None:
    metadata = pair.claim["metadata"]
    live = await api.get(CLAIM, pair.name, metadata["namespace"])
    # A Lost claim is bound already, as it thinks, so the volume must name it as the one that it is.
    uid = live["metadata"]["uid"] if live and (live.get("status") or {}).get("phase") == "Lost" else None
    reference = {"apiVersion": "v1", "kind": CLAIM.kind, "namespace": metadata["namespace"], "name": pair.name}
    volume = pair.volume["metadata"]["name"]
    if pair.make:
        made = copy.deepcopy(dict(pair.volume))
        made["spec"]["claimRef"] = {**reference, **({"uid": uid} if uid else {})}
        await objects.create_once(api, made)
    else:
        patch = {
            # Refused when somebody else changed it since it was looked at.
            "metadata": {
                "resourceVersion": pair.volume["metadata"]["resourceVersion"],
                "annotations": {labels.CLAIM: f"{metadata['namespace']}/{pair.name}"},
            },
            "spec": {"claimRef": {**reference, "uid": uid, "resourceVersion": None}},
        }
        await api.patch(PERSISTENT_VOLUME, volume, patch)
    if live is None:
        made = sized(pair.claim, pair.volume)
        made["spec"]["volumeName"] = volume
        await objects.create_once(api, made)
