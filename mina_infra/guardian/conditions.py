"""What one sweep says about each of the runbook's eight criteria of an unstable testnet. Pure.

The thresholds are those of the checks and of `Criteria`; a condition only tells an ill node from an ill network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from statistics import median

from mina_infra.guardian.checks import crashes, forks, gossip, inclusion, production, provers, sync
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import Finding, Row, State, some
from mina_infra.guardian.forks import Standing
from mina_infra.guardian.survey import Survey, newest_pods
from mina_infra.outputs import NodeOutput

# Of guardian/joining.py, which cannot be imported here: it waits as `verify` does, and that judges the criteria.
JOIN, _JOINS_FORK = "join", "joins-fork"
_HANGS = (sync.BOOTSTRAP_HANGS, sync.CATCHUP_HANGS)


class Condition(StrEnum):
    """What one sweep shows of a criterion."""

    SHOWN = "shown"
    ABSENT = "absent"
    OPEN = "open"


@dataclass(frozen=True)
class Seen:
    """One sweep's look. `since_slots`: for how long, where the chain tells. `at_once`: needs no second sweep."""

    condition: Condition
    summary: str
    evidence: tuple[Row, ...] = ()
    since_slots: float | None = None
    confidence: str = ""
    chance: float | None = None
    at_once: bool = False
    asked: bool = True


@dataclass(frozen=True)
class Sight:
    """What a sweep gathered and what the checks made of it."""

    evidence: Evidence
    findings: Mapping[str, Finding]

    @property
    def survey(self) -> Survey | None:
        return self.evidence.survey if isinstance(self.evidence.survey, Survey) else None

    def stake_of(self, nodes: Sequence[str]) -> float:
        """The share that these nodes have of all declared stake, 0..1; equal shares of the producers without any."""
        producers = [node for node in self.evidence.outputs.nodes if node.role == "block-producer"]
        shares = {node.name: _stake(node, producers) for node in producers}
        total = sum(shares.values())
        return sum(shares.get(name, 0.0) for name in nodes) / total if total else 0.0


def _stake(node: NodeOutput, producers: Sequence[NodeOutput]) -> float:
    return node.stake if any(each.stake for each in producers) else 1.0


def network_forks(sight: Sight) -> Seen:
    """Split, or deep with some stake on it, or less deep on two nodes for long."""
    finding = sight.findings.get(forks.CHECK.name)
    if finding is None or finding.state is not State.FAIL:
        return _as_found(finding, forks.CHECK.name, "no fork is deeper than 1 in the healthy model")
    criteria = sight.evidence.criteria
    branches = [row for row in finding.evidence if "depth" in row]
    split = _nodes([row for row in branches if row["depth"] is None])
    deep = _nodes([row for row in branches if _number(row["depth"]) >= criteria.fork_depth])
    lasting = _nodes(
        [
            row
            for row in branches
            if _number(row["depth"]) >= criteria.fork_warn_depth
            and _number(row.get("since_slots")) > criteria.fork_lasting_slots
        ]
    )
    stake = sight.stake_of(deep)
    words = []
    if split:
        words.append(f"{some(split)} split off: no common block with the others")
    if deep and stake >= criteria.fork_stake:
        words.append(f"a fork {criteria.fork_depth} blocks deep or more holds {stake:.0%} of the stake: {some(deep)}")
    if len(lasting) >= criteria.fork_witnesses:
        words.append(f"{some(lasting)} fork for more than {criteria.fork_lasting_slots} slots")
    if not words:
        return Seen(
            Condition.ABSENT,
            f"a deep fork of {some(deep)} with {stake:.1%} of the stake: ill nodes, not an ill network",
            tuple(branches),
        )
    return Seen(
        Condition.SHOWN,
        "; ".join(words),
        tuple(branches),
        since_slots=max((_number(row.get("since_slots")) for row in branches), default=0.0) or None,
        confidence="never seen in the healthy model, at any gossip delay up to 10 s",
        at_once=len(split) >= criteria.fork_witnesses,
    )


def not_produced(sight: Sight) -> Seen:
    """The exact test of the last slots, or a silence, failed."""
    finding = sight.findings.get(production.CHECK.name)
    if finding is None or finding.state is not State.FAIL:
        return _as_found(finding, production.CHECK.name, _power(finding))
    silence = _number(finding.figures.get("silence_slots"))
    return Seen(
        Condition.SHOWN,
        finding.summary,
        (*_newest_block(sight), *finding.evidence),
        since_slots=silence if production.HALT in finding.problems and silence else None,
        confidence=_chance_of(finding, sight),
        chance=_probability(finding, sight),
    )


def not_gossiped(sight: Sight) -> Seen:
    """Blocks, transactions or snark work do not travel."""
    return _failed(sight, gossip.CHECK.name, "a healthy network spreads a block within one slot")


def not_included(sight: Sight) -> Seen:
    """Transactions are sent and no block takes them. Other failures of the check say nothing about transactions."""
    finding = sight.findings.get(inclusion.CHECK.name)
    if finding is not None and finding.figures.get("declared_tps") == 0:
        return Seen(Condition.OPEN, "nobody is deployed to send transactions", asked=False)
    if finding is not None and finding.state is State.FAIL and inclusion.NO_TRANSACTIONS not in finding.problems:
        return Seen(Condition.OPEN, f"not judged, for another reason: {finding.summary}", finding.evidence)
    return _failed(sight, inclusion.CHECK.name, "with load, five empty blocks in a row are no chance")


def prover_failures(sight: Sight) -> Seen:
    """Provers err, or blocks that were won are not made."""
    return _failed(sight, provers.CHECK.name, "a prover in order reports no error")


def crashes_halt_production(sight: Sight) -> Seen:
    """Crashes that persist, and production that suffers: neither alone."""
    produced, crashed = sight.findings.get(production.CHECK.name), sight.findings.get(crashes.CHECK.name)
    if produced is not None and produced.state is State.PASS:
        return Seen(Condition.ABSENT, "production holds", confidence=_power(produced))
    looping = _looping_producers(sight)
    stake = sight.stake_of(looping)
    heavy = stake >= sight.evidence.criteria.crash_stake
    burst = crashed is not None and crashes.BURST in crashed.problems
    rows: tuple[Row, ...] = tuple({"node": node, "found": "CrashLoopBackOff"} for node in looping)
    rows += crashed.evidence if crashed is not None else ()
    halts = produced is not None and produced.state is State.FAIL
    if halts and (heavy or burst):
        words = [f"{some(looping)} with {stake:.0%} of the stake crash in a loop"] * heavy
        words += [f"crashes in a burst: {crashed.summary}"] if burst and crashed else []
        return Seen(
            Condition.SHOWN,
            f"{'; '.join(words)}, and {produced.summary}" if produced else "",
            rows,
            confidence=_chance_of(produced, sight) if produced else "",
            chance=_probability(produced, sight) if produced else None,
        )
    if heavy or burst or crashed is None or crashed.state is State.UNKNOWN:
        asked = crashed is not None or heavy
        return Seen(Condition.OPEN, _why_open(crashed, produced, heavy or burst), rows, asked=asked)
    return Seen(Condition.ABSENT, "no crash persists on two nodes, nor on producers that matter", rows)


def cannot_join(sight: Sight) -> Seen:
    """An outside node does not get in, or nodes of the testnet hang on their way in."""
    finding, synced = sight.findings.get(JOIN), sight.findings.get(sync.CHECK.name)
    if finding is not None and finding.state is State.FAIL and set(finding.problems) != {_JOINS_FORK}:
        return _failed(sight, JOIN, "a join takes less than a third of its limit")
    if synced is not None and synced.state is State.FAIL and set(_HANGS) & set(synced.problems):
        return Seen(
            Condition.SHOWN,
            f"nodes hang on their way in: {synced.summary}",
            synced.evidence,
            since_slots=max((_number(row.get("since_slots")) for row in synced.evidence), default=0.0) or None,
            confidence="a healthy node bootstraps and catches up in a fraction of the limit",
        )
    seen = _as_found(finding, JOIN, "an outside node got in")
    new = _new_nodes(sight)
    if seen.asked or not new or synced is None or synced.state is not State.PASS:
        return seen
    return Seen(seen.condition, f"{seen.summary}; {len(new)} new nodes of the testnet got in", asked=False)


def joins_fork(sight: Sight) -> Seen:
    """A new node leads others away from the main chain."""
    finding = sight.findings.get(JOIN)
    if finding is not None and finding.state is State.FAIL and _JOINS_FORK in finding.problems:
        return _failed(sight, JOIN, "the probe's own chain was compared block by block")
    survey, new = sight.survey, _new_nodes(sight)
    rows = _new_branches(survey, new, sight.evidence.criteria.fork_warn_depth) if survey else []
    followed = [row for row in rows if _number(row["nodes"]) >= sight.evidence.criteria.new_fork_nodes]
    if followed:
        return Seen(
            Condition.SHOWN,
            f"a new node and others after it left the main chain: {some(_nodes(followed))}",
            tuple(followed),
            confidence="never seen in the healthy model",
        )
    forked = sight.findings.get(forks.CHECK.name)
    if forked is None or forked.state is State.UNKNOWN:
        return _as_found(forked, forks.CHECK.name, "")
    if not new:
        return _as_found(finding, JOIN, "an outside node follows the main chain")
    return Seen(Condition.ABSENT, f"{len(new)} new nodes, none leads others off the main chain", tuple(rows))


def _failed(sight: Sight, check: str, healthy: str) -> Seen:
    """The condition is the check's own."""
    finding = sight.findings.get(check)
    if finding is None or finding.state is not State.FAIL:
        return _as_found(finding, check, healthy)
    since = max((_number(row.get("since_slots")) for row in finding.evidence), default=0.0)
    return Seen(
        Condition.SHOWN,
        finding.summary,
        finding.evidence,
        since_slots=since or None,
        confidence=healthy,
        chance=_figure(finding, "chance"),
    )


def _as_found(finding: Finding | None, check: str, healthy: str) -> Seen:
    """What a check that did not fail says."""
    if finding is None:
        why = "no outsider was let in; `mina-infra verify --join` does" if check == JOIN else _did_not_look(check)
        return Seen(Condition.OPEN, why, asked=False)
    if finding.state is State.PASS:
        return Seen(Condition.ABSENT, finding.summary, confidence=healthy)
    return Seen(Condition.OPEN, finding.summary, finding.evidence, asked=finding.asked)


def _did_not_look(check: str) -> str:
    return f"the check {check} did not look"


def _looping_producers(sight: Sight) -> list[str]:
    pods = sight.evidence.pods
    if not isinstance(pods, list):
        return []
    producers = {node.name for node in sight.evidence.outputs.running() if node.role == "block-producer"}
    return [
        node
        for node, pod in sorted(newest_pods(pods).items())
        if node in producers and any(each.waiting == "CrashLoopBackOff" for each in pod.containers)
    ]


def _why_open(crashed: Finding | None, produced: Finding | None, persistent: bool) -> str:
    if persistent:
        why = produced.summary if produced else _did_not_look(production.CHECK.name)
        return f"crashes persist; whether production suffers cannot be told: {why}"
    return crashed.summary if crashed else _did_not_look(crashes.CHECK.name)


def _new_nodes(sight: Sight) -> list[str]:
    """The nodes that started when the others had long been running."""
    survey, criteria = sight.survey, sight.evidence.criteria
    if survey is None:
        return []
    up = {node: criteria.slots(answer.status.uptime_secs * 1000) for node, answer in survey.answers.items()}
    # Nodes as old as the network is are no newcomers, however young it is.
    limit = min(criteria.new_node_slots, median(up.values()) / 2) if up else 0.0
    return [node for node in survey.expected if node in up and up[node] < limit]


def _new_branches(survey: Survey, new: Sequence[str], depth: int) -> list[Row]:
    """New nodes that are forked that deep, each with the number of nodes on its branch."""
    first: dict[str, str] = {}
    for node, relation in survey.relations.items():
        if relation.standing is Standing.FORKED and relation.ancestor_height is not None:
            path = survey.tree.path_down(survey.chains[node].tip, relation.ancestor_height)
            if len(path) >= depth:
                first[node] = path[-1].state_hash
    followers = Counter(first.values())
    return [
        {
            "node": node,
            "found": f"{survey.relations[node].own} blocks off the main chain",
            "nodes": followers[first[node]],
            "height": survey.chains[node].tip.height,
            "tip": survey.chains[node].tip.state_hash,
        }
        for node in new
        if node in first
    ]


def _newest_block(sight: Sight) -> tuple[Row, ...]:
    survey = sight.survey
    if survey is None or survey.reference_chain is None:
        return ()
    tip = survey.reference_chain.tip
    at = datetime.fromtimestamp(tip.date_ms / 1000, UTC).isoformat(timespec="seconds")
    return ({"node": survey.reference, "found": f"newest block, of {at}", "height": tip.height, "tip": tip.state_hash},)


def _power(finding: Finding | None) -> str:
    slots = _figure(finding, "slots") if finding else None
    return f"a halt would show in this window of {slots:.0f} slots" if slots else ""


def _probability(finding: Finding, sight: Sight) -> float | None:
    """The smaller of the chances of so few blocks and of so long a silence, on a network in order."""
    fill, silence = sight.evidence.criteria.fill, _number(finding.figures.get("silence_slots"))
    chances = [chance for chance in (_figure(finding, "chance"), (1 - fill) ** silence) if chance is not None]
    return min(chances)


def _chance_of(finding: Finding, sight: Sight) -> str:
    chance = _probability(finding, sight)
    return "" if chance is None else f"a network in order shows this with a chance of {chance:.1g}"


def _figure(finding: Finding, name: str) -> float | None:
    value = finding.figures.get(name)
    return float(value) if isinstance(value, int | float) else None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _nodes(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(str(row["node"]) for row in rows))
