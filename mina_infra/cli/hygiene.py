"""Commands that end what has outlived its time. (No postponed annotations: see options.)"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.options import DEFAULT_CLUSTER, HERE, ClusterName, Where
from mina_infra.cli.place import Site, sites_of
from mina_infra.errors import EngineError, MinaInfraError

Stacks = Annotated[
    list[str] | None,
    Parameter(
        name=["--stack", "-s"],
        negative="",
        help="Only these stacks and their clusters. Default: all stacks of the project.",
    ),
]
OnlyLocal = Annotated[
    bool, Parameter(name="--local", negative="", help="Only the embedded cluster, with every stack deployed there.")
]


def renew(
    *, where: Where = HERE, length: Annotated[str, Parameter(name="--for", help="From now on: 90m, 24h, 7d.")] = "24h"
) -> int:
    """Let a testnet with a `ttl` live longer. Never shortens; `up` leaves it as it is.

    To change every future deployment, change `ttl` in the document instead.
    """
    from mina_infra.hygiene.lifetime import print_time
    from mina_infra.hygiene.lifetime import renew as prolong
    from mina_infra.spec.values import Duration

    try:
        wanted = Duration(length)
    except ValueError as error:
        raise EngineError(f"--for: {error}") from error
    place = where.place()
    testnet = place.environment().plan.spec.namespace
    before, after = place.ask(lambda api: prolong(api, testnet, wanted, datetime.now(UTC)))
    assert before.expires, "renew raises for a testnet that does not end"
    assert after.expires, "renew raises for a testnet that does not end"
    if after == before:
        print(f"{testnet} lives until {print_time(before.expires)} anyway, which is longer; nothing was changed")
    else:
        print(f"{testnet} lives until {print_time(after.expires)} (before: {print_time(before.expires)})")
    return 0


def expire(
    *,
    stack: Stacks = None,
    local: OnlyLocal = False,
    cluster: ClusterName = DEFAULT_CLUSTER,
    yes: Annotated[
        bool, Parameter(name=["--yes", "-y"], negative="", help="Remove what has expired. Without it: only list.")
    ] = False,
) -> int:
    """List testnets that have outlived their `ttl`; with --yes destroy them. For a scheduled job.

    A testnet is removed through the stack that made it, as `destroy` does; volumes that its record protects stay.
    Expired ones that no stack of this project has on record are named and left alone. Exit code 0: nothing expired is
    left. 1: something is. 2: a cluster or a record could not be asked.
    """
    sites, problems = sites_of(stack, only_local=local, cluster=cluster)
    with Reporter() as reporter:
        for name, reason in problems.items():
            reporter.say("unknown", f"{name}: {reason}", style="yellow")
        codes = [_expire_at(site, reporter, yes) for site in sites]
    return _worst([*codes, 2 if problems else 0])


def _expire_at(site: Site, reporter: Reporter, yes: bool) -> int:
    """One cluster; its exit code."""
    from mina_infra.hygiene.expire import Found, Standing, judge, see

    now = datetime.now(UTC)
    try:
        seen = site.ask(see)
        found = judge(seen, site.environments.values(), now)
    except MinaInfraError as error:
        reporter.say("unknown", f"{site.name}: {error}", style="yellow")
        return 2
    left: list[Found] = []
    for each in found:
        reporter.say(each.standing.value, f"{each.testnet} at {site.name}: {each.line(now)}")
        if each.standing is Standing.EXPIRED and not (yes and _remove(site, each.stack or "", reporter)):
            left.append(each)
        if each.standing is Standing.LEFT and not (yes and _drop(site, each.testnet, reporter)):
            left.append(each)
    if left and not yes:
        reporter.say("dry run", f"{len(left)} expired at {site.name}; --yes destroys them, `renew` keeps them")
    foreign = any(each.standing is Standing.FOREIGN for each in found)
    unknown = any(each.standing is Standing.UNKNOWN for each in found)
    return 1 if left or foreign else 2 if unknown else 0


def _remove(site: Site, stack: str, reporter: Reporter) -> bool:
    """Destroy one expired testnet through its stack; whether it is gone. A failure is said and the others go on."""
    from mina_infra.engine.progress import summary
    from mina_infra.engine.run import destroy
    from mina_infra.engine.state import recorded
    from mina_infra.hygiene.expire import Standing, judge, see

    environment = site.environments[stack]
    name = environment.plan.spec.namespace
    try:
        # Somebody may have renewed it while the others were destroyed.
        found = judge(site.ask(see), [environment], datetime.now(UTC))
        if not any(each.testnet == name and each.standing is Standing.EXPIRED for each in found):
            reporter.say("renewed", f"{name} has not expired any more; left alone")
            return True
        keep = bool(recorded(environment).protected)
        with reporter.stage("destroying", name):
            result = destroy(environment, reporter, exclude_protected=keep)
    except MinaInfraError as error:
        reporter.say("failed", f"{name}: {error}", style="red")
        return False
    kept = "; its protected volumes stay" if keep else ""
    reporter.say("destroyed", f"{name}: {summary(dict(result.changes)) or 'nothing was there'}{kept}")
    return True


def _drop(site: Site, namespace: str, reporter: Reporter) -> bool:
    """Delete a namespace that a killed test left behind; whether that was done."""
    from mina_infra.cluster.api import NAMESPACE

    try:
        site.ask(lambda api: api.delete(NAMESPACE, namespace))
    except MinaInfraError as error:
        reporter.say("failed", f"{namespace}: {error}", style="red")
        return False
    reporter.say("deleted", namespace)
    return True


def _worst(codes: Iterable[int]) -> int:
    """What is surely wrong before what is not known."""
    found = set(codes)
    return 1 if 1 in found else 2 if 2 in found else 0
