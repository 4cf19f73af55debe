"""Before a run: the storage classes that a testnet refers to and does not make, and those declared for all.

A claim of a class that is missing waits for ever, and one of a class with other settings gets a disk that nobody asked
for; both look well to the engine. A class has one owner: the stack that is written on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mina_infra.cluster.api import (
    ATTRIBUTES_CLASS,
    CLAIM,
    PERSISTENT_VOLUME,
    STORAGE_CLASS,
    ApiStatusError,
    Kind,
    KubeApi,
)
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.inventory import Live, some
from mina_infra.engine.state import ObjectKey, Recorded
from mina_infra.errors import EngineError
from mina_infra.plan import PlannedObject, labels
from mina_infra.storage import parameters
from mina_infra.storage.classes import IMMUTABLE, differences
from mina_infra.storage.volumes import Volumes

Manifest = Mapping[str, Any]

USED = 5
"""Claims that a message names."""


@dataclass(frozen=True)
class ClusterClasses:
    """The classes of a cluster, and who refers to each: claims by `namespace/name`, kept volumes by their name."""

    classes: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    users: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def declared_by(self, stack: str) -> Iterator[ObjectKey]:
        """What a stack made for the whole cluster, as is written on it."""
        return (key for key, each in self.classes.items() if owner(each) == stack)


def owner(manifest: Manifest) -> str | None:
    """The stack that declares a class for the cluster; None for a testnet's or a stranger's."""
    metadata = manifest["metadata"]
    if (metadata.get("labels") or {}).get(labels.SCOPE) != labels.of_cluster()[labels.SCOPE]:
        return None
    found: str | None = (metadata.get("annotations") or {}).get(labels.STACK)
    return found


async def read(api: KubeApi, *, users: bool) -> ClusterClasses:
    """The classes of a cluster; with `users` also who refers to them, which reads all claims and volumes."""
    kinds: list[Kind] = [STORAGE_CLASS, ATTRIBUTES_CLASS]
    classes, attributes = await asyncio.gather(*(_served(api, kind) for kind in kinds))
    found = {ObjectKey.of(each): each for each in (*classes, *attributes)}
    if not users:
        return ClusterClasses(found)
    claims, volumes = await asyncio.gather(api.objects(CLAIM), api.objects(PERSISTENT_VOLUME))
    named: dict[str, list[str]] = {}
    for item, kept in (*((each, False) for each in claims), *((each, True) for each in volumes)):
        if kept and item["spec"].get("claimRef") and (item.get("status") or {}).get("phase") == "Bound":
            continue  # told by its claim
        metadata = item["metadata"]
        text = f"volume {metadata['name']}" if kept else f"{metadata['namespace']}/{metadata['name']}"
        for key in ("storageClassName", "volumeAttributesClassName"):
            if item["spec"].get(key):
                named.setdefault(item["spec"][key], []).append(text)
    return ClusterClasses(found, {name: sorted(each) for name, each in named.items()})


async def _served(api: KubeApi, kind: Kind) -> list[dict[str, Any]]:
    """Objects of a kind; none where the cluster is too old to have it."""
    try:
        return await api.objects(kind)
    except ApiStatusError as error:
        if error.code == 404:
            return []
        raise


# What a testnet refers to.


async def refuse_for_testnet(api: KubeApi, env: EngineEnvironment, live: Live) -> None:
    """Raise EngineError when the testnet refers to a class that is missing, is another one, or is of another age."""
    if not _foreign(env):
        return
    problems = list(testnet_problems(env, await read(api, users=False), live))
    if problems:
        raise EngineError("\n".join(["nothing was changed; claims would wait for ever:", *problems]))


def testnet_problems(env: EngineEnvironment, there: ClusterClasses, live: Live) -> Iterator[str]:
    """Why claims of a plan would not get what they ask for. Pure, but for the plan."""
    volumes = Volumes(env.plan.spec)
    wanted = {each.name: each.manifest({}) for each in volumes.shared_classes()}
    wanted |= {each.name: each.manifest({}) for each in volumes.attributes() if each.shared}
    declared = {each.manifest["metadata"]["name"] for each in env.classes}
    found = {each["metadata"]["name"]: each for each in there.classes.values()}
    for name, manifest in wanted.items():
        if name in found:
            yield from _different(env, manifest, found[name])
        elif name not in declared:
            yield _missing(env, manifest, found.values())
    for name, claims in _foreign(env).items():
        if name not in wanted:
            yield from _named(name, claims, found, live)


def _foreign(env: EngineEnvironment) -> dict[str, list[ObjectKey]]:
    """Classes that claims name and the plan does not make, with these claims."""
    own = {each.manifest["metadata"]["name"] for each in env.plan.classes}
    found: dict[str, list[ObjectKey]] = {}
    for claim in env.plan.claims():
        # With a volume of its own a claim is matched by the name alone; no class need exist.
        if "volumeName" not in claim["spec"]:
            for field_ in ("storageClassName", "volumeAttributesClassName"):
                name = claim["spec"].get(field_)
                if name and name not in own:
                    found.setdefault(name, []).append(ObjectKey.of(claim))
    return found


def _different(env: EngineEnvironment, wanted: Manifest, there: Manifest) -> Iterator[str]:
    """docs/facts.md: refusal/V25"""
    found = _differences(wanted, there)
    if found:
        yield (
            f"storage class '{wanted['metadata']['name']}' already exists in cluster '{env.context}' with different "
            f"settings ({'; '.join(found)}); classes belong to the cluster's stack, {_of(there)}. Let that stack put "
            "it right, or set target.storageClasses: own."
        )


def _missing(env: EngineEnvironment, wanted: Manifest, there: Iterable[Manifest]) -> str:
    """What is not there, and how the nearest that the cluster has differs from it."""
    name = wanted["metadata"]["name"]
    alike = [each for each in there if owner(each) and each["kind"] == wanted["kind"]]
    text = f"storage class '{name}' is not in cluster '{env.context}'. "
    if alike:
        nearest = min(alike, key=lambda each: (len(_differences(wanted, each)), each["metadata"]["name"]))
        found = "; ".join(_differences(wanted, nearest))
        text += f"The nearest that stack '{owner(nearest)}' declares is '{nearest['metadata']['name']}': {found}. "
    return (
        f"{text}Deploy the cluster's stack (`mina-infra:storage` with the same target) first, or set "
        "target.storageClasses: own."
    )


def _named(name: str, claims: Sequence[ObjectKey], found: Mapping[str, Manifest], live: Live) -> Iterator[str]:
    """A class that the document names as it is (docs/facts.md: refusal/V6). Claims that live already keep theirs."""
    fresh = [key for key in claims if key not in live]
    if not fresh:
        return
    if name not in found:
        known = some(sorted(found), 10) or "none"
        yield f"storage class '{name}' of {some(key.name for key in fresh)} is not in the cluster; it has: {known}."
        return
    provisioner = found[name].get("provisioner", "")
    if provisioner in parameters.IN_TREE:
        yield (
            f"storage class '{name}': '{provisioner}' was removed in Kubernetes 1.28; use "
            f"'{parameters.IN_TREE[provisioner]}' (parameter 'fstype' becomes 'csi.storage.k8s.io/fstype'). Claims "
            f"that exist keep it; new ones: {some(key.name for key in fresh)}."
        )


def _differences(wanted: Manifest, there: Manifest) -> list[str]:
    if wanted["kind"] == ATTRIBUTES_CLASS.kind:
        return differences(wanted, there, ("driverName", "parameters"))
    return differences(wanted, there)


def _of(manifest: Manifest) -> str:
    stack = owner(manifest)
    return f"here '{stack}'" if stack else "and this one was made by somebody else"


# What a stack declares for its cluster.


def refuse_for_cluster(env: EngineEnvironment, there: ClusterClasses) -> None:
    """Raise EngineError when a declared class is another's, cannot become what is declared, or is taken from users."""
    problems = list(cluster_problems(env.stack, env.classes, there))
    if problems:
        raise EngineError("\n".join(["nothing was changed; storage classes of the cluster:", *problems]))


def cluster_problems(stack: str, planned: Sequence[PlannedObject], there: ClusterClasses) -> Iterator[str]:
    """Why a stack cannot declare its classes. Pure."""
    names = {each.manifest["metadata"]["name"] for each in planned}
    for each in planned:
        key = ObjectKey.of(each.manifest)
        if key in there.classes:
            yield from _taken(stack, each, there.classes[key], there.users.get(key.name, ()))
    for key in there.declared_by(stack):
        fixed = (there.classes[key]["metadata"].get("labels") or {}).get(labels.FIXED) == "true"
        users = there.users.get(key.name, ())
        if fixed and key.name not in names and users:
            yield (
                f"storage class '{key.name}' would be deleted, and is in use: {some(users, USED)}. Expanded claims "
                "could not grow, new ones not be made. Keep it under `fixed`."
            )


def _taken(stack: str, planned: PlannedObject, there: Manifest, users: Sequence[str]) -> Iterator[str]:
    """docs/facts.md: refusal/V25, refusal/V26"""
    name, declared_by = there["metadata"]["name"], owner(there)
    if declared_by != stack:
        who = f"stack '{declared_by}' declares it" if declared_by else "it was not made by a stack of ours"
        found = _differences(planned.manifest, there)
        detail = f" with different settings ({'; '.join(found)})" if found else ""
        yield (
            f"storage class '{name}' already exists{detail}, and {who}; classes belong to one stack of a cluster. "
            "Refer to it (target.storageClasses: shared, or storageClass by its name), or remove it first."
        )
        return
    fields = IMMUTABLE if planned.manifest["kind"] == STORAGE_CLASS.kind else ("driverName", "parameters")
    found = differences(planned.manifest, there, fields)
    if found and (users or not planned.replaced_on):
        used = f" It is in use: {some(users, USED)}." if users else ""
        new = planned.manifest["metadata"].get("annotations", {}).get(labels.BY_CONTENT)
        yield (
            f"storage class '{name}': {found[0].split(' ')[0]} cannot be changed in place ({'; '.join(found)}).{used} "
            f"A new class name is needed: '{new or name}'."
        )


def unrecorded(env: EngineEnvironment, there: ClusterClasses, known: Recorded) -> tuple[ObjectKey, ...]:
    """Declared classes that are there and not on record: an interrupted run made them, or they left and came back."""
    keys = (ObjectKey.of(each.manifest) for each in env.classes)
    return tuple(sorted(key for key in keys if key in there.classes and key not in known.objects))


def left_over(env: EngineEnvironment, there: ClusterClasses, *, all_of_them: bool = False) -> list[ObjectKey]:
    """Classes that the stack declared once and does not any more; after a destroy, all that it declared."""
    names = set() if all_of_them else {ObjectKey.of(each.manifest) for each in env.classes}
    return sorted(key for key in there.declared_by(env.stack) if key not in names)
