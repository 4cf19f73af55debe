"""Nodes that start, bootstrap and catch up: how a node comes by the blocks that gossip did not bring it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mina_infra.daemon.replies import SyncStatus
from mina_infra.simulator.chain import ChainConstants, Header, better
from mina_infra.simulator.clockwork import Clockwork
from mina_infra.simulator.node import Node
from mina_infra.simulator.timing import Timing


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
    """started, connected, bootstrap, catchup, synced, produced, received, rejected or prover-failed."""
    node: Node
    block: Header | None = None
    sender: str | None = None


Observer = Callable[[Happening], None]


class Joining(Clockwork):
    """Nodes of one chain, and how they get to its tip."""

    def __init__(self, constants: ChainConstants, now: float, timing: Timing, observer: Observer | None) -> None:
        super().__init__(now)
        self.constants = constants
        self.timing = timing
        self.nodes: dict[str, Node] = {}
        self.truth = Truth()
        self.observer = observer

    def peers_of(self, node: Node) -> list[Node]:
        """Running nodes on its side of the network."""
        if not node.running or node.status is SyncStatus.CONNECTING or node.condition.absent:
            return []
        return [
            other
            for other in self.nodes.values()
            if other is not node
            and other.running
            and other.group == node.group
            and other.status is not SyncStatus.CONNECTING
            and not other.condition.absent
        ]

    def _tell(self, kind: str, node: Node, block: Header | None = None, sender: str | None = None) -> None:
        if self.observer is not None:
            self.observer(Happening(kind, node, block, sender))

    def _accept(self, node: Node, block: Header) -> None:
        depth = node.accept(block)
        node.last_block_ms = self.now
        if depth:
            node.counters.reorganisations += 1
            self.truth.deepest_reorganisation = max(self.truth.deepest_reorganisation, depth)

    # --- joining --------------------------------------------------------------------------------------------------

    def _connect(self, node: Node) -> None:
        if not node.running:
            return
        if not node.spec.seed and not self._contact(node):
            self.at(self.now + 2 * self.timing.connect, self._connect, node)
            return
        self._tell("connected", node)
        if node.tip is not None:
            self._begin_catchup(node)
        else:
            self._begin_bootstrap(node)

    def _contact(self, node: Node) -> bool:
        """Whether somebody answers whom it knows: its -peer flags, or anyone it met in an earlier life."""
        for other in self.nodes.values():
            if other is node or not other.running or other.group != node.group or other.condition.absent:
                continue
            contacts = node.spec.contacts
            if node.knows_peers or (other.spec.seed if contacts is None else other.spec.identity in contacts):
                return True
        return False

    def _begin_bootstrap(self, node: Node) -> None:
        node.status = SyncStatus.BOOTSTRAP
        node.counters.bootstraps += 1
        self._tell("bootstrap", node)
        if not node.spec.hold and node.condition.hangs is not SyncStatus.BOOTSTRAP:
            ready = max(self.now + self.timing.bootstrap, self.constants.genesis_ms)
            self.at(ready, self._end_bootstrap, node)

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

    # --- catching up ----------------------------------------------------------------------------------------------

    def nudge(self, name: str) -> None:
        """A node that could not go on looks around again, as it would by itself in time."""
        node = self.nodes[name]
        if not node.running:
            return
        if node.status is SyncStatus.BOOTSTRAP:
            self.at(self.now + self.timing.bootstrap, self._end_bootstrap, node)
            return
        node.fetching = False
        for peer in self.peers_of(node):
            if peer.takes_blocks and peer.tip is not None and node.tip is not None and better(peer.tip, node.tip):
                self._want(node, peer.tip, peer.spec.name)
        self._fetch(node)

    def _want(self, node: Node, block: Header, source: str) -> None:
        """Remember the best block that is out there and not here."""
        if block.state_hash not in node.known and (node.target is None or better(block, node.target[0])):
            node.target = (block, source)

    def _fetch(self, node: Node) -> None:
        """Get the ancestors of the wanted block; a frontier that is more than k behind is of no use: bootstrap."""
        if node.fetching or node.tip is None or node.condition.frozen:
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
            self.at(self.now + pause + missing * self.timing.catchup_block, self._fetched, node)

    def _fetched(self, node: Node) -> None:
        if not node.running or node.condition.hangs is SyncStatus.CATCHUP:
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
