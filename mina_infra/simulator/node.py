"""One simulated node: what it knows, what it believes to be the best tip, and what it has written to its volume."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mina_infra.daemon.replies import PRODUCTION_DELAYS_MS, SyncStatus
from mina_infra.simulator.chain import ChainConstants, Header, better, peer_id, public_key
from mina_infra.simulator.condition import WELL, Condition
from mina_infra.simulator.store import FrontierStore, StoredFrontier

# Blocks below the root that are kept so that a late sibling still finds its parent.
_MARGIN = 8


@dataclass(frozen=True)
class NodeSpec:
    """What a node is told at its start.

    `stake` in any unit, shared out over what all nodes declare; `contacts` are the peer ids of its -peer flags, None
    means a peer list that names every seed.
    """

    name: str
    stake: float = 0.0
    seed: bool = False
    contacts: tuple[str, ...] | None = None
    peer_id: str = ""
    public_key: str = ""
    host: str = "127.0.0.1"
    p2p_port: int = 8302
    client_port: int = 8301
    commit_id: str = "0000000000000000000000000000000000000000"
    snark_coordinator: bool = False
    hold: bool = False
    """True: it cannot take part (no genesis ledger yet, a chain of its own) and stays in BOOTSTRAP."""

    @cached_property
    def identity(self) -> str:
        return self.peer_id or peer_id(self.name)

    @cached_property
    def key(self) -> str:
        """Its staking key; empty for a node without stake."""
        return (self.public_key or public_key(self.name)) if self.stake > 0 else ""


@dataclass
class Counters:
    """What a node counts since its start; names as in Mina's metrics where there is one."""

    slots_won: int = 0
    blocks_produced: int = 0
    blocks_received: int = 0
    no_common_ancestor: int = 0
    received_early: int = 0
    received_late: int = 0
    prover_failures: int = 0
    reorganisations: int = 0
    bootstraps: int = 0
    production_delays: list[int] = field(default_factory=lambda: [0] * (len(PRODUCTION_DELAYS_MS) + 1))
    """Blocks by the time from the start of their slot, as the daemon's histogram has them."""

    def produced(self, delay_ms: float) -> None:
        """One more block, finished so long after its slot began."""
        self.blocks_produced += 1
        self.production_delays[bisect_left(PRODUCTION_DELAYS_MS, delay_ms)] += 1


@dataclass
class Node:
    """State of one node. `incarnation` grows with each start, so that events for an earlier life are dropped."""

    spec: NodeSpec
    store: FrontierStore
    constants: ChainConstants
    started_ms: float
    salt: int = 1
    incarnation: int = 0
    running: bool = True
    status: SyncStatus = SyncStatus.CONNECTING
    known: dict[str, Header] = field(default_factory=dict)
    tip: Header | None = None
    oldest: int = 0
    group: int = 0
    target: tuple[Header, str] | None = None
    fetching: bool = False
    knows_peers: bool = False
    highest_received: int = 0
    highest_unvalidated: int = 0
    counters: Counters = field(default_factory=Counters)
    pending: list[Header] = field(default_factory=list)
    journaled: int = 0
    last_block_ms: float = 0.0
    arrivals: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=64))
    """When the newest gossiped blocks came, with the slots they are of."""
    condition: Condition = WELL
    held: list[tuple[Header, str]] = field(default_factory=list)
    """Blocks that came and are not taken yet, with who sent them (Condition.lag_blocks)."""
    pool_base: tuple[float, float] = (0.0, 0.0)
    """Transactions and snark work that had been gossiped when it started."""

    @property
    def synced(self) -> bool:
        return self.running and self.status is SyncStatus.SYNCED

    @property
    def takes_blocks(self) -> bool:
        return self.running and self.status in (SyncStatus.SYNCED, SyncStatus.CATCHUP)

    @property
    def root_height(self) -> int:
        """Height of the root of the frontier: k below the tip, or the oldest block it has."""
        return max(self.oldest, self.tip.height - self.constants.k) if self.tip else 0

    def chain(self, length: int) -> list[Header]:
        """The best chain's newest `length` blocks, oldest first, never below the root."""
        blocks = list(self._back(self.tip, length))
        blocks.reverse()
        return blocks

    def _back(self, block: Header | None, length: int) -> Iterator[Header]:
        while block is not None and length > 0:
            yield block
            block, length = self.known.get(block.parent), length - 1

    def adopt(self, blocks: Sequence[Header]) -> None:
        """Take a whole frontier, parents first, as after a bootstrap or from the volume; the tip is chosen anew."""
        self.known = {block.state_hash: block for block in blocks}
        self.oldest = min(block.height for block in blocks)
        self.tip = None
        for block in blocks:
            if self.tip is None or better(block, self.tip):
                self.tip = block
            self.highest_received = max(self.highest_received, block.height)
        self.highest_unvalidated = max(self.highest_unvalidated, self.highest_received)
        self.pending = []

    def accept(self, block: Header) -> int:
        """Add a block whose parent is known. Depth of the reorganisation: blocks of the old best chain given up."""
        self.known[block.state_hash] = block
        self.pending.append(block)
        self.highest_received = max(self.highest_received, block.height)
        self.highest_unvalidated = max(self.highest_unvalidated, block.height)
        if self.tip is not None and not better(block, self.tip):
            return 0
        depth = self._depth_below(block)
        self.tip = block
        if len(self.known) > 2 * self.constants.k + 64:
            self._prune()
        return depth

    def _depth_below(self, block: Header) -> int:
        old, new = self.tip, block
        if old is None or new.parent == old.state_hash:
            return 0
        depth = 0
        while old.state_hash != new.state_hash:
            if new.height >= old.height:
                parent = self.known.get(new.parent)
                if parent is None:
                    break
                new = parent
            else:
                parent, depth = self.known.get(old.parent), depth + 1
                if parent is None:
                    break
                old = parent
        return depth

    def _prune(self) -> None:
        self.oldest = max(self.oldest, self.root_height)
        floor = self.oldest - _MARGIN
        self.known = {name: block for name, block in self.known.items() if block.height >= floor}

    def flush(self) -> None:
        """Write what is pending to the volume. Must be called before anything about the tip is told (see store.py)."""
        if not self.pending:
            return
        if self.journaled + len(self.pending) > 2 * self.constants.k:
            self.snapshot()
            return
        self.store.append(self.pending)
        self.journaled += len(self.pending)
        self.pending = []

    def snapshot(self) -> None:
        """Write the whole frontier."""
        self.store.replace(StoredFrontier(self.constants.chain_id, tuple(self.chain(self.constants.k + 1))))
        self.journaled = 0
        self.pending = []

    def load(self) -> bool:
        """Take the frontier from the volume. False when there is none of this chain; another chain's is set aside."""
        stored = self.store.load()
        if stored is None or not stored.blocks:
            return False
        if stored.chain_id != self.constants.chain_id:
            self.store.set_aside(stored.chain_id)
            return False
        self.adopt(stored.blocks)
        self.snapshot()
        self.knows_peers = True
        return True
