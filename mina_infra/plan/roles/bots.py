"""User agent, faucet and echo: beside a block producer, or with a daemon of their own.

They talk to the daemon of their pod at localhost, so its GraphQL stays closed to everybody else.
"""

from __future__ import annotations

from mina_infra.plan import keys, ports, secrets
from mina_infra.plan.common import Common
from mina_infra.plan.daemon import daemon
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import Manifest
from mina_infra.plan.workload import Workload, port, requests

NANO = 10**9
FAUCET_AMOUNT = str(10 * NANO)
FEE_AMOUNT = str(NANO // 10)
"""Nano units as whole numbers: the program fails at start on scientific notation, and its defaults are worthless."""

AGENT_METRICS = 8000
SEND_EVERY_MINUTES = 1
PAYMENTS_PER_SECOND = 1 / (60 * SEND_EVERY_MINUTES)
"""Of one user agent: it sends one payment at a time."""


def workload(common: Common, node: Node) -> Workload:
    """A bot on its own: a plain daemon holds its account."""
    result = daemon(common, node)
    add(result, common, node)
    return result


def add(workload: Workload, common: Common, node: Node) -> None:
    """The bots of a node into its pod, with their accounts in the daemon's wallet."""
    bots = secrets.bots_of(node)
    if not bots:
        return
    keys.add_accounts(workload, common, _accounts(node, bots))
    if "user-agent" in bots:
        workload.containers.append(_user_agent(common, node))
    if bots & {"faucet", "echo"}:
        workload.containers.append(_bots(common, bots))


def _accounts(node: Node, bots: frozenset[str]) -> dict[str, secrets.Account]:
    accounts = {}
    if "user-agent" in bots:
        accounts["sender"] = secrets.wallet(node)
    if "faucet" in bots:
        accounts["faucet"] = secrets.Account(secrets.FAUCET)
    if "echo" in bots:
        accounts["echo"] = secrets.Account(secrets.ECHO)
    return accounts


def _user_agent(common: Common, node: Node) -> Manifest:
    """Sends payments from the node's account. It knows the old names alone (docs/facts.md: mina/user-agent)."""
    account = secrets.wallet(node)
    return {
        "name": "user-agent",
        "image": common.spec.images.user_agent,
        "env": [
            {"name": "CODA_HOST", "value": "127.0.0.1"},
            {"name": "CODA_PORT", "value": str(ports.GRAPHQL)},
            secrets.from_secret("CODA_PUBLIC_KEY", account.secret, account.public),
            keys.wallet_env(common),
            {"name": "AGENT_MIN_FEE", "value": "0.05"},
            {"name": "AGENT_MAX_FEE", "value": "0.1"},
            {"name": "AGENT_MIN_TX", "value": "0.0015"},
            {"name": "AGENT_MAX_TX", "value": "0.0015"},
            {"name": "AGENT_SEND_EVERY_MINS", "value": str(SEND_EVERY_MINUTES)},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
        ],
        "ports": [port("agent-metrics", AGENT_METRICS)],
        "resources": requests("100m", "512Mi"),
    }


def _bots(common: Common, bots: frozenset[str]) -> Manifest:
    """One program for both. It fails without the faucet's keys and the Discord token even where only echo is wanted."""
    environment = [
        {"name": "MINA_GRAPHQL_HOST", "value": "127.0.0.1"},
        {"name": "MINA_GRAPHQL_PORT", "value": str(ports.GRAPHQL)},
        secrets.from_secret("FAUCET_PUBLICKEY", secrets.FAUCET, secrets.PUBLIC),
        secrets.from_secret("FAUCET_PASSWORD", secrets.PASSPHRASES, secrets.WALLET_PASS),
        secrets.from_secret("DISCORD_API_KEY", secrets.DISCORD, secrets.TOKEN),
        {"name": "FAUCET_AMOUNT", "value": FAUCET_AMOUNT},
        {"name": "FEE_AMOUNT", "value": FEE_AMOUNT},
    ]
    if "echo" in bots:
        environment += [
            secrets.from_secret("ECHO_PUBLICKEY", secrets.ECHO, secrets.PUBLIC),
            secrets.from_secret("ECHO_PASSWORD", secrets.PASSPHRASES, secrets.WALLET_PASS),
        ]
    return {
        "name": "bots",
        "image": common.spec.images.bots,
        "env": environment,
        "resources": requests("100m", "512Mi"),
    }
