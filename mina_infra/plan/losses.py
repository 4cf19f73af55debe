"""Which volumes a new plan would lose, told from what exists and the plan alone. Pure.

The engine deletes a claim on its record that leaves the plan (docs/facts.md: pulumi/leaves-the-plan). The provider
answers a changed claim with delete-then-create, under the claim's own name: the disk goes, the new claim is empty, and
the engine reports an ordinary replacement (docs/facts.md: pulumi/claim-replacement). Neither knows what a volume is
worth, so every such claim has to be named by whoever runs it (docs/facts.md: rule/23).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from mina_infra.plan import labels
from mina_infra.plan.objects import PlannedObject, TestnetPlan
from mina_infra.spec import DiskType, Retention, TestnetSpec
from mina_infra.spec.values import bytes_of
from mina_infra.storage.classes import NoSuchDisk, storage_class

FIXED = ("storageClassName", "accessModes", "volumeMode", "selector", "volumeName", "dataSource", "dataSourceRef")
"""Fields of a claim that cannot change while it lives: the provider replaces it, or the API server refuses."""

ALLOW = "MINA_INFRA_ALLOW_VOLUMES"
"""Variable with the claims that one run may lose: patterns of names, separated by commas."""

CLAIM = "PersistentVolumeClaim"
SHOWN = 20


@dataclass(frozen=True)
class Held:
    """A claim that exists, as the cluster or else the engine's record shows it.

    `resource`: component and name of the engine's resource for it; None when the engine has it not on record, and so
    would not delete it.
    """

    namespace: str
    name: str
    spec: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    resource: tuple[str, str] | None = None


@dataclass(frozen=True)
class Loss:
    """One claim that does not survive a plan: which field changes from what to what, and what to do instead.

    `leaves`: it is not planned any more. `closed`: naming it does not help.
    """

    claim: str
    field: str
    old: str
    new: str
    what: str
    """What happens, with both values, without the claim's name: the same for every claim that one change hits."""
    recipe: str
    leaves: bool = False
    closed: bool = False
    namespace: str = ""

    @property
    def reason(self) -> str:
        return f"{self.what}. {self.recipe}"


@dataclass(frozen=True)
class Verdict:
    """Losses by what becomes of them; `idle` are patterns of the allow list that match nothing in danger."""

    refused: tuple[Loss, ...] = ()
    allowed: tuple[Loss, ...] = ()
    idle: tuple[str, ...] = ()


def patterns(text: str) -> tuple[str, ...]:
    """The allow list in the variable `ALLOW`: `whale-3-*, *-e1`."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def judge(found: Sequence[Loss], allow: Sequence[str]) -> Verdict:
    """Which losses are on purpose: those of claims that a pattern names."""
    named = {each.claim for each in found if any(fnmatchcase(each.claim, pattern) for pattern in allow)}
    is_allowed = [each.claim in named and not each.closed for each in found]
    return Verdict(
        refused=tuple(each for each, on_purpose in zip(found, is_allowed, strict=True) if not on_purpose),
        allowed=tuple(each for each, on_purpose in zip(found, is_allowed, strict=True) if on_purpose),
        idle=tuple(pattern for pattern in allow if not any(fnmatchcase(each.claim, pattern) for each in found)),
    )


def message(refused: Sequence[Loss], shown: int | None = SHOWN) -> str:
    """One line for each reason with the claims that it hits, at most `shown` of them by name; then the way out."""
    reasons: dict[str, list[str]] = {}
    for each in refused:
        names = reasons.setdefault(each.reason, [])
        if each.claim not in names:
            names.append(each.claim)
    lines = [f"{_listed(names, shown)}: {reason}" for reason, names in reasons.items()]
    claims = sorted({each.claim for each in refused if not each.closed})
    count = len({each.claim for each in refused})
    told = f"nothing was changed; {count} {'volume' if count == 1 else 'volumes'} would be lost:"
    way_out = [f"To lose them on purpose, name them: --allow-volume '{claims[0]}' (repeatable, * matches any text), or "
               f"set {ALLOW}."] if claims else []  # fmt: skip
    return "\n".join([told, *lines, *way_out])


def _listed(names: Sequence[str], shown: int | None) -> str:
    cut = names if shown is None else names[:shown]
    more = len(names) - len(cut)
    listed = ", ".join(f"'{name}'" for name in cut) + (f" and {more} more" if more else "")
    return f"{'claim' if len(names) == 1 else 'claims'} {listed}"


def losses(
    held: Iterable[Held],
    plans: Sequence[TestnetPlan],
    *,
    classes: Collection[str] = (),
    moved: tuple[str, str] | None = None,
) -> tuple[Loss, ...]:
    """Every claim that would be deleted, replaced, refused by the API server, or cut off from its storage class.

    `plans` are all testnets that the engine's stack declares. `classes`: storage classes on the engine's record.
    `moved`: the cluster's identifier on record and in the configuration, where they differ.
    """
    return tuple(_Losses(list(held), plans, classes, moved).found())


class _Losses:
    """One comparison."""

    def __init__(
        self,
        held: Sequence[Held],
        plans: Sequence[TestnetPlan],
        classes: Collection[str],
        moved: tuple[str, str] | None,
    ) -> None:
        self._held = held
        self._plans = {plan.spec.namespace: plan for plan in plans}
        self._moved = moved
        objects = [(plan, home, each) for plan in plans for home, each in plan.registered()]
        self._claims = {
            (plan.spec.namespace, each.manifest["metadata"]["name"]): (home, plan.spec.name, each)
            for plan, home, each in objects
            if each.manifest["kind"] == CLAIM
        }
        planned_classes = {
            each.manifest["metadata"]["name"] for _, _, each in objects if each.manifest["kind"] == "StorageClass"
        }
        self._leaving_classes = set(classes) - planned_classes
        nodes = {(each.namespace, each.labels.get(labels.CLASS, ""), each.labels.get(labels.APP)) for each in held}
        self._members = Counter((namespace, group) for namespace, group, _ in nodes)

    def found(self) -> Iterator[Loss]:
        for each in self._held:
            mine = [replace(loss, namespace=each.namespace) for loss in self._of(each)]
            yield from mine
            if not mine and each.spec.get("storageClassName") in self._leaving_classes:
                yield self._cut_off(each)

    def _of(self, held: Held) -> Iterator[Loss]:
        planned = self._claims.get((held.namespace, held.name))
        if self._moved and held.resource:
            old, new = self._moved
            what = f"another cluster ('{old}' -> '{new}') makes everything anew there and deletes it here"
            recipe = f"Keep identifier: {old} in mina-infra:cluster, or use a stack of its own for the other cluster."
            yield Loss(held.name, "cluster", old, new, what, recipe)
        elif planned is None:
            if held.resource or held.namespace not in self._plans:
                yield self._leaving(held)
        else:
            yield from self._changed(held, *planned)

    def _changed(self, held: Held, component: str, testnet: str, planned: PlannedObject) -> Iterator[Loss]:
        resource = (component, f"{testnet}-{planned.key}")
        if held.resource and held.resource != resource:
            old, new = (" ".join(each).strip() for each in (held.resource, resource))
            what = f"moving it from {old} to {new} in the engine's record would make the claim anew and lose its data"
            recipe = "Keep the group's role, or give the new group a name of its own."
            yield Loss(held.name, "resource", old, new, what, recipe)
        if planned.kept and held.resource:
            return  # the engine leaves it as it was made
        spec = self._plans[held.namespace].spec
        for problem in problems(held.name, planned.manifest["spec"], held.spec):
            if problem.field == "storageClassName" and held.spec.get("storageClassName") in {*_classes_of_then(spec)}:
                problem = replace(problem, recipe=_CLASS_RETENTION)
            # The engine takes away first what it has on record, and nothing else.
            yield problem if held.resource else replace(problem, recipe=_UNRECORDED, closed=True)

    def _leaving(self, held: Held) -> Loss:
        """A claim that the engine would delete, and the change of the document that did it."""
        plan, group = self._plans.get(held.namespace), held.labels.get(labels.CLASS, "")
        if plan is None:
            names = ", ".join(self._plans) or "none"
            recipe = f"Keep name: {held.namespace}, or use a stack of its own for another testnet."
            return _left(held, "name", held.namespace, names, recipe)
        era, counts = held.labels.get(labels.ERA, ""), {each.name: each.count for each in plan.spec.nodes}
        if era and era != str(plan.spec.era):
            return _left(held, "era", era, str(plan.spec.era), f"Keep it beside the new one with `keptEras: [{era}]`.")
        if group and group not in counts:
            return _left(held, "group", group, "none", "Keep the group and its name.")
        nodes = set(plan.spec.node_names())
        if group and held.labels.get(labels.APP) not in nodes:
            had = str(self._members[held.namespace, group])
            return _left(held, f"count of '{group}'", had, str(counts[group]), f"Keep count: {had}.")
        recipe = "Keep what plans it: no existingClaim, no other role or source in its place."
        return _left(held, "claim", "planned", "not planned", recipe)

    def _cut_off(self, held: Held) -> Loss:
        name = held.spec["storageClassName"]
        what = f"its storage class '{name}' leaves the plan, and without it the volume can never grow"
        recipe = "Keep a volume of that type and retention in the document."
        return Loss(held.name, "storage class", name, "none", what, recipe, namespace=held.namespace)


_UNRECORDED = "It is not on the engine's record: undo the change, run `mina-infra recover`, then change it."


_CLASS_RETENTION = (
    "Its retention alone has changed: write `classRetention: delete` beside `retention: retain`. The claim keeps its "
    "class, and `up` makes its volume outlive it."
)


def _classes_of_then(spec: TestnetSpec) -> Iterator[str]:
    """The classes that a testnet had before its retention was switched on."""
    if spec.retention is Retention.RETAIN and spec.class_retention is None:
        then = spec.model_copy(update={"class_retention": Retention.DELETE})
        for disk in DiskType:
            with suppress(NoSuchDisk):
                yield storage_class(then, disk, Retention.DELETE).name


def _left(held: Held, field: str, old: str, new: str, recipe: str) -> Loss:
    return Loss(held.name, field, old, new, f"{field} {old} -> {new} deletes it and its data", recipe, leaves=True)


def problems(name: str, planned: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[Loss]:
    """Why one claim does not survive its plan (docs/facts.md: refusal/V15, refusal/V16)."""
    for each in FIXED:
        if each in planned and planned[each] != live.get(each):
            old, new = shown(live.get(each)), shown(planned[each])
            what = f"changing {each} from {old} to {new} would delete and re-create the claim and lose its data"
            yield Loss(name, each, old, new, what, f"Keep {old}, {_other_way(each)}.")
    wanted, size = _storage(planned), _storage(live)
    if wanted and size and bytes_of(wanted) < bytes_of(size):
        what = f"disks cannot shrink ({size} -> {wanted})"
        yield Loss(name, "size", size, wanted, what, f"Keep {size}, or move to a new volume.")


def _other_way(field: str) -> str:
    """What carries the data over."""
    moved = field in ("storageClassName", "accessModes")
    return "or let `mina-infra migrate` move the data" if moved else "or move to a new volume"


def shown(value: Any) -> str:
    """A field's value in a message."""
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return "none" if value is None else f"'{value}'"


def _storage(claim: Mapping[str, Any]) -> str | None:
    requests = (claim.get("resources") or {}).get("requests") or {}
    return requests.get("storage")


def held(manifest: Mapping[str, Any], resource: tuple[str, str] | None = None) -> Held:
    """A claim as an object of the cluster or of the record shows it."""
    metadata = manifest["metadata"]
    return Held(
        metadata.get("namespace") or "", metadata["name"], manifest.get("spec") or {}, metadata.get("labels") or {},
        resource,
    )  # fmt: skip


def resource_of(urn: str) -> tuple[str, str]:
    """Component and name in an URN: ("SeedNodes", "qa-seed-1-runtime-state-e1")."""
    types, _, name = urn.split("::", 2)[2].partition("::")
    chain = types.split("$")
    return (chain[-2].rpartition(":")[2] if len(chain) > 1 else "", name)
