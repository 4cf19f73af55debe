"""Claims, volumes and disks that no live testnet owns. Pure: what the cluster holds against what the stacks say.

A stopped testnet looks exactly like a forgotten one, so "nobody uses it" is never enough: an orphan is what no stack of
this project plans, has on record or mounts, in a place whose stack is known. What cannot be told is unknown, and is
never deleted (docs/facts.md: hygiene/orphans).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from mina_infra.hygiene.contents import (
    Claim,
    Contents,
    Manifest,
    claims_of_pod,
    is_labelled,
    is_ours,
    moved_from,
)
from mina_infra.persistence import objects
from mina_infra.persistence.objects import is_bound
from mina_infra.plan import TestnetPlan


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


@dataclass(frozen=True)
class Owners:
    """What the stacks that run in one cluster say. `whole`: every stack of the project could be read."""

    testnets: frozenset[str] = frozenset()
    claims: frozenset[Claim] = frozenset()
    volumes: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    whole: bool = True

    def doubting(self, found: tuple[Orphan, ...]) -> tuple[Orphan, ...]:
        """None of them is surely an orphan while a stack could not be read: it may be that one's."""
        if self.whole:
            return found
        return tuple(
            replace(each, sure=False, reason="a stack of this project could not be read") if each.sure else each
            for each in found
        )


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


def judge(contents: Contents, known: Owners) -> tuple[Orphan, ...]:
    """Everything of ours that no stack owns, claims first. Foreign objects are not looked at."""
    return known.doubting((*_claims(contents, known), *_volumes(contents, known)))


def _claims(contents: Contents, known: Owners) -> Iterator[Orphan]:
    for claim in contents.claims:
        metadata = claim["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if not is_labelled(claim) or key in known.claims or key in contents.mounted or "deletionTimestamp" in metadata:
            continue
        gib = objects.gib(claim["spec"]["resources"]["requests"]["storage"])
        row = Orphan("claim", "/".join(key), gib, contents.usd(claim, gib, known.regions), "", manifest=claim)
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
        gib = objects.gib(volume["spec"]["capacity"]["storage"])
        row = Orphan("volume", name, gib, contents.usd(volume, gib, known.regions), "", manifest=volume)
        of = f"{phase}, of {namespace}/{reference.get('name')}" if reference else f"{phase}, of no claim"
        if (moved := moved_from(volume)) and namespace in known.testnets:
            yield _left_by_migrate(row, moved, contents)
        elif (namespace, reference.get("name", "")) in known.claims:
            yield replace(row, sure=False, reason=f"{of}, which a stack of this project plans")
        elif namespace in known.testnets:
            yield replace(row, reason=f"{of}, which no stack plans")
        elif not reference or namespace in there:
            yield replace(row, sure=False, reason=f"{of}; no stack of this project knows it")
        else:
            yield replace(row, reason=f"{of}; the namespace is gone")


def _left_by_migrate(row: Orphan, claim: str, contents: Contents) -> Orphan:
    """The last copy of a claim's data is never surely an orphan."""
    namespace, _, name = claim.partition("/")
    for each in contents.claims:
        metadata, has = each["metadata"], each["spec"].get("volumeName")
        if (metadata["namespace"], metadata["name"]) == (namespace, name) and is_bound(each) and has != row.name:
            return replace(row, reason=f"left by `migrate`: the data of {claim} is on {has} now")
    return replace(row, sure=False, reason=f"left by `migrate`, and {claim} has no other volume yet")
