"""Do blocks carry what they should: transactions, proofs, a coinbase? (runbook: blocks with transactions and proofs)

What is critical is Mina's own choice where it has one (docs/facts.md: guardian/inclusion).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mina_infra.daemon.replies import Block
from mina_infra.guardian.canonical import after_genesis, halted, unjudged
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, Value
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.load import Sender, declared_tps, offered, senders
from mina_infra.guardian.survey import Survey
from mina_infra.outputs import OutputsDocument

CHECK = CheckInfo(
    name="inclusion",
    needs=("survey", "history"),
    warm_up=Slots(7),
    runbook="sanity check 3: blocks carry proofs and transactions; unstable criterion 4: transactions not included",
)

# What may be wrong, the cause first: without proofs a block has no room for transactions nor, at last, a coinbase.
NO_PROOFS = "no-proofs"
NO_TRANSACTIONS = "no-transactions"
NO_COINBASE = "no-coinbase"

_PROVERS = frozenset({"snark-coordinator", "snark-worker"})
NO_PROVERS = "nobody is deployed to make the proofs that give blocks room (role snark-coordinator)"
_ACTIONS = {
    NO_PROOFS: "look at the snark coordinator and its workers: do they get work, does the snark pool grow?",
    NO_TRANSACTIONS: "look at the user agents' logs and the transaction pools: are payments sent, are they refused?",
    NO_COINBASE: "blocks without a coinbase had no room for it: look at the snark work",
}


@dataclass(frozen=True)
class Due:
    """What this network should put into its blocks. `proofs`: whether anybody makes them; `leaves`: transactions that
    fit before snark work is needed; None where the capacity is not known."""

    load: Sequence[Sender]
    proofs: bool
    leaves: int | None


@dataclass(frozen=True)
class _Part:
    """The answer to one of the three questions; `state` None where it is not asked."""

    state: State | None
    words: str
    warning: str = ""


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.survey, Survey)
    survey, criteria = evidence.survey, evidence.criteria
    if evidence.history is None or halted(evidence.history, survey.now_ms, criteria):
        return unjudged(CHECK.name, evidence.history, survey, criteria)
    return judge(evidence.history, due(evidence.outputs, survey, criteria), criteria)


def due(outputs: OutputsDocument, survey: Survey, criteria: Criteria) -> Due:
    """What is deployed decides what is due."""
    chain = outputs.chain
    leaves = None
    if chain.transaction_capacity_log2 is not None:
        leaves = (chain.work_delay + 1) * 2**chain.transaction_capacity_log2
    proofs = any(node.role in _PROVERS for node in outputs.running())
    return Due(senders(outputs, survey, criteria), proofs, leaves)


def judge(chain: Chain, due: Due, criteria: Criteria) -> Finding:
    """The newest canonical blocks, each question by itself; what nobody sends or makes is not asked."""
    blocks = after_genesis(chain)[-criteria.inclusion_blocks :]
    parts = {
        NO_PROOFS: _proofs(chain, due, criteria),
        NO_TRANSACTIONS: _transactions(chain, blocks, due.load, criteria),
        NO_COINBASE: _coinbase(blocks, due, criteria),
    }
    states = {part.state for part in parts.values()}
    state = next(each for each in (State.FAIL, State.UNKNOWN, State.PASS) if each in states)
    problems = tuple(word for word, part in parts.items() if part.state is State.FAIL or part.warning)
    failed = [word for word, part in parts.items() if part.state is State.FAIL]
    return Finding(
        check=CHECK.name,
        state=state,
        summary=f"of the last {len(blocks)} blocks: " + ", ".join(part.words for part in parts.values()),
        expected="transactions while somebody sends them, proofs once they are needed, a coinbase in every block",
        action=_ACTIONS[failed[0]] if failed else "",
        evidence=_rows(blocks) if failed else (),
        warnings=tuple(part.warning for part in parts.values() if part.warning),
        problems=problems,
        settling=state is State.UNKNOWN,
        figures=_figures(blocks, due.load),
    )


def _transactions(chain: Chain, blocks: Sequence[Block], load: Sequence[Sender], criteria: Criteria) -> _Part:
    """A run of empty blocks at the tip fails when payments were sent meanwhile: `empty_fail_blocks`, and no chance.

    A block holds what came since its parent, so n payments are missing with chance e^-n when n are expected.
    """
    carrying = sum(block.commands > 0 for block in blocks)
    if not load:
        return _Part(None, f"{carrying} with transactions (nobody is deployed to send them)")
    run = _empty_at_tip(blocks)
    before = blocks[-run - 1].date_ms if run < len(blocks) else _parent_date(chain, blocks[0])
    missing = offered(load, before, blocks[-1].date_ms)
    sure = -math.log(criteria.production_error)
    if run >= criteria.empty_fail_blocks and missing > sure:
        return _Part(State.FAIL, f"the newest {run} without a transaction, though about {missing:.0f} were sent")
    if carrying:
        return _Part(State.PASS, f"{carrying} with transactions", _strange_gaps(blocks, load, sure))
    usual = declared_tps(load) * criteria.slot_ms / 1000 * criteria.inclusion_blocks / criteria.fill
    if usual < sure:
        return _Part(None, f"none with transactions, but only {usual:.1f} would be usual")
    return _Part(State.UNKNOWN, f"none with transactions; about {missing:.1f} were sent so far")


def _empty_at_tip(blocks: Sequence[Block]) -> int:
    return next((count for count, block in enumerate(reversed(blocks)) if block.commands), len(blocks))


def _parent_date(chain: Chain, first: Block) -> int:
    parents = {block.state_hash: block for block in chain.blocks}
    parent = parents.get(first.parent_hash)
    return parent.date_ms if parent else first.date_ms


def _strange_gaps(blocks: Sequence[Block], load: Sequence[Sender], sure: float) -> str:
    empty = [
        block
        for parent, block in pairwise(blocks)
        if not block.commands and offered(load, parent.date_ms, block.date_ms) > sure
    ]
    return f"{len(empty)} empty blocks under load, the newest at height {empty[-1].height}" if empty else ""


def _proofs(chain: Chain, due: Due, criteria: Criteria) -> _Part:
    """Needed once the trees of the scan state that may wait are full, or once work has been seen."""
    if not due.proofs:
        return _Part(None, "no proofs asked (no snark coordinator)")
    blocks = after_genesis(chain)
    newest, older = blocks[-criteria.proof_blocks :], blocks[: -criteria.proof_blocks]
    count = sum(block.snark_jobs > 0 for block in newest)
    if count:
        return _Part(
            State.PASS, f"{sum(block.snark_jobs > 0 for block in blocks[-criteria.inclusion_blocks :])} proofs"
        )
    # Each block adds its coinbase and its commands at least.
    full = due.leaves is not None and sum(block.commands + 1 for block in older) >= due.leaves
    if len(newest) == criteria.proof_blocks and (full or any(block.snark_jobs for block in older)):
        return _Part(State.FAIL, f"no proofs in the newest {len(newest)}")
    return _Part(None, "no proofs needed yet")


def _coinbase(blocks: Sequence[Block], due: Due, criteria: Criteria) -> _Part:
    missing = [block for block in blocks if not block.coinbase]
    words = f"{len(blocks) - len(missing)} with a coinbase"
    if len(missing) >= criteria.coinbase_fail_blocks:
        return _Part(State.FAIL, words if due.proofs else f"{words}: {NO_PROVERS}")
    return _Part(State.PASS, words, f"no coinbase at height {missing[-1].height}" if missing else "")


def _rows(blocks: Sequence[Block]) -> tuple[Row, ...]:
    return tuple(
        {
            "node": None,
            "height": block.height,
            "slot": block.slot,
            "transactions": block.commands,
            "proofs": block.snark_jobs,
            "coinbase": block.coinbase > 0,
            "creator": block.creator,
        }
        for block in blocks
    )


def _figures(blocks: Sequence[Block], load: Sequence[Sender]) -> dict[str, Value]:
    return {
        "blocks": len(blocks),
        "with_transactions": sum(block.commands > 0 for block in blocks),
        "with_proofs": sum(block.snark_jobs > 0 for block in blocks),
        "with_coinbase": sum(block.coinbase > 0 for block in blocks),
        "empty_at_tip": _empty_at_tip(blocks),
        "declared_tps": round(declared_tps(load), 6),
    }
