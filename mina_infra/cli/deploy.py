"""Commands that plan, deploy and remove a testnet, and the door to the Pulumi CLI."""

from __future__ import annotations

import json as jsonlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mina_infra.cli import cluster_stack
from mina_infra.cli.console import Reporter
from mina_infra.cli.options import DEFAULT_CLUSTER, DEFAULT_STACK, HERE, AllowVolume, Json, Stack, Where, Yes
from mina_infra.cli.place import Place, place_of
from mina_infra.cli.steps import Session
from mina_infra.errors import EngineError

if TYPE_CHECKING:
    from mina_infra.engine.run import Preview

Format = Annotated[Literal["table", "yaml", "json"], Parameter(name=["--format", "-o"])]


def plan(*, stack: Stack = DEFAULT_STACK, format: Format = "table") -> int:
    """Show what a stack's document means, without asking any cluster.

    table: nodes by role, volumes by class with their effective sizes, monthly cost. yaml: exactly the manifests that
    the components register. json: the same as data.
    """
    from mina_infra.plan import load_stack, plan_testnet
    from mina_infra.plan.summary import summarize, to_text
    from mina_infra.plan.yaml import to_yaml

    place = place_of(stack, local=False, cluster=DEFAULT_CLUSTER)
    if cluster_stack.is_one(place):
        return _plan_classes(place, format)
    planned = plan_testnet(load_stack(place.stack_file))
    if format == "yaml":
        print(to_yaml(planned.objects()), end="")
    elif format == "json":
        manifests = [each.manifest for each in planned.objects()]
        print(jsonlib.dumps({**asdict(summarize(planned)), "objects": manifests}, indent=2))
    else:
        print(to_text(summarize(planned)))
    return 0


def _plan_classes(place: Place, format: Format) -> int:
    from mina_infra.plan import load_classes, plan_classes
    from mina_infra.plan.yaml import to_yaml

    if format == "table":
        print(cluster_stack.to_text(place))
        return 0
    storage = load_classes(place.stack_file)
    planned = plan_classes(storage, place.stack) if storage else ()
    manifests = [each.manifest for each in planned]
    print(to_yaml(planned) if format == "yaml" else jsonlib.dumps({"objects": manifests}, indent=2))
    return 0


def up(
    *,
    where: Where = HERE,
    out: Annotated[Path | None, Parameter(help="Folder to publish to. Default: out/STACK.")] = None,
    allow_volume: AllowVolume = None,
    yes: Yes = False,
) -> int:
    """Deploy a testnet, wait until it runs, and do its post-deploy steps (verify, publish).

    Running it again changes only what differs; after an interruption it goes on from there. On a real cluster it
    shows what will change and asks first. What would lose a volume is refused unless --allow-volume names its claim.
    A stack with `mina-infra:storage` and no testnet declares the storage classes that its cluster's testnets share.
    """
    place = where.place()
    with Reporter() as reporter:
        allow = allow_volume or ()
        if place.embedded is None and not yes and not _agreed(place, reporter, allow):
            return 1
        if cluster_stack.is_one(place):
            return cluster_stack.up(place, reporter)
        return deploy(place, reporter, out, allow).code


@dataclass(frozen=True)
class Deployed:
    """What a deployment and its steps came to."""

    code: int
    page: Path | None


def deploy(place: Place, reporter: Reporter, out: Path | None, allow: Sequence[str] = ()) -> Deployed:
    """Deployment and all that follows it."""
    from mina_infra.engine.progress import summary
    from mina_infra.engine.run import up as engine_up
    from mina_infra.plan.summary import headline, summarize

    began = time.monotonic()
    environment = place.environment()
    reporter.say(place.stack, headline(summarize(environment.plan)))
    with reporter.stage("deploying", "starting the engine"):
        result = engine_up(environment, reporter, allow=allow)
    reporter.say("deployed", f"{summary(dict(result.changes)) or 'no changes'} in {result.seconds:.0f} s")
    if result.outputs is None:
        raise EngineError("the program exported no outputs document named 'testnet'")
    session = Session(place, result.outputs, reporter, out)
    session.settle()
    code = session.run()
    reporter.say("done", f"in {time.monotonic() - began:.0f} s")
    return Deployed(code, session.published.page if session.published else None)


def preview(*, where: Where = HERE, allow_volume: AllowVolume = None, json: Json = False) -> int:
    """Show what `up` would change. Nothing is changed. Exit code 1 when `up` would fail, or refuse to lose a volume.

    --json prints the engine's whole digest; `mina-infra pulumi -- preview --diff` shows every field.
    """
    place = where.place()
    with Reporter() as reporter:
        found = _previewed(place, reporter, allow_volume or ())
    if json:
        print(jsonlib.dumps(found.digest, indent=2))
    else:
        print_preview(found.digest)
    return 1 if found.failed else 0


def print_preview(digest: object) -> None:
    """One line for each object that would change, then the reasons why it would fail."""
    assert isinstance(digest, dict)
    steps = [step for step in digest.get("steps", []) if step["op"] not in ("same", "read", "refresh")]
    for step in steps:
        kind, name = _kind(step), step["urn"].split("::")[-1]
        reasons = ", ".join(step.get("replaceReasons") or step.get("diffReasons") or ())
        print(f"{step['op']:<10} {kind.split(':')[-1]:<22} {name}{f'  ({reasons})' if reasons else ''}")
    for diagnostic in digest.get("diagnostics", []):
        if diagnostic.get("severity") == "error":
            print(f"error      {diagnostic['message'].strip()}")
    print(f"{_objects(steps)} of {_objects(digest.get('steps', []))} objects would change")


def _kind(step: Mapping[str, str]) -> str:
    """The type of what a step is about, without those of what it lies in."""
    return step["urn"].split("::")[-2].split("$")[-1]


def _objects(steps: Sequence[Mapping[str, str]]) -> int:
    """How many are about an object; components and providers exist for the engine alone."""
    return sum(not _kind(step).startswith(("mina-infra:", "pulumi:")) for step in steps)


def destroy(*, where: Where = HERE, yes: Yes = False) -> int:
    """Take a testnet away. Volumes of a testnet with `retention: retain` stay, and the next `up` finds them.

    To delete kept volumes as well, in two steps: set `retention: delete` in the document, then `destroy`.
    Of a stack that declares storage classes for its cluster, those that nothing refers to go; the others stay.
    """
    from mina_infra.engine.progress import summary
    from mina_infra.engine.run import destroy as engine_destroy

    place = where.place()
    with Reporter() as reporter:
        if cluster_stack.is_one(place):
            return cluster_stack.destroy(
                place, reporter, lambda question: bool(place.embedded) or yes or confirm(question)
            )
        environment = place.environment()
        planned = environment.plan
        kept = sum(each.protect for each in planned.of_kind("PersistentVolumeClaim"))
        deleted = len(planned.outputs.claims) - kept
        told = [f"{kept} claims are kept"] * planned.keeps + [f"its {deleted} claims are deleted"] * bool(deleted)
        volumes = ", ".join(told)
        reporter.say(place.stack, f"{len(planned.outputs.nodes)} nodes are removed; {volumes}")
        if place.embedded is None and not yes and not confirm(f"Remove testnet '{planned.spec.name}'?"):
            return 1
        with reporter.stage("destroying", "starting the engine"):
            result = engine_destroy(environment, reporter, exclude_protected=planned.keeps)
        reporter.say("destroyed", f"{summary(dict(result.changes)) or 'nothing was there'} in {result.seconds:.0f} s")
    return 0


def outputs(*, where: Where = HERE) -> int:
    """Print the outputs document of the last deployment as JSON."""
    document = where.place().outputs()
    print(jsonlib.dumps(document.to_json_value(), indent=2))
    return 0


def pulumi(
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True, help="What to hand to the Pulumi CLI, after --.")],
    where: Where = HERE,
) -> int:
    """Run the Pulumi CLI in a stack's environment: its backend, provider and program.

    For example `mina-infra pulumi -- preview --diff`, `-- stack`, `-- refresh`, `-- destroy --exclude-protected`.
    """
    from mina_infra.engine.passthrough import pulumi as run

    place = where.place()
    with Reporter() as reporter:
        environment = place.environment()
        return run(environment, arguments, reporter)


def _agreed(place: Place, reporter: Reporter, allow: Sequence[str]) -> bool:
    """Show what would change on a real cluster and ask."""
    found = _previewed(place, reporter, allow)
    print_preview(found.digest)
    return not found.failed and confirm(f"Deploy stack '{place.stack}'?")


def _previewed(place: Place, reporter: Reporter, allow: Sequence[str]) -> Preview:
    from mina_infra.engine import cluster_stack as engine_classes
    from mina_infra.engine.run import preview as engine_preview

    environment = place.environment()
    with reporter.stage("previewing", "starting the engine"):
        if cluster_stack.is_one(place):
            return engine_classes.preview(environment, reporter)
        return engine_preview(environment, reporter, allow=allow)


def confirm(question: str) -> bool:
    """Ask on the terminal. Raises EngineError where nobody is there to answer."""
    if not sys.stdin.isatty():
        raise EngineError(f"{question} Nobody is there to answer; say --yes to go on.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
