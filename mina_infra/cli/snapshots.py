"""Commands that take, list and delete snapshots of volumes. (No postponed annotations: see options.)"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import confirm
from mina_infra.cli.options import HERE, Json, Where, Yes
from mina_infra.cli.place import Place
from mina_infra.errors import EngineError

if TYPE_CHECKING:
    from mina_infra.cluster.api import KubeApi, Manifest
    from mina_infra.persistence.snapshots import Row, Wanted
    from mina_infra.spec import TestnetSpec, VolumeKind

Nodes = Annotated[
    list[str] | None,
    Parameter(name="--node", negative="", help="Only this node; can be given several times. Default: all."),
]
Kinds = Annotated[
    list[str] | None,
    Parameter(name="--kind", negative="", help="Only this kind of volume: runtime-state, postgres-state."),
]


def snapshot(
    *,
    where: Where = HERE,
    node: Nodes = None,
    kind: Kinds = None,
    name: Annotated[
        str | None, Parameter(help="What to call it, such as before-upgrade. Default: the time, to the minute.")
    ] = None,
    stop: Annotated[
        bool,
        Parameter(
            name="--stop",
            negative="",
            help="Stop the nodes meanwhile: everything a node had to say is then in its snapshot, and an archive "
            "node's database and its daemon are of one moment.",
        ),
    ] = False,
    due: Annotated[
        bool, Parameter(name="--due", negative="", help="Take what the document's schedule wants now. For a job.")
    ] = False,
    yes: Yes = False,
) -> int:
    """Take snapshots of a testnet's volumes and wait until they can be restored.

    Taken under the same name again, a snapshot is found and not taken a second time, so a killed command is completed
    by the same one. With --due: one of each volume for each stretch of `snapshots.every`, and the schedule's own ones
    beyond `snapshots.keep` are deleted; what was asked for by hand is never touched.
    """
    from mina_infra.persistence.snapshots import take

    if due and (node or kind or name or stop):
        raise EngineError("--due takes what the document's `snapshots` says; leave --node, --kind, --name, --stop out.")
    place = where.place()
    with Reporter() as reporter:
        environment = place.environment()
        spec = environment.plan.spec
        wanted = place.ask(lambda api: _due(api, spec) if due else _asked(api, spec, node, kind, name))
        if stop:
            from mina_infra.cli.stopping import run_up

            nodes = frozenset(each.node for each in wanted)
            reporter.say("stopping", f"{len(nodes)} nodes while {len(wanted)} snapshots are taken")
            if place.embedded is None and not yes and not confirm(f"Stop {len(nodes)} nodes of '{spec.name}'?"):
                return 1
            run_up(place, environment, reporter, paused=nodes)
        with reporter.stage("snapshots", f"0/{len(wanted)} ready"):
            taken = place.ask(lambda api: take(api, spec, wanted, reporter))
        reporter.say("snapshots", f"{len(taken)} ready{_called(wanted)}")
        if stop:
            run_up(place, environment, reporter)
        if due:
            _prune(place, spec, reporter)
    return 0


async def _asked(
    api: "KubeApi", spec: "TestnetSpec", nodes: list[str] | None, kinds: list[str] | None, name: str | None
) -> "list[Wanted]":
    from mina_infra.persistence.snapshots import DEFAULT_KINDS, Wanted, claims_of
    from mina_infra.spec.pause import refuse_unknown

    refuse_unknown(spec, frozenset(nodes or ()))
    chosen = _kinds(kinds) if kinds else DEFAULT_KINDS
    occasion = _occasion(name)
    return [Wanted(claim, occasion) for claim in await claims_of(api, spec, nodes or (), chosen)]


async def _due(api: "KubeApi", spec: "TestnetSpec") -> "list[Wanted]":
    from mina_infra.persistence.snapshots import claims_of, due

    if spec.snapshots is None:
        raise EngineError(
            f"testnet '{spec.name}' has no schedule. Add to its document, for example: "
            "snapshots: {every: 24h, keep: 7}"
        )
    return due(spec.snapshots, await claims_of(api, spec, (), spec.snapshots.kinds), datetime.now(UTC))


def _kinds(words: Sequence[str]) -> "list[VolumeKind]":
    from mina_infra.spec import VolumeKind

    known = [kind.value for kind in VolumeKind]
    for word in words:
        if word not in known:
            raise EngineError(f"--kind {word}: no such kind of volume. Known: {', '.join(known)}")
    return [VolumeKind(word) for word in words]


def _occasion(name: str | None) -> str:
    import re

    if name is None:
        return datetime.now(UTC).strftime("%Y%m%d-%H%M")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", name):
        raise EngineError(
            f"--name {name}: must be at most 40 lower-case letters, digits and '-', beginning and ending with a letter "
            "or digit; each snapshot is called after its claim and this."
        )
    return name


def _called(wanted: "Sequence[Wanted]") -> str:
    return f": {wanted[0].name}" + (", ..." if len(wanted) > 1 else "") if wanted else ""


def _prune(place: Place, spec: "TestnetSpec", reporter: Reporter) -> None:
    """Delete what the schedule took and no longer keeps."""
    from mina_infra.persistence.objects import name_of, snapshots_of
    from mina_infra.persistence.snapshots import delete, superfluous

    assert spec.snapshots is not None, "_due raises"
    keep = spec.snapshots.keep

    async def prune(api: "KubeApi") -> list[str]:
        old = list(superfluous(await snapshots_of(api, spec.name, spec.namespace), keep))
        for each in old:
            reporter.update(f"deleting {name_of(each)}")
            await delete(api, each)
        return [name_of(each) for each in old]

    with reporter.stage("schedule", "looking for what is no longer kept"):
        gone = place.ask(prune)
    reporter.say("schedule", f"the newest {keep} of each volume are kept, {len(gone)} older ones deleted")


def snapshots(
    *,
    where: Where = HERE,
    delete: Annotated[
        list[str] | None, Parameter(name="--delete", negative="", help="Delete this one; can be given several times.")
    ] = None,
    json: Json = False,
    yes: Yes = False,
) -> int:
    """List a testnet's snapshots: of which claim, how old, GiB, monthly cost, whether they can be restored.

    A node starts from one with `volumes: {runtime-state: {fromSnapshot: NAME}}` under `overrides` of its group, as long
    as it has no such volume yet. --delete takes the name of a snapshot, or the name that several were taken under.
    """
    import json as jsonlib

    from mina_infra.persistence.snapshots import rows
    from mina_infra.plan.genesis_digest import digest

    place = where.place()
    spec = place.environment().plan.spec
    found = place.ask(lambda api: rows(api, spec))
    if delete:
        return _delete(place, spec, found, delete, yes=yes)
    if json:
        print(jsonlib.dumps([_data(each) for each in found], indent=2))
        return 0
    now, genesis = datetime.now(UTC), digest(spec)
    print("\n".join(_line(each, now, genesis) for each in found) or "no snapshots")
    if found:
        print(_total(found))
    return 0


def _data(row: "Row") -> dict[str, object]:
    from dataclasses import asdict

    return asdict(row) | {"taken": row.taken.isoformat() if row.taken else None}


def _line(row: "Row", now: datetime, genesis: str) -> str:
    age = _age((now - row.taken).total_seconds()) if row.taken else "-"
    state = "ready" if row.ready else f"not ready{f' ({row.problem})' if row.problem else ''}"
    usd = "cost unknown" if row.usd is None else f"at most {row.usd:,.2f} USD/month"
    notes = ", scheduled" * row.scheduled + ", of another genesis" * (row.genesis != genesis)
    return f"{row.name}  {age} old, {row.gib} GiB, {usd}, {state}, era {row.era}, of {row.claim}{notes}"


def _total(found: "Sequence[Row]") -> str:
    known = sum(each.usd or 0 for each in found)
    some = " and what is not known" if any(each.usd is None for each in found) else ""
    return f"{len(found)} snapshots, {sum(each.gib for each in found)} GiB, at most {known:,.2f} USD/month{some}"


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _delete(place: Place, spec: "TestnetSpec", found: "Sequence[Row]", names: list[str], *, yes: bool) -> int:
    """Delete what was named, by its own name or by that of its occasion. Raises EngineError before any is deleted."""
    from mina_infra.cluster.api import VOLUME_SNAPSHOT
    from mina_infra.persistence.snapshots import delete

    chosen: list[str] = []
    for name in names:
        meant = [each.name for each in found if name in (each.name, each.occasion)]
        if not meant:
            raise EngineError(f"testnet '{spec.name}' has no snapshot '{name}'; nothing was deleted")
        chosen += [each for each in meant if each not in chosen]
    for name in chosen:
        print(f"to be deleted: {name}")
    if place.embedded is None and not yes and not confirm(f"Delete these {len(chosen)}? Their data is lost."):
        return 1

    async def go(api: "KubeApi") -> None:
        for name in chosen:
            manifest: Manifest | None = await api.get(VOLUME_SNAPSHOT, name, spec.namespace)
            if manifest is not None:
                await delete(api, manifest)
            print(f"deleted {name}")

    place.ask(go)
    return 0
