"""Commands that judge a testnet and say by what. (No postponed annotations: see options.)"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.operate import DEPLOYED, PLANNED, Deployed, Network
from mina_infra.cli.options import Json
from mina_infra.errors import EngineError

if TYPE_CHECKING:
    from mina_infra.guardian.verdict import Verdict

# Named again, because what defines them takes long to load; a test holds them equal.
Profile = Annotated[
    Literal["qa", "public", "mina-alerts"] | None,
    Parameter(help="Judge by these limits, not by those of the document. mina-alerts: Mina's own alerts."),
]
Format = Annotated[
    Literal["text", "json", "junit", "markdown", "html"] | None,
    Parameter(name=["--format", "-o"], help="Print the report in this form on standard output."),
]


def verify(
    *,
    network: Network = DEPLOYED,
    only: Annotated[
        list[str] | None, Parameter(negative="", help="Make this check and no other. Repeatable; `explain` lists them.")
    ] = None,
    skip: Annotated[list[str] | None, Parameter(negative="", help="Leave this check out. Repeatable.")] = None,
    strict: Annotated[bool, Parameter(negative="", help="Exit with 1 for notes within the criteria too.")] = False,
    profile: Profile = None,
    form: Format = None,
    report: Annotated[
        list[Path] | None,
        Parameter(negative="", help="Write the report here; .txt, .json, .xml (JUnit), .md or .html. Repeatable."),
    ] = None,
    join: Annotated[
        bool,
        Parameter(
            negative="",
            help="Let an outsider join as well (`mina-infra join`): one more node for a while, a second if it fails",
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Is the network healthy? Every check with its evidence. Exit code 0 healthy, 1 unstable, 2 could not tell.

    What should be there comes from the outputs document, never from what happens to answer. A network that still
    starts is given until the deadline. On GitHub the report is added to the summary of the step. The account needs the
    roles observer and exec, for --join also join (`mina-infra rbac`).
    """
    from mina_infra.guardian.report import format_of, render, write

    skipped = _left_out(only or [], skip or [])
    for file in report or ():
        format_of(file)  # a wrong ending is told before the network is asked, not after
    with Reporter() as reporter:
        session = network.session(reporter)
        verdict = session.verify(profile, skipped, join=join)
        for file in report or ():
            write(verdict, file)
            reporter.say("report", str(file))
        if strict and verdict.healthy and verdict.warned:
            reporter.say("strict", "notes within the criteria count as failures")
    if form or json:
        print(render(verdict, form or "json"), end="")
    _tell_github(verdict, os.environ)
    return 1 if strict and verdict.healthy and verdict.warned else verdict.exit_code


def explain(name: str = "", /, *, network: Deployed = PLANNED, profile: Profile = None) -> int:
    """What a check or a criterion asks of this testnet: the rule, the numbers in force and why, what to do.

    Parameters
    ----------
    name
        A check (`sync`), a criterion (`network-forks`) or the number of one (1 to 8). Without it: those that there are.
    """
    from mina_infra.guardian.criteria import criteria_of
    from mina_infra.guardian.explain import contents
    from mina_infra.guardian.explain import explain as words

    print(words(name, criteria_of(network.planned(), profile)) if name else contents(), end="")
    return 0


def _left_out(only: list[str], skip: list[str]) -> frozenset[str]:
    """The checks that `--only` and `--skip` leave out. Raises NoSuchCheckError, and EngineError when none is left."""
    if not only and not skip:
        return frozenset()
    from mina_infra.guardian.checks import CHECKS
    from mina_infra.guardian.explain import NoSuchCheckError

    names = [check.name for check, _ in CHECKS]
    for name in (*only, *skip):
        if name not in names:
            raise NoSuchCheckError(name, names)
    left_out = frozenset(name for name in names if name in skip or (only and name not in only))
    if len(left_out) == len(names):
        raise EngineError("--only and --skip leave no check to make; take one of them away")
    return left_out


def _tell_github(verdict: "Verdict", environ: Mapping[str, str]) -> None:
    """Add the report to the step's summary and name the failures beside the run, where this runs on GitHub."""
    if environ.get("GITHUB_ACTIONS") != "true":
        return
    from mina_infra.guardian.reports.markdown import LIMIT_BYTES, error_lines, text_of

    for line in error_lines(verdict):
        print(line, file=sys.stderr)  # GitHub reads both; standard output is for data
    file = environ.get("GITHUB_STEP_SUMMARY")
    if file:
        with Path(file).open("a", encoding="utf-8") as summary:
            room = LIMIT_BYTES - summary.tell()
            summary.write(text_of(verdict, room) if room > 0 else "")
