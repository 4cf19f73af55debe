"""The checks, in the order in which a person would look."""

from __future__ import annotations

from collections.abc import Callable, Set

from mina_infra.guardian.checks import (
    answers,
    claims,
    clocks,
    crashes,
    disk,
    forks,
    gossip,
    inclusion,
    inventory,
    pods,
    producers,
    production,
    provers,
    seeds,
    sync,
    tps,
    versions,
)
from mina_infra.guardian.evidence import Evidence, Unseen
from mina_infra.guardian.findings import CheckInfo, Finding, State

Look = Callable[[Evidence], Finding]

CHECKS: tuple[tuple[CheckInfo, Look], ...] = (
    (inventory.CHECK, inventory.look),
    (pods.CHECK, pods.look),
    (claims.CHECK, claims.look),
    (versions.CHECK, versions.look),
    (crashes.CHECK, crashes.look),
    (disk.CHECK, disk.look),
    (answers.CHECK, answers.look),
    (clocks.CHECK, clocks.look),
    (sync.CHECK, sync.look),
    (forks.CHECK, forks.look),
    (production.CHECK, production.look),
    (producers.CHECK, producers.look),
    (gossip.CHECK, gossip.look),
    (inclusion.CHECK, inclusion.look),
    (tps.CHECK, tps.look),
    (provers.CHECK, provers.look),
    (seeds.CHECK, seeds.look),
)


def needs(skipped: Set[str] = frozenset()) -> frozenset[str]:
    """The sources that must be gathered for all checks but those `skipped`."""
    return frozenset(need for check, _ in CHECKS if check.name not in skipped for need in check.needs)


def judge_all(evidence: Evidence, skipped: Set[str] = frozenset()) -> tuple[Finding, ...]:
    """One finding for each check but those `skipped`; UNKNOWN where something that it needs could not be looked at."""
    asked = [(check, look) for check, look in CHECKS if check.name not in skipped]
    if evidence.outputs.nodes and not evidence.outputs.running():
        return tuple(_paused(check, look, evidence) for check, look in asked)
    return tuple(_judge(check, look, evidence) for check, look in asked)


def _paused(check: CheckInfo, look: Look, evidence: Evidence) -> Finding:
    """Of a testnet that is paused as a whole: what is kept is judged; nobody can tell how the rest would do."""
    if check.name in (inventory.CHECK.name, claims.CHECK.name):
        return _judge(check, look, evidence)
    return Finding(
        check=check.name,
        state=State.UNKNOWN,
        summary=f"paused: all {len(evidence.outputs.nodes)} nodes are stopped on purpose",
        action="`mina-infra resume` starts them",
    )


def _judge(check: CheckInfo, look: Look, evidence: Evidence) -> Finding:
    for need in check.needs:
        part = getattr(evidence, need)
        if isinstance(part, Unseen):
            return Finding(
                check=check.name,
                state=State.UNKNOWN,
                summary=f"could not look at the {need}: {part.reason}",
                action="try again; `kubectl auth can-i` tells whether the credentials may",
                settling=True,
            )
    return look(evidence)
