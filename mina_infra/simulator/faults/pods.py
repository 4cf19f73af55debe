"""Faults of pods and containers: scheduling, images, crashes, disks; and the watchdog's blind spots about them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from mina_infra.simulator import crash_words, live_faults
from mina_infra.simulator.cluster import SimulatedCluster
from mina_infra.simulator.faults.fault import (
    Fault,
    Inject,
    Injected,
    Weight,
    coordinators,
    fish,
    flag,
    plain_nodes,
    seeds,
)
from mina_infra.simulator.node import Node

_DOWN = ("no-pod", "refused", "not-ready", "crash-loop", "missing-node")
_CRASHED = ("crash-loop", "crash-burst", "refused", "not-ready", "no-pod")
_SEED_DOWN = (*_DOWN, "too-few-seeds", "seed-unreachable", "restart-unexplained", "crash")

Words = Callable[[Node, float], list[str]]


def _stopped(cluster: SimulatedCluster, name: str) -> Injected:
    cluster.network.crash(name)
    return Injected((name,), lambda: cluster.network.restart(name))


def _missing(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    name = rng.choice(plain_nodes(cluster))
    stopped = _stopped(cluster, name)
    mark = flag(cluster.without_deployment, [name])

    def heal() -> None:
        mark.heal()
        stopped.heal()

    return Injected((name,), heal)


def _extra(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return flag(cluster.extra_deployments, ["visitor"])


def _never_started(phase: str, waiting: str | None, unschedulable: str | None) -> Inject:
    """A pod that was replaced and whose container never runs."""

    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        name = rng.choice(plain_nodes(cluster))
        cluster.replace_pod(name)
        stopped = _stopped(cluster, name)
        record = cluster.record(name)
        record.phase, record.waiting, record.unschedulable = phase, waiting, unschedulable

        def heal() -> None:
            record.phase, record.waiting, record.unschedulable = "Running", None, None
            stopped.heal()

        return Injected((name,), heal)

    return inject


def _crash_loop(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    name = rng.choice(plain_nodes(cluster))
    for _ in range(3 + round(4 * severity)):
        _end(cluster, name, crash_words.frontier_bug)
        cluster.network.run(0.3)
        cluster.start_container(name)
        cluster.network.run(0.1)
    _end(cluster, name, crash_words.frontier_bug)
    return Injected((name,), lambda: cluster.start_container(name))


def _end(cluster: SimulatedCluster, name: str, words: Words) -> None:
    network = cluster.network
    cluster.end_container(name, last_words=words(network.network.nodes[name], network.now_ms))


def _crashed(who: Callable[[SimulatedCluster], list[str]], count: int, words: Words) -> Inject:
    """They crash once and run again."""

    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        names = rng.sample(who(cluster), count)
        for name in names:
            _end(cluster, name, words)
        cluster.network.run(0.2)
        for name in names:
            cluster.start_container(name)
        return Injected(tuple(sorted(names)), lambda: None)

    return inject


def _ended(how: str) -> Inject:
    """One node's container ends as live_faults.ENDS says and is started again."""
    exit_code, reason, words = live_faults.ENDS[how]

    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        name = rng.choice(plain_nodes(cluster))
        network = cluster.network
        last = words(network.network.nodes[name], network.now_ms)
        cluster.restart_container(name, exit_code, reason, last, down_slots=0.2)
        return Injected((name,), lambda: None)

    return inject


def _sigterm(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """Evicted: the pod is another one now, and its last words, which sound like a crash, went with it."""
    name = rng.choice(plain_nodes(cluster))
    network = cluster.network
    for words in crash_words.terminated(network.network.nodes[name], network.now_ms):
        network.write(name, words)
    cluster.tell("Pod", cluster.record(name).name, "Evicted", "Evicted for maintenance of the machine", kind="Normal")
    cluster.replace_pod(name)
    return Injected((name,), lambda: None)


def _sigterm_container(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """The container of a pod that an event says was preempted ended on SIGTERM, with the noise, and runs again."""
    name = rng.choice(plain_nodes(cluster))
    network = cluster.network
    cluster.tell("Pod", cluster.record(name).name, "NodeShutdown", "The machine shuts down", kind="Normal")
    words = crash_words.terminated(network.network.nodes[name], network.now_ms)
    cluster.restart_container(name, 130, "Error", words, down_slots=0.2)
    return Injected((name,), lambda: None)


def _disk(used: float) -> Inject:
    def inject(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
        name = rng.choice(plain_nodes(cluster))
        cluster.disk[name] = used + 0.01 + 0.02 * severity

        def heal() -> None:
            cluster.disk.pop(name, None)

        return Injected((name,), heal)

    return inject


def _crash_looping(cluster: SimulatedCluster, names: list[str], restarts: int) -> Injected:
    """They are dead, and have been started again so often."""
    for name in names:
        _end(cluster, name, crash_words.helper_died)
        cluster.record(name).restarts = restarts

    def heal() -> None:
        for name in names:
            cluster.start_container(name)

    return Injected(tuple(names), heal)


def _one_seed_down(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return _crash_looping(cluster, [rng.choice(seeds(cluster))], 5)


def _seeds_down(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return _crash_looping(cluster, seeds(cluster), 5)


def _all_dead(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    """The pods are there, no daemon lives: what Mina's watchdog took for its last good values."""
    return _crash_looping(cluster, cluster.network.names, 3)


def _unbound(cluster: SimulatedCluster, rng: Random, severity: float) -> Injected:
    return flag(cluster.pending_claims, [rng.choice(plain_nodes(cluster))])


def _plain_or_fish(cluster: SimulatedCluster) -> list[str]:
    return sorted(plain_nodes(cluster) + fish(cluster))


_NO_ROOM = "0/12 nodes are available: 12 Insufficient memory."

POD_FAULTS: tuple[Fault, ...] = (
    Fault("missing-node", "A Deployment was deleted behind our back.", _missing, ("missing-node",), _DOWN, slots=1),
    Fault("extra-node", "Somebody deployed a node that is not in the plan.",
          _extra, ("extra-node",), weight=Weight.WARN, slots=0),
    Fault("pending-pod", "The scheduler finds no place for one pod.",
          _never_started("Pending", None, _NO_ROOM), ("not-scheduled",), _DOWN, slots=1),
    Fault("image-pull", "One pod's image cannot be pulled.",
          _never_started("Pending", "ImagePullBackOff", None), ("image",), _DOWN, slots=1),
    Fault("crash-loop", "One daemon crashes at each start, with the same words.",
          _crash_loop, ("crash-loop", "crash", "crash-burst"), ("refused", "not-ready", "crash"), slots=1),
    Fault("crash-once", "One daemon crashed once and runs again.",
          _crashed(plain_nodes, 1, crash_words.pool_bug), ("crash",), ("crash-burst",), slots=3),
    Fault("same-crash-twice", "One bug ended two daemons, each with other hashes and peers in its words.",
          _crashed(_plain_or_fish, 2, crash_words.frontier_bug), ("crash", "crash-burst"), slots=3),
    Fault("crash-of-the-helper", "One daemon's libp2p helper was killed, and the daemon died of it.",
          _crashed(plain_nodes, 1, crash_words.helper_died), ("crash",), slots=3),
    Fault("crash-after-long-run", "A daemon that ran for hours crashed just now (watchdog: not counted).",
          _crashed(plain_nodes, 1, crash_words.frontier_bug), ("crash",), slots=1),
    Fault("crash-of-a-coordinator", "The coordinator crashed: one of many (watchdog: no alarm).",
          _crashed(coordinators, 1, crash_words.pool_bug), ("crash",), ("no-proofs",), slots=3),
    Fault("oom", "One daemon was killed because it needed more memory than its limit.",
          _ended("oom"), ("oom",), slots=3),
    Fault("restart-unexplained", "One daemon was ended by SIGTERM, and nobody says why.",
          _ended("restart-unexplained"), ("restart-unexplained",), slots=3),
    Fault("sigterm-noise", "One pod was evicted; its daemon's last words sounded like a crash.",
          _sigterm, weight=Weight.NONE, slots=6),
    Fault("shutdown-noise", "A machine was shut down; the container ended on SIGTERM and runs again.",
          _sigterm_container, weight=Weight.NONE, slots=6),
    Fault("seed-down", "One of several seeds crash-loops.", _one_seed_down, ("seed-down",), _SEED_DOWN, slots=2),
    Fault("all-seeds-down", "Every seed crash-loops; the nodes that know each other go on.",
          _seeds_down, ("seed-down", "too-few-seeds"), _SEED_DOWN, slots=2),
    Fault("total-outage", "Every daemon is dead behind pods that are there (watchdog: well).",
          _all_dead, ("crash-loop", "not-ready", "refused"),
          (*_DOWN, "crash", "crash-burst", "halt", "seed-down", "too-few-seeds"), slots=1),
    Fault("disk-85", "One node's volume is 86 % full.", _disk(0.85), ("disk-filling",), weight=Weight.WARN, slots=0),
    Fault("disk-95", "One node's volume is more than 95 % full.",
          _disk(0.95), ("disk-full",), ("disk-filling",), slots=0),
    Fault("unbound-claim", "One node's claim is not bound.", _unbound, ("unbound",), slots=0),
)  # fmt: skip
