"""Faults of the chain: production, gossip, partitions, forks."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from mina_infra.simulator.cluster import SimulatedCluster
from mina_infra.simulator.faults.fault import (
    Fault,
    Inject,
    Injected,
    Setup,
    Weight,
    afflict,
    change,
    fish,
    plain_nodes,
    producers,
    restarted,
    whales,
    with_share,
)
from mina_infra.simulator.forge import forge_branch
from mina_infra.simulator.simulated import SimulatedNetwork

_NEVER = 1e15
_SMALL = Setup(k=12, slots_before=40)
_FORKED = ("partition", "fork", "deep-fork", "split")
_LOST = ("isolated", "behind", "stuck", "no-gossip")


def _proving(shortest: float, longest: float) -> Inject:
    """Everybody's time to make a block, in slots."""

    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        network = cluster.network.network
        slot = network.constants.slot_ms
        worse = 1 + 0.2 * (severity - 0.5)
        proving = (shortest * slot * worse, longest * slot * worse)
        return change(network, "timing", replace(network.timing, proving=proving))

    return inject


def _stake_off(share: float) -> Inject:
    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        return restarted(cluster, with_share(cluster, rng, share + 0.1 * (severity - 0.5)), dormant=True)

    return inject


def _slow_gossip(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """A median of 20 to 40 times the usual 2 s at 180 s a slot."""
    network = cluster.network.network
    timing = replace(network.timing, gossip=network.timing.gossip * (20 + 20 * severity))
    return change(network, "timing", timing)


def _loss(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return afflict(cluster, cluster.network.names, loss=0.5 + 0.3 * severity)


def _deaf(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return afflict(cluster, [rng.choice(plain_nodes(cluster))], deaf=True)


def _mute(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return restarted(cluster, [rng.choice(whales(cluster))], mute=True)


def _cut(cluster: SimulatedCluster, group: list[str]) -> Injected:
    cluster.network.partition(group)
    return Injected(tuple(sorted(group)), cluster.network.heal)


def _halves(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """Every other producer by stake, and half of the rest: a bit less than half of the stake."""
    rest = sorted(set(cluster.network.names) - set(producers(cluster)))
    return _cut(cluster, sorted(producers(cluster)[1::2] + rng.sample(rest, len(rest) // 2)))


def _alone(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return _cut(cluster, [rng.choice(plain_nodes(cluster))])


def _producers_cut(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return _cut(cluster, with_share(cluster, rng, 0.2))


def _healed_split(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """A partition of more than k blocks that is over: the sides hear each other and can never agree."""
    found = _halves(cluster, rng, severity)
    cluster.network.run(slots=3 * cluster.network.constants.k)
    found.heal()
    return found


def _fork(depth: int, followers: int) -> Inject:
    """A branch of that depth on nodes that stay on it; depth 1 is left to be resolved by the next block."""

    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        names = rng.sample(plain_nodes(cluster), followers)
        forge_branch(cluster.network.network, names, depth)
        return (
            Injected(tuple(sorted(names)), lambda: None) if depth == 1 else afflict(cluster, sorted(names), frozen=True)
        )

    return inject


def _strangers(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """Some nodes were started with another genesis: they are well, on a chain of their own."""
    network = cluster.network
    names = sorted(rng.sample(plain_nodes(cluster) + fish(cluster), 1 + round(2 * severity)))
    specs = [replace(network.network.nodes[name].spec, seed=True, stake=1.0) for name in names]
    other = SimulatedNetwork(rng.randrange(10**9) + 10**9, specs, slot_ms=network.constants.slot_ms)
    other.network.advance(network.now_ms)
    cluster.strangers.update(dict.fromkeys(names, other))
    absent = afflict(cluster, names, absent=True)

    def heal() -> None:
        for name in names:
            del cluster.strangers[name]
        absent.heal()

    return Injected(absent.nodes, heal)


_SLOW = ("silent-producer", "blocks-lost", "low-tps", "pool-grows")
_APART = (*_LOST, "slow-production", "silent-producer", "slow-gossip", "seed-down", "too-few-seeds")
"""Of a network in parts: seeds of the side that is not taken for the network lead whoever joins there."""

CHAIN_FAULTS: tuple[Fault, ...] = (
    Fault("total-halt", "No block is ever finished: every node lives, says SYNCED, and proving never ends.",
          _proving(_NEVER, _NEVER), ("halt",), (*_SLOW, "slow-production", "no-transactions", "no-proofs"), slots=25),
    Fault("half-stake-off", "Producers with half of the stake do not look any more whether they have won.",
          _stake_off(0.5), ("slow-production", "silent-producer"), ("halt", *_SLOW), slots=300),
    Fault("third-stake-off", "Producers with 30 % of the stake do not look any more whether they have won.",
          _stake_off(0.3), ("slow-production", "silent-producer"), _SLOW, slots=300),
    Fault("slow-proving", "Proving takes 150-260 s of a slot of 180 s, so blocks are built on old parents.",
          _proving(150 / 180, 260 / 180), ("slow-production",), (*_SLOW, "fork", "slow-gossip"), slots=300),
    Fault("slow-gossip", "Blocks take 40 to 80 s to a node instead of 2 s: tips disagree most of the time.",
          _slow_gossip, ("slow-gossip", "no-gossip"), ("behind", "fork", "low-tps"), slots=40, watched=True),
    Fault("gossip-loss", "More than half of all gossip is lost; nodes learn of blocks by catching up.",
          _loss, ("no-gossip", "slow-gossip"),
          ("behind", "stuck", "fork", "deep-fork", "slow-production", "low-tps", "seed-down"), slots=40, watched=True),
    Fault("node-deaf", "No gossip reaches one node, which answers and says SYNCED.",
          _deaf, _LOST, ("pool-flat",), slots=20),
    Fault("producer-mute", "Nothing that one whale gossips reaches anybody: its blocks are its own.",
          _mute, ("silent-producer", "blocks-lost"), ("fork", "slow-production", "slow-gossip"), slots=200),
    Fault("partition-halves", "The network is cut into two halves of about equal stake.",
          _halves, _FORKED, (*_APART, "halt"), slots=50),
    Fault("partition-one-node", "One node that only follows is cut off from all others.",
          _alone, _LOST, ("pool-flat",), slots=20),
    Fault("partition-producers", "Producers with a fifth of the stake are cut off, with nobody else.",
          _producers_cut, _FORKED, _APART, slots=70),
    Fault("fork-1", "Two siblings at the tip: half of all slots have two leaders.",
          _fork(1, 1), weight=Weight.NONE, slots=0),
    Fault("fork-2", "Two nodes stay on a branch two blocks deep.",
          _fork(2, 2), ("fork",), _LOST, slots=12),
    Fault("fork-8", "One node stays on a branch eight blocks deep.",
          _fork(8, 1), ("deep-fork",), ("fork", *_LOST), slots=2),
    Fault("fork-16", "Two nodes stay on a branch sixteen blocks deep.",
          _fork(16, 2), ("deep-fork",), ("fork", *_LOST), slots=2),
    Fault("split", "A partition lasts for more than k blocks (k is 12) and is not over.",
          _halves, ("split",), (*_FORKED, *_APART), slots=60,
          setup=_SMALL),
    Fault("split-healed", "A partition of more than k blocks is over, and the sides can never agree again.",
          _healed_split, ("split", "deep-fork"),
          (*_FORKED, *_APART), slots=10, setup=_SMALL),
    Fault("other-genesis", "Some nodes run another genesis, so another chain id.",
          _strangers, ("other-chain",), (*_FORKED, *_LOST, "silent-producer"), slots=10),
)  # fmt: skip
