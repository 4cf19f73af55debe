"""The command that checks whether nodes keep their state. (No postponed annotations: see options.)"""

import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import confirm
from mina_infra.cli.options import HERE, Json, Where, Yes
from mina_infra.cli.place import Place
from mina_infra.cli.steps import EMBEDDED_START_S
from mina_infra.cluster.api import KubeApi
from mina_infra.errors import EngineError
from mina_infra.persistence.check_run import Check
from mina_infra.plan import timeouts
from mina_infra.spec.job_run import JobRun

R = TypeVar("R")


def check_state(
    *,
    where: Where = HERE,
    before: Annotated[bool, Parameter(name="--before", negative="", help="Write markers and note heights.")] = False,
    after: Annotated[bool, Parameter(name="--after", negative="", help="Find them again and compare.")] = False,
    folder: Annotated[
        Path | None, Parameter(help="Where the record and the Jobs' logs are kept. Default: out/STACK/check-state.")
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Did every node keep its volumes and its chain? Run it before and after a disruption of your choice.

    Groups with `jobs` in the document take part; `jobs: {}` is the built-in pair. Each time the nodes are stopped, a
    Job looks at each one's volumes, and the nodes are started again. --before writes markers with checksums and notes
    each chain's height; --after finds the markers again and compares. Exit code 0: all kept. 1: something is lost, or a
    script failed; the end of its log is shown, all of it is in the folder. 2: something could not be told.
    """
    from mina_infra.persistence.check_state import as_json, exit_code, table

    if before == after:
        raise EngineError("say either --before or --after: what was written before a disruption is looked for after it")
    place = where.place()
    with Reporter() as reporter:
        check = _check(place, reporter, folder)
        reporter.say(place.stack, f"{len(check.asked())} nodes are stopped while their Jobs look at their volumes")
        if place.embedded is None and not yes and not confirm("Stop them?"):
            return 1
        with reporter.stage("checking", "starting"):
            record, checks = check.before() if before else check.after()
        reporter.say("logs", str(check.folder / record.run / check.phase))
    print(as_json(check.phase, record.run, checks) if json else table(checks))
    return exit_code(checks)


def _check(place: Place, reporter: Reporter, folder: Path | None) -> Check:
    from mina_infra.engine.state import outputs

    environment = place.environment()
    outputs(environment)  # nothing deployed: its error says so, and nothing is made
    return Check(
        plan=environment.plan,
        # The plan's, not the last run's: that one may have been a check, with its nodes stopped.
        outputs=environment.plan.outputs,
        deployment=_Deployment(place, reporter),
        folder=folder or Path("out") / place.stack / "check-state",
        runs_scripts=place.embedded is None,
        deadline_s=EMBEDDED_START_S if place.embedded else timeouts.deployments(environment.plan.spec),
    )


class _Deployment:
    """The engine and the cluster of a place, as a check needs them."""

    def __init__(self, place: Place, reporter: Reporter) -> None:
        self.place, self.reporter = place, reporter

    def up(self, paused: frozenset[str], run: JobRun | None) -> None:
        from mina_infra.engine.run import up

        environment = dataclasses.replace(self.place.environment(), jobs=run)
        up(environment, self.reporter, paused=paused)

    def settle(self, paused: frozenset[str]) -> None:
        from mina_infra.engine.settle import wait_until_running

        plan = self.place.environment().plan
        expected = [node.name for node in plan.outputs.running() if node.name not in paused]
        limit = timeouts.deployments(plan.spec)
        self.place.ask(
            lambda api: wait_until_running(api, plan.spec.namespace, expected, self.reporter, deadline_s=limit)
        )

    def ask(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        return self.place.ask(question)

    def tell(self, label: str, text: str) -> None:
        self.reporter.say(label, text)

    def update(self, text: str) -> None:
        self.reporter.update(text)
