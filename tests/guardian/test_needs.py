"""A check that is left out costs nothing: what is asked of the cluster is what the chosen checks read."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.exec import ExecResult
from mina_infra.cluster.roads import Road
from mina_infra.guardian.checks import CHECKS, needs
from mina_infra.guardian.evidence import SOURCES, with_what_they_need
from mina_infra.guardian.findings import State
from mina_infra.guardian.verdict import Health, Verdict
from mina_infra.guardian.verify import verify
from mina_infra.simulator import virtual_time
from mina_infra.simulator.cluster import SimulatedCluster
from tests.guardian.fake_cluster import World, world

NAMES = [check.name for check, _ in CHECKS]
NODES = 11
PRODUCERS = 7

LISTED = {"namespace_labels": 1, "pods": 1}
ASKED = {**LISTED, "find_road": 1, "graphql": 2 * NODES}
HISTORY = {**ASKED, "graphql": 2 * NODES + 1}
REQUESTS = {
    "inventory": {**LISTED, "deployments": 1},
    "pods": LISTED,
    "claims": {"namespace_labels": 1, "claims": 1},
    "versions": ASKED,
    "crashes": LISTED,
    "disk": {**LISTED, "exec": NODES},
    "answers": ASKED,
    "clocks": {**ASKED, "server_time": 1},
    "sync": ASKED,
    "forks": ASKED,
    "production": HISTORY,
    "producers": HISTORY,
    "gossip": HISTORY,
    "inclusion": HISTORY,
    "tps": HISTORY,
    "provers": {**ASKED, "metrics": PRODUCERS},
    "seeds": ASKED,
}
"""How often each question is asked in one sweep for the sake of one check."""


class Counted:
    """A cluster, and how often each of its questions was asked."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.requests: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._cluster, name)
        if not callable(found):
            return found

        def asked(*words: Any, **more: Any) -> Any:
            self.requests[name] += 1
            return found(*words, **more)

        return asked


def verified(here: World, skipped: set[str]) -> tuple[Verdict, Counter[str]]:
    counted: Any = Counted(here.cluster)
    judging = verify(counted, here.outputs, 0, clock=here.cluster.clock, skipped=skipped)
    return virtual_time.run(judging), counted.requests


@pytest.mark.parametrize("name", NAMES)
def test_one_check_alone_asks_for_what_it_reads_and_nothing_else(name: str) -> None:
    verdict, requests = verified(world(slots=300 if name == "producers" else 40), set(NAMES) - {name})
    assert [(finding.check, finding.state) for finding in verdict.findings if finding.asked] == [(name, State.PASS)]
    assert requests == REQUESTS[name]
    assert verdict.exit_code == 0


def test_a_check_that_is_skipped_alone_spares_its_own_source_alone() -> None:
    _, every = verified(world(), set())
    _, without_disk = verified(world(), {"disk"})
    assert every - without_disk == Counter(exec=NODES)
    assert without_disk - every == Counter()


def test_a_source_brings_what_it_is_gathered_by() -> None:
    assert with_what_they_need({"history"}) == {"history", "survey", "pods"}
    assert needs() <= SOURCES.keys()
    assert with_what_they_need(needs()) == SOURCES.keys()


class SeenByAnObserver(SimulatedCluster):
    """Neither commands nor port-forwards are allowed; daemons are asked through the API server's proxy."""

    refused = 0

    async def exec(self, *_: Any, **__: Any) -> ExecResult:
        self.refused += 1
        raise ApiStatusError(403, "Forbidden", 'cannot create resource "pods/exec"')

    async def metrics(self, pod: str, port: int) -> bytes:
        self.refused += 1
        raise ApiStatusError(403, "Forbidden", 'cannot create resource "pods/portforward"')


def test_an_observer_gets_a_verdict_and_is_told_what_he_may_not_see() -> None:
    here = world()
    here.cluster = observer = SeenByAnObserver(here.network, road=Road.PROXY)
    verdict = here.verify()
    assert (verdict.health, verdict.exit_code) == (Health.HEALTHY, 0)
    unseen = {each.check: each.summary for each in verdict.findings if "these credentials may not" in each.summary}
    assert unseen.keys() == {"disk", "provers"}
    assert not any(verdict.finding(check).asked for check in unseen)
    observer.without_deployment = {"fish-1"}  # a hard failure, which needs a second look
    observer.refused = 0
    assert here.verify().sweeps == 2
    assert observer.refused == NODES - 1 + PRODUCERS - 1  # nobody is refused twice
