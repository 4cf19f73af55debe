"""The network: a discrete-event model of slots, leaders, gossip, catch-up and faults over nodes with volumes.

A heap of (time, number, function, arguments); nothing reads a wall clock. One event for each (block, node). The draws
of leaders, of gossip delays and of losses are hashes, one for each concern, so that adding a fault does not reshuffle
them. What is wrong with a node is its `condition`, with a link an entry of `links`, with the whole network `timing` and
`load`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from statistics import NormalDist

from mina_infra.daemon.replies import SyncStatus
from mina_infra.simulator.chain import ChainConstants, Header, Lottery, base58, better
from mina_infra.simulator.condition import WELL, Link
from mina_infra.simulator.joining import Joining, Observer
from mina_infra.simulator.load import Load
from mina_infra.simulator.node import Node, NodeSpec
from mina_infra.simulator.store import FrontierStore
from mina_infra.simulator.timing import Timing

_SIGMA = 0.8
_STALE_MS = 30_000
_DELAYS = [math.exp(_SIGMA * NormalDist().inv_cdf((i + 0.5) / 1024)) for i in range(1024)]
_EARLY_SLOTS, _LATE_SLOTS = 1, 4
"""A block whose slot begins later than this, or began longer ago, by the clock of whoever hears of it is refused."""


class Network(Joining):
    """Nodes of one chain. Times in ms since 1970; `now` only moves in `advance`."""

    def __init__(
        self,
        constants: ChainConstants,
        now: float,
        *,
        timing: Timing | None = None,
        observer: Observer | None = None,
        commands_per_slot: float = 0.0,
    ) -> None:
        super().__init__(constants, now, timing or Timing.for_slot(constants.slot_ms), observer)
        self.lottery = Lottery(constants.chain_id, constants.active_slots)
        capacity = constants.capacity
        self.load = Load(
            constants.slot_ms, commands_per_slot, capacity, capacity=max(capacity.commands, 0), since_ms=now
        )
        self.links: dict[tuple[str, str], Link] = {}
        """Gossip that is not as usual, by sender and receiver."""
        self.provers = True
        """False: no worker finishes a proof."""
        self._highest = constants.genesis_block()
        self._schedule_slot(max(constants.slot_at(now) + 1, 1))

    # --- time -----------------------------------------------------------------------------------------------------

    def advance(self, to: float, *, skip_stale_slots: bool = False) -> None:
        """Let everything happen up to a moment.

        `skip_stale_slots` is for wall-clock use: a process that stood still for long (a suspended machine) must not
        make up blocks for that time afterwards. One that was only held up by a busy machine does, or short slots would
        look like a sick network.
        """
        next_start = self.constants.slot_start(self._next_slot)
        if skip_stale_slots and next_start < to - max(3 * self.constants.slot_ms, _STALE_MS):
            self._schedule_slot(self.constants.slot_at(to))
        self.live(to)

    @property
    def commands_per_slot(self) -> float:
        """What user agents offer; may be set at any time."""
        return self.load.commands_per_slot

    @commands_per_slot.setter
    def commands_per_slot(self, rate: float) -> None:
        if rate != self.load.commands_per_slot:
            self.load.set_rate(rate, self.now)

    def _schedule_slot(self, slot: int) -> None:
        """Begin this slot in its time, and no other before it."""
        self._next_slot = slot
        self.at(self.constants.slot_start(slot), self._slot, slot)

    # --- nodes ----------------------------------------------------------------------------------------------------

    def declare(self, key: str, stake: float) -> None:
        """Stake that counts whether or not its node runs; 0 takes it away."""
        if key:
            self.lottery.declare(key, stake)

    def start(self, spec: NodeSpec, store: FrontierStore) -> Node:
        """A daemon starts on a volume. Raises OSError when the volume cannot be read or written."""
        before = self.nodes.get(spec.name)
        node = Node(spec, store, self.constants, self.now, salt=2 * zlib.crc32(spec.name.encode()) + 1)
        if before is not None:
            before.running = False
            node.incarnation, node.group = before.incarnation + 1, before.group
            node.condition = before.condition
        self.declare(spec.key, spec.stake)
        if node.load() and node.tip is not None:
            self.load.resume(node.tip, self.now)
            self._saw(node.tip)
        node.pool_base = self.gossiped()
        self.nodes[spec.name] = node
        self._tell("started", node)
        self.at(self.now + self.timing.connect, self._connect, node)
        return node

    def stop(self, name: str, *, clean: bool = True) -> None:
        """A daemon ends; `clean` False is a kill, which may lose what was not yet written."""
        node = self.nodes[name]
        node.running = False
        node.status = SyncStatus.OFFLINE
        if clean and node.tip is not None:
            node.flush()

    def forget(self, name: str) -> None:
        """A node that is gone for good; its stake stays declared until `declare(key, 0)`."""
        self.nodes.pop(name, None)

    def partition(self, groups: Iterable[Iterable[str]]) -> None:
        """Cut the network: nodes of different groups do not hear each other; unnamed nodes stay together."""
        self.heal()
        for number, group in enumerate(groups, start=1):
            for name in group:
                self.nodes[name].group = number

    def heal(self) -> None:
        """End a partition; the sides find each other by the next block."""
        for node in self.nodes.values():
            node.group = 0

    def best_tip(self) -> Header:
        """The best tip of all nodes that run, by consensus order; the genesis block if there is none."""
        tip = self.constants.genesis_block()
        for node in self.nodes.values():
            absent = node.condition.absent
            if node.takes_blocks and not absent and node.tip is not None and better(node.tip, tip):
                tip = node.tip
        return tip

    def gossiped(self) -> tuple[float, float]:
        """Transactions and bundles of snark work that have gone over the network up to now."""
        return self.load.offered_at(self.now), self.load.proved

    # --- slots and blocks -----------------------------------------------------------------------------------------

    def _slot(self, slot: int) -> None:
        if slot != self._next_slot:
            return  # it was skipped
        self._schedule_slot(slot + 1)
        leaders = 0
        for node in self.nodes.values():
            if node.synced and node.spec.key and self._turn(node, slot):
                leaders += 1
        self.truth.slots += 1
        self.truth.filled += leaders > 0
        self.truth.tied += leaders > 1
        self.load.prove(self._highest, at_work=self.provers and self._coordinated())

    def _saw(self, block: Header) -> None:
        """The best block so far, for whose transactions provers work."""
        if better(block, self._highest):
            self._highest = block

    def _coordinated(self) -> bool:
        return any(node.running and node.spec.snark_coordinator for node in self.nodes.values())

    def _turn(self, node: Node, slot: int) -> bool:
        """Look whether it leads the slot, when its own clock says that it has begun."""
        skew = node.condition.clock_ms
        if not skew:
            return self._lead(node, slot)
        ahead = math.ceil(skew / self.constants.slot_ms)
        self.at(self.now + ahead * self.constants.slot_ms - skew, self._lead, node, slot + ahead)
        return False

    def _lead(self, node: Node, slot: int) -> bool:
        condition, parent = node.condition, node.tip
        if condition is not WELL and (condition.dormant or condition.frozen or condition.absent):
            return False
        number, vrf = self.lottery.draw(node.spec.key, slot)
        if number >= self.lottery.chance(node.spec.key) or parent is None or parent.slot >= slot:
            return False
        node.counters.slots_won += 1
        if condition.withholds and int(vrf[16:24], 16) / 2**32 < condition.withholds:
            return True
        shortest, longest = condition.proving or self.timing.proving
        proving = shortest + (longest - shortest) * (int(vrf[-8:], 16) / 2**32)
        self.at(self.now + proving, self._produce, node, slot, parent, vrf, node.incarnation)
        return True

    def _produce(self, node: Node, slot: int, parent: Header, vrf: str, incarnation: int) -> None:
        if not node.takes_blocks or node.incarnation != incarnation:
            return
        if node.condition.prover_fails and int(vrf[24:32], 16) / 2**32 < node.condition.prover_fails:
            node.counters.prover_failures += 1
            self._tell("prover-failed", node, parent)
            return
        begun = self.constants.slot_start(slot)
        body = self.load.body(parent, max(begun, self.constants.genesis_ms))
        block = Header(
            state_hash=base58("3N", 52, parent.state_hash, str(slot), node.spec.key),
            parent=parent.state_hash,
            height=parent.height + 1,
            slot=slot,
            vrf=vrf,
            creator=node.spec.key,
            commands=body.commands,
            snark_jobs=body.snark_jobs,
            date_ms=begun,
            coinbase=body.coinbase,
            commands_total=body.commands_total,
            transactions_total=body.transactions_total,
            work_total=body.work_total,
            proof=body.proof,
        )
        node.counters.produced(self.now + node.condition.clock_ms - begun)
        self.truth.blocks += 1
        self._saw(block)
        self._tell("produced", node, block)
        self._accept(node, block)
        self._broadcast(node, block)

    def _broadcast(self, source: Node, block: Header) -> None:
        mixed = int(block.vrf[:8], 16) if block.vrf else 0
        sick = source.condition is not WELL
        if sick and (source.condition.mute or source.condition.absent or source.condition.frozen):
            return
        gossip, now, group, name = self.timing.gossip, self.now, source.group, source.spec.name
        for node in self.nodes.values():
            if node is source or not node.running or node.group != group:
                continue
            delay = gossip * _DELAYS[(mixed * node.salt >> 9) & 1023]
            if node.condition is not WELL or self.links:
                usual = self._unusual(source, node, (mixed * node.salt >> 19) & 1023)
                if usual is None:
                    continue
                delay *= usual
            self.at(now + delay, self._deliver, node, block, name)

    def _unusual(self, source: Node, node: Node, draw: int) -> float | None:
        """How much longer gossip takes on this way; None when it does not arrive. `draw` is one of 1024."""
        condition, link = node.condition, self.links.get((source.spec.name, node.spec.name), Link())
        if not condition.hears and not condition.frozen:
            return None
        if draw < 1024 * (1 - (1 - condition.loss) * (1 - link.loss)):
            return None
        return condition.gossip_factor * link.factor

    def _deliver(self, node: Node, block: Header, source: str) -> None:
        if not node.running or block.state_hash in node.known:
            return
        node.highest_unvalidated = max(node.highest_unvalidated, block.height)
        if not node.takes_blocks or self._untimely(node, block):
            return
        if node.condition is not WELL and not self._lets_in(node, block, source):
            return
        node.counters.blocks_received += 1
        node.arrivals.append((self.now, block.slot))
        self._tell("received", node, block, source)
        if block.parent in node.known:
            self._accept(node, block)
        else:
            self._want(node, block, source)
            self._fetch(node)

    def _untimely(self, node: Node, block: Header) -> bool:
        """Whether a block is refused because of its slot, by the clock of the node that hears of it."""
        age = self.now + node.condition.clock_ms - block.date_ms
        node.counters.received_early += age < -_EARLY_SLOTS * self.constants.slot_ms
        node.counters.received_late += age > _LATE_SLOTS * self.constants.slot_ms
        return not -_EARLY_SLOTS <= age / self.constants.slot_ms <= _LATE_SLOTS

    def _lets_in(self, node: Node, block: Header, source: str) -> bool:
        """Whether a node that is not well takes the block now; one that lags takes older ones that it has held."""
        if not node.condition.hears or node.condition.hangs is SyncStatus.CATCHUP:
            return False
        lag = node.condition.lag_blocks
        if not lag:
            return True
        node.held.append((block, source))
        top = max(each.height for each, _ in node.held)
        ripe = [each for each in node.held if each[0].height <= top - lag]
        node.held = [each for each in node.held if each[0].height > top - lag]
        for each, sender in sorted(ripe, key=lambda it: it[0].height):
            if each.parent in node.known:
                self._accept(node, each)
                self._tell("received", node, each, sender)
        return False
