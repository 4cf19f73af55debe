"""One run that stops nodes which the document lets run. Pure.

What a run stops beyond its document is handed to the program in an environment variable, since the engine runs the
program and not we: `PAUSED` holds node names, comma separated, or `*` for all.
"""

from __future__ import annotations

from collections.abc import Set

from mina_infra.spec.errors import Issue, SpecError
from mina_infra.spec.explain import nearest
from mina_infra.spec.models import NodeGroup, NodeSettings, TestnetSpec

PAUSED = "MINA_INFRA_PAUSED"
"""The environment variable of one run."""

ALL = frozenset({"*"})
"""Every node, whatever the document says of it."""


def with_paused(spec: TestnetSpec, nodes: Set[str]) -> TestnetSpec:
    """The same testnet with these nodes stopped as well; `ALL` stops every one. What the document stops stays so.

    Raises SpecError for a name that is no node of the testnet.
    """
    if not nodes:
        return spec
    if nodes >= ALL:
        groups = tuple(_paused(group, frozenset(group.node_names())) for group in spec.nodes)
        return spec.model_copy(update={"paused": True, "nodes": groups})
    refuse_unknown(spec, nodes)
    return spec.model_copy(update={"nodes": tuple(_paused(group, nodes) for group in spec.nodes)})


def refuse_unknown(spec: TestnetSpec, nodes: Set[str]) -> None:
    """Raise SpecError for names that are no nodes of the testnet, each with the nearest one that is."""
    known = spec.node_names()
    issues = []
    for name in sorted(nodes - set(known)):
        near = nearest(name, list(known))
        hint = f"Its nodes are {', '.join(known[:12])}" + ", ..." * (len(known) > 12)
        hint = f"Did you mean '{near}'? {hint}" if near else hint
        issues.append(Issue((), f"testnet '{spec.name}' has no node '{name}'.", hint))
    if issues:
        raise SpecError(issues)


def to_variable(nodes: Set[str]) -> str:
    """The value of the environment variable that means these nodes."""
    return ",".join(sorted(ALL if nodes >= ALL else nodes))


def from_variable(value: str) -> frozenset[str]:
    """The nodes that a value of the environment variable means; none for an empty one."""
    return frozenset(name.strip() for name in value.split(",") if name.strip())


def _paused(group: NodeGroup, nodes: Set[str]) -> NodeGroup:
    """A group with these of its nodes stopped: by a word for the group where that is all of them."""
    chosen = [name for name in group.node_names() if name in nodes]
    if not chosen:
        return group
    overrides = dict(group.overrides)
    whole = len(chosen) == group.count
    for name in chosen:
        if name in overrides:
            overrides[name] = overrides[name].model_copy(update={"paused": None if whole else True})
        elif not whole:
            overrides[name] = NodeSettings(paused=True)
    return group.model_copy(update={"overrides": overrides, "paused": True if whole else group.paused})
