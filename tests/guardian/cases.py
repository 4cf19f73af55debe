"""Faults of the road between guardian and network, for the matrix; those of the network are the simulator's.

What fails here is not the testnet but what looks at it: replies of every broken kind, an API server that tells nothing,
pods that never get ready. And what is harmless and may not be taken for a fault.
"""

from __future__ import annotations

from random import Random

from mina_infra.simulator.cluster import SimulatedCluster
from mina_infra.simulator.faults import FAULTS, Fault, Injected, Weight
from mina_infra.simulator.faults.fault import Inject, afflict, fish, flag, plain_nodes


def _nobody(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return Injected((), lambda: None)


def _everybody_silent(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return flag(cluster.silent, sorted(cluster.network.names))


def _blind(*parts: str) -> Inject:
    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        return Injected((), flag(cluster.blind_to, parts).heal)

    return inject


def _babbling(reply: bytes) -> Inject:
    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        name = rng.choice(sorted(cluster.network.names))
        cluster.babbling[name] = reply
        return Injected((name,), lambda: None)

    return inject


def _never_ready(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    name = rng.choice(plain_nodes(cluster))
    cluster.record(name).ready = False
    return Injected((name,), lambda: None)


def _slow_to_answer(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    names = sorted(rng.sample(sorted(cluster.network.names), max(1, len(cluster.network.names) // 10)))
    cluster.delays.update(dict.fromkeys(names, 1.0 + 2 * severity))
    return Injected(tuple(names), lambda: None)


def _short_partition(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """One fish is cut off for two slots."""
    network = cluster.network
    network.partition([rng.choice(fish(cluster))])
    network.run(slots=2)
    network.heal()
    return Injected((), lambda: None)


def _slow_gossip_to_one(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return afflict(cluster, [rng.choice(plain_nodes(cluster))], gossip_factor=3.0)


_BLIND = ("cannot-look",)
_SEED = ("seed-down",)  # a seed that talks nonsense is none that newcomers can be sent to
_NODES_PARTS = ("inventory", "pods", "answers", "sync", "forks", "production")

UNSEEN: dict[str, frozenset[str]] = {
    "blind-to-pods": frozenset(_NODES_PARTS),
    "blind-to-deployments": frozenset({"inventory"}),
    "blind-to-claims": frozenset({"claims"}),
}
"""Faults that no check can name; these checks must say that they could not look."""

ROAD_FAULTS: tuple[Fault, ...] = (
    Fault("all-silent", "Every daemon takes every question and never answers (watchdog: the last good values stayed).",
          _everybody_silent, ("silent",), weight=Weight.UNKNOWN, slots=0),
    Fault("never-ready", "One pod runs and never gets ready.", _never_ready, ("not-ready",), slots=1),
    Fault("empty-reply", "One daemon answers with nothing.", _babbling(b""), ("bad-reply",), _SEED, slots=0),
    Fault("wrong-types", "One daemon answers in JSON of other types.",
          _babbling(b'{"data": {"daemonStatus": {"syncStatus": 7, "peers": "none"}}}'), ("bad-reply",), _SEED, slots=0),
    Fault("null-data", "One daemon answers with nulls.", _babbling(b'{"data": {"daemonStatus": null}}'),
          ("bad-reply",), _SEED, slots=0),
    Fault("deep-json", "One daemon answers with JSON nested without end.", _babbling(b"[" * 100_000),
          ("bad-reply",), _SEED, slots=0),
    Fault("blind-to-pods", "The API server does not list the pods.",
          _blind("pods"), may=_BLIND, weight=Weight.NONE, slots=2),
    Fault("blind-to-deployments", "The API server does not list the Deployments.",
          _blind("deployments"), may=_BLIND, weight=Weight.NONE, slots=2),
    Fault("blind-to-claims", "The API server does not list the claims.",
          _blind("claims"), may=_BLIND, weight=Weight.NONE, slots=2),
    Fault("nothing", "All is well for a day's third.", _nobody, weight=Weight.NONE, slots=160),
    Fault("slow-to-answer", "A tenth of the daemons takes two seconds to answer.",
          _slow_to_answer, weight=Weight.NONE, slots=8),
    Fault("short-partition", "One fish was cut off for two slots.", _short_partition, weight=Weight.NONE, slots=12),
    Fault("slow-gossip-to-one", "Blocks take three times as long to one node.",
          _slow_gossip_to_one, weight=Weight.NONE, slots=20),
)  # fmt: skip

CASES: dict[str, Fault] = {**FAULTS, **{fault.name: fault for fault in ROAD_FAULTS}}

SIDES = frozenset({"partition-halves", "partition-producers", "split", "split-healed"})
"""Faults that cut the network into parts: which one is named is not for counting alone to say."""

OPEN: dict[str, str] = {}
"""Faults that are not found as they should be yet, and what is missing. `make faults` shows them as missed."""
