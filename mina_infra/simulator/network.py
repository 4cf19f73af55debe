"""The network: a discrete-event model of slots, leaders, gossip, catch-up and faults over nodes with volumes.

A heap of (time, number, function, arguments); nothing reads a wall clock. One event for each (block, node). The draws
of leaders and of gossip delays are hashes, one for each concern, so that adding a fault does not reshuffle them.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from mina_infra.daemon.replies import SyncStatus
from mina_infra.simulator.chain import ChainConstants, Header, Lottery, base58, better
from mina_infra.simulator.node import Node, NodeSpec
from mina_infra.simulator.store import FrontierStore
from mina_infra.simulator.timing import Timing

_SIGMA = 0.5
_STALE_MS = 30_000
_DELAYS = [math.exp(_SIGMA * NormalDist().inv_cdf((i + 0.5) / 1024)) for i in range(1024)]


@dataclass
class Truth:
    """What really happened, for tests and for the log; counted since the network began."""

    slots: int = 0
    filled: int = 0
    tied: int = 0
    """Slots with two or more leaders."""
    blocks: int = 0
    deepest_reorganisation: int = 0


@dataclass(frozen=True)
class Happening:
    """One thing that a node would log."""

    kind: str
    """started, connected, bootstrap, catchup, synced, produced, received or rejected."""
    node: Node
    block: Header | None = None
    sender: str | None = None


Observer = Callable[[Happening], None]


class Network:
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
        self.constants = constants
        self.timing = timing or Timing.for_slot(constants.slot_ms)
        self.now = now
        self.nodes: dict[str, Node] = {}
        self.lottery = Lottery(constants.chain_id, constants.active_slots)
        self.truth = Truth()
        self.observer = observer
        self.commands_per_slot = commands_per_slot
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._schedule_slot(max(constants.slot_at(now) + 1, 1))

    # --- time -----------------------------------------------------------------------------------------------------

    def advance(self, to: float, *, skip_stale_slots: bool = False) -> None:
        """Let everything happen up to a moment.

        `skip_stale_slots` is for wall-clock use: a process that stood still for long (a suspended machine) must not
        make up blocks for that time afterwards. One that was only held up by a busy machine does, or short slots would
        look like a sick network.
        """
        stale = to - max(3 * self.constants.slot_ms, _STALE_MS) if skip_stale_slots else -math.inf
        while self._events and self._events[0][0] <= to:
            time, _, function, arguments = heapq.heappop(self._events)
            self.now = max(self.now, time)
            if function == self._slot and time < stale:
                self._schedule_slot(self.constants.slot_at(to))
                continue
            function(*arguments)
        self.now = max(self.now, to)

    def next_event(self) -> float:
        """When something happens next, in ms since 1970."""
        return self._events[0][0] if self._events else math.inf

    def _at(self, time: float, function: Callable[..., None], *arguments: Any) -> None:
        self._number += 1
        heapq.heappush(self._events, (time, self._number, function, arguments))

    def _schedule_slot(self, slot: int) -> None:
        self._at(self.constants.slot_start(slot), self._slot, slot)

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
        self.declare(spec.key, spec.stake)
        node.load()
        self.nodes[spec.name] = node
        self._tell("started", node)
        self._at(self.now + self.timing.connect, self._connect, node)
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
            if node.takes_blocks and node.tip is not None and better(node.tip, tip):
                tip = node.tip
        return tip

    def peers_of(self, node: Node) -> list[Node]:
        """Running nodes on its side of the network."""
        if not node.running or node.status is SyncStatus.CONNECTING:
            return []
        return [
            other
            for other in self.nodes.values()
            if other is not node
            and other.running
            and other.group == node.group
            and other.status is not SyncStatus.CONNECTING
        ]

    def _tell(self, kind: str, node: Node, block: Header | None = None, sender: str | None = None) -> None:
        if self.observer is not None:
            self.observer(Happening(kind, node, block, sender))

    # --- joining --------------------------------------------------------------------------------------------------

    def _connect(self, node: Node) -> None:
        if not node.running:
            return
        if not node.spec.seed and not self._contact(node):
            self._at(self.now + 2 * self.timing.connect, self._connect, node)
            return
        self._tell("connected", node)
        if node.tip is not None:
            self._begin_catchup(node)
        else:
            self._begin_bootstrap(node)

    def _contact(self, node: Node) -> bool:
        """Whether somebody answers whom it knows: its -peer flags, or anyone it met in an earlier life."""
        for other in self.nodes.values():
            if other is node or not other.running or other.group != node.group:
                continue
            contacts = node.spec.contacts
            if node.knows_peers or (other.spec.seed if contacts is None else other.spec.identity in contacts):
                return True
        return False

    def _begin_bootstrap(self, node: Node) -> None:
        node.status = SyncStatus.BOOTSTRAP
        node.counters.bootstraps += 1
        self._tell("bootstrap", node)
        if not node.spec.hold:
            ready = max(self.now + self.timing.bootstrap, self.constants.genesis_ms)
            self._at(ready, self._end_bootstrap, node)

    def _end_bootstrap(self, node: Node) -> None:
        """Take the frontier of the best peer; without one the chain begins here, at the genesis block."""
        if not node.running:
            return
        peers = [peer for peer in self.peers_of(node) if peer.takes_blocks and peer.tip is not None]
        source: Node | None = None
        for peer in peers:
            if source is None or (peer.tip and source.tip and better(peer.tip, source.tip)):
                source = peer
        tip = source.tip if source else None
        if node.tip is None or (tip is not None and better(tip, node.tip)):
            blocks = source.chain(self.constants.k + 1) if source else [self.constants.genesis_block()]
            node.adopt(blocks)
            node.snapshot()
        node.knows_peers = bool(peers) or node.knows_peers
        self._begin_catchup(node)

    def _begin_catchup(self, node: Node) -> None:
        """Ask the peers for their best tip and fetch what is missing, however little."""
        node.status = SyncStatus.CATCHUP
        self._tell("catchup", node)
        for peer in self.peers_of(node):
            if peer.takes_blocks and peer.tip is not None:
                self._want(node, peer.tip, peer.spec.name)
        self._fetch(node)

    # --- slots and blocks -----------------------------------------------------------------------------------------

    def _slot(self, slot: int) -> None:
        self._schedule_slot(slot + 1)
        leaders = 0
        for node in self.nodes.values():
            if node.synced and node.spec.key and self._lead(node, slot):
                leaders += 1
        self.truth.slots += 1
        self.truth.filled += leaders > 0
        self.truth.tied += leaders > 1

    def _lead(self, node: Node, slot: int) -> bool:
        number, vrf = self.lottery.draw(node.spec.key, slot)
        parent = node.tip
        if number >= self.lottery.chance(node.spec.key) or parent is None or parent.slot >= slot:
            return False
        node.counters.slots_won += 1
        shortest, longest = self.timing.proving
        proving = shortest + (longest - shortest) * (int(vrf[-8:], 16) / 2**32)
        self._at(self.now + proving, self._produce, node, slot, parent, vrf)
        return True

    def _produce(self, node: Node, slot: int, parent: Header, vrf: str) -> None:
        if not node.takes_blocks:
            return
        commands = min(int((slot - parent.slot) * self.commands_per_slot + int(vrf[:4], 16) / 2**16), 128)
        proving = any(other.running and other.spec.snark_coordinator for other in self.nodes.values())
        block = Header(
            state_hash=base58("3N", 52, parent.state_hash, str(slot), node.spec.key),
            parent=parent.state_hash,
            height=parent.height + 1,
            slot=slot,
            vrf=vrf,
            creator=node.spec.key,
            commands=commands,
            snark_jobs=2 * commands + 2 if proving else 0,
            date_ms=self.constants.slot_start(slot),
        )
        node.counters.blocks_produced += 1
        self.truth.blocks += 1
        self._tell("produced", node, block)
        self._accept(node, block)
        self._broadcast(node, block)

    def _broadcast(self, source: Node, block: Header) -> None:
        mixed = int(block.vrf[:8], 16) if block.vrf else 0
        for node in self.nodes.values():
            if node is not source and node.running and node.group == source.group:
                delay = self.timing.gossip * _DELAYS[(mixed * node.salt >> 9) & 1023]
                self._at(self.now + delay, self._deliver, node, block, source.spec.name)

    def _deliver(self, node: Node, block: Header, source: str) -> None:
        if not node.running or block.state_hash in node.known:
            return
        node.highest_unvalidated = max(node.highest_unvalidated, block.height)
        if not node.takes_blocks:
            return
        node.counters.blocks_received += 1
        self._tell("received", node, block, source)
        if block.parent in node.known:
            self._accept(node, block)
        else:
            self._want(node, block, source)
            self._fetch(node)

    def _accept(self, node: Node, block: Header) -> None:
        depth = node.accept(block)
        node.last_block_ms = self.now
        if depth:
            node.counters.reorganisations += 1
            self.truth.deepest_reorganisation = max(self.truth.deepest_reorganisation, depth)

    # --- catching up ----------------------------------------------------------------------------------------------

    def _want(self, node: Node, block: Header, source: str) -> None:
        """Remember the best block that is out there and not here."""
        if block.state_hash not in node.known and (node.target is None or better(block, node.target[0])):
            node.target = (block, source)

    def _fetch(self, node: Node) -> None:
        """Get the ancestors of the wanted block; a frontier that is more than k behind is of no use: bootstrap."""
        if node.fetching or node.tip is None:
            return
        missing = max(node.target[0].height - node.tip.height, 1) if node.target else 0
        if missing > self.constants.k:
            node.target = None
            self._begin_bootstrap(node)
            return
        if missing > 2:
            node.status = SyncStatus.CATCHUP  # one or two late blocks are fetched without a change of status
        if node.status is SyncStatus.CATCHUP or missing:
            node.fetching = True
            pause = self.timing.catchup if node.status is SyncStatus.CATCHUP else self.timing.gossip
            self._at(self.now + pause + missing * self.timing.catchup_block, self._fetched, node)

    def _fetched(self, node: Node) -> None:
        if not node.running:
            return
        node.fetching = False
        if node.target is not None:
            (block, source), node.target = node.target, None
            branch = self._branch(node, block, source)
            if branch is None:
                node.counters.no_common_ancestor += 1
                self._tell("rejected", node, block, source)
            for ancestor in branch or ():
                self._accept(node, ancestor)
            if branch is None and node.status is SyncStatus.CATCHUP:
                self._become_synced(node)  # another chain, for good: asking again would never end
                return
        if node.target is not None:
            self._fetch(node)
        elif node.status is SyncStatus.CATCHUP:
            self._end_catchup(node)

    def _end_catchup(self, node: Node) -> None:
        """Done, unless the peers went on by more than a block meanwhile."""
        for peer in self.peers_of(node):
            if peer.synced and peer.tip and node.tip and peer.tip.height > node.tip.height + 1:
                self._want(node, peer.tip, peer.spec.name)
        if node.target is not None:
            self._fetch(node)
            return
        self._become_synced(node)

    def _become_synced(self, node: Node) -> None:
        node.status = SyncStatus.SYNCED
        self._tell("synced", node)

    def _branch(self, node: Node, block: Header, source: str) -> list[Header] | None:
        """The missing blocks up to `block`, oldest first; None if they do not meet the node's chain above its root."""
        provider = self._provider(node, block, source)
        if provider is None or block.state_hash in node.known:
            return []
        branch = [block]
        while branch[-1].parent not in node.known:
            parent = provider.known.get(branch[-1].parent)
            if parent is None:
                return None
            branch.append(parent)
        meeting = node.known[branch[-1].parent]
        if meeting.height < node.root_height:
            return None
        return branch[::-1]

    def _provider(self, node: Node, block: Header, source: str) -> Node | None:
        peers = self.peers_of(node)
        holders = [peer for peer in peers if block.state_hash in peer.known]
        return next((peer for peer in holders if peer.spec.name == source), holders[0] if holders else None)
