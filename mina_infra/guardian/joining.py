"""Can somebody from outside join? (runbook: an external node connects and syncs; docs/facts.md: guardian/join)

Not part of every verification, because it starts a node: whoever calls gives two clusters, the testnet's namespace and
the outsider's, and takes the outsider away again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from mina_infra.cluster.cluster import Cluster
from mina_infra.daemon.multiaddress import Multiaddress
from mina_infra.errors import MinaInfraError
from mina_infra.guardian.clock import Clock
from mina_infra.guardian.criteria import Criteria, criteria_of
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State
from mina_infra.guardian.forks import BlockTree, Relation, Standing
from mina_infra.guardian.survey import Answer, Survey, survey
from mina_infra.guardian.verify import pause_seconds
from mina_infra.outputs import NodeOutput, OutputsDocument

CHECK = CheckInfo(
    name="join",
    needs=(),
    warm_up=Slots(4),
    runbook="sanity check 4: an external node that knows the published seeds alone connects and syncs",
)

CANNOT_CONNECT, DOES_NOT_SYNC, JOINS_FORK = "cannot-connect", "does-not-sync", "joins-fork"
PROBLEMS = (CANNOT_CONNECT, DOES_NOT_SYNC, JOINS_FORK)
OUTSIDER = "outsider"
# Pulling an image and finding a place are not the network's; beyond this nobody can tell.
START_SECONDS = 600.0
DIAL_SECONDS = 3.0


class Stage(StrEnum):
    """How far the outsider has come."""

    STARTS = "its pod starts"
    SEEKS = "it looks for a peer"
    SYNCS = "it has peers and fetches the chain"
    IN = "it is at the tip"
    ASTRAY = "it follows another chain"


@dataclass(frozen=True)
class Progress:
    """Seconds since the beginning, and since the pod ran; None before."""

    stage: Stage
    elapsed_s: float
    running_s: float | None
    words: str


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Sight:
    """The network, and beside it the outsider, which is never what the network is measured by."""

    network: Survey
    own: Answer | None
    silence: str = ""
    """Why it gives no answer."""

    @property
    def another_chain(self) -> bool:
        known = self.network.chain_id
        return self.own is not None and known is not None and self.own.status.chain_id != known

    @property
    def relation(self) -> Relation:
        """Of the outsider's tip to the network's best."""
        chain = self.own.chain if self.own else None
        reference = self.network.reference_chain
        if chain is None or reference is None:
            return Relation(Standing.SYNCING)
        return BlockTree([*self.network.chains.values(), chain]).relate(chain, reference)


@dataclass(frozen=True)
class Dialled:
    """What became of a plain TCP connection to a published address, from where this runs. None: it was made."""

    address: str
    failed: str | None = None


async def join(
    network: Cluster, outside: Cluster, outputs: OutputsDocument, clock: Clock, report: Report | None = None
) -> Finding:
    """Watch the outsider until it is in, astray, or out of time. Raises ClusterError when the cluster is lost."""
    criteria = criteria_of(outputs)
    dialled = await dial_all([seed.multiaddress for seed in outputs.seeds])
    began, ran = clock.now(), None
    while True:
        seen, runs = await _look(network, outside, outputs, clock)
        now = clock.now()
        ran = now if runs and ran is None else ran
        stage, words = stage_of(seen, runs, criteria)
        running = None if ran is None else now - ran
        if report:
            report(Progress(stage, now - began, running, words))
        finding = judge(stage, words, now - began, running, criteria, seen, dialled)
        if finding is not None:
            return finding
        await clock.sleep(pause_seconds(criteria))


async def confirmed(visit: Callable[[], Awaitable[Finding]]) -> Finding:
    """The finding of a visit. Only a second outsider that fails as well is a failure of the network."""
    first = await visit()
    if first.state is not State.FAIL:
        return first
    second = await visit()
    if second.state is State.FAIL:
        return second
    return replace(second, warnings=(*second.warnings, f"the outsider before it was not let in: {first.summary}"))


async def _look(network: Cluster, outside: Cluster, outputs: OutputsDocument, clock: Clock) -> tuple[Sight, bool]:
    """The network and the outsider, and whether its pod runs."""
    seen = await survey(network, outputs, await network.pods(), clock)
    ports = next((dict(node.ports) for node in outputs.daemons()), {"graphql": 3085})
    node = NodeOutput(name=OUTSIDER, role="plain", group=OUTSIDER, ports=ports)
    pods = await outside.pods()
    mine = await survey(outside, outputs.model_copy(update={"nodes": [node]}), pods, clock)
    answer = mine.answers.get(OUTSIDER)
    runs = any(pod.phase == "Running" and not pod.deleting for pod in pods)
    return Sight(seen, answer, mine.silences[OUTSIDER].detail if answer is None else ""), runs


def stage_of(seen: Sight, runs: bool, criteria: Criteria) -> tuple[Stage, str]:
    """How far it has come, and the words for it."""
    own = seen.own
    if own is None:
        return (Stage.SEEKS if runs else Stage.STARTS), seen.silence
    if seen.another_chain:
        return Stage.ASTRAY, f"its chain id is {own.status.chain_id}, the network's is {seen.network.chain_id}"
    if not own.status.peers:
        return Stage.SEEKS, f"{own.status.sync_status}, no peers"
    relation = seen.relation
    words = f"{own.status.sync_status}, {len(own.status.peers)} peers, {relation.standing}"
    near = relation.standing is Standing.BEHIND and (relation.reference or 0) <= criteria.behind_blocks
    if own.synced and (near or relation.standing in (Standing.EQUAL, Standing.AHEAD)):
        return Stage.IN, words
    astray = relation.standing is Standing.SPLIT or (relation.own or 0) >= criteria.fork_warn_depth
    return (Stage.ASTRAY if astray else Stage.SYNCS), words


def judge(
    stage: Stage,
    words: str,
    elapsed_s: float,
    running_s: float | None,
    criteria: Criteria,
    seen: Sight,
    dialled: Sequence[Dialled],
) -> Finding | None:
    """A peer within `join_connect_s`, then the tip within `join_sync_slots`, on the network's chain and no fork of it.

    Both from the moment when its pod runs. None while there is time left.
    """
    if not seen.network.answers:
        return _finding(State.UNKNOWN, "nobody in the network answers, so nobody can be joined", words, seen, dialled)
    took = f"after {running_s or 0:.0f} s"
    if stage is Stage.IN:
        return _finding(State.PASS, f"an outsider is at the tip {took}", words, seen, dialled)
    sync_s = max(criteria.join_sync_slots * criteria.slot_ms / 1000, criteria.join_sync_least_s)
    late = running_s is not None and running_s > sync_s
    if stage is Stage.ASTRAY and (late or seen.another_chain):
        return _finding(State.FAIL, f"an outsider follows another chain {took}", words, seen, dialled, JOINS_FORK)
    if stage is Stage.STARTS:
        summary = f"the outsider's pod does not run after {elapsed_s:.0f} s"
        return _finding(State.UNKNOWN, summary, words, seen, dialled) if elapsed_s > START_SECONDS else None
    if stage is Stage.SEEKS and running_s is not None and running_s > criteria.join_connect_s:
        return _finding(State.FAIL, f"an outsider finds no peer {took}", words, seen, dialled, CANNOT_CONNECT)
    if late:
        return _finding(State.FAIL, f"an outsider is not synced {took}", words, seen, dialled, DOES_NOT_SYNC)
    return None


_ACTIONS = {
    CANNOT_CONNECT: "dial the published addresses from outside; compare ports, firewall and peer ids with the seeds",
    DOES_NOT_SYNC: "look at its log and at the seeds' load; the network may be well and yet closed to newcomers",
    JOINS_FORK: "its image or runtime config is of another network, or the seeds follow a branch: see the check forks",
}


def _finding(
    state: State, summary: str, words: str, seen: Sight, dialled: Sequence[Dialled], problem: str = ""
) -> Finding:
    answer = seen.own
    own: Row = {"node": OUTSIDER, "found": words, "problem": problem or None}
    rows: list[Row] = [] if state is State.PASS else [own]
    rows += [{"found": f"TCP: {each.failed}", "detail": each.address} for each in dialled if each.failed and rows]
    return Finding(
        check=CHECK.name,
        state=state,
        summary=summary,
        expected="a fresh node with the published addresses alone is synced in time, on the same chain",
        seen=words,
        action=_ACTIONS.get(problem, ""),
        evidence=tuple(rows),
        problems=(problem,) if problem else (),
        figures={
            "peers": len(answer.status.peers) if answer else 0,
            "height": answer.chain.tip.height if answer and answer.chain else None,
            "dialled": sum(each.failed is None for each in dialled),
            "published": len(dialled),
        },
    )


async def dial_all(addresses: Sequence[str]) -> tuple[Dialled, ...]:
    """A plain TCP connection to each, from here.

    It explains a failure; alone it proves nothing, since a name of the cluster's own is not known outside of it.
    """
    return tuple(await asyncio.gather(*(_dial(address) for address in addresses)))


async def _dial(address: str) -> Dialled:
    try:
        parsed = Multiaddress.parse(address)
        async with asyncio.timeout(DIAL_SECONDS):
            _, writer = await asyncio.open_connection(parsed.host, parsed.port)
        writer.close()
        return Dialled(address)
    except TimeoutError:
        return Dialled(address, f"no answer within {DIAL_SECONDS:g} s")
    except (OSError, MinaInfraError) as error:
        return Dialled(address, str(error) or type(error).__name__)
