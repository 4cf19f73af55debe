"""Are all nodes on one chain? (runbook: same state hash at the best tip; unstable criterion 1)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.guardian.forks import Chain, Relation, Standing
from mina_infra.guardian.survey import Survey

CHECK = CheckInfo(
    name="forks",
    needs=("survey",),
    warm_up=Slots(4),
    runbook="sanity check 2: one state hash; unstable criterion 1: the network forks",
)


# What may be wrong, the gravest first.
SPLIT = "split"
DEEP_FORK = "deep-fork"
FORK = "fork"


@dataclass(frozen=True)
class _Branch:
    """One node off the reference chain."""

    node: str
    tip: str
    height: int
    depth: int | None  # None: no common ancestor
    since_slots: float

    @property
    def split(self) -> bool:
        return self.depth is None


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.survey, Survey)
    stakes = {node.name: node.stake for node in evidence.outputs.nodes}
    before = evidence.past.looks[-1].split if evidence.past.looks else frozenset()
    return judge(evidence.survey, evidence.criteria, stakes, before)


def judge(
    survey: Survey,
    criteria: Criteria,
    stakes: Mapping[str, float] | None = None,
    split_before: frozenset[str] = frozenset(),
) -> Finding:
    """By common ancestor. Depth 1 is normal; `fork_depth`, a lasting fork of two nodes and a split are failures.

    A node without a chain follows no fork; one whose blocks do not reach the reference leaves the question open.
    `stakes` in percent by node; `split_before` are the nodes that the look before found split.
    """
    reference = survey.reference_chain
    if reference is None:
        return _nobody(survey)
    branches = [
        _branch(survey, node, reference, criteria)
        for node, relation in survey.relations.items()
        if relation.standing in (Standing.FORKED, Standing.SPLIT)
    ]
    deep = [each for each in branches if each.split or (each.depth or 0) >= criteria.fork_warn_depth]
    open_nodes = _with(survey, Standing.BEHIND_BEYOND_FRONTIER, Standing.UNDECIDED)
    state = State.PASS
    if _failing(deep, criteria):
        state = State.FAIL
    elif open_nodes or survey.silences:
        state = State.UNKNOWN
    old = [each.node for each in deep if each.since_slots > criteria.fork_warn_slots]
    return Finding(
        check=CHECK.name,
        state=state,
        summary=_summary(survey, reference, branches, open_nodes),
        expected=f"one chain; forks less than {criteria.fork_depth} blocks deep",
        seen=_branches_in_words(survey, reference),
        action="partition or different genesis: compare peers and chain ids of the sides" if deep else "",
        evidence=tuple(_row(each) for each in sorted(deep, key=_worst_first)) + _open_rows(open_nodes, survey),
        silent=survey.silent,
        warnings=(f"fork that lasts, within the criteria: {some(old)}",) if old and state is State.PASS else (),
        problems=_problems(deep, criteria),
        settling=state is State.UNKNOWN,
        figures={**_figures(survey, reference, branches), **_weight(branches, criteria, stakes or {}, split_before)},
    )


def _failing(deep: list[_Branch], criteria: Criteria) -> bool:
    """Split or deep, or less deep on two nodes for long (docs/facts.md: guardian/fork-depth)."""
    if any(each.split or (each.depth or 0) >= criteria.fork_depth for each in deep):
        return True
    return sum(each.since_slots > criteria.fork_lasting_slots for each in deep) >= 2


def _problems(deep: list[_Branch], criteria: Criteria) -> tuple[str, ...]:
    words = {
        SPLIT: any(each.split for each in deep),
        DEEP_FORK: any((each.depth or 0) >= criteria.fork_depth for each in deep),
        FORK: any(each.since_slots > criteria.fork_warn_slots and not each.split for each in deep),
    }
    return tuple(word for word, holds in words.items() if holds)


def _branch(survey: Survey, node: str, reference: Chain, criteria: Criteria) -> _Branch:
    tip = survey.chains[node].tip
    relation: Relation = survey.relations[node]
    depth = relation.own if relation.standing is Standing.FORKED else None
    since = 0.0
    if relation.ancestor_height is not None:
        own = survey.tree.path_down(tip, relation.ancestor_height)
        # It exists since the older of the two sides' first blocks that differ could be compared: the younger of them.
        theirs = survey.tree.path_down(reference.tip, relation.ancestor_height)
        parted = max(own[-1].date_ms, theirs[-1].date_ms) if own and theirs else tip.date_ms
        since = max(0.0, criteria.slots(survey.answers[node].now_ms - parted))
    return _Branch(node, tip.state_hash, tip.height, depth, since)


def _nobody(survey: Survey) -> Finding:
    return Finding(
        check=CHECK.name,
        state=State.UNKNOWN,
        summary=f"none of {len(survey.expected)} daemons has a synced chain to compare with",
        expected="one chain",
        silent=survey.silent,
        settling=True,
    )


def _summary(survey: Survey, reference: Chain, branches: list[_Branch], open_nodes: list[str]) -> str:
    on_chain = len(_with(survey, Standing.EQUAL, Standing.BEHIND, Standing.AHEAD))
    words = f"{on_chain} of {len(survey.expected)} daemons on one chain at height {reference.tip.height}"
    split = sum(each.split for each in branches)
    depth = max((each.depth or 0 for each in branches), default=0)
    if depth:
        words += f", deepest fork {depth}"
    if split:
        words += f", {split} split off without a common block"
    if open_nodes:
        words += f", {len(open_nodes)} too far away to tell"
    return words


def _branches_in_words(survey: Survey, reference: Chain) -> str:
    """Each tip with its height and how many nodes have it: which side is right is not for counting alone to say."""
    tips = Counter((chain.tip.height, chain.tip.state_hash) for chain in survey.chains.values())
    ordered = sorted(tips.items(), key=lambda item: (-item[1], -item[0][0], item[0][1]))
    return some([f"{hash_[:12]}… at {height} on {count}" for (height, hash_), count in ordered], 4)


def _open_rows(open_nodes: list[str], survey: Survey) -> tuple[Row, ...]:
    return tuple({"node": node, "found": str(survey.relations[node].standing)} for node in open_nodes)


def _worst_first(branch: _Branch) -> tuple[float, str]:
    return (-(branch.depth if branch.depth is not None else float("inf")), branch.node)


def _row(branch: _Branch) -> Row:
    found = "split: no common block" if branch.split else f"fork {branch.depth} deep for {branch.since_slots:.0f} slots"
    return {
        "node": branch.node,
        "found": found,
        "depth": branch.depth,
        "height": branch.height,
        "tip": branch.tip,
        "since_slots": round(branch.since_slots, 1),
    }


def _figures(survey: Survey, reference: Chain, branches: list[_Branch]) -> dict[str, str | int | float | bool | None]:
    return {
        "height": reference.tip.height,
        "tip": reference.tip.state_hash,
        "deepest": max((each.depth or 0 for each in branches), default=0),
        "split": sum(each.split for each in branches),
        "tips": len({chain.tip.state_hash for chain in survey.chains.values()}),
    }


def _weight(
    branches: list[_Branch], criteria: Criteria, stakes: Mapping[str, float], before: frozenset[str]
) -> dict[str, str | int | float | bool | None]:
    """How much stake follows deep branches; whether a split has two witnesses or was seen before, so is no slip."""
    off = [each.node for each in branches if each.split or (each.depth or 0) >= criteria.fork_depth]
    split = {each.node for each in branches if each.split}
    return {
        "stake_off": round(sum(stakes.get(node, 0.0) for node in off), 4),
        "split_confirmed": len(split) >= criteria.fork_witnesses or bool(split & before),
    }


def _with(survey: Survey, *standings: Standing) -> list[str]:
    return [node for node, relation in survey.relations.items() if relation.standing in standings]
