"""A node as seen by somebody who asks it, and the parts of its answers that are the same on every road."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mina_infra.daemon.replies import SyncStatus
from mina_infra.simulator import pools
from mina_infra.simulator.chain import ChainConstants, Header
from mina_infra.simulator.graphql import QueryError
from mina_infra.simulator.network import Network
from mina_infra.simulator.node import Node

CONFIG_DIR = "/root/.mina-config"
_MAX_PEERS = 50  # of the daemon's default -max-connections
KNOWS_NOTHING = (SyncStatus.CONNECTING, SyncStatus.LISTENING, SyncStatus.BOOTSTRAP)


@dataclass(frozen=True)
class View:
    """A node as seen by somebody who asks it now."""

    network: Network
    node: Node

    @property
    def constants(self) -> ChainConstants:
        return self.network.constants

    @property
    def now(self) -> float:
        """ms since 1970 by the node's own clock."""
        return self.network.now + self.node.condition.clock_ms

    @property
    def slot_now(self) -> int:
        """The slot that runs, by the node's own clock."""
        return self.constants.slot_at(self.now)

    @property
    def status(self) -> SyncStatus:
        """What the node says of itself."""
        return self.node.condition.status(self.node.status, self.slot_now)

    @property
    def tip(self) -> Header | None:
        """The best tip, None while the node does not know one (before and during a bootstrap)."""
        return None if self.node.status in KNOWS_NOTHING else self.node.tip

    @property
    def uptime_secs(self) -> int:
        return int((self.network.now - self.node.started_ms) / 1000)

    @property
    def height(self) -> int | None:
        return self.tip.height if self.tip else None

    def peers(self) -> list[Node]:
        """At most as many peers as a daemon holds; the selection is stable and differs from node to node."""
        peers = self.network.peers_of(self.node)
        if len(peers) > _MAX_PEERS:
            start = self.node.salt % len(peers)
            peers = (peers[start:] + peers[:start])[:_MAX_PEERS]
        return peers

    def chain(self, length: int | None) -> list[Header]:
        """The best chain's newest blocks, at most k; raises the daemon's error while there is no frontier."""
        if self.tip is None:
            raise QueryError("Could not obtain best chain from transition frontier")
        most = self.constants.k
        return self.node.chain(most if length is None else max(min(length, most), 0))


@dataclass(frozen=True)
class BlockView:
    """One block with the constants that its fields need."""

    header: Header
    constants: ChainConstants


def timestamp(ms: float) -> str:
    """A time as daemons print it: a blank instead of T."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC).isoformat(' ', 'microseconds')[:26]}Z"


def consensus_time(constants: ChainConstants, slot: int) -> dict[str, str]:
    """A slot counted from the genesis as the schema's ConsensusTime; times in ms since 1970."""
    epoch, in_epoch = divmod(max(slot, 0), constants.slots_per_epoch)
    start = constants.slot_start(max(slot, 0))
    return {
        "epoch": str(epoch),
        "slot": str(in_epoch),
        "globalSlot": str(max(slot, 0)),
        "startTime": str(start),
        "endTime": str(start + constants.slot_ms),
    }


def consensus_configuration(constants: ChainConstants) -> dict[str, Any]:
    return {
        "delta": constants.delta,
        "k": constants.k,
        "slotsPerEpoch": constants.slots_per_epoch,
        "slotDuration": constants.slot_ms,
        "epochDuration": constants.slot_ms * constants.slots_per_epoch,
        "genesisStateTimestamp": timestamp(constants.genesis_ms),
        "acceptableNetworkDelay": constants.slot_ms * max(constants.delta, 1),
    }


def peer(node: Node) -> dict[str, Any]:
    return {"host": node.spec.host, "libp2pPort": node.spec.p2p_port, "peerId": node.spec.identity}


def addresses(view: View) -> dict[str, Any]:
    spec = view.node.spec
    return {
        "externalIp": spec.host,
        "bindIp": "0.0.0.0",
        "clientPort": spec.client_port,
        "libp2pPort": spec.p2p_port,
        "peer": peer(view.node),
    }


def pool_metrics(view: View) -> dict[str, Any]:
    network, node = view.network, view.node
    transactions = pools.transactions_received(network, node)
    return {
        "blockProductionDelay": node.counters.production_delays,
        "transactionPoolDiffReceived": transactions,
        "transactionPoolDiffBroadcasted": transactions,
        "transactionsAddedToPool": transactions,
        "transactionPoolSize": pools.pool_size(network, node),
        "snarkPoolDiffReceived": pools.work_received(network, node),
        "snarkPoolDiffBroadcasted": 0,
        "pendingSnarkWork": pools.pending_work(network, node),
        "snarkPoolSize": pools.snark_pool_size(network, node),
    }


def next_production(view: View) -> dict[str, Any] | None:
    """The next slot that a producer has won, as it says itself; empty while there is none soon."""
    if not view.node.spec.key or not view.node.takes_blocks:
        return None
    won = view.network.lottery.next_won(view.node.spec.key, view.constants.slot_at(view.network.now))
    return {"times": [consensus_time(view.constants, won)] if won is not None else []}
