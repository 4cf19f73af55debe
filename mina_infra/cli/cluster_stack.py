"""plan, up, preview and destroy of a stack without a testnet: the storage classes of its cluster."""

from __future__ import annotations

from collections.abc import Callable

from mina_infra.cli.console import Reporter
from mina_infra.cli.place import Place


def is_one(place: Place) -> bool:
    """Whether a stack has no testnet, only what the testnets of its cluster share. Raises SpecError."""
    from mina_infra.spec.stack_file import has_testnet

    return not has_testnet(place.stack_file)


def to_text(place: Place) -> str:
    """The classes that a stack declares, a line each."""
    from mina_infra.plan import labels, load_classes, plan_classes
    from mina_infra.plan.table import table

    storage = load_classes(place.stack_file)
    assert storage is not None, "is_one says that there is one"
    rows = []
    for each in plan_classes(storage, place.stack):
        metadata, own = each.manifest["metadata"], each.manifest["metadata"]["labels"]
        what = each.manifest.get("provisioner") or each.manifest["driverName"]
        settings = ", ".join(f"{key} {value}" for key, value in each.manifest["parameters"].items())
        kind, retention = own.get(labels.TYPE, "performance"), own.get(labels.RETENTION, "")
        rows.append((metadata["name"], kind, retention, what, settings))
    target = storage.target
    where = f"{target.provider.value} {target.region}"
    head = f"{place.stack}: {len(rows)} storage classes for every testnet of the cluster ({where})"
    return f"{head}\n\n{table(('class', 'type', 'retention', 'driver', 'parameters'), rows)}\n"


def up(place: Place, reporter: Reporter) -> int:
    """Declare the classes."""
    from mina_infra.engine.cluster_stack import up as engine_up
    from mina_infra.engine.progress import summary

    environment = place.environment()
    reporter.say(place.stack, f"{len(environment.classes)} storage classes for every testnet of the cluster")
    with reporter.stage("deploying", "starting the engine"):
        result = engine_up(environment, reporter)
    reporter.say("deployed", f"{summary(dict(result.changes)) or 'no changes'} in {result.seconds:.0f} s")
    return 0


def destroy(place: Place, reporter: Reporter, agreed: Callable[[str], bool]) -> int:
    """Take away the classes that nothing refers to."""
    from mina_infra.engine.cluster_stack import destroy as engine_destroy
    from mina_infra.engine.progress import summary

    environment = place.environment()
    reporter.say(place.stack, "storage classes that nothing refers to are removed; those in use stay")
    if not agreed(f"Remove the storage classes of stack '{place.stack}'?"):
        return 1
    with reporter.stage("destroying", "starting the engine"):
        result = engine_destroy(environment, reporter)
    reporter.say("destroyed", f"{summary(dict(result.changes)) or 'nothing was there'} in {result.seconds:.0f} s")
    return 0
