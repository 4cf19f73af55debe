"""What a node's transaction pool and snark pool hold, and what gossip has brought to them since it started."""

from __future__ import annotations

from mina_infra.simulator.network import Network
from mina_infra.simulator.node import Node


def heard(network: Network, node: Node) -> tuple[float, float]:
    """Transactions and bundles of snark work that have reached the node, counted as the network's."""
    return node.condition.pool_frozen_at or network.gossiped()


def transactions_received(network: Network, node: Node) -> int:
    """Since its start; what Mina counts as transactionPoolDiffReceived and transactionsAddedToPool."""
    return max(int(heard(network, node)[0] - node.pool_base[0]), 0)


def work_received(network: Network, node: Node) -> int:
    """Bundles of snark work since its start: snarkPoolDiffReceived."""
    return max(int(heard(network, node)[1] - node.pool_base[1]), 0)


def pool_size(network: Network, node: Node) -> int:
    """Commands that it knows and that are not on its best chain."""
    return network.load.pool(node.tip, heard(network, node)[0]) if node.tip else 0


def snark_pool_size(network: Network, node: Node) -> int:
    """Finished bundles that it knows and that its best chain has not bought."""
    return max(int(heard(network, node)[1]) - node.tip.work_total, 0) if node.tip else 0


def pending_work(network: Network, node: Node) -> int:
    """Bundles that its best chain needs and that nobody has finished, as far as it knows."""
    return (
        max(node.tip.transactions_total - max(int(heard(network, node)[1]), node.tip.work_total), 0) if node.tip else 0
    )
