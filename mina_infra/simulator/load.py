"""What is offered to the network and what provers do for it: transaction pool, scan state, coinbase.

Everything is a cumulative count, so that every branch has its own pool and scan state without a state of its own:
what was offered up to now less what a chain has included is the pool as a producer on that chain sees it. Each
transaction (commands, coinbase, fee transfer) makes one bundle of snark work, which is to be bought `WORK_DELAY` + 1
blocks later; a chain that cannot buy runs out of room, first for commands and in the end for the coinbase
(docs/facts.md: mina/scan-state).
"""

from __future__ import annotations

from dataclasses import dataclass

from mina_infra.simulator.chain import COINBASE, Header

WORK_DELAY = 2
BLOCK_TRANSACTIONS = 128
"""2^7 transactions in a block: what follows from 0.2 transactions a second (docs/facts.md: mina/scan-state)."""
_OF_THE_SYSTEM = 2
"""Coinbase and fee transfer of each block."""
_SCAN_STATE = BLOCK_TRANSACTIONS * (WORK_DELAY + 2)
"""Bundles that may wait before there is no room for another transaction."""
_TREE = BLOCK_TRANSACTIONS
"""Bundles behind one ledger proof."""


@dataclass
class Load:
    """Offered load and proving, in counts since the network began. Rates are per slot."""

    slot_ms: int
    commands_per_slot: float
    proofs_per_slot: float = 1024.0
    capacity: int = BLOCK_TRANSACTIONS - _OF_THE_SYSTEM
    """Most commands that producers put into a block; 0: none, whatever is offered."""
    coinbase: bool = True
    """False: producers forgo it."""
    offered: float = 0.0
    proved: float = 0.0
    since_ms: float = 0.0
    """The moment up to which `offered` is counted."""

    def offered_at(self, now_ms: float) -> float:
        """Commands offered up to that moment. Asking changes nothing."""
        return self.offered + max(now_ms - self.since_ms, 0.0) / self.slot_ms * self.commands_per_slot

    def set_rate(self, commands_per_slot: float, now_ms: float) -> None:
        """Another rate from now on."""
        self.offered, self.since_ms = self.offered_at(now_ms), max(now_ms, self.since_ms)
        self.commands_per_slot = commands_per_slot

    def resume(self, tip: Header, now_ms: float) -> None:
        """A chain that was there before: its commands were offered and its work was proved by somebody."""
        self.offered += max(tip.commands_total - self.offered_at(now_ms), 0.0)
        self.proved = max(self.proved, float(tip.work_total))

    def prove(self, best: Header, *, at_work: bool) -> None:
        """A slot of the provers' time, spent on what the best chain needs."""
        if at_work:
            self.proved = max(self.proved, min(best.transactions_total, self.proved + self.proofs_per_slot))

    def pool(self, tip: Header, offered: float) -> int:
        """Commands that were offered and are not on that chain."""
        return max(int(offered) - tip.commands_total, 0)

    def body(self, parent: Header, due: Header, now_ms: float) -> Body:
        """What a block on `parent` carries; `due` is the ancestor whose transactions' work is to be bought by now."""
        work = max(min(due.transactions_total, int(self.proved)) - parent.work_total, 0)
        room = _SCAN_STATE - (parent.transactions_total - parent.work_total - work)
        coinbase = COINBASE if self.coinbase and room > 0 else 0
        commands = min(self.pool(parent, self.offered_at(now_ms)), self.capacity, max(room - _OF_THE_SYSTEM, 0))
        work_total = parent.work_total + work
        return Body(
            commands=commands,
            snark_jobs=work,
            coinbase=coinbase,
            commands_total=parent.commands_total + commands,
            transactions_total=parent.transactions_total + commands + (_OF_THE_SYSTEM if room > 0 else 0),
            work_total=work_total,
            proof=work_total // _TREE > parent.work_total // _TREE,
        )


@dataclass(frozen=True)
class Body:
    """The part of a header that tells of its body; names as there."""

    commands: int
    snark_jobs: int
    coinbase: int
    commands_total: int
    transactions_total: int
    work_total: int
    proof: bool
