"""A simulated network in virtual time, for tests that need ground truth.

network = SimulatedNetwork(seed=7, nodes=small_network())
network.run(slots=40)
network.restart("whale-1", keep_volume=False)
status = network.status("whale-1")          # a DaemonStatus, decoded from the reply that a daemon would give
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from mina_infra.daemon.replies import BestChain, DaemonStatus, decode_best_chain, decode_status, request_body
from mina_infra.errors import MinaInfraError
from mina_infra.simulator.answers import Answers
from mina_infra.simulator.chain import ChainConstants, Header, chain_id
from mina_infra.simulator.joining import Happening, Observer, Truth
from mina_infra.simulator.network import Network
from mina_infra.simulator.node import Node, NodeSpec
from mina_infra.simulator.store import MemoryStore
from mina_infra.simulator.timing import Timing

GENESIS_MS = 1_767_225_600_000
"""2026-01-01, where virtual time begins."""

Entry = tuple[float, Happening | str]
"""One entry of a node's log: when (ms since 1970), and what happened or the text itself."""
_LOG_ENTRIES = 2000


class NodeDown(MinaInfraError):
    """Nobody answers: the node does not run."""


def small_network(whales: int = 3, fish: int = 4, seeds: int = 2, plain: int = 1) -> list[NodeSpec]:
    """Seeds, whales with 6 parts of the stake each, fish with 0.1, and nodes that only follow."""
    return [
        *(NodeSpec(f"seed-{i + 1}", seed=True) for i in range(seeds)),
        *(NodeSpec(f"whale-{i + 1}", stake=6) for i in range(whales)),
        *(NodeSpec(f"fish-{i + 1}", stake=0.1) for i in range(fish)),
        *(NodeSpec(f"plain-{i + 1}") for i in range(plain)),
        NodeSpec("snark-coordinator", snark_coordinator=True),
    ]


class SimulatedNetwork:
    """Nodes on volumes in memory. Same seed, same nodes, same calls: same blocks.

    `seed` chooses the chain (its id, so leaders and hashes); `timing` None is the healthy case for the slot length.
    """

    def __init__(
        self,
        seed: int,
        nodes: Sequence[NodeSpec] | None = None,
        *,
        slot_ms: int = 180_000,
        k: int = 290,
        timing: Timing | None = None,
        commands_per_slot: float = 5.0,
        genesis_ms: int = GENESIS_MS,
        observer: Observer | None = None,
    ) -> None:
        identity = chain_id({"genesis": {"seed": seed}})
        self.constants = ChainConstants(chain_id=identity, genesis_ms=genesis_ms, slot_ms=slot_ms, k=k)
        self.network = Network(
            self.constants, genesis_ms, timing=timing, commands_per_slot=commands_per_slot, observer=self._observe
        )
        self.observer = observer
        self.answers = Answers(self.network)
        self.logs: dict[str, deque[Entry]] = {}
        """The newest entries of each node's log, by name."""
        self._volumes: dict[str, MemoryStore] = {}
        for spec in nodes if nodes is not None else small_network():
            self._volumes[spec.name] = MemoryStore()
            self.network.start(spec, self._volumes[spec.name])

    def _observe(self, happening: Happening) -> None:
        if happening.kind != "received" or happening.node.spec.seed:  # Debug lines, which only seeds write
            self.write(happening.node.spec.name, happening)
        if self.observer is not None:
            self.observer(happening)

    def write(self, name: str, entry: Happening | str) -> None:
        """Add to a node's log."""
        self.logs.setdefault(name, deque(maxlen=_LOG_ENTRIES)).append((self.network.now, entry))

    # --- time and faults ------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> float:
        """Virtual time, in ms since 1970."""
        return self.network.now

    @property
    def slot(self) -> int:
        """The slot that runs now, counted from the genesis."""
        return self.constants.slot_at(self.network.now)

    def run(self, slots: float) -> None:
        """Let this many slots pass; fractions are allowed."""
        self.network.advance(self.network.now + slots * self.constants.slot_ms)

    def crash(self, name: str) -> None:
        """Kill a node; it stays down."""
        self._node(name)
        self.network.stop(name, clean=False)

    def restart(self, name: str, *, keep_volume: bool = True, down_slots: float = 0.0) -> None:
        """Stop a node (if it runs) and start it again, on its volume or on an empty one."""
        if self.network.nodes[name].running:
            self.network.stop(name)
        self.run(down_slots)
        if not keep_volume:
            self._volumes[name] = MemoryStore()
        self.network.start(self.network.nodes[name].spec, self._volumes[name])

    def add(self, spec: NodeSpec) -> None:
        """A new node joins with an empty volume."""
        self._volumes[spec.name] = MemoryStore()
        self.network.start(spec, self._volumes[spec.name])

    def partition(self, *groups: Iterable[str]) -> None:
        """Cut the network into these groups; nodes that are in none stay together."""
        self.network.partition(groups)

    def heal(self) -> None:
        """End the partition."""
        self.network.heal()

    # --- what an observer sees ------------------------------------------------------------------------------------

    def reply(self, name: str, query: str, **variables: object) -> bytes:
        """The raw reply to one of the queries in daemon/queries. Raises NodeDown."""
        return self.answers.reply(self._node(name), request_body(query, **variables))

    def status(self, name: str) -> DaemonStatus:
        """Raises NodeDown."""
        return decode_status(self.reply(name, "status"))

    def best_chain(self, name: str, max_length: int | None = None) -> BestChain | None:
        """None while it bootstraps. Raises NodeDown."""
        return decode_best_chain(self.reply(name, "best_chain", maxLength=max_length))

    def _node(self, name: str) -> Node:
        node = self.network.nodes[name]
        if not node.running:
            raise NodeDown(f"{name} does not run")
        return node

    # --- ground truth ---------------------------------------------------------------------------------------------

    @property
    def truth(self) -> Truth:
        """Slots, blocks and reorganisations as they really were."""
        return self.network.truth

    @property
    def names(self) -> list[str]:
        return list(self.network.nodes)

    @property
    def running(self) -> list[str]:
        return [name for name, node in self.network.nodes.items() if node.running]

    def tip(self, name: str | None = None) -> Header:
        """A node's own best tip, or the network's best."""
        node = self.network.nodes[name] if name else None
        return node.tip if node and node.tip else self.network.best_tip()

    def deepest_fork(self) -> int:
        """The deepest branch that any running node follows against the network's best chain."""
        canonical = self._canonical()
        return max((_blocks_off(node, canonical) for node in self.network.nodes.values() if node.running), default=0)

    def fork_depth(self, name: str) -> int:
        """Blocks of the node's chain that are not on the network's best chain (0 = in line or only behind)."""
        return _blocks_off(self.network.nodes[name], self._canonical())

    def _canonical(self) -> set[str]:
        """State hashes of the network's best chain, as its holder knows it; none where nobody holds its tip."""
        best = self.network.best_tip()
        holder = next((node for node in self.network.nodes.values() if node.tip == best), None)
        return {block.state_hash for block in holder.chain(self.constants.k + 1)} if holder else set()


def _blocks_off(node: Node, canonical: set[str]) -> int:
    """How many blocks of its best chain are not among these; 0 where there is no chain to compare with."""
    block, depth = node.tip, 0
    while canonical and block is not None and block.state_hash not in canonical:
        block, depth = node.known.get(block.parent), depth + 1
    return depth
