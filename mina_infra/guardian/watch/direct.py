"""What shows a halt or a partition at once, without waiting for what chance alone would explain. Pure.

A quarter of all slots is empty by the rules, so a silent chain proves nothing for many slots. What does: producers that
are down, without keys or without peers; slots that a producer itself announced and that passed without any block; and
peers, because after a partition each side only knows its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mina_infra.daemon.replies import SyncStatus
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.findings import some
from mina_infra.guardian.forks import Standing
from mina_infra.guardian.survey import Answer, Cause, Survey
from mina_infra.guardian.watch.symptoms import Onset, Severity, Symptom
from mina_infra.outputs import NodeOutput

PRODUCTION, FORKS = "production", "forks"
HALT, SLOW = "halt", "slow-production"
FORK, PARTITION, ISOLATED = "fork", "partition", "isolated"

# With less than this share of the due stake able to produce, a block is a matter of luck: 1 in 14 slots at f = 3/4.
_HALTED = 0.05
# The rate that the cumulative sum is built to find (docs/facts.md: guardian/cusum); seen directly, nobody waits for it.
_SLOW = 0.5
# The other side of a cut matters from this share of the stake on, or with two nodes; one node alone is its own trouble.
_SIDE_STAKE = 5.0
# Two slots in a row that a producer announced and nobody filled: one alone may be a block that was lost.
_ANNOUNCED = 2
# With more of the stake proved unable, blocks of the rest are rare: 1 slot in 2 at f = 3/4 at most.
_MOST = 0.5

_MAY_BE_UP = frozenset({Cause.SILENT, Cause.ROAD})
_FOLLOWS = frozenset({SyncStatus.SYNCED, SyncStatus.CATCHUP})


@dataclass(frozen=True)
class OnlineStake:
    """Stake in percent. `able` can produce now; `open` may (starting, or not seen); `off` are nodes that cannot."""

    due: float
    able: float
    open: float
    off: Mapping[str, str]


def online_stake(nodes: Iterable[NodeOutput], survey: Survey, criteria: Criteria) -> OnlineStake:
    """Whose stake can make a block now. Producers without a declared stake share it evenly."""
    producers = [node for node in nodes if node.role == "block-producer" and not node.paused]
    even = 0.0 if any(node.stake for node in producers) else 100.0 / max(len(producers), 1)
    due = able = unsure = 0.0
    off: dict[str, str] = {}
    for node in producers:
        stake = node.stake or even
        due += stake
        why = _why_off(node.name, survey, criteria)
        if why is None:
            able += stake
        elif why:
            off[node.name] = why
        else:
            unsure += stake
    return OnlineStake(due, able, unsure, off)


def _why_off(node: str, survey: Survey, criteria: Criteria) -> str | None:
    """None: it can produce. Empty: it may. Else the reason why it cannot."""
    answer = survey.answers.get(node)
    if answer is None:
        silence = survey.silences.get(node)
        return "" if silence is None or silence.cause in _MAY_BE_UP else str(silence.cause)
    status = answer.status
    if status.sync_status not in _FOLLOWS:
        starting = criteria.slots(status.uptime_secs * 1000) <= criteria.bootstrap_fail_slots
        return "" if starting and status.sync_status is not SyncStatus.OFFLINE else f"says {status.sync_status}"
    if not status.block_production_keys:
        return "has no block production key"
    if not status.peers and len(survey.expected) > 1:
        return "has no peers"
    return None


def stake_symptoms(stake: OnlineStake) -> Iterable[Symptom]:
    """Too little stake is able to produce, whatever the chain looks like yet."""
    if stake.due <= 0 or not stake.off:
        return
    share = (stake.able + stake.open) / stake.due
    if share >= _SLOW:
        return
    reasons = [f"{node} {why}" for node, why in stake.off.items()]
    words = f"producers with {share:.0%} of the stake that is due can make blocks; off: {some(reasons, 3)}"
    problem = HALT if share < _HALTED else SLOW
    yield Symptom(
        PRODUCTION, problem, Severity.FAILURE, Onset.LASTING, words, tuple(stake.off),
        "bring the block producers back: pods, keys, peers",
    )  # fmt: skip


def announced_slots(survey: Survey, criteria: Criteria) -> dict[int, str]:
    """Slots that a producer says it has won: start in ms since 1970, and who said so.

    A producer that cannot produce now promises nothing (docs/facts.md: guardian/announced-slots).
    """
    found: dict[int, str] = {}
    for node, answer in survey.answers.items():
        if _keeps_promises(answer, survey, criteria):
            for start in answer.status.next_slots_ms:
                found.setdefault(start, node)
    return found


def broken_announcements(
    announced: Mapping[int, str], survey: Survey, nodes: Iterable[NodeOutput], criteria: Criteria
) -> tuple[dict[int, str], list[Symptom]]:
    """The announcements that are still open, and a failure when two of them passed while no block came at all.

    It is a halt when those that broke their word for good hold most of the stake; else the others may yet make blocks,
    as when one whale's prover fails. An announcement falls with the node that made it: one that restarts may lose its
    slot. The tip is the highest that any daemon has, on whatever branch.
    """
    tips = [answer.chain.tip.date_ms for answer in survey.answers.values() if answer.chain is not None]
    if not tips:
        return dict(announced), []
    newest = max(tips)
    kept = {
        start: node
        for start, node in announced.items()
        if start > newest and _stands(survey.answers.get(node), start, survey, criteria)
    }
    over = sorted(start for start in kept if start + criteria.slot_ms <= survey.now_ms)
    if len(over) < _ANNOUNCED:
        return kept, []
    silent = round(criteria.slots(survey.now_ms - newest))
    words = (
        f"no block for {silent} slots, though {some(sorted({kept[start] for start in over}), 3)} announced "
        f"{len(over)} of them as won"
    )
    in_flight_ms = criteria.in_flight_slots * criteria.slot_ms
    broke = {node for start, node in kept.items() if start + in_flight_ms <= survey.now_ms}
    problem = HALT if _share_of_stake(broke, nodes) > _MOST else SLOW
    failure = Symptom(
        PRODUCTION, problem, Severity.FAILURE, Onset.AT_ONCE, words,
        action="the producers win slots and make no blocks: look at their provers",
    )  # fmt: skip
    return kept, [failure]


def _share_of_stake(names: Collection[str], nodes: Iterable[NodeOutput]) -> float:
    """Of the stake that is due. Producers without a declared stake share it evenly."""
    producers = [node for node in nodes if node.role == "block-producer" and not node.paused]
    weighted = any(node.stake for node in producers)
    stakes = {node.name: node.stake if weighted else 1.0 for node in producers}
    due = sum(stakes.values())
    return sum(stakes.get(name, 0.0) for name in names) / due if due else 0.0


def _stands(answer: Answer | None, start: int, survey: Survey, criteria: Criteria) -> bool:
    """Whether the producer has been up since before the slot began, and is able. One not seen now proves nothing."""
    if answer is None or survey.now_ms - answer.status.uptime_secs * 1000 >= start:
        return False
    return _keeps_promises(answer, survey, criteria)


def _keeps_promises(answer: Answer, survey: Survey, criteria: Criteria) -> bool:
    """A daemon that fetches blocks makes none meanwhile."""
    return answer.status.sync_status is SyncStatus.SYNCED and _why_off(answer.node, survey, criteria) is None


def sides(survey: Survey, criteria: Criteria) -> list[list[str]]:
    """The daemons by who reaches whom through peers, the largest group first.

    Strangers and silent daemons count as bridges: whoever is a peer of both sides may carry blocks. Daemons that have
    just started are not judged.
    """
    groups = _Groups()
    settled = []
    for node, answer in survey.answers.items():
        own = answer.status.addrs_and_ports.peer
        identity = own.peer_id if own else node
        for peer in answer.status.peers:
            groups.join(identity, peer.peer_id)
        if criteria.slots(answer.status.uptime_secs * 1000) > criteria.warm_up_slots:
            settled.append((node, groups.add(identity)))
    found: dict[str, list[str]] = {}
    for node, identity in settled:
        found.setdefault(groups.root(identity), []).append(node)
    return sorted(found.values(), key=lambda side: (-len(side), side))


def fork_symptoms(survey: Survey, criteria: Criteria) -> Iterable[Symptom]:
    """A branch that is deeper than healthy networks ever have, from the first look on; it counts when it lasts."""
    deep = {
        node: relation.own or 0
        for node, relation in survey.relations.items()
        if relation.standing is Standing.FORKED and (relation.own or 0) >= criteria.fork_warn_depth
    }
    if deep:
        words = f"{len(deep)} daemons on a branch up to {max(deep.values())} blocks deep: {some(sorted(deep))}"
        action = "compare peers and chain ids of the sides"
        yield Symptom(FORKS, FORK, Severity.WARNING, Onset.LASTING, words, tuple(sorted(deep)), action)


def partition_symptoms(survey: Survey, nodes: Iterable[NodeOutput], criteria: Criteria) -> Iterable[Symptom]:
    """The network is cut, or single daemons are alone."""
    groups = sides(survey, criteria)
    if len(groups) < 2:
        return
    stakes = {node.name: node.stake for node in nodes}
    off = [node for side in groups[1:] for node in side]
    action = "compare the peers of both sides; look at NetworkPolicies, zones and the seeds' addresses"
    if len(off) >= 2 or sum(stakes.get(node, 0.0) for node in off) >= _SIDE_STAKE:
        sizes = " and ".join(str(len(side)) for side in groups[:3]) + (" and more" if len(groups) > 3 else "")
        words = f"{len(groups)} sides that do not know each other: {sizes} daemons; apart: {some(off)}"
        yield Symptom(FORKS, PARTITION, Severity.FAILURE, Onset.CONFIRMED, words, tuple(off), action)
    else:
        yield Symptom(
            FORKS,
            ISOLATED,
            Severity.WARNING,
            Onset.SETTLING,
            f"{some(off)} has no way to the others",
            tuple(off),
            action,
        )


class _Groups:
    """Disjoint sets of identities."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def add(self, name: str) -> str:
        self._parent.setdefault(name, name)
        return name

    def root(self, name: str) -> str:
        parent = self._parent
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    def join(self, one: str, other: str) -> None:
        self._parent[self.root(self.add(one))] = self.root(self.add(other))
