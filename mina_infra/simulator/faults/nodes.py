"""Faults of single daemons: sync, answers, clocks, builds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from mina_infra.daemon.replies import SyncStatus
from mina_infra.simulator.cluster import SimulatedCluster
from mina_infra.simulator.faults.fault import (
    Fault,
    Inject,
    Injected,
    Setup,
    Weight,
    afflict,
    flag,
    plain_nodes,
    seeds,
)
from mina_infra.simulator.live_faults import BAD_GATEWAY

_LOST = ("behind", "stuck", "no-gossip")
_GOSSIP = ("-log-txn-pool-gossip", "-log-snark-work-gossip")
_YOUNG = Setup(slots_before=14)
_SMALL = Setup(k=12, slots_before=30)
_DAYS = Setup(k=12, slots_before=1000)
_REFUSES = ("refused", "not-ready", "crash-loop", "no-pod")


def _ill(share: float = 0.0, **illness: object) -> Inject:
    """One node that only follows, or that share of all nodes, taken from those."""

    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        count = max(1, round(share * len(cluster.network.names)))
        names = plain_nodes(cluster)
        return afflict(cluster, sorted(rng.sample(names, min(count, len(names)))), **illness)

    return inject


def _hang(status: SyncStatus, *, keep_volume: bool) -> Inject:
    """A node is started again and never leaves that status."""

    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        name = rng.choice(plain_nodes(cluster))
        found = afflict(cluster, [name], hangs=status)
        cluster.replace_pod(name, keep_volume=keep_volume)
        return found

    return inject


def _bootstraps_again(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """Gossip does not reach a node for longer than k blocks; it bootstraps again, without a restart, and hangs."""
    name = rng.choice(plain_nodes(cluster))
    deaf = afflict(cluster, [name], deaf=True)
    cluster.network.run(slots=2 * cluster.network.constants.k)
    hangs = afflict(cluster, [name], hangs=SyncStatus.BOOTSTRAP)
    deaf.heal()
    return hangs


def _restart(*, keep_volume: bool) -> Inject:
    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        name = rng.choice(plain_nodes(cluster))
        cluster.replace_pod(name, keep_volume=keep_volume)
        return Injected((name,), lambda: None)

    return inject


def _marked(mark: str, share: float = 0.0) -> Inject:
    """One node, or that share of all nodes, in one of the cluster's sets."""

    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        names = sorted(cluster.network.names)
        chosen = rng.sample(names, round(share * len(names))) if share else [rng.choice(plain_nodes(cluster))]
        return flag(getattr(cluster, mark), sorted(chosen))

    return inject


def _babbles(reply: Callable[[SimulatedCluster, str], bytes]) -> Inject:
    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        name = rng.choice(plain_nodes(cluster))
        cluster.babbling[name] = reply(cluster, name)

        def heal() -> None:
            cluster.babbling.pop(name, None)

        return Injected((name,), heal)

    return inject


def _truncated(cluster: SimulatedCluster, name: str) -> bytes:
    """What fetching a long output in pieces gave Mina's watchdog: an answer that ends in the middle."""
    whole = cluster.network.reply(name, "best_chain", maxLength=16)
    return whole[: len(whole) * 2 // 3]


def _skewed(slots: float, **more: object) -> Inject:
    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        sign = 1 if slots > 0 else -1
        skew = (abs(slots) + (severity - 0.5) * 0.2) * sign * cluster.network.constants.slot_ms
        return afflict(cluster, [rng.choice(plain_nodes(cluster))], skew_ms=skew, **more)

    return inject


def _offset(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """A configured offset of some slots, as tests of hard forks leave behind."""
    seconds = round((3 + 4 * severity) * cluster.network.constants.slot_ms / 1000)
    return afflict(cluster, [rng.choice(plain_nodes(cluster))], time_offset_s=seconds)


def _other_commit(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    name = rng.choice(plain_nodes(cluster))
    return respecified(cluster, name, commit_id="badc0de" + "0" * 33)


def _other_image(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    name = rng.choice(plain_nodes(cluster))
    before, cluster.record(name).image = cluster.record(name).image, "mina-daemon:1.0.0-other"
    found = respecified(cluster, name, commit_id="0ddba11" + "0" * 33)

    def heal() -> None:
        cluster.record(name).image = before
        found.heal()

    return Injected((name,), heal)


def _renamed_metrics(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """As a build does that drops the old namespace."""
    before, cluster.metrics_namespace = cluster.metrics_namespace, "Mina"

    def heal() -> None:
        cluster.metrics_namespace = before

    return Injected((), heal)


def _missing_flag(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """One node was deployed without the flags that make it log what it hears."""
    name = rng.choice(plain_nodes(cluster))
    record = cluster.record(name)
    before = record.arguments
    record.arguments = tuple(
        word
        for number, word in enumerate(before)
        if not word.startswith(_GOSSIP) and not (number and before[number - 1].startswith(_GOSSIP))
    )

    def heal() -> None:
        record.arguments = before

    return Injected((name,), heal)


def _seed_identity(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """A seed lost its libp2p key and made itself another: its published address leads nowhere."""
    return respecified(cluster, rng.choice(seeds(cluster)), peer_id="12D3KooW" + "Z" * 44)


def respecified(cluster: SimulatedCluster, name: str, **fields: Any) -> Injected:
    """Deploy a node anew with other fields of its spec, on its volume."""
    node = cluster.network.network.nodes[name]
    before = node.spec
    node.spec = replace(before, **fields)
    cluster.replace_pod(name)

    def heal() -> None:
        cluster.network.network.nodes[name].spec = before
        cluster.replace_pod(name)

    return Injected((name,), heal)


def _bad_gateway(cluster: SimulatedCluster, name: str) -> bytes:
    return BAD_GATEWAY


def _kubernetes_status(cluster: SimulatedCluster, name: str) -> bytes:
    return (
        b'{"kind":"Status","apiVersion":"v1","status":"Failure","message":"error trying to reach service","code":503}'
    )


NODE_FAULTS: tuple[Fault, ...] = (
    Fault("stuck-synced", "A node says SYNCED and its tip does not move.",
          _ill(frozen=True), ("stuck",), _LOST, slots=20),
    Fault("bootstrap-hang", "A node that lost its volume stays in BOOTSTRAP for ever while gossip arrives (18380).",
          _hang(SyncStatus.BOOTSTRAP, keep_volume=False), ("bootstrap-hangs",), slots=25),
    Fault("bootstrap-hang-after-days", "A node that has run for 50 hours bootstraps again and never ends it (watchdog: "
          "minutes compared with seconds, so it was among those younger than 6 hours).",
          _bootstraps_again, ("bootstrap-hangs",), _LOST, slots=25, setup=_DAYS),
    Fault("catchup-hang", "A restarted node stays in CATCHUP for ever.",
          _hang(SyncStatus.CATCHUP, keep_volume=True), ("catchup-hangs",), _LOST, slots=40),
    Fault("catchup-flapper", "A node in order says CATCHUP in every third slot (mina 5155, 6660).",
          _ill(flaps=True), weight=Weight.NONE, slots=10),
    Fault("behind-3", "One node is always three blocks behind: within the share that may be.",
          _ill(lag_blocks=3), ("behind",), ("no-gossip", "slow-gossip"), weight=Weight.WARN, slots=20),
    Fault("behind-6", "One node is always six blocks behind.",
          _ill(lag_blocks=7), ("stuck", "behind"), _LOST, slots=30),
    Fault("many-behind", "A quarter of the nodes is always four blocks behind.",
          _ill(0.25, lag_blocks=4), ("behind",), (*_LOST, "slow-gossip"), slots=30),
    Fault("silent-node", "One daemon takes every question and never answers.",
          _marked("silent"), ("silent",), weight=Weight.UNKNOWN, slots=0),
    Fault("silent-tenth", "A tenth of the daemons never answers (watchdog: one delayed all the others).",
          _marked("silent", 0.1), ("silent",), weight=Weight.UNKNOWN, slots=0),
    Fault("refusing-node", "One daemon's port is closed while its pod runs.",
          _marked("refusing"), ("refused",), _REFUSES, slots=0),
    Fault("garbage-node", "A proxy answers for one daemon with HTML and status 200.",
          _babbles(_bad_gateway), ("bad-reply",), slots=0),
    Fault("status-node", "A proxy answers for one daemon with a Kubernetes Status.",
          _babbles(_kubernetes_status), ("bad-reply",), slots=0),
    Fault("truncated-answer", "One daemon's answer ends in the middle (watchdog: long outputs were cut).",
          _babbles(_truncated), ("bad-reply",), slots=0),
    Fault("all-unreachable", "No way leads to any daemon (watchdog: the last good values stayed).",
          _marked("road_closed", 1.0), ("road",), weight=Weight.UNKNOWN, slots=0),
    Fault("clock-skew-1", "One node's clock is one slot ahead: a poll may see that of any node.",
          _skewed(0.9), weight=Weight.NONE, slots=8),
    Fault("clock-skew-2", "One node's clock is more than two slots ahead.",
          _skewed(2.6), ("clock-skew",), ("time-offset",), slots=8),
    Fault("clock-behind-3", "One node's clock is three slots behind, so that every block comes too early for it.",
          _skewed(-3.2), ("clock-skew",), ("time-offset", *_LOST), slots=12),
    Fault("time-offset", "One node runs with a time offset that nobody configured.",
          _offset, ("time-offset",), ("clock-skew", *_LOST), slots=8),
    Fault("wrong-commit", "One node runs another build of the same tag.",
          _other_commit, ("other-commit",), weight=Weight.WARN, slots=6),
    Fault("wrong-image", "One node runs another image.",
          _other_image, ("other-image",), ("other-commit",), slots=6),
    Fault("missing-gossip-flag", "One node was deployed without the flags that log gossip.",
          _missing_flag, ("missing-flag",), slots=4),
    Fault("metrics-renamed", "The daemons' metrics have other names (watchdog: no rule knew its new ones).",
          _renamed_metrics, ("cannot-tell",), weight=Weight.UNKNOWN, slots=50),
    Fault("seed-other-identity", "A seed has another peer id than the published address.",
          _seed_identity, ("seed-address",), ("seed-unreachable",), slots=6),
    Fault("restart-with-volume", "One node's pod was replaced; it catches up from its volume.",
          _restart(keep_volume=True), weight=Weight.NONE, slots=6),
    Fault("restart-without-volume", "One node lost its volume and bootstraps, as it should.",
          _restart(keep_volume=False), weight=Weight.NONE, slots=6),
    Fault("young-stuck", "A node is stuck in a network too young for 290 blocks (watchdog: no value).",
          _ill(frozen=True), ("stuck",), _LOST, slots=18, setup=_YOUNG),
    Fault("small-k-stuck", "A node is stuck in a network whose frontiers hold 12 blocks (watchdog: no value).",
          _ill(frozen=True), ("stuck",), _LOST, slots=12, setup=_SMALL),
)  # fmt: skip
