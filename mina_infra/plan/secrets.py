"""Which Secrets a plan refers to. None is ever created or read here: keys come from the operator.

Convention, all in the testnet's namespace:

    passphrases          libp2p, wallet     passphrases of the key files below
    <node>-libp2p        key, pub           a fixed libp2p identity: encrypted key file, peer id
    <node>-wallet        key, pub           a producer's or user agent's account: encrypted key file, public key
                         pub                a coordinator needs the public key of its fees alone
    <keyset>             NAME, NAME.pub     instead, where a group has `keys`: accounts of several nodes in one Secret
    archive-postgres     password           of the archive databases' user
    faucet-service       key, pub           the faucet's account, shared by all nodes that run it
    echo-service         key, pub           the echo service's account, likewise
    discord              token              API token of the bots
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mina_infra.plan.nodes import Node, of_testnet
from mina_infra.spec import Role, TestnetSpec

PASSPHRASES, LIBP2P_PASS, WALLET_PASS = "passphrases", "libp2p", "wallet"
KEY, PUBLIC = "key", "pub"
POSTGRES, PASSWORD = "archive-postgres", "password"
FAUCET, ECHO = "faucet-service", "echo-service"
DISCORD, TOKEN = "discord", "token"

BOT_ROLES = {Role.USER_AGENT: "user-agent", Role.FAUCET: "faucet", Role.ECHO: "echo"}


@dataclass(frozen=True)
class SecretNeed:
    """A Secret that must exist before the pods that refer to it can start."""

    name: str
    keys: tuple[str, ...]
    purpose: str


def libp2p(node: Node) -> str:
    return f"{node.name}-libp2p"


@dataclass(frozen=True)
class Account:
    """Where an account lies: its Secret, and there the encrypted key file and the public key."""

    secret: str
    key: str = KEY
    public: str = PUBLIC


def wallet(node: Node) -> Account:
    """A node's account: in a Secret of its own, or in the keyset that its group shares with others."""
    keys = node.group.keys
    if keys is None:
        return Account(f"{node.name}-wallet")
    name = keys.account or node.name
    return Account(keys.secret, name, f"{name}.pub")


def from_secret(variable: str, secret: str, key: str) -> dict[str, Any]:
    """An environment variable whose value only the kubelet sees."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def bots_of(node: Node) -> frozenset[str]:
    """The bots in a node's pod: those beside a producer, or the one that the node is."""
    own = BOT_ROLES.get(node.role)
    return frozenset((*node.group.bots, *([own] if own else [])))


def has_own_account(node: Node) -> bool:
    """Whether the node holds an account of its own: it produces, or its user agent sends from it."""
    return node.role is Role.BLOCK_PRODUCER or "user-agent" in bots_of(node)


def needed(spec: TestnetSpec) -> tuple[SecretNeed, ...]:
    """Every Secret of the plan, in a stable order, each once."""
    found: dict[str, dict[str, None]] = {}
    purposes: dict[str, str] = {}
    for each in _needed(spec):
        found.setdefault(each.name, {}).update(dict.fromkeys(each.keys))
        purposes.setdefault(each.name, each.purpose)
    return tuple(SecretNeed(name, tuple(keys), purposes[name]) for name, keys in found.items())


def _needed(spec: TestnetSpec) -> Iterator[SecretNeed]:
    yield SecretNeed(PASSPHRASES, (LIBP2P_PASS, WALLET_PASS), "passphrases of the libp2p and wallet key files")
    for node in of_testnet(spec):
        yield from _of_node(node)


def _of_node(node: Node) -> Iterator[SecretNeed]:
    if node.identity:
        yield SecretNeed(libp2p(node), (KEY, PUBLIC), "the node's fixed libp2p identity")
    if has_own_account(node):
        own = wallet(node)
        yield SecretNeed(
            own.secret, (own.key, own.public), "accounts of nodes" if node.group.keys else "the node's account"
        )
    if node.role is Role.SNARK_COORDINATOR:
        yield SecretNeed(wallet(node).secret, (wallet(node).public,), "public key that receives the snark fees")
    if node.role is Role.ARCHIVE:
        yield SecretNeed(POSTGRES, (PASSWORD,), "password of the archive databases")
    bots = bots_of(node)
    if bots & {"faucet", "echo"}:
        yield SecretNeed(FAUCET, (KEY, PUBLIC), "account of the faucet; the bots do not start without it")
        yield SecretNeed(DISCORD, (TOKEN,), "Discord API token of the bots")
    if "echo" in bots:
        yield SecretNeed(ECHO, (KEY, PUBLIC), "account of the echo service")
