"""What happens to a testnet: each function leaves it as somebody's mishap, or a change that was wanted, would.

`MISHAPS` is the survival matrix: what happens, and which command puts things right again, if any is needed at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mina_infra.cluster.api import DEPLOYMENT, JOB, NODE, POD, ApiStatusError, KubeApi
from mina_infra.engine.guard import VolumesInDangerError
from mina_infra.engine.process import leftovers
from mina_infra.engine.report import Silent
from mina_infra.engine.settle import wait_until_running
from mina_infra.errors import EngineError
from mina_infra.local import kwokctl, processes
from mina_infra.local.control_plane import own_processes
from mina_infra.local.world import world_processes
from tests.world import copies
from tests.world.survivors import PATIENCE_S, Network, at_least, engines, kill, kill_command_when, when

EVICTIONS = 8
"""Requests for evictions at once."""


def wait(network: Network) -> int:
    """Nothing is done about it."""
    return network.wait()


def up(network: Network) -> int:
    """The same command as ever."""
    return network.up()


def up_that_gives_up(network: Network) -> int:
    """The same, with what was given up last in its allow list."""
    return network.command("local", "up", "--allow-volume", network.given_up[-1])


@dataclass(frozen=True)
class Mishap:
    """What happens, and what is done about it (an exit code of the verdict).

    `copied`: that was to start a copy, which is then judged as well.
    """

    happen: Callable[[Network], None]
    recover: Callable[[Network], int] = up
    copied: bool = False


# --- pods and machines ------------------------------------------------------------------------------------------------


def one_pod_deleted(network: Network) -> None:
    pod = next(name for name in network.names(POD) if name.startswith("whale-1-"))
    network.ask(lambda api: api.delete(POD, pod, network.name, grace_seconds=0))


def all_pods_deleted(network: Network) -> None:
    async def delete_collection(api: KubeApi) -> None:
        await api.request("DELETE", POD.path(network.name), params={"gracePeriodSeconds": "0"}, timeout=PATIENCE_S)

    network.ask(delete_collection)


def node_drained(network: Network) -> None:
    """As `kubectl drain` does it: no new pods, then evictions as fast as the disruption budgets let them go."""

    async def drain(api: KubeApi) -> None:
        node, few = await _busiest(api, network), asyncio.Semaphore(EVICTIONS)
        await api.patch(NODE, node, {"spec": {"unschedulable": True}})
        try:
            pods = [pod["metadata"]["name"] for pod in await _pods_on(api, network, node)]
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*(_evict(api, network.name, pod, few) for pod in pods))
            assert await _pods_on(api, network, node) == []
        finally:
            await api.patch(NODE, node, {"spec": {"unschedulable": None}})

    network.ask(drain)


def node_lost(network: Network) -> None:
    """The machine is gone, as a cloud says by deleting its Node; its pods are removed by force, as one does then."""

    async def lose(api: KubeApi) -> None:
        node = await _busiest(api, network)
        await api.delete(NODE, node)
        for pod in await _pods_on(api, network, node):
            await api.delete(POD, pod["metadata"]["name"], network.name, grace_seconds=0)

    network.ask(lose)


async def _pods_on(api: KubeApi, network: Network, node: str) -> list[dict[str, Any]]:
    pods = await api.objects(POD, network.name, fields=f"spec.nodeName={node}")
    return [pod for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]


async def _busiest(api: KubeApi, network: Network) -> str:
    """The machine with the most pods of the testnet."""
    pods = [pod["spec"]["nodeName"] for pod in await api.objects(POD, network.name)]
    return max(sorted(set(pods)), key=pods.count)


async def _evict(api: KubeApi, namespace: str, pod: str, few: asyncio.Semaphore) -> None:
    """Ask until the pod's budget allows it, and until it is gone."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    while True:
        try:
            async with few:
                await api.request("POST", POD.path(namespace, pod, "eviction"), body=body)
        except ApiStatusError as error:
            if error.code == 404:
                return
            if error.code != 429:
                raise
        await asyncio.sleep(0.2)


# --- changes of the document ------------------------------------------------------------------------------------------


def another_image(network: Network) -> None:
    network.change(image="registry.example/mina-daemon:night-2")


def other_flags(network: Network) -> None:
    """The same image, addressed as an older release: its daemons want -discovery-keypair for -libp2p-keypair."""
    before = _arguments(network)
    network.change(daemonVersion="1.3.9")
    assert _arguments(network) != before


def _arguments(network: Network) -> list[str]:
    containers = (
        planned.manifest["spec"]["template"]["spec"]["containers"][0]
        for planned in network.env.plan.objects()
        if planned.manifest["kind"] == DEPLOYMENT.kind
    )
    return [word for container in containers for word in container.get("args", ())]


def group_grown(network: Network) -> None:
    network.resize("archive", 2)


def workers_fewer(network: Network) -> None:
    """They have no volumes."""
    network.resize("snark-worker", -1)


def fewer_with_volumes(network: Network) -> None:
    """Refused as long as the allow list does not name the last node's claims, by then protected ones."""
    last = max(
        (name for name in network.names(DEPLOYMENT) if name.startswith("fish-")), key=lambda name: (len(name), name)
    )
    network.resize("fish", -1)
    with pytest.raises(VolumesInDangerError) as refused:
        network.up()
    assert {each.claim for each in refused.value.refused} == {f"{last}-runtime-state-e1"}
    network.given_up.append(f"{last}-*")


def volumes_grown(network: Network) -> None:
    network.change(volumes={"runtime-state": {"size": "9Gi"}})


def retention_switched_on(network: Network) -> None:
    """The claims keep the class that they were made with (see the change guard)."""
    network.change(retention="retain", classRetention="delete")


def paused(network: Network) -> None:
    """No pods for a while, and then the document says nothing of it any more."""
    network.change(paused=True)
    network.up_again()
    nodes = network.names(DEPLOYMENT)
    network.ask(lambda api: wait_until_running(api, network.name, nodes, Silent(), deadline_s=PATIENCE_S))
    pods = network.ask(lambda api: api.objects(POD, network.name, fields="status.phase=Running"))
    assert pods == []
    network.change(paused=False)


# --- the whole testnet, and what it runs on ---------------------------------------------------------------------------


def destroyed_with_retention(network: Network) -> None:
    assert network.destroy() == 0
    assert network.names(DEPLOYMENT) == []


def the_engine_killed_in_up(network: Network) -> None:
    """When half of the Deployments are there again."""
    half = len(network.names(DEPLOYMENT)) // 2
    destroyed_with_retention(network)
    env = network.env
    killed = pytest.raises(EngineError, match="the engine was killed")
    with when(network, DEPLOYMENT, at_least(half), lambda: kill(*engines(env))), killed:
        network.up()


def the_simulator_killed(network: Network) -> None:
    processes.end(world_processes(network.cluster.paths), grace_seconds=0)


def the_control_plane_killed(network: Network) -> None:
    """All of it, kubelets included, with kill -9."""
    components = kwokctl.component_processes(network.cluster.paths)
    processes.end([each for members in components.values() for each in members], grace_seconds=0)


def everything_killed_in_up(network: Network) -> None:
    """As when the machine loses its power: the command, its engine, the control plane and the simulator, at once."""
    destroyed_with_retention(network)

    def the_rest() -> None:
        kill(*leftovers(network.env.lock))
        processes.end(own_processes(network.cluster.paths), grace_seconds=0)

    kill_command_when(network, ("local", "up"), JOB, at_least(1), the_rest)


MISHAPS = {
    "one pod deleted": Mishap(one_pod_deleted, wait),
    "all pods deleted": Mishap(all_pods_deleted, wait),
    "node drained": Mishap(node_drained, wait),
    "node lost": Mishap(node_lost, wait),
    "image changed": Mishap(another_image),
    "daemon flags changed": Mishap(other_flags),
    "role group grown": Mishap(group_grown),
    "role group shrunk (workers)": Mishap(workers_fewer),
    "retention switched on": Mishap(retention_switched_on),
    "volumes grown": Mishap(volumes_grown),
    "role group shrunk (volumes, named)": Mishap(fewer_with_volumes, up_that_gives_up),
    "cloned while it runs": Mishap(copies.wanted, copies.made, copied=True),
    "paused and resumed": Mishap(paused),
    "destroyed and redeployed": Mishap(destroyed_with_retention),
    "engine killed half-way through up": Mishap(the_engine_killed_in_up),
    "simulator killed": Mishap(the_simulator_killed),
    "control plane killed": Mishap(the_control_plane_killed),
    "everything killed in up": Mishap(everything_killed_in_up),
}
"""In an order in which each finds the testnet as it needs it: retention is switched on before it is relied upon.
The copy has what the source has by then."""
