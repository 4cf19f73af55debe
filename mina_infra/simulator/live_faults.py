"""Faults in real time: a pod of an embedded cluster is annotated with their names, and its node suffers them.

    kubectl annotate pod whale-1-... mina-infra/fault=stuck-synced,silent-node
    mina-infra local fault stuck-synced --node whale-1            (the same; --heal takes them away)

The names and their meaning are those of simulator.faults, as far as they make sense for one node that lives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from mina_infra.cluster.api import POD, KubeApi
from mina_infra.errors import ClusterError, EngineError
from mina_infra.simulator import crash_words
from mina_infra.simulator.condition import WELL, Condition
from mina_infra.simulator.node import Node

ANNOTATION = "mina-infra/fault"

SILENT, GARBAGE, NO_PROOFS = "silent-node", "garbage-node", "no-proofs"
BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head></html>"

ILLNESSES: Mapping[str, Callable[[float], dict[str, Any]]] = {
    "stuck-synced": lambda slot_ms: {"frozen": True},
    "node-deaf": lambda slot_ms: {"deaf": True},
    "producer-mute": lambda slot_ms: {"mute": True},
    "catchup-flapper": lambda slot_ms: {"flaps": True},
    "behind-3": lambda slot_ms: {"lag_blocks": 3},
    "behind-6": lambda slot_ms: {"lag_blocks": 7},
    "gossip-loss": lambda slot_ms: {"loss": 0.65},
    "slow-gossip": lambda slot_ms: {"gossip_factor": 30.0},
    "slow-proving": lambda slot_ms: {"proving": (150 / 180 * slot_ms, 260 / 180 * slot_ms)},
    "prover-failures": lambda slot_ms: {"prover_fails": 0.9},
    "won-slots-without-blocks": lambda slot_ms: {"withholds": 1.0},
    "silent-whale": lambda slot_ms: {"dormant": True},
    "clock-skew-1": lambda slot_ms: {"skew_ms": 0.9 * slot_ms},
    "clock-skew-2": lambda slot_ms: {"skew_ms": 2.6 * slot_ms},
    "clock-behind-3": lambda slot_ms: {"skew_ms": -3.2 * slot_ms},
    "time-offset": lambda slot_ms: {"time_offset_s": max(round(5 * slot_ms / 1000), 1)},
}
"""What a node has, as changes of its condition, for a length of slots in ms."""

ENDS: Mapping[str, tuple[int, str, Callable[[Node, float], list[str]]]] = {
    "crash-once": (1, "Error", crash_words.pool_bug),
    "same-crash-twice": (1, "Error", crash_words.frontier_bug),
    "crash-of-the-helper": (1, "Error", crash_words.helper_died),
    "oom": (137, "OOMKilled", lambda node, now_ms: []),
    "restart-unexplained": (130, "Error", lambda node, now_ms: crash_words.terminated(node, now_ms, noise=False)),
}
"""How its container ends, once, when the name appears: exit code, reason, last words."""

NAMES = (*ILLNESSES, *ENDS, SILENT, GARBAGE, NO_PROOFS)


def names_of(annotations: Mapping[str, str] | None) -> frozenset[str]:
    """The faults that a pod is annotated with; names that mean nothing here are left aside."""
    words = (annotations or {}).get(ANNOTATION, "").split(",")
    return frozenset(word.strip() for word in words) & frozenset(NAMES)


def condition_of(names: frozenset[str], slot_ms: float) -> Condition:
    """All of them together."""
    condition = WELL
    for name in sorted(names & ILLNESSES.keys()):
        condition = replace(condition, **ILLNESSES[name](slot_ms))
    return WELL if condition == WELL else condition


async def annotate(
    api: KubeApi, namespace: str, nodes: Sequence[str], names: Sequence[str], *, heal: bool
) -> dict[str, tuple[str, ...]]:
    """Give the nodes' pods these faults beside those that they have; healing takes them away, without names all.

    What each node has then. Raises ClusterError, also for a node without a pod, and EngineError for an unknown name.
    """
    for name in names:
        if name not in NAMES:
            near = get_close_matches(name, NAMES, 1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise EngineError(f"no fault is called {name}.{meant} There are: {', '.join(NAMES)}")
    have: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        pods = await api.objects(POD, namespace, labels=f"app={node}")
        if not pods:
            raise ClusterError(
                f"no pod of node {node!r} in namespace {namespace!r}; `mina-infra outputs` names the nodes"
            )
        for pod in pods:
            before = names_of(pod["metadata"].get("annotations"))
            after = before - frozenset(names or NAMES) if heal else before | frozenset(names)
            words = ",".join(sorted(after)) or None
            patch = {"metadata": {"annotations": {ANNOTATION: words}}}
            await api.patch(POD, pod["metadata"]["name"], patch, namespace)
            have[node] = tuple(sorted(after))
    return have
