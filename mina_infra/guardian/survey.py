"""One sweep over all expected daemons: what each says about itself and its best chain.

Which nodes are asked comes from the outputs document alone; a node that does not answer stays in the survey by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, partial
from statistics import median_low

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.cluster import Cluster
from mina_infra.cluster.fanout import NoAnswerError, gather_bounded
from mina_infra.cluster.objects import Pod
from mina_infra.cluster.replies import BadReplyError, PortRefusedError
from mina_infra.cluster.roads import Door
from mina_infra.daemon.replies import (
    BestChain,
    Block,
    DaemonStatus,
    GraphQLError,
    SyncStatus,
    decode_best_chain,
    decode_status,
    query,
)
from mina_infra.errors import ClusterError
from mina_infra.guardian.clock import Clock
from mina_infra.guardian.forks import BlockTree, Chain, Relation, Standing, reference_of
from mina_infra.guardian.walking import LimitedPort, Walker
from mina_infra.outputs import NodeOutput, OutputsDocument

# 16 to 32 streams at a time: each opens a tunnel on a managed control plane (docs/facts.md: kubernetes/tunnels).
CONCURRENCY = 32
# A daemon answers in milliseconds; one that needs longer than this is not to be waited for in a sweep.
ANSWER_SECONDS = 5.0
# Who has not answered by then waits on without holding up the others.
PATIENCE_SECONDS = 1.5
# Daemons that were not reached within this are silent, however many there are: 1,000 of which 100 never answer need 16.
SWEEP_SECONDS = 25.0
# Clocks of honest producers differ by less than this.
FUTURE_SLOTS = 2
# Daemons that are tried for a road before a sweep.
TRIED_FOR_A_ROAD = 3
# 16 blocks are about 9 kB a node and hold the common ancestor of every node that is in order.
FIRST_BLOCKS = 16


class Cause(StrEnum):
    """Why a node did not answer: only the first three are known to be the node's own fault."""

    NO_POD = "no pod"
    REFUSED = "connection refused"
    BAD_REPLY = "unreadable reply"
    SILENT = "no answer"
    ROAD = "the way to it failed"


@dataclass(frozen=True)
class Silence:
    """A node that said nothing that can be used."""

    node: str
    cause: Cause
    detail: str


@dataclass(frozen=True)
class Answer:
    """What one daemon said; `chain` is None while it has none. Times in seconds since 1970, of our clock."""

    node: str
    pod: str
    started: float
    ended: float
    status: DaemonStatus
    chain: Chain | None

    @property
    def now_ms(self) -> int:
        """The start of the slot in which it answered, by its own clock; ms since 1970, as the dates of blocks."""
        return self.status.consensus_time_now.start_time

    @property
    def synced(self) -> bool:
        """By its own word, which alone is no proof. CATCHUP flaps on a node that is in order (mina issue 5155)."""
        return self.chain is not None and self.status.sync_status in (SyncStatus.SYNCED, SyncStatus.CATCHUP)


@dataclass(frozen=True)
class Survey:
    """The answers and silences of one sweep, one of either for each expected daemon."""

    started: float
    ended: float
    expected: tuple[str, ...]
    answers: Mapping[str, Answer]
    silences: Mapping[str, Silence]
    notes: tuple[str, ...] = ()  # about the roads

    @property
    def silent(self) -> tuple[str, ...]:
        return tuple(node for node in self.expected if node in self.silences)

    @cached_property
    def chains(self) -> Mapping[str, Chain]:
        return {node: answer.chain for node, answer in self.answers.items() if answer.chain is not None}

    @cached_property
    def tree(self) -> BlockTree:
        return BlockTree(self.chains.values())

    @cached_property
    def chain_id(self) -> str | None:
        """What most daemons say that they run; who says otherwise is a stranger."""
        ids = Counter(answer.status.chain_id for answer in self.answers.values())
        return min(ids, key=lambda chain_id: (-ids[chain_id], chain_id), default=None)

    @cached_property
    def reference(self) -> str | None:
        """The node whose chain is the network's; None while nobody is synced.

        Never a stranger's, however high it is, nor one whose tip lies in the future: no honest block does.
        """
        synced = {node: chain for node, chain in self.chains.items() if self._may_lead(self.answers[node], chain)}
        return reference_of(synced)

    def _may_lead(self, answer: Answer, chain: Chain) -> bool:
        slot_ms = answer.status.consensus_configuration.slot_duration
        timely = chain.tip.date_ms <= self.now_ms + FUTURE_SLOTS * slot_ms
        return answer.synced and answer.status.chain_id == self.chain_id and timely

    @property
    def reference_chain(self) -> Chain | None:
        return None if self.reference is None else self.chains[self.reference]

    @cached_property
    def now_ms(self) -> int:
        """The network's time: the median of what the nodes say, so that one wrong clock moves nothing."""
        return int(median_low(answer.now_ms for answer in self.answers.values())) if self.answers else 0

    def now_of(self, node: str) -> float:
        """The network's time when a node was asked, ms since 1970: a sweep over many nodes takes a while."""
        return self.now_ms + (self.answers[node].started - self._asked) * 1000

    @cached_property
    def _asked(self) -> float:
        """When the usual node was asked."""
        return median_low(answer.started for answer in self.answers.values())

    def lag(self, node: str) -> tuple[int, Block | None]:
        """How many blocks the node lacks, and the oldest of them.

        Blocks of slots that began after the node answered do not count: a sweep over many nodes takes a while.
        """
        relation = self.relations[node]
        own, reference = self.chains[node], self.reference_chain
        assert reference is not None
        if relation.standing is Standing.BEHIND and relation.ancestor_height is not None:
            missing = self.tree.path_down(reference.tip, relation.ancestor_height)
            due = [block for block in missing if block.date_ms <= self.answers[node].now_ms]
            return len(due), due[-1] if due else None
        # On a branch of its own only the height tells; the check `forks` judges the branch.
        return max(0, reference.tip.height - own.tip.height), None

    @cached_property
    def relations(self) -> Mapping[str, Relation]:
        """For each expected node its standing against the reference."""
        return {node: self._relation(node) for node in self.expected}

    def _relation(self, node: str) -> Relation:
        if node not in self.answers:
            return Relation(Standing.UNREACHABLE)
        if node not in self.chains or self.reference is None:
            return Relation(Standing.SYNCING)
        return self.tree.relate(self.chains[node], self.chains[self.reference])


async def survey(
    cluster: Cluster,
    outputs: OutputsDocument,
    pods: Sequence[Pod],
    clock: Clock,
    *,
    first_blocks: int = FIRST_BLOCKS,
    before: Survey | None = None,
) -> Survey:
    """Ask every expected daemon; read more of those chains that do not meet the reference's newest blocks.

    Who was silent in the sweep `before` is asked last, so that the others do not wait for it; blocks that it read are
    not read again.
    """
    silent = frozenset(before.silences) if before else frozenset()
    walker = Walker(block for chain in (before.chains.values() if before else ()) for block in chain.blocks)
    daemons = outputs.daemons()
    by_node = newest_pods(pods)
    started = clock.now()
    in_turn = sorted(daemons, key=lambda node: node.name in silent)
    await cluster.find_road(_doors(in_turn, by_node))
    asker = _Asker(cluster, by_node, clock, outputs.chain.k + 1, walker)
    answers, silences = await asker.ask_all(in_turn, first_blocks)
    seen = Survey(
        started, clock.now(), tuple(node.name for node in daemons), answers, silences, tuple(cluster.road_notes)
    )
    return await _deepen(seen, asker, {node.name: node for node in daemons}, first_blocks)


def _doors(daemons: Sequence[NodeOutput], pods: Mapping[str, Pod]) -> list[Door]:
    """Some daemons that a road may be tried with, those first whose containers are ready."""
    there = [(node, pods[node.name]) for node in daemons if node.name in pods]
    running = [(node, pod) for node, pod in there if pod.phase == "Running" and not pod.deleting]
    running.sort(key=lambda each: not each[1].ready)
    return [
        Door(pod.name, node.ports["graphql"], node.ports.get("limited-graphql"))
        for node, pod in running[:TRIED_FOR_A_ROAD]
    ]


def newest_pods(pods: Sequence[Pod]) -> dict[str, Pod]:
    """The pod that now runs each node: of several the newest that is not being deleted."""
    chosen: dict[str, Pod] = {}
    for pod in sorted(pods, key=lambda pod: (not pod.deleting, pod.created, pod.name)):
        chosen[pod.node] = pod
    return chosen


@dataclass(frozen=True)
class _Asker:
    cluster: Cluster
    pods: Mapping[str, Pod]
    clock: Clock
    whole_frontier: int
    walker: Walker

    async def ask_all(self, daemons: Sequence[NodeOutput], blocks: int) -> tuple[dict[str, Answer], dict[str, Silence]]:
        results = await gather_bounded(
            daemons,
            lambda node: self._ask(node, blocks),
            limit=CONCURRENCY,
            per_item_timeout=ANSWER_SECONDS,
            total_timeout=SWEEP_SECONDS,
            patience=PATIENCE_SECONDS,
        )
        answers: dict[str, Answer] = {}
        silences: dict[str, Silence] = {}
        for node, result in zip(daemons, results, strict=True):
            if isinstance(result, Answer):
                answers[node.name] = result
            elif isinstance(result, Silence):
                silences[node.name] = result
            else:
                silences[node.name] = _silence(node.name, result)
        return answers, silences

    async def _ask(self, node: NodeOutput, blocks: int) -> Answer | Silence:
        pod = self.pods.get(node.name)
        if pod is None or pod.phase != "Running" or pod.deleting:
            state = "none" if pod is None else "being deleted" if pod.deleting else pod.phase
            return Silence(node.name, Cause.NO_POD, f"pod: {state}")
        started = self.clock.now()
        try:
            status = decode_status(await self._reply(node, pod.name, "status"))
            chain = await self._chain(node, pod.name, status, blocks)
        except GraphQLError as error:
            return Silence(node.name, Cause.BAD_REPLY, str(error))
        return Answer(node.name, pod.name, started, self.clock.now(), status, chain)

    async def _reply(self, node: NodeOutput, pod: str, name: str, **variables: object) -> bytes:
        limited = node.ports.get("limited-graphql")
        return await self.cluster.graphql(pod, query(name), variables, port=node.ports["graphql"], limited=limited)

    async def _chain(self, node: NodeOutput, pod: str, status: DaemonStatus, blocks: int) -> Chain | None:
        """The newest blocks of a node; None while it has none. Raises GraphQLError, ClusterError."""
        narrow = LimitedPort.of(self.cluster, node, pod)
        if narrow is not None:
            if status.state_hash is None:
                return None
            if status.blockchain_length:
                await self.walker.warm(narrow.block_at, status.blockchain_length, blocks)
            return await self.walker.chain(narrow.block, status.state_hash, blocks, self.whole_frontier)
        found: BestChain | None = decode_best_chain(await self._reply(node, pod, "best_chain", maxLength=blocks))
        if not found:
            return None
        if len(found) > blocks:
            raise GraphQLError((f"asked for {blocks} blocks, it answered with {len(found)}",))
        return Chain(found, to_root=len(found) < blocks or blocks >= self.whole_frontier)

    async def longer(self, answer: Answer, nodes: Mapping[str, NodeOutput], blocks: int) -> Answer:
        """The same answer with a longer chain. The new chain may be newer than the status by some blocks."""
        try:
            chain = await self._chain(nodes[answer.node], answer.pod, answer.status, blocks)
        except GraphQLError as error:
            raise BadReplyError(str(error)) from error
        return answer if chain is None else replace(answer, chain=chain)


async def _deepen(seen: Survey, asker: _Asker, daemons: Mapping[str, NodeOutput], blocks: int) -> Survey:
    """Double the length asked for until every chain's relation to the reference is decided, or nothing is left.

    A node that falls silent meanwhile keeps what it said before.
    """
    while blocks < asker.whole_frontier and seen.reference is not None:
        open_nodes = [node for node, relation in seen.relations.items() if relation.standing is Standing.UNDECIDED]
        if not open_nodes:
            return seen
        blocks = min(blocks * 2, asker.whole_frontier)
        again = [seen.answers[node] for node in dict.fromkeys([*open_nodes, seen.reference]) if not _whole(seen, node)]
        results = await gather_bounded(
            again,
            partial(asker.longer, nodes=daemons, blocks=blocks),
            limit=CONCURRENCY,
            per_item_timeout=ANSWER_SECONDS,
        )
        longer = {result.node: result for result in results if isinstance(result, Answer)}
        seen = Survey(
            seen.started, asker.clock.now(), seen.expected, {**seen.answers, **longer}, seen.silences, seen.notes
        )
    return seen


def _whole(seen: Survey, node: str) -> bool:
    chain = seen.answers[node].chain
    return chain is None or chain.to_root


def _silence(node: str, error: ClusterError) -> Silence:
    if isinstance(error, PortRefusedError):
        return Silence(node, Cause.REFUSED, str(error))
    if isinstance(error, BadReplyError):
        return Silence(node, Cause.BAD_REPLY, str(error))
    if isinstance(error, NoAnswerError):
        return Silence(node, Cause.SILENT, str(error))
    if isinstance(error, ApiStatusError) and error.code == 404:
        return Silence(node, Cause.NO_POD, str(error))
    return Silence(node, Cause.ROAD, str(error))
