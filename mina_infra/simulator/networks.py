"""The networks that the daemons of a cluster form, and the stake that Deployments declare for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mina_infra.cluster.api import DEPLOYMENT, KubeApi, Manifest
from mina_infra.simulator.chain import ChainConstants
from mina_infra.simulator.hosting import HostedNetwork, wall_clock
from mina_infra.simulator.network import Network
from mina_infra.simulator.pods import stake_of, staking_key


class Networks:
    """By namespace and chain id. One without nodes is forgotten: whoever starts next has only the volumes."""

    def __init__(self) -> None:
        self.stakes: dict[tuple[str, str], float] = {}
        """Declared by Deployments, by namespace and node name, whether or not the node runs."""
        self._networks: dict[tuple[str, str], HostedNetwork] = {}

    def __iter__(self) -> Iterator[HostedNetwork]:
        return iter(list(self._networks.values()))

    def of(self, namespace: str, constants: ChainConstants) -> HostedNetwork:
        """The network of a chain in a namespace; a new one where there is none."""
        key = (namespace, constants.chain_id)
        if key not in self._networks:
            hosted = HostedNetwork(Network(constants, wall_clock()), namespace)
            for (place, name), stake in self.stakes.items():
                if place == namespace:
                    hosted.network.declare(staking_key(place, name), stake)
            self._networks[key] = hosted
        return self._networks[key]

    def drop_empty(self) -> None:
        """Forget those whose last node has gone."""
        self._networks = {key: hosted for key, hosted in self._networks.items() if hosted.daemons}

    async def watch_stakes(self, api: KubeApi, labels: str) -> None:
        """Keep what Deployments declare, so that a node that is down still counts with its stake. Never returns."""
        async for event in api.watch(DEPLOYMENT, labels=labels):
            if event.type == "SYNCED":
                self._declare_all(event.object["items"])
            elif event.type == "DELETED":
                self._declare(*_node_of(event.object), 0.0)
            else:
                self._declare(*_node_of(event.object), _stake_of(event.object))

    def _declare_all(self, deployments: Iterable[Manifest]) -> None:
        there = {_node_of(item): _stake_of(item) for item in deployments}
        for node, stake in (dict.fromkeys(self.stakes, 0.0) | there).items():
            self._declare(*node, stake)

    def _declare(self, namespace: str, name: str, stake: float) -> None:
        if self.stakes.get((namespace, name), 0.0) == stake:
            return
        self.stakes[(namespace, name)] = stake
        for hosted in self:
            if hosted.namespace == namespace:
                hosted.network.declare(staking_key(namespace, name), stake)


def _node_of(deployment: Manifest) -> tuple[str, str]:
    meta: dict[str, Any] = deployment["metadata"]
    return meta["namespace"], meta["name"]


def _stake_of(deployment: Manifest) -> float:
    return stake_of(deployment["spec"]["template"]["metadata"].get("annotations"))
