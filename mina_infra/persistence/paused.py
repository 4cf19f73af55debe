"""Which nodes of a live testnet are stopped, and how the document would say so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from mina_infra.cluster.api import DEPLOYMENT, KubeApi
from mina_infra.plan import labels
from mina_infra.spec import TestnetSpec


async def paused_nodes(api: KubeApi, spec: TestnetSpec) -> frozenset[str]:
    """The testnet's nodes whose Deployment is scaled to zero, whoever did it. Raises ClusterError."""
    found = await api.objects(DEPLOYMENT, spec.namespace, labels=labels.selector(spec.name))
    stopped = {item["metadata"]["name"] for item in found if item["spec"].get("replicas", 1) == 0}
    return frozenset(stopped & set(spec.node_names()))


def chosen_nodes(spec: TestnetSpec, nodes: Iterable[str], groups: Iterable[str]) -> frozenset[str]:
    """The nodes that a command names, all when it names none. Raises KeyError for an unknown group."""
    by_group = {group.name: group.node_names() for group in spec.nodes}
    named = {*nodes, *(name for group in groups for name in by_group[group])}
    return frozenset(named or {name for names in by_group.values() for name in names})


def how_to_write(spec: TestnetSpec, nodes: Set[str]) -> Iterator[str]:
    """What to add to the document so that exactly these nodes stay paused, shortest first."""
    if nodes >= set(spec.node_names()):
        yield "paused: true"
        return
    for group in spec.nodes:
        members = [name for name in group.node_names() if name in nodes]
        if len(members) == group.count:
            yield f"group {group.name}: paused: true"
        elif members:
            entries = ", ".join(f"{name}: {{paused: true}}" for name in members)
            yield f"group {group.name}: overrides: {{{entries}}}"
