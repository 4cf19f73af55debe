"""The guardian's roles on a real API server: what it does is allowed, everything else is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import yaml

from mina_infra.cli.examination import Mark, examine, exit_code
from mina_infra.cli.join import visit
from mina_infra.cluster.api import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    NODE,
    POD,
    SECRET,
    ApiStatusError,
    Kind,
    KubeApi,
)
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.cluster.logs import LogRange
from mina_infra.cluster.rights import may, who
from mina_infra.cluster.roads import Road, usual_roads
from mina_infra.errors import ClusterError
from mina_infra.guardian.clock import WallClock
from mina_infra.guardian.findings import State
from mina_infra.guardian.survey import newest_pods
from mina_infra.guardian.verify import verify
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import checkout
from mina_infra.local.world import start_world
from mina_infra.plan import TestnetPlan, parse_document, plan_testnet
from mina_infra.plan.localize import localize
from mina_infra.plan.rights import PROXY, Duty, Right, Subject, manifests, rights
from tests.world.conftest import Starter
from tests.world.survivors import SLOT_MS
from tests.world.test_simulator import document as small_document
from tests.world.test_verify import apply_all

R = TypeVar("R")
NAME = "rights"
LOOKER, OBSERVER, CHAOS, HOST = "looker", "observer", "monkey", "host"
PATIENCE_S = 120.0
ROLES = {
    LOOKER: [Duty.OBSERVER, Duty.EXEC],
    OBSERVER: [Duty.OBSERVER],
    CHAOS: [Duty.CHAOS],
    HOST: [Duty.OBSERVER, Duty.EXEC, Duty.JOIN],
}


class Here:
    """A small testnet, and accounts that have the guardian's roles in it."""

    def __init__(self, cluster: EmbeddedCluster, plan: TestnetPlan) -> None:
        self.cluster = cluster
        self.plan = plan
        self.outputs = plan.outputs
        self.namespace = plan.outputs.namespace

    def as_account(self, account: str, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        """By impersonation, which the administrator of a cluster may."""

        async def run() -> R:
            async with self.cluster.api() as api, asyncio.timeout(PATIENCE_S):
                if account:
                    api.http.headers["Impersonate-User"] = f"system:serviceaccount:{self.namespace}:{account}"
                return await question(api)

        return asyncio.run(run())

    def may(self, account: str, verb: str, resource: str, group: str = "", *, namespace: str | None = None) -> bool:
        place = self.namespace if namespace is None else namespace
        return self.as_account(account, lambda api: may(api, place, verb, resource, group))


@pytest.fixture(scope="module")
def here(start: Starter) -> Here:
    cluster = start(NAME)
    start_world(cluster)
    plan = plan_testnet(parse_document(localize(small_document(), checkout(), SLOT_MS), checkout()))
    found = Here(cluster, plan)
    found.as_account("", lambda api: apply_all(api, plan))
    for account, duties in ROLES.items():
        for each in manifests(plan.spec.name, found.namespace, duties, Subject(account)):
            found.as_account("", lambda api, each=each: api.apply(each))
    return found


def test_whom_we_impersonate_is_whom_the_server_knows(here: Here) -> None:
    assert here.as_account(LOOKER, who) == f"system:serviceaccount:{here.namespace}:{LOOKER}"


@pytest.mark.parametrize("duty", Duty)
def test_each_verb_of_a_role_is_granted(here: Here, duty: Duty) -> None:
    account = {Duty.OBSERVER: OBSERVER, Duty.EXEC: LOOKER, Duty.CHAOS: CHAOS, Duty.JOIN: HOST}[duty]
    place = duty.place(here.namespace)

    async def ask(api: KubeApi) -> list[tuple[str, str]]:
        return [
            (verb, right.resource)
            for right in rights(duty, here.namespace)
            for verb in right.verbs
            if not await may(api, place, verb, right.resource, right.group, right.only)
        ]

    assert here.as_account(account, ask) == []


def test_observer_and_exec_suffice_for_everything_the_guardian_asks(here: Here) -> None:
    async def guard(api: KubeApi) -> None:
        cluster = KubeCluster(api, here.namespace, usual_roads({}))
        verdict = await verify(cluster, here.outputs, PATIENCE_S)
        assert verdict.healthy, verdict
        assert cluster.road is Road.PORT_FORWARD
        assert [note.split(",")[0] for note in verdict.finding("answers").warnings] == ["road proxy skipped"]
        pod = newest_pods(await cluster.pods())["seed-1"].name
        assert (await cluster.exec(pod, "mina", ["mina", "client", "status"])).exit_code == 0
        assert await cluster.read_log(pod, "mina", LogRange(tail_lines=1))
        assert await cluster.events() is not None
        assert await cluster.server_time()

    here.as_account(LOOKER, guard)


def test_the_observer_alone_cannot_tell_and_accuses_nobody(here: Here) -> None:
    """Without a right to any road the question stays open, and the missing right is in the evidence."""

    async def guard(api: KubeApi) -> None:
        verdict = await verify(KubeCluster(api, here.namespace), here.outputs, 0)
        assert verdict.exit_code == 2
        answers = verdict.finding("answers")
        assert answers.problems == ("road",)
        assert "pods/portforward" in str(answers.evidence[0]["detail"])

    here.as_account(OBSERVER, guard)


FORBIDDEN = (
    Right(("get", "list", "watch", "create", "delete"), "secrets"),
    Right(("get", "list"), "configmaps"),
    Right(("create", "patch", "update", "deletecollection"), "pods"),
    Right(("create", "patch", "update", "delete"), "deployments", "apps"),
    Right(("create", "patch", "update", "delete"), "persistentvolumeclaims"),
    Right(("get", "create"), "pods/attach"),
    Right(("update", "patch"), "pods/ephemeralcontainers"),
    Right(("create",), "serviceaccounts/token"),
    Right(("get", "list", "create", "bind", "escalate"), "roles", "rbac.authorization.k8s.io"),
    Right(("create", "delete"), "rolebindings", "rbac.authorization.k8s.io"),
    Right(("delete", "patch"), "namespaces"),
    PROXY,
)
CLUSTER_WIDE = (
    Right(("get", "list", "create"), "nodes/proxy"),
    Right(("get", "list", "patch", "delete"), "nodes"),
    Right(("list",), "namespaces"),
    Right(("list",), "pods"),
    Right(("get", "list", "delete"), "persistentvolumes"),
    Right(("impersonate",), "users"),
)


@pytest.mark.parametrize("account", ROLES)
def test_everything_else_is_refused(here: Here, account: str) -> None:
    asked = [(right, here.namespace) for right in FORBIDDEN]
    asked += [(right, place) for right in CLUSTER_WIDE for place in ("", "kube-system")]

    async def ask(api: KubeApi) -> list[str]:
        return [
            f"{verb} {right.resource} in {place or 'the cluster'}"
            for right, place in asked
            for verb in right.verbs
            if await may(api, place, verb, right.resource, right.group)
        ]

    assert here.as_account(account, ask) == []


def test_what_is_refused_is_refused_in_deed(here: Here) -> None:
    def refused(account: str, question: Callable[[KubeApi], Awaitable[object]]) -> None:
        with pytest.raises(ApiStatusError) as error:
            here.as_account(account, question)
        assert error.value.code == 403

    def everywhere(kind: Kind) -> Callable[[KubeApi], Awaitable[object]]:
        return lambda api: api.objects(kind)

    refused(LOOKER, lambda api: api.objects(SECRET, here.namespace))
    refused(LOOKER, everywhere(NODE))
    refused(LOOKER, everywhere(POD))
    refused(LOOKER, lambda api: api.delete(POD, "any", here.namespace))
    refused(LOOKER, lambda api: KubeCluster(api, here.namespace).evict("any"))
    refused(CHAOS, lambda api: api.delete(DEPLOYMENT, "plain-1", here.namespace))
    refused(CHAOS, lambda api: KubeCluster(api, here.namespace).exec("any", "mina", ["mina"]))


def test_chaos_may_evict_and_delete_one_pod(here: Here) -> None:
    async def disturb(api: KubeApi) -> None:
        cluster = KubeCluster(api, here.namespace)
        pods = newest_pods(await cluster.pods())
        await cluster.evict(pods["plain-1"].name, dry_run=True)
        assert await api.delete(POD, pods["plain-1"].name, here.namespace, grace_seconds=0)

    here.as_account(CHAOS, disturb)


def test_doctor_prints_the_rule_that_then_suffices(here: Here) -> None:
    clock, roads = WallClock(), usual_roads({})

    def look(account: str, *duties: Duty) -> tuple[int, dict[str, str]]:
        lines = here.as_account(account, lambda api: examine(api, here.outputs, clock, roads, duties))
        return exit_code(lines), {line.about: line.mend for line in lines if line.mark is Mark.BAD}

    assert look(LOOKER) == (0, {})
    assert look(HOST, Duty.JOIN) == (0, {})
    assert look(LOOKER, Duty.JOIN)[1].keys() == {"rights: join"}
    code, missing = look(OBSERVER, Duty.EXEC)
    assert code == 1
    assert set(missing) == {"rights: exec", "roads"}
    mended = next(
        each for each in manifests(NAME, here.namespace, [Duty.OBSERVER], Subject(OBSERVER)) if each["kind"] == "Role"
    )
    mended["rules"] += yaml.safe_load(missing["rights: exec"])["rules"]
    here.as_account("", lambda api: api.apply(mended))
    assert look(OBSERVER, Duty.EXEC) == (0, {})


# Last, because they take their time: this network has no provers, so its blocks are full after half a minute.


def test_with_the_role_join_an_outsider_is_let_in_and_taken_away_without_a_right_to_make_namespaces(here: Here) -> None:
    home = Duty.JOIN.place(here.namespace)

    async def left(api: KubeApi) -> list[str]:
        found = [*await api.objects(POD, home), *await api.objects(CONFIG_MAP, home)]
        return [each["metadata"]["name"] for each in found if each["metadata"]["name"] != "kube-root-ca.crt"]

    finding = here.as_account(HOST, lambda api: visit(api, here.plan, here.outputs, None, "auto"))
    assert (finding.state, finding.problems) == (State.PASS, ()), finding
    assert here.as_account("", left) == []
    assert here.as_account("", lambda api: api.get(NAMESPACE, home)) is not None


def test_without_it_the_refusal_names_the_role(here: Here) -> None:
    with pytest.raises(ClusterError, match="rbac --role join"):
        here.as_account(LOOKER, lambda api: visit(api, here.plan, here.outputs, None, "auto"))
