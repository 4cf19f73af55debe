"""Faults of what blocks carry, and of those who make them."""

from __future__ import annotations

from random import Random

from mina_infra.simulator.cluster import SimulatedCluster
from mina_infra.simulator.faults.fault import Fault, Inject, Injected, Setup, Weight, afflict, change, restarted, whales

_BUSY = Setup(slots_before=60, commands_per_slot=24)
_UNPAID = ("no-transactions", "no-coinbase", "low-tps", "pool-grows")


def _load(part: str, value: object) -> Inject:
    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        return change(cluster.network.network, part, value)

    return inject


def _low_capacity(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """Producers put only some of what is offered into each block."""
    return change(cluster.network.network, "load.capacity", 8 - round(4 * severity))


def _nothing(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return Injected((), lambda: None)


def _whale(**illness: object) -> Inject:
    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        return restarted(cluster, [rng.choice(whales(cluster))], **illness)

    return inject


def _provers_fail(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    names = sorted(rng.sample(whales(cluster), 2))
    return restarted(cluster, names, prover_fails=0.8 + 0.2 * severity)


def _flat(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """At least a fifth of the nodes hears no transactions and no snark work, while blocks reach them."""
    names = sorted(cluster.network.names)
    count = -(-len(names) * (20 + round(10 * severity)) // 100)
    return afflict(cluster, sorted(rng.sample(names, count)), pool_frozen_at=cluster.network.network.gossiped())


_LOST = ("silent-producer", "blocks-lost", "slow-production")

WORK_FAULTS: tuple[Fault, ...] = (
    Fault("no-transactions", "Payments are sent, and no block carries any.",
          _load("load.capacity", 0), ("no-transactions",), ("low-tps", "pool-grows"), slots=40),
    Fault("no-proofs", "No prover finishes any work: blocks buy what is in stock, and then none.",
          _load("provers", False), ("no-proofs",), _UNPAID, slots=50, setup=_BUSY),
    Fault("no-proofs-for-long", "No prover has finished any work until no block has room for anything.",
          _load("provers", False), ("no-proofs", "no-coinbase"), _UNPAID, slots=80, setup=_BUSY),
    Fault("no-coinbase", "Blocks carry no coinbase.",
          _load("load.coinbase", False), ("no-coinbase",), slots=20),
    Fault("low-tps", "Blocks carry a part of what is offered, and the pools grow.",
          _low_capacity, ("low-tps", "pool-grows"), ("no-transactions",), slots=60, setup=_BUSY),
    Fault("pool-flat", "The pools of a fifth of the nodes hear nothing while those of the others grow.",
          _flat, ("pool-flat",), slots=20, watched=True),
    Fault("prover-failures", "Two restarted whales cannot prove most blocks that they win, and say so in their logs.",
          _provers_fail, ("prover-failures",), _LOST, slots=80),
    Fault("prover-failures-sometimes", "One whale cannot prove some of its blocks (watchdog: declared, never counted).",
          _whale(prover_fails=0.7), ("prover-failures",), _LOST, slots=80),
    Fault("won-slots-without-blocks", "One whale wins slots and makes no block, without a word.",
          _whale(withholds=1.0), ("blocks-lost", "silent-producer"), _LOST, slots=200),
    Fault("silent-whale", "One whale was restarted and does not look any more whether it has won.",
          _whale(dormant=True), ("silent-producer",), ("slow-production",), slots=200),
    Fault("no-load", "Nobody sends payments, and nobody said that somebody would: blocks are empty.",
          _nothing, weight=Weight.NONE, slots=10, setup=Setup(commands_per_slot=0.0)),
)  # fmt: skip
