"""Commands that show a testnet's volumes and give back those that lost their claims. (No postponed annotations.)"""

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import confirm
from mina_infra.cli.options import HERE, Json, Where, Yes, assignments


def volumes(*, where: Where = HERE, json: Json = False) -> int:
    """List a testnet's claims, the volumes behind them and the disks behind those.

    --json prints what is needed to use the disks from another cluster: keep it (`mina-infra volumes --json >
    volumes.json`) and a cluster may be lost; `mina-infra rebind --from-file volumes.json` makes the volumes anew.
    Exit code 1 when a planned claim has no volume.
    """
    from mina_infra.persistence.volumes import look, rows, to_file

    place = where.place()
    plan = place.environment().plan
    seen = place.ask(partial(look, plan=plan))
    found = rows(plan, seen)
    if json:
        print(to_file(plan, seen), end="")
    else:
        width = max((len(row.claim) for row in found), default=0)
        for row in found:
            what = f"{row.volume}  {row.gib:g} GiB  {row.storage_class or '(no class)'}  {row.retention}"
            disk = f"  {row.driver} {row.handle}" if row.handle else ""
            told = f"  {what}{disk}" if row.volume else ""
            note = "" if row.planned else "  not in the document"
            when = f" since {row.since}" if row.since and row.phase in ("Released", "Available") else ""
            print(f"{row.phase:<10} {row.claim:<{width}}{told}{when}{note}".rstrip())
    return 1 if any(row.planned and not row.volume for row in found) else 0


def rebind(
    *,
    where: Where = HERE,
    volume: Annotated[
        list[str] | None,
        Parameter(name="--volume", negative="", help="CLAIM=VOLUME where several volumes were that claim's."),
    ] = None,
    from_file: Annotated[
        Path | None,
        Parameter(help="Make the volumes anew that this file lists, in a cluster that does not know them."),
    ] = None,
    yes: Yes = False,
) -> int:
    """Give volumes back to the claims that they were of: Released ones, or those of a lost cluster (--from-file).

    Only a volume that says it was this very claim's, in this testnet, of this node and era. The file is that of
    `mina-infra volumes --json`, or of `gcloud compute disks list --format=json`. Prints its plan and asks; after an
    interruption the same command goes on. Then `mina-infra up` takes claims and volumes over.
    """
    from mina_infra.persistence.rebind import carry_out, plan_rebind
    from mina_infra.persistence.volumes import look, read_file

    place = where.place()
    with Reporter() as reporter:
        plan = place.environment().plan
        saved = read_file(from_file, plan) if from_file else ()
        seen = place.ask(partial(look, plan=plan))
        found = plan_rebind(
            plan,
            seen,
            saved=saved,
            chosen=assignments("--volume", volume, "CLAIM=VOLUME", "whale-1-runtime-state-e1=pvc-0b5c"),
        )
        for line in found.passed_over:
            reporter.say("left alone", line)
        for pair in found.pairs:
            reporter.say("to bind", pair.line())
        if not found.pairs:
            reporter.say("rebind", f"no volume to give back; {len(found.missing)} planned claims have none")
            return 1 if found.missing and saved else 0
        question = f"Give {len(found.pairs)} volumes back to claims of '{plan.spec.name}'?"
        if place.embedded is None and not yes and not confirm(question):
            return 1
        with reporter.stage("binding", "volumes to claims"):
            place.ask(partial(carry_out, plan=plan, rebind=found, update=reporter.update))
        reporter.say("bound", f"{len(found.pairs)} claims have their volumes back")
        if found.missing:
            reporter.say("new", f"{len(found.missing)} claims have none and are made empty by the next up")
        reporter.say("next", place.command("up"))
    return 0
