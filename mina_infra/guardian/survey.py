"""One sweep over all expected daemons: what each says about itself and its best chain.

Which nodes are asked comes from the outputs document alone; a node that does not answer stays in the survey by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from statistics import median_low

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.cluster import Cluster
from mina_infra.cluster.fanout import NoAnswerError, gather_bounded
from mina_infra.cluster.objects import Pod
from mina_infra.cluster.portforward import BadReplyError, PortRefusedError
from mina_infra.daemon.replies import (
    BestChain,
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
from mina_infra.outputs import NodeOutput, OutputsDocument

# 16 to 32 streams at a time: each opens a tunnel on a managed control plane (docs/facts.md: kubernetes/tunnels).
CONCURRENCY = 32
# A daemon answers in milliseconds; one that needs longer than this is not to be waited for in a sweep.
ANSWER_SECONDS = 6.0
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
    def reference(self) -> str | None:
        """The node whose chain is the network's; None while nobody is synced."""
        synced = {node: chain for node, chain in self.chains.items() if self.answers[node].synced}
        return reference_of(synced)

    @property
    def reference_chain(self) -> Chain | None:
        return None if self.reference is None else self.chains[self.reference]

    @cached_property
    def now_ms(self) -> int:
        """The network's time: the median of what the nodes say, so that one wrong clock moves nothing."""
        return int(median_low(answer.now_ms for answer in self.answers.values())) if self.answers else 0

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
    cluster: Cluster, outputs: OutputsDocument, pods: Sequence[Pod], clock: Clock, *, first_blocks: int = FIRST_BLOCKS
) -> Survey:
    """Ask every expected daemon; read more of those chains that do not meet the reference's newest blocks."""
    daemons = outputs.daemons()
    by_node = newest_pods(pods)
    started = clock.now()
    asker = _Asker(cluster, by_node, clock, outputs.chain.k + 1)
    answers, silences = await asker.ask_all(daemons, first_blocks)
    seen = Survey(started, clock.now(), tuple(node.name for node in daemons), answers, silences)
    return await _deepen(seen, asker, {node.name: node for node in daemons}, first_blocks)


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

    async def ask_all(self, daemons: Sequence[NodeOutput], blocks: int) -> tuple[dict[str, Answer], dict[str, Silence]]:
        results = await gather_bounded(
            daemons, lambda node: self._ask(node, blocks), limit=CONCURRENCY, per_item_timeout=ANSWER_SECONDS
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
        port = node.ports["graphql"]
        started = self.clock.now()
        try:
            status = decode_status(await self.cluster.graphql(pod.name, query("status"), port=port))
            blocks_wire = await self.cluster.graphql(pod.name, query("best_chain"), {"maxLength": blocks}, port=port)
            chain = self._chain(decode_best_chain(blocks_wire), blocks)
        except GraphQLError as error:
            return Silence(node.name, Cause.BAD_REPLY, str(error))
        return Answer(node.name, pod.name, started, self.clock.now(), status, chain)

    def _chain(self, blocks: BestChain | None, asked: int) -> Chain | None:
        if not blocks:
            return None
        return Chain(blocks, to_root=len(blocks) < asked or asked >= self.whole_frontier)

    async def longer(self, answer: Answer, node: NodeOutput, blocks: int) -> Answer:
        """The same answer with a longer chain. The new chain may be newer than the status by some blocks."""
        wire = await self.cluster.graphql(
            answer.pod, query("best_chain"), {"maxLength": blocks}, port=node.ports["graphql"]
        )
        try:
            chain = self._chain(decode_best_chain(wire), blocks)
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
            lambda answer, most=blocks: asker.longer(answer, daemons[answer.node], most),  # type: ignore[misc]
            limit=CONCURRENCY,
            per_item_timeout=ANSWER_SECONDS,
        )
        longer = {result.node: result for result in results if isinstance(result, Answer)}
        seen = Survey(seen.started, asker.clock.now(), seen.expected, {**seen.answers, **longer}, seen.silences)
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
