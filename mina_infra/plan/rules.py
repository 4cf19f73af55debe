"""Mistakes of a spec that show only in what it leads to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from mina_infra.plan import clones, key_rules, names, nodes
from mina_infra.plan.services import is_ip, public_ip
from mina_infra.spec import Issue, Provider, TestnetSpec
from mina_infra.storage import existing
from mina_infra.storage.needs import SHARED_CARRIER, claimed_kinds

CLUSTER_RANGES = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "240.0.0.0/4", "fc00::/7")
)
"""Where clusters take Pod and Service addresses from; nothing in them is reached from the internet."""


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """All issues; raises nothing."""
    yield from _networks(spec)
    yield from _addresses(spec)
    yield from _claims(spec)
    yield from key_rules.check(spec)
    yield from clones.check(spec)


def _networks(spec: TestnetSpec) -> Iterator[Issue]:
    for index, text in enumerate(spec.target.networks):
        if not any(_within(text, known) for known in CLUSTER_RANGES):
            yield Issue(
                ("target", "networks", index),
                f"{text} holds public addresses; whoever is in a trusted network has full control of every daemon.",
                f"Name the cluster's Pod and Service ranges, within {', '.join(map(str, CLUSTER_RANGES))}.",
            )


def _within(text: str, known: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    network = ipaddress.ip_network(text, strict=False)
    if isinstance(network, ipaddress.IPv4Network) and isinstance(known, ipaddress.IPv4Network):
        return network.subnet_of(known)
    if isinstance(network, ipaddress.IPv6Network) and isinstance(known, ipaddress.IPv6Network):
        return network.subnet_of(known)
    return False


def _addresses(spec: TestnetSpec) -> Iterator[Issue]:
    """A multiaddress and a load balancer belong to one node."""
    owner: dict[str, str] = {}
    for index, group in enumerate(spec.nodes):
        for place, node in enumerate(nodes.of_group(group)):
            if node.identity is None:
                continue
            path = ("nodes", index, "identities", place)
            if node.identity.ip and (node.identity.address is None or is_ip(node.identity.address)):
                yield Issue(
                    (*path, "ip"),
                    "`ip` is the address behind a DNS name, and none is given.",
                    "Set `address` to the DNS name, or to the IP address itself and remove `ip`.",
                )
            for address in {node.identity.address, public_ip(node)} - {None}:
                first = owner.setdefault(str(address), node.name)
                if first != node.name:
                    yield Issue(
                        (*path, "address"),
                        f"{address} is already the address of {first}; a load balancer leads to one node.",
                        "Reserve an address for each.",
                    )
            if spec.target.provider is Provider.EKS and public_ip(node):
                yield Issue(
                    (*path, "address"),
                    f"provider 'eks' gives its load balancers no address of one's choice ({public_ip(node)}).",
                    "Use a DNS name that points to the load balancer.",
                )


def _claims(spec: TestnetSpec) -> Iterator[Issue]:
    """A claim that the testnet makes has its node already."""
    existing_claims, _ = existing.uses(spec)
    ledger = spec.genesis.ledger
    if ledger.claim:
        existing_claims[ledger.claim] = existing.Use(("genesis", "ledger", "claim"), [])
    if not existing_claims:
        return
    eras = (spec.era, *spec.kept_eras)
    owners = {
        names.claim(node, kind, era): node
        for group in spec.nodes
        for kind in claimed_kinds(group)
        for node in group.node_names()
        for era in eras
    }
    owners |= {names.shared_claim(SHARED_CARRIER, era): "the genesis artefacts" for era in eras}
    for name, use in existing_claims.items():
        if name in owners:
            yield Issue(
                use.path,
                f"'{name}' is the name of the claim that the testnet makes for {owners[name]}.",
                "Name a claim that the testnet does not make.",
            )
