"""The command that finds what nobody owns any more. (No postponed annotations: see options.)"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import confirm
from mina_infra.cli.hygiene import OnlyLocal
from mina_infra.cli.options import DEFAULT_CLUSTER, ClusterName, Yes
from mina_infra.cli.place import Site, sites_of
from mina_infra.errors import EngineError, MinaInfraError

if TYPE_CHECKING:
    from mina_infra.hygiene.contents import Contents
    from mina_infra.hygiene.orphans import Orphan, Owners


def orphans(
    *,
    local: OnlyLocal = False,
    cluster: ClusterName = DEFAULT_CLUSTER,
    disks: Annotated[
        Path | None, Parameter(help="Judge disks too: a file from `gcloud compute disks list --format=json`.")
    ] = None,
    snapshots: Annotated[
        Path | None, Parameter(help="Judge snapshots too: a file from `gcloud compute snapshots list --format=json`.")
    ] = None,
    delete: Annotated[
        list[str] | None, Parameter(name="--delete", negative="", help="Delete this one; can be given several times.")
    ] = None,
    yes: Yes = False,
) -> int:
    """Find claims, volumes, snapshots and disks that no testnet of this project owns, with GiB and monthly cost.

    Deletes only what --delete names, and never what is unknown: a cluster that does not answer, or a stack that cannot
    be read, makes it so. Exit code 0: there are none. 1: there are some. 2: something could not be asked.
    """
    from mina_infra.hygiene import snapshots as of_snapshots
    from mina_infra.hygiene.disks import judge as judge_disks
    from mina_infra.hygiene.disks import read
    from mina_infra.hygiene.orphans import judge
    from mina_infra.hygiene.sweep import handles, look

    listed = read(disks) if disks else []
    listed_snapshots = read(snapshots, "snapshots") if snapshots else []
    sites, problems = sites_of(None, only_local=local, cluster=cluster)
    found: list[tuple[Site | None, Orphan]] = []
    seen: dict[str, Contents] = {}
    with Reporter() as reporter:
        for site in sites:
            try:
                known = _owners(site, whole=not problems)
                seen[site.name] = site.ask(look)
                judged = (*judge(seen[site.name], known), *of_snapshots.judge(seen[site.name], known))
                found += [(site, each) for each in judged]
            except MinaInfraError as error:
                problems[site.name] = str(error)
        names = [name for contents in seen.values() for name in handles(contents)]
        found += [(None, each) for each in judge_disks(listed, seen, names)]
        names = [name for contents in seen.values() for name in of_snapshots.handles(contents)]
        found += [(None, each) for each in of_snapshots.judge_listing(listed_snapshots, seen, names)]
        for name, reason in problems.items():
            reporter.say("unknown", f"{name}: {reason}", style="yellow")
    none = "no orphans where it could be told" if problems else "no orphans"
    print("\n".join(_line(site, each) for site, each in found) or none)
    deleted = _delete(found, delete or [], yes=yes)
    left = any(each.sure and each.name not in deleted for _, each in found)
    return 1 if left else 2 if problems or any(not each.sure for _, each in found) else 0


def _owners(site: Site, *, whole: bool) -> "Owners":
    from mina_infra.engine.state import recorded
    from mina_infra.hygiene.orphans import owners

    environments = list(site.environments.values())
    claims = [
        (key.namespace, key.name)
        for environment in environments
        for key in recorded(environment).objects
        if key.kind == "PersistentVolumeClaim"
    ]
    return owners((environment.plan for environment in environments), claims, whole=whole)


def _line(site: Site | None, orphan: "Orphan") -> str:
    usd = "cost unknown" if orphan.usd is None else f"{orphan.usd:,.2f} USD/month"
    state = "orphan " if orphan.sure else "unknown"
    where = f" at {site.name}" if site else ""
    return f"{state} {orphan.kind} {orphan.name}{where}: {orphan.gib} GiB, {usd}; {orphan.reason}"


def _delete(found: "list[tuple[Site | None, Orphan]]", names: list[str], *, yes: bool) -> set[str]:
    """Delete what was named; what is gone then. Raises EngineError, before anything is deleted, for any other name."""
    from mina_infra.hygiene.disks import command
    from mina_infra.hygiene.sweep import delete

    sure = {each.name: (site, each) for site, each in found if each.sure}
    wrong = [name for name in names if name not in sure]
    if wrong:
        raise EngineError(f"'{wrong[0]}' is not known to be an orphan; nothing was deleted")
    for name in names:
        print(f"to be deleted: {sure[name][1].kind} {name}")
    if not names or (not yes and not confirm(f"Delete these {len(names)}? Their data is lost.")):
        return set()
    gone = set()
    for name in names:
        site, each = sure[name]
        if site is None:
            print(f"for you to run: {command(each)}")
            continue
        done = site.ask(partial(delete, orphan=each))
        print(f"deleted {done}")
        gone.add(name)
    return gone
