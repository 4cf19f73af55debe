"""The command for a lost or wrong record. (No postponed annotations: see options.)"""

from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import confirm, print_preview
from mina_infra.cli.options import HERE, Where, Yes


def recover(*, where: Where = HERE, yes: Yes = False) -> int:
    """Bring the engine's record and the cluster together: after a lost, torn, older or foreign state file.

    Shows what is on record, what is there, and every claim with its volume; asks; compares each recorded object with
    the cluster, takes over what carries this testnet's labels, and deploys the document as it stands. What is not ours
    by label, or what would lose a volume, refuses the whole. Exit code 1 when `up` would still change something.
    """
    from mina_infra.engine.inventory import some
    from mina_infra.engine.recover import Found, find
    from mina_infra.engine.recover import recover as engine_recover

    def show(found: Found, reporter: Reporter) -> None:
        reporter.say("record", f"{found.record}; {found.recorded} objects")
        reporter.say("cluster", f"{found.live} objects of this testnet, {found.planned} planned")
        sets = (("adopted", found.difference.adopt), ("gone", found.difference.lost),
                ("foreign", found.difference.foreign), ("orphans", found.difference.orphans))  # fmt: skip
        for label, keys in sets:
            if keys:
                reporter.say(label, f"{len(keys)}: {some(keys)}")
        for each in found.claims:
            volume = each.volume or "no volume"
            reporter.say("claim", f"{each.name:<40} {each.standing:<9} {each.phase:<8} {each.size:>7}  {volume}")

    place = where.place()
    with Reporter() as reporter:
        environment = place.environment()
        with reporter.stage("looking", "at record and cluster"):
            found = find(environment)
        show(found, reporter)
        question = f"Recover stack '{place.stack}', and deploy its document?"
        if place.embedded is None and not yes and not confirm(question):
            return 1
        with reporter.stage("recovering", "starting the engine"):
            done = engine_recover(environment, reporter)
        reporter.say("recovered", f"{done.result.adopted} objects adopted in {done.result.seconds:.0f} s")
    if not done.settled:
        print_preview(done.preview.digest)
        return 1
    print("record, cluster and document agree: a preview shows no change")
    return 0
