"""The guardian's present way: one port-forward, one `sleep 5` and one question for each pod, by twelve threads.

The course of Mina's `automation/scripts/testnet-validation/compare_best_tip.py` (docs/facts.md: guardian/present-way):
list the pods, and for each, in a pool of 12 threads: start a port-forward, sleep 5 s, ask `bestChain { stateHash }`,
end the port-forward; twice when the connection fails, each time with three tries of the question; at the end put the
hashes into a tree. Kinder than the original in three points: the port-forward is a socket of ours and no `bash` with a
`kubectl`, so its start costs nothing; a question that is not answered ends after 6 s, where the original's HTTP client
has no limit and one silent pod would hold a thread for ever; and every pod is asked, not only those with
`block-producer` in their names.
"""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mina_infra.cluster.api import POD, KubeApi
from mina_infra.cluster.portforward import post_json
from mina_infra.errors import ClusterError

THREADS = 12
SLEEP_S = 5.0
ANSWER_S = 6.0
TRIES, QUESTIONS = 2, 3
NAMESPACE = "testnet"
QUESTION = json.dumps({"query": "query bestChainQuery { bestChain { stateHash } }"}).encode()


@dataclass(frozen=True)
class PodCost:
    """One pod: seconds in its thread, and whether it answered."""

    seconds: float
    answered: bool


@dataclass(frozen=True)
class Course:
    """The whole script, or the part of it over a sample of the pods. `seconds` of wall time."""

    pods: int
    seconds: float
    costs: tuple[PodCost, ...]

    def each(self, answered: bool) -> float:
        """Seconds that a pod of this kind holds a thread, on average."""
        mine = [cost.seconds for cost in self.costs if cost.answered is answered]
        return sum(mine) / len(mine) if mine else 0.0

    def extrapolated(self, answering: int, silent: int) -> float:
        """Seconds for so many pods, by the measured time of each in twelve threads that are never idle."""
        return (answering * self.each(True) + silent * self.each(False)) / THREADS


def pods_of(kubeconfig: Path) -> list[str]:
    """Names of all pods, listed as the script does."""

    async def names() -> list[str]:
        async with KubeApi.from_kubeconfig(kubeconfig) as api:
            return [item["metadata"]["name"] for item in await api.objects(POD, NAMESPACE)]

    return asyncio.run(names())


def run(kubeconfig: Path, pods: list[str]) -> Course:
    """Process these pods and compare their chains."""
    started = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(lambda pod: _process(kubeconfig, pod), pods))
    tree: dict[str, set[str]] = {}
    for (_, chain), pod in zip(results, pods, strict=True):
        for below, above in pairwise(chain):
            tree.setdefault(below, set()).add(above)
        if chain:
            tree.setdefault(chain[-1], set()).add(pod)
    return Course(len(pods), time.monotonic() - started, tuple(cost for cost, _ in results))


def _process(kubeconfig: Path, pod: str) -> tuple[PodCost, list[str]]:
    started = time.monotonic()
    for _ in range(TRIES):
        time.sleep(SLEEP_S)  # the script that is measured really waits so, whether or not the port-forward is there
        for _ in range(QUESTIONS):
            try:
                chain = asyncio.run(_best_chain(kubeconfig, pod))
            except (ClusterError, TimeoutError):
                continue
            return PodCost(time.monotonic() - started, True), chain
    return PodCost(time.monotonic() - started, False), []


async def _best_chain(kubeconfig: Path, pod: str) -> list[str]:
    async with asyncio.timeout(ANSWER_S), KubeApi.from_kubeconfig(kubeconfig) as api:
        reply = json.loads(await post_json(api, NAMESPACE, pod, 3085, "/graphql", QUESTION))
    return [block["stateHash"] for block in reply["data"]["bestChain"] or []]
