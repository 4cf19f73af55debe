"""A block producer, with bots beside it where its group asks for them."""

from __future__ import annotations

from mina_infra.plan import keys
from mina_infra.plan.common import Common
from mina_infra.plan.daemon import daemon
from mina_infra.plan.nodes import Node
from mina_infra.plan.roles import bots
from mina_infra.plan.workload import Workload


def workload(common: Common, node: Node) -> Workload:
    """The account's key comes from its Secret: a generated one would hold no stake."""
    result = daemon(
        common,
        node,
        arguments=["-block-producer-key", keys.WALLET_KEY],
        environment=[keys.wallet_env(common)],
    )
    keys.add_wallet(result, common, node)
    result.containers[0]["volumeMounts"].append({"name": "wallet-keys", "mountPath": keys.WALLET_DIRECTORY})
    bots.add(result, common, node)
    return result
