"""The command that lets an outsider join. (No postponed annotations: see options.)"""

import json as jsonlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import confirm
from mina_infra.cli.operate import REACHED, Reached
from mina_infra.cli.options import Json, Yes
from mina_infra.cli.place import Place

if TYPE_CHECKING:
    from mina_infra.cluster.api import KubeApi, Manifest
    from mina_infra.guardian.findings import Finding
    from mina_infra.guardian.joining import Report
    from mina_infra.outputs import OutputsDocument
    from mina_infra.plan import TestnetPlan


def join(
    *,
    network: Reached = REACHED,
    namespace: Annotated[
        str | None, Parameter(help="Namespace to make for it and to delete afterwards. Default: TESTNET-join-RANDOM.")
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Can an outsider join? Starts a fresh node outside the testnet, waits until it is synced, and deletes it.

    The node has the daemon's image, a key of its own, no volume, and knows the published addresses alone. It must find
    a peer within 2 minutes and be at the tip within 30 (10 slots). Its namespace is deleted whatever happens; one that
    a killed command leaves behind ends after 2 hours, and `mina-infra expire` removes it. Exit code 0: it could join.
    1: it could not. 2: could not tell.
    """
    place = network.place()
    document = network.document(place)
    if place.embedded is None and not yes and not confirm("Start one more node, in a namespace of its own?"):
        return 1
    with Reporter() as reporter:
        finding = let_in(place, document, reporter, network.road, namespace)
    if json:
        from mina_infra.guardian.reports.json import finding_value

        print(jsonlib.dumps({"schema": 1, **finding_value(finding)}, indent=2, ensure_ascii=False))
    return {"pass": 0, "fail": 1}.get(finding.state, 2)


def let_in(
    place: Place, document: "OutputsDocument", reporter: Reporter, road: str, namespace: str | None = None
) -> "Finding":
    """The outsider's visit, told as it goes. Raises ClusterError."""
    plan = place.environment().plan
    with reporter.stage("joining", "an outsider starts"):
        finding = place.ask(
            lambda api: visit(
                api, plan, document, namespace, road,
                lambda progress: reporter.update(f"{progress.stage}: {progress.words}"),
            )
        )  # fmt: skip
    reporter.say({"pass": "✓", "fail": "✗"}.get(finding.state, "?"), f"join        {finding.summary}")
    for row in finding.evidence:
        reporter.say("", "  ".join(str(value) for value in row.values() if value is not None))
    return finding


async def visit(
    api: "KubeApi",
    plan: "TestnetPlan",
    outputs: "OutputsDocument",
    namespace: str | None,
    road: str,
    report: "Report | None" = None,
) -> "Finding":
    """Let an outsider in and out again. Raises ClusterError."""
    from mina_infra.cluster.cluster import KubeCluster
    from mina_infra.cluster.roads import roads_of
    from mina_infra.guardian.clock import WallClock
    from mina_infra.guardian.joining import join as watch
    from mina_infra.plan.joining import namespace_of, outsider
    from mina_infra.publish.seeds import seed_list

    name = namespace or namespace_of(outputs.namespace, secrets.token_hex(2))
    addresses = [str(seed.multiaddress) for seed in seed_list(outputs)]
    roads = roads_of(road)
    async with there(api, outsider(plan, name, addresses)):
        here, away = KubeCluster(api, outputs.namespace, roads), KubeCluster(api, name, roads)
        return await watch(here, away, outputs, WallClock(), report)


@asynccontextmanager
async def there(api: "KubeApi", manifests: "tuple[Manifest, ...]") -> AsyncIterator[None]:
    """These objects while the block runs; the first is the namespace of all, which is deleted on any way out.

    A namespace that exists is refused by the API server (409), so nobody else's is ever deleted.
    """
    from mina_infra.cluster.api import NAMESPACE

    home, *rest = manifests
    await api.create(home)
    try:
        for each in rest:
            await api.create(each)
        yield
    finally:
        # Without a wait for its end: the node has nothing to save, and the cluster does the rest.
        await api.delete(NAMESPACE, home["metadata"]["name"])
