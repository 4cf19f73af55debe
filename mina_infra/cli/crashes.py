"""The command that collects crashes and writes issues about them. (No postponed annotations: see options.)"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mina_infra.cli.known import known_issues_of
from mina_infra.cli.operate import PLANNED, Deployed
from mina_infra.cli.options import Json
from mina_infra.cli.place import Place
from mina_infra.cli.watch import seconds_of
from mina_infra.errors import EngineError

if TYPE_CHECKING:
    from mina_infra.cluster.api import KubeApi
    from mina_infra.guardian.crashes.issue import Intake
    from mina_infra.guardian.crashes.model import Crash, Crashes
    from mina_infra.outputs import OutputsDocument

KnownFile = Annotated[
    Path | None,
    Parameter(help="List of known crashes. Default: known-issues.yaml beside the stack file, if there is one."),
]


def crashes(
    *,
    network: Deployed = PLANNED,
    since: Annotated[str, Parameter(help="How far back: 90m, 24h, 7d.")] = "24h",
    issue: Annotated[
        str | None, Parameter(help="Fingerprint (or its beginning) of which to write an issue, in Markdown.")
    ] = None,
    known_issues: KnownFile = None,
    cloud_logging: Annotated[
        bool,
        Parameter(
            name="--cloud-logging",
            negative="",
            help="Ask Google's Cloud Logging, too: it also knows pods that are gone. Needs the extra `gcp`.",
        ),
    ] = False,
    output: Annotated[Literal["text", "json"], Parameter(name=["--format", "-o"], help="text or json.")] = "text",
    json: Json = False,
) -> int:
    """What has crashed, one line for each bug, however many nodes it met; with --issue the text to file.

    Asked are the pods, the previous logs of restarted containers and the cluster's events. Shutdowns, evictions and
    deletions are no crashes. The account needs the role observer (`mina-infra rbac`). Exit code 0: nothing new has
    crashed. 1: something has. 2: could not tell.
    """
    from mina_infra.guardian.crashes import issue as issues

    place = network.place()
    found = _intake(place, network.document(place), since, known_issues, cloud_logging)
    if issue is not None:
        group = found.find(issue)
        machine = json or output == "json"
        print(issues.as_json(found, group) if machine else issues.markdown(found, group), end="")
        return 0
    print(issues.as_json(found) if json or output == "json" else issues.table(found), end="")
    return 1 if found.sorted.new else 0


def _intake(place: Place, document: "OutputsDocument", since: str, known: Path | None, history: bool) -> "Intake":
    from mina_infra.guardian.crashes.cloud_logging import merged
    from mina_infra.guardian.crashes.issue import Intake
    from mina_infra.guardian.crashes.known import sort
    from mina_infra.guardian.crashes.model import grouped

    entries = known_issues_of(place, known)
    now = datetime.now(UTC)
    start = now - timedelta(seconds=seconds_of("--since", since))
    older: tuple[Crash, ...] = _history(place, document, start) if history else ()
    seen = place.ask(lambda api: _look(api, document, start.timestamp()))
    groups = grouped(merged(seen.found, older))
    return Intake(
        document, sort(groups, entries, now.date()), seen.explained, seen.unread, start.timestamp(), history
    )  # fmt: skip


async def _look(api: "KubeApi", document: "OutputsDocument", since: float) -> "Crashes":
    from mina_infra.cluster.cluster import KubeCluster
    from mina_infra.guardian.crashes.intake import Context, look
    from mina_infra.guardian.verify import refuse_foreign

    cluster = KubeCluster(api, document.namespace)
    await refuse_foreign(cluster, document)
    return await look(cluster, document, await cluster.pods(), Context(since=since))


def _history(place: Place, document: "OutputsDocument", since: datetime) -> "tuple[Crash, ...]":
    """Raises SpecError, EngineError, ToolError or ClusterError."""
    import asyncio

    from mina_infra.guardian.crashes.cloud_logging import Query, connect, look
    from mina_infra.spec.load import load_monitoring

    google = load_monitoring(place.stack_file).google
    if google is None:
        raise EngineError(
            f"--cloud-logging needs the project and the cluster's name there. Say them in {place.stack_file.name}: "
            "mina-infra:monitoring: {google: {project: ..., cluster: ..., channels: [...]}}"
        )
    return asyncio.run(look(Query(connect(google.project), google.cluster, document.namespace, since)))
