"""An outsider joins the testnet of an embedded cluster by what was published, and is always taken away again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from mina_infra.cli.join import there, visit
from mina_infra.cluster.api import NAMESPACE, POD, ApiStatusError, KubeApi
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.joining import Progress, Stage
from mina_infra.guardian.verify import verify
from mina_infra.hygiene.expire import Standing, judge, see
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import checkout
from mina_infra.local.world import start_world
from mina_infra.outputs import OutputsDocument
from mina_infra.plan import TestnetPlan, parse_document, plan_testnet
from mina_infra.plan.joining import outsider
from mina_infra.plan.localize import localize
from tests.world.conftest import Starter
from tests.world.survivors import SLOT_MS
from tests.world.test_simulator import document
from tests.world.test_verify import apply_all

R = TypeVar("R")
NAME = "join"
PATIENCE_S = 60.0
STRANGER = "12D3KooW" + "A" * 44


class Here:
    def __init__(self, cluster: EmbeddedCluster, plan: TestnetPlan) -> None:
        self.cluster = cluster
        self.plan = plan
        self.outputs = plan.outputs

    def ask(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        async def run() -> R:
            async with self.cluster.api() as api, asyncio.timeout(PATIENCE_S):
                return await question(api)

        return asyncio.run(run())

    def gone(self, namespace: str) -> bool:
        """Or on its way out, of which nothing comes back."""
        found = self.ask(lambda api: api.get(NAMESPACE, namespace))
        return found is None or "deletionTimestamp" in found["metadata"]


@pytest.fixture(scope="module")
def here(start: Starter) -> Here:
    cluster = start(NAME)
    start_world(cluster)
    plan = plan_testnet(parse_document(localize(document(), checkout(), SLOT_MS), checkout()))
    found = Here(cluster, plan)
    found.ask(lambda api: apply_all(api, plan))
    verdict = found.ask(lambda api: verify(KubeCluster(api, plan.outputs.namespace), plan.outputs, PATIENCE_S))
    assert verdict.healthy, verdict
    return found


def join(here: Here, name: str, outputs: OutputsDocument | None = None) -> tuple[Finding, list[Progress]]:
    seen: list[Progress] = []
    finding = here.ask(lambda api: visit(api, here.plan, outputs or here.outputs, name, "auto", seen.append))
    return finding, seen


def test_an_outsider_enters_by_the_published_address_and_is_removed(here: Here) -> None:
    finding, seen = join(here, "outsider-1")
    assert (finding.state, finding.problems) == (State.PASS, ()), finding
    assert int(finding.figures["peers"] or 0) >= 1
    assert int(finding.figures["height"] or 0) > 1
    assert seen[-1].stage is Stage.IN
    assert here.gone("outsider-1")
    verdict = here.ask(lambda api: verify(KubeCluster(api, here.outputs.namespace), here.outputs, PATIENCE_S))
    assert verdict.healthy, "the outsider was none of the testnet's nodes"


def test_an_address_that_leads_nowhere_lets_nobody_in(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published peer id is not the seed's: the outsider finds no peer, and that is the finding."""
    monkeypatch.setattr("mina_infra.guardian.joining.criteria_of", quick(3.0))
    seed = here.outputs.seeds[0]
    wrong = seed.model_copy(
        update={"peer_id": STRANGER, "multiaddress": seed.multiaddress.replace(seed.peer_id, STRANGER)}
    )
    finding, _ = join(here, "outsider-2", here.outputs.model_copy(update={"seeds": [wrong]}))
    assert (finding.state, finding.problems) == (State.FAIL, ("cannot-connect",)), finding
    assert here.gone("outsider-2")


def quick(connect_s: float) -> Callable[[OutputsDocument], Criteria]:
    from dataclasses import replace

    from mina_infra.guardian.criteria import criteria_of

    return lambda outputs: replace(criteria_of(outputs), join_connect_s=connect_s)


def test_an_interrupted_test_takes_its_outsider_away(here: Here) -> None:
    async def interrupted(api: KubeApi) -> None:
        task = asyncio.create_task(visit(api, here.plan, here.outputs, "outsider-3", "auto"))
        while await api.get(POD, "outsider", "outsider-3") is None:
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    here.ask(interrupted)
    assert here.gone("outsider-3")


def test_a_namespace_that_exists_is_neither_used_nor_deleted(here: Here) -> None:
    with pytest.raises(ApiStatusError) as error:
        join(here, here.outputs.namespace)
    assert error.value.code == 409
    assert not here.gone(here.outputs.namespace)


def test_one_that_a_killed_command_left_behind_expires(here: Here) -> None:
    """Nobody came to the end of the block: the label and the ttl are what is left to tell."""

    async def left_behind(api: KubeApi) -> tuple[Standing, Standing]:
        block = there(api, outsider(here.plan, "outsider-4", ()))
        await block.__aenter__()
        seen, now = await see(api), datetime.now(UTC)
        found = {
            after: next(each for each in judge(seen, (), now + after) if each.testnet == "outsider-4").standing
            for after in (timedelta(), timedelta(hours=3))
        }
        await block.__aexit__(None, None, None)
        return found[timedelta()], found[timedelta(hours=3)]

    assert here.ask(left_behind) == (Standing.LIVING, Standing.LEFT)
    assert here.gone("outsider-4")
