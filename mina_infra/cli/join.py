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
from mina_infra.errors import ClusterError

if TYPE_CHECKING:
    from mina_infra.cluster.api import KubeApi, Manifest
    from mina_infra.guardian.findings import Finding
    from mina_infra.guardian.joining import Report
    from mina_infra.outputs import OutputsDocument
    from mina_infra.plan import TestnetPlan

_FORBIDDEN, _CONFLICT = 403, 409


def join(
    *,
    network: Reached = REACHED,
    namespace: Annotated[
        str | None,
        Parameter(
            help="Namespace to make for it and to delete afterwards. Default: TESTNET-join where there is one, "
            "else TESTNET-join-RANDOM."
        ),
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Can an outsider join? Starts a fresh node outside the testnet, waits until it is synced, and deletes it.

    The node has the daemon's image, a key of its own, no volume, and knows the published addresses alone. It must find
    a peer within 2 minutes and be at the tip within 30 (10 slots). Its namespace is deleted whatever happens; one that
    a killed command leaves behind ends after 2 hours, and `mina-infra expire` removes it. Who may not make namespaces
    needs the role `join` (`mina-infra rbac --role join`) beside observer and exec: it comes with a namespace for
    outsiders, which is then used and kept. Exit code 0: it could join. 1: it could not. 2: could not tell.
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
    from mina_infra.plan.joining import namespace_of, outsider, outsiders_home
    from mina_infra.publish.seeds import seed_list

    home = outsiders_home(outputs.namespace)
    if namespace is None and await _is_kept(api, home, plan.spec.name):
        namespace = home
    name = namespace or namespace_of(outputs.namespace, secrets.token_hex(2))
    addresses = [str(seed.multiaddress) for seed in seed_list(outputs)]
    roads = roads_of(road)
    async with there(api, outsider(plan, name, addresses)):
        here, away = KubeCluster(api, outputs.namespace, roads), KubeCluster(api, name, roads)
        return await watch(here, away, outputs, WallClock(), report)


@asynccontextmanager
async def there(api: "KubeApi", manifests: "tuple[Manifest, ...]") -> AsyncIterator[None]:
    """These objects while the block runs; the first is the namespace of all, which is deleted on any way out.

    A namespace that exists is refused by the API server (409), so nobody else's is ever deleted. In one that is kept
    for outsiders of this testnet the other objects are made and deleted alone.
    """
    from mina_infra.cluster.api import NAMESPACE, kind_of
    from mina_infra.plan import labels

    home, *rest = manifests
    name = home["metadata"]["name"]
    kept = await _is_kept(api, name, home["metadata"]["labels"][labels.JOIN])
    made: list[Manifest] = []
    try:
        for each in rest if kept else manifests:
            await _create(api, each)
            made.append(each)
        yield
    finally:
        # Without a wait for its end: the node has nothing to save, and the cluster does the rest.
        if kept:
            for each in made:
                await api.delete(kind_of(each), each["metadata"]["name"], name, grace_seconds=0)
        elif made:
            await api.delete(NAMESPACE, name)


async def _create(api: "KubeApi", manifest: "Manifest") -> None:
    """Raises ClusterError, with what would help."""
    from mina_infra.cluster.api import ApiStatusError

    home = manifest["kind"] == "Namespace"
    try:
        await api.create(manifest)
    except ApiStatusError as error:
        if error.code == _FORBIDDEN and home:
            raise ClusterError(
                f"{error}. A namespace for outsiders and the role to use it: mina-infra rbac --role join"
            ) from error
        if error.code == _CONFLICT and not home:
            place = manifest["metadata"]["namespace"]
            raise ClusterError(
                f"{place} already has an outsider, of a `join` that goes on or of one that was killed. After a kill: "
                f"kubectl delete pod/outsider configmap/daemon-config -n {place}"
            ) from error
        raise


async def _is_kept(api: "KubeApi", namespace: str, testnet: str) -> bool:
    """Whether it is there for outsiders of this testnet, and for good. Raises ClusterError."""
    from mina_infra.cluster.api import NAMESPACE, ApiStatusError
    from mina_infra.plan import labels
    from mina_infra.plan.joining import prepared

    try:
        found = await api.get(NAMESPACE, namespace)
    except ApiStatusError as error:
        if error.code == _FORBIDDEN:
            return False  # who may not even look has not been given it
        raise
    meta = found["metadata"] if found else {}
    for_outsiders = meta.get("labels", {}).items() >= prepared(testnet).items()
    return for_outsiders and labels.TTL not in meta.get("annotations", {})
