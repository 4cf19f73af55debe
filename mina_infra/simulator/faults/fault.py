"""What a fault is: one sentence, how it is injected, and what is true once it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from typing import Any

from mina_infra.simulator.cluster import SimulatedCluster
from mina_infra.simulator.condition import WELL
from mina_infra.simulator.network import Network


class Weight(StrEnum):
    """What a judge who knows everything would say of it."""

    FAIL = "fail"
    WARN = "warn"
    UNKNOWN = "unknown"
    """It cannot be told from outside whether anything is wrong: it must neither fail nor pass."""
    NONE = "none"
    """Harmless: nothing may fail."""


@dataclass(frozen=True)
class Setup:
    """The network in which a fault is to be seen; `slots_before`: its age when the fault comes."""

    k: int = 290
    slots_before: float = 60
    commands_per_slot: float = 5.0


@dataclass(frozen=True)
class Injected:
    """A fault that is there. `nodes` are those concerned; none: the network as a whole."""

    nodes: tuple[str, ...]
    heal: Callable[[], None]


Inject = Callable[[SimulatedCluster, Random, float], Injected]
"""Arguments: where, the draws (which nodes), the severity 0..1 between just visible and gross."""


@dataclass(frozen=True)
class Fault:
    """One fault with its ground truth.

    `problems`: the words (guardian's vocabulary) of which at least one must be said, and said first of its check;
    `may`: words that are true as well, as consequences. Any other word misnames it. `slots`: how long after the
    injection a look can know. `watched`: a single look cannot know, only somebody who has looked before.
    """

    name: str
    sentence: str
    inject: Inject
    problems: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    weight: Weight = Weight.FAIL
    slots: float = 12
    setup: Setup = field(default_factory=Setup)
    watched: bool = False


# --- who --------------------------------------------------------------------------------------------------------------


def plain_nodes(cluster: SimulatedCluster) -> list[str]:
    """Nodes that only follow."""
    nodes = cluster.network.network.nodes.values()
    return sorted(n.spec.name for n in nodes if not (n.spec.stake or n.spec.seed or n.spec.snark_coordinator))


def producers(cluster: SimulatedCluster) -> list[str]:
    """Nodes with stake, the largest first."""
    nodes = [node.spec for node in cluster.network.network.nodes.values() if node.spec.stake]
    return [spec.name for spec in sorted(nodes, key=lambda spec: (-spec.stake, spec.name))]


def whales(cluster: SimulatedCluster) -> list[str]:
    """The producers with the largest stake."""
    nodes = cluster.network.network.nodes
    names = producers(cluster)
    return sorted(name for name in names if nodes[name].spec.stake == nodes[names[0]].spec.stake)


def fish(cluster: SimulatedCluster) -> list[str]:
    """The other producers."""
    return sorted(set(producers(cluster)) - set(whales(cluster)))


def seeds(cluster: SimulatedCluster) -> list[str]:
    """The seeds."""
    return sorted(node.spec.name for node in cluster.network.network.nodes.values() if node.spec.seed)


def coordinators(cluster: SimulatedCluster) -> list[str]:
    """The snark coordinators."""
    nodes = cluster.network.network.nodes.values()
    return sorted(node.spec.name for node in nodes if node.spec.snark_coordinator)


def with_share(cluster: SimulatedCluster, rng: Random, share: float) -> list[str]:
    """Producers drawn until they hold at least that share of all stake."""
    nodes, names = cluster.network.network.nodes, producers(cluster)
    total, held, chosen = sum(nodes[name].spec.stake for name in names), 0.0, []
    for name in rng.sample(names, len(names)):
        if held / total >= share - 1e-9:
            break
        chosen.append(name)
        held += nodes[name].spec.stake
    return sorted(chosen)


# --- what -------------------------------------------------------------------------------------------------------------


def afflict(cluster: SimulatedCluster, names: Iterable[str], **illness: Any) -> Injected:
    """Set parts of the nodes' condition; healing makes those parts well again."""
    chosen = tuple(names)
    network = cluster.network.network

    def set_to(parts: dict[str, Any]) -> None:
        for name in chosen:
            node = network.nodes[name]
            changed = replace(node.condition, **parts)
            node.condition = WELL if changed == WELL else changed

    def heal() -> None:
        set_to({part: getattr(WELL, part) for part in illness})
        for name in chosen:
            network.nudge(name)

    set_to(illness)
    return Injected(chosen, heal)


def restarted(cluster: SimulatedCluster, names: Iterable[str], **illness: Any) -> Injected:
    """Nodes that were deployed anew, on their volumes, and are ill since: what they count begins with the illness."""
    chosen = tuple(names)
    for name in chosen:
        cluster.replace_pod(name)
    return afflict(cluster, chosen, **illness)


def change(network: Network, part: str, value: Any, nodes: tuple[str, ...] = ()) -> Injected:
    """Set one attribute of the network (`timing`, `provers`) or of its load (`load.capacity`)."""
    owner: Any = network.load if part.startswith("load.") else network
    name = part.removeprefix("load.")
    before = getattr(owner, name)
    setattr(owner, name, value)
    return Injected(nodes, lambda: setattr(owner, name, before))


def flag(marks: set[str], names: Iterable[str]) -> Injected:
    """Put nodes into one of the cluster's sets."""
    chosen = tuple(names)
    marks.update(chosen)
    return Injected(chosen, lambda: marks.difference_update(chosen))


def both(*parts: Injected) -> Injected:
    """Several at once."""

    def heal() -> None:
        for part in reversed(parts):
            part.heal()

    return Injected(tuple(dict.fromkeys(name for part in parts for name in part.nodes)), heal)


__all__ = [
    "Fault", "Inject", "Injected", "Setup", "Weight", "afflict", "both", "change", "coordinators", "fish",
    "flag", "plain_nodes", "producers", "restarted", "seeds", "whales", "with_share",
]  # fmt: skip
