"""What is offered to the network and what provers do for it: transaction pool, scan state, coinbase.

Everything is a cumulative count, so that every branch has its own pool and scan state without a state of its own:
what was offered up to now less what a chain has included is the pool as a producer on that chain sees it. Each
transaction (commands, coinbase, fee transfer) takes a leaf of a tree of the scan state and makes one bundle of snark
work. Provers finish it as soon as they can, but a block only buys what falls due: the work of a tree's leaves, when
`work_delay` + 1 newer trees are full. So a young chain buys nothing, and one whose provers stopped goes on until their
stock is used up; soon after that there is no room, neither for commands nor for the coinbase
(docs/facts.md: mina/scan-state).
"""

from __future__ import annotations

from dataclasses import dataclass

from mina_infra.daemon.scan_state import RESERVED, Capacity
from mina_infra.simulator.chain import COINBASE, Header

_SPARE = 128
"""Transactions that find room although the work that they need is due and nobody has finished it. A real chain has
none to spare; here a slot may last a second, and a coordinator that restarts is away for many."""


@dataclass
class Load:
    """Offered load and proving, in counts since the network began. Rates are per slot."""

    slot_ms: int
    commands_per_slot: float
    scan_state: Capacity
    proofs_per_slot: float = 1024.0
    capacity: int = 0
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

    def body(self, parent: Header, now_ms: float) -> Body:
        """What a block on `parent` carries: as many transactions as there is room for, with the work that they need."""
        waiting, ready = self.scan_state.waiting, min(int(self.proved), parent.transactions_total)
        room = max(waiting + _SPARE + max(ready, parent.work_total) - parent.transactions_total, 0)
        commands = max(min(self.pool(parent, self.offered_at(now_ms)), self.capacity, room - RESERVED), 0)
        transactions_total = parent.transactions_total + commands + min(room, RESERVED)
        work_total = max(min(transactions_total - waiting, ready), parent.work_total)
        return Body(
            commands=commands,
            snark_jobs=work_total - parent.work_total,
            coinbase=COINBASE if self.coinbase and room > 0 else 0,
            commands_total=parent.commands_total + commands,
            transactions_total=transactions_total,
            work_total=work_total,
            proof=work_total // self.scan_state.leaves > parent.work_total // self.scan_state.leaves,
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
