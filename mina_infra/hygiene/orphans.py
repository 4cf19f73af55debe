"""Claims, volumes and disks that no live testnet owns. Pure: what the cluster holds against what the stacks say.

A stopped testnet looks exactly like a forgotten one, so "nobody uses it" is never enough: an orphan is what no stack of
this project plans, has on record or mounts, in a place whose stack is known. What cannot be told is unknown, and is
never deleted (docs/facts.md: hygiene/orphans).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mina_infra.plan import TestnetPlan, labels
from mina_infra.spec import Provider, VolumeKind
from mina_infra.spec.values import Size
from mina_infra.storage.prices import usd_a_month
from mina_infra.storage.products import product_of

Manifest = Mapping[str, Any]
Claim = tuple[str, str]
"""Namespace and name."""

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
LOCAL = "local.mina-infra"
REGION = "topology.kubernetes.io/region"
_OUR_CLAIM = re.compile(rf"(.+-)?({'|'.join(kind.value for kind in VolumeKind)})-e\d+")


@dataclass(frozen=True)
class Owners:
    """What the stacks that run in one cluster say. `whole`: every stack of the project could be read."""

    testnets: frozenset[str] = frozenset()
    claims: frozenset[Claim] = frozenset()
    volumes: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    whole: bool = True


@dataclass(frozen=True)
class Contents:
    """What one cluster holds."""

    namespaces: tuple[Manifest, ...] = ()
    claims: tuple[Manifest, ...] = ()
    volumes: tuple[Manifest, ...] = ()
    classes: tuple[Manifest, ...] = ()
    pods: tuple[Manifest, ...] = ()
    deployments: tuple[Manifest, ...] = ()
    machines: tuple[Manifest, ...] = ()

    @property
    def region(self) -> str | None:
        """The region that the machines say they are in; None where they say none or several."""
        said = {(each["metadata"].get("labels") or {}).get(REGION) for each in self.machines}
        return said.pop() if len(said) == 1 else None

    def product(self, of: Manifest) -> tuple[Provider, str] | None:
        """What a claim or volume is billed as, by its class; None where the class is gone or its driver not known."""
        if (of["metadata"].get("annotations") or {}).get(PROVISIONED_BY) == LOCAL:
            return Provider.LOCAL, "local"
        name = of["spec"].get("storageClassName")
        found = next((each for each in self.classes if each["metadata"]["name"] == name), None)
        return product_of(found) if found else None


@dataclass(frozen=True)
class Orphan:
    """Something that nobody seems to own. `sure` is False where that cannot be told: see `reason`.

    `name` is what `--delete` wants: a claim's is `namespace/name`. `usd` is for a month, None where it is not known.
    """

    kind: str
    name: str
    gib: int
    usd: float | None
    reason: str
    sure: bool = True
    manifest: Manifest = field(default_factory=dict, compare=False)


def owners(plans: Iterable[TestnetPlan], recorded: Iterable[Claim], *, whole: bool) -> Owners:
    """What the plans claim or mount, and what is on record."""
    found, claims, volumes = tuple(plans), set(recorded), set()
    for plan in found:
        for manifest in (each.manifest for each in plan.objects()):
            namespace = manifest["metadata"].get("namespace", "")
            if manifest["kind"] == "PersistentVolumeClaim":
                claims.add((namespace, manifest["metadata"]["name"]))
                volumes |= {manifest["spec"]["volumeName"]} if manifest["spec"].get("volumeName") else set()
            elif manifest["kind"] in ("Deployment", "Job"):
                claims |= claims_of_pod(namespace, manifest["spec"]["template"]["spec"])
    return Owners(
        frozenset(plan.spec.namespace for plan in found),
        frozenset(claims),
        frozenset(volumes),
        frozenset(plan.spec.target.region for plan in found),
        whole,
    )


def claims_of_pod(namespace: str, pod: Manifest) -> set[Claim]:
    sources = (each.get("persistentVolumeClaim") for each in pod.get("volumes") or ())
    return {(namespace, source["claimName"]) for source in sources if source}


def judge(contents: Contents, known: Owners) -> tuple[Orphan, ...]:
    """Everything of ours that no stack owns, claims first. Foreign objects are not looked at."""
    found = [*_claims(contents, known), *_volumes(contents, known)]
    if known.whole:
        return tuple(found)
    return tuple(
        replace(each, sure=False, reason="a stack of this project could not be read") if each.sure else each
        for each in found
    )


def _claims(contents: Contents, known: Owners) -> Iterator[Orphan]:
    mounted = {
        claim for pod in contents.pods for claim in claims_of_pod(pod["metadata"]["namespace"], pod.get("spec") or {})
    }
    for claim in contents.claims:
        metadata = claim["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if not is_labelled(claim) or key in known.claims or key in mounted or "deletionTimestamp" in metadata:
            continue
        gib = gib_of(claim["spec"]["resources"]["requests"]["storage"])
        row = Orphan("claim", "/".join(key), gib, _usd(contents, known, claim, gib), "", manifest=claim)
        if key[0] in known.testnets:
            yield replace(row, reason="its stack neither plans it nor has it on record")
        else:
            yield replace(row, sure=False, reason=f"testnet '{key[0]}' is no stack of this project")


def _volumes(contents: Contents, known: Owners) -> Iterator[Orphan]:
    there = {each["metadata"]["name"] for each in contents.namespaces}
    for volume in contents.volumes:
        phase = (volume.get("status") or {}).get("phase")
        reference = volume["spec"].get("claimRef") or {}
        name, namespace = volume["metadata"]["name"], reference.get("namespace", "")
        if phase not in ("Released", "Available", "Failed") or name in known.volumes or not is_ours(volume, contents):
            continue
        gib = gib_of(volume["spec"]["capacity"]["storage"])
        row = Orphan("volume", name, gib, _usd(contents, known, volume, gib), "", manifest=volume)
        of = f"{phase}, of {namespace}/{reference.get('name')}" if reference else f"{phase}, of no claim"
        if (namespace, reference.get("name", "")) in known.claims:
            yield replace(row, sure=False, reason=f"{of}, which a stack of this project plans")
        elif namespace in known.testnets:
            yield replace(row, reason=f"{of}, which no stack plans")
        elif not reference or namespace in there:
            yield replace(row, sure=False, reason=f"{of}; no stack of this project knows it")
        else:
            yield replace(row, reason=f"{of}; the namespace is gone")


def is_labelled(manifest: Manifest) -> bool:
    return bool((manifest["metadata"].get("labels") or {}).get(labels.MANAGED_BY) == "mina-infra")


def is_ours(volume: Manifest, contents: Contents) -> bool:
    """Provisioners give volumes none of our labels; their class or their claim's name tells."""
    own = {each["metadata"]["name"] for each in contents.classes if is_labelled(each)}
    name = (volume["spec"].get("claimRef") or {}).get("name", "")
    return (
        is_labelled(volume) or volume["spec"].get("storageClassName") in own or _OUR_CLAIM.fullmatch(name) is not None
    )


def _usd(contents: Contents, known: Owners, of: Manifest, gib: int) -> float | None:
    """A month of it. Not known where its class is gone, no price list has it, or the region cannot be told."""
    found = contents.product(of)
    region = contents.region or (next(iter(known.regions)) if len(known.regions) == 1 else "")
    return usd_a_month(found[0], region, found[1], gib) if found else None


def gib_of(quantity: str) -> int:
    """Whole GiB of a Kubernetes quantity, rounded up."""
    return -(-int(quantity) // 2**30) if quantity.isdigit() else Size(quantity).gib


def is_our_claim(name: str) -> bool:
    """Whether a claim's name is one that our plans give."""
    return _OUR_CLAIM.fullmatch(name) is not None
