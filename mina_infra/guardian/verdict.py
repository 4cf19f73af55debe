"""All findings together: healthy, unstable, or could not tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from mina_infra.daemon.multiaddress import Multiaddress, MultiaddressError
from mina_infra.daemon.replies import AddrsAndPorts
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.forks import Standing
from mina_infra.guardian.instability import Judgement, Stability
from mina_infra.guardian.picture import Strip, Vertex, strip_of, tree_of
from mina_infra.guardian.survey import Survey
from mina_infra.outputs import SeedOutput

SCHEMA = 1


class Health(StrEnum):
    """The answer in one word."""

    HEALTHY = "healthy"
    UNSTABLE = "unstable"
    UNKNOWN = "could not tell"


EXIT_CODES = {Health.HEALTHY: 0, Health.UNSTABLE: 1, Health.UNKNOWN: 2}


@dataclass(frozen=True)
class NodeSight:
    """What was last seen of one expected node. Only daemons have the fields after `daemon`."""

    name: str
    role: str
    daemon: bool
    standing: Standing | None = None
    status: str | None = None
    height: int | None = None
    peers: int | None = None
    peer_id: str | None = None
    address: str | None = None
    """Its multiaddress as the daemon itself has it; a seed is published by the address of the outputs document."""
    paused: bool = False
    tip: str | None = None
    behind: int | None = None
    """Blocks of the reference chain that it lacks; None where the chains that were read do not tell."""
    forked: int | None = None
    """Blocks of its own past the common ancestor."""


@dataclass(frozen=True)
class Verdict:
    """The result of one verification. Times are of our clock, UTC."""

    testnet: str
    era: int
    namespace: str
    server: str
    started: datetime
    ended: datetime
    sweeps: int
    findings: tuple[Finding, ...]
    nodes: tuple[NodeSight, ...]
    criteria: tuple[Judgement, ...] = ()
    """The runbook's eight criteria of an unstable testnet, in its order."""
    skipped: tuple[str, ...] = ()
    """Checks that were left out of this run on purpose."""
    profile: str = "qa"
    seeds: tuple[SeedOutput, ...] = ()
    tree: tuple[Vertex, ...] = ()
    strip: Strip | None = None

    @property
    def health(self) -> Health:
        """As the findings say; a criterion that is unstable weighs as a failed check."""
        return Health.UNSTABLE if self.unstable else health_of(self.findings)

    @property
    def unstable(self) -> tuple[Judgement, ...]:
        """The criteria of the runbook by which the testnet is unstable."""
        return tuple(each for each in self.criteria if each.state is Stability.UNSTABLE)

    @property
    def warned(self) -> bool:
        """Whether any check has something to note within the criteria."""
        return any(finding.warnings for finding in self.findings)

    @property
    def paused(self) -> bool:
        """Whether all its nodes are stopped on purpose, so that nobody can tell."""
        return bool(self.nodes) and all(node.paused for node in self.nodes)

    @property
    def healthy(self) -> bool:
        return self.health is Health.HEALTHY

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 unstable, 2 could not tell."""
        return EXIT_CODES[self.health]

    def finding(self, check: str) -> Finding:
        """The finding of that check. Raises KeyError when it did not run."""
        for finding in self.findings:
            if finding.check == check:
                return finding
        raise KeyError(check)

    def node(self, name: str) -> NodeSight:
        """What was seen of that node. Raises KeyError for one that was not expected."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)


def health_of(findings: Sequence[Finding]) -> Health:
    """Any failure is unstable; otherwise any open question, or no question at all, could not tell.

    What this network is not asked for does not weigh.
    """
    states = {finding.state for finding in findings if finding.asked}
    if State.FAIL in states:
        return Health.UNSTABLE
    return Health.HEALTHY if states == {State.PASS} else Health.UNKNOWN


def verdict_of(
    evidence: Evidence,
    findings: tuple[Finding, ...],
    *,
    server: str,
    started: float,
    sweeps: int,
    criteria: tuple[Judgement, ...] = (),
    skipped: tuple[str, ...] = (),
) -> Verdict:
    """The verdict over the last look."""
    outputs = evidence.outputs
    survey = evidence.survey if isinstance(evidence.survey, Survey) else None
    return Verdict(
        testnet=outputs.testnet,
        era=outputs.era,
        namespace=outputs.namespace,
        server=server,
        started=datetime.fromtimestamp(started, UTC),
        ended=datetime.fromtimestamp(evidence.at, UTC),
        sweeps=sweeps,
        findings=findings,
        nodes=_nodes(evidence),
        criteria=criteria,
        skipped=skipped,
        profile=evidence.criteria.profile,
        seeds=tuple(outputs.seeds),
        tree=tree_of(survey) if survey else (),
        strip=strip_of(survey, evidence.criteria) if survey else None,
    )


def _nodes(evidence: Evidence) -> tuple[NodeSight, ...]:
    survey = evidence.survey if isinstance(evidence.survey, Survey) else None
    daemons = {node.name for node in evidence.outputs.daemons()}
    sights = []
    for node in evidence.outputs.nodes:
        if node.name not in daemons or survey is None:
            sights.append(NodeSight(node.name, node.role, node.name in daemons, paused=node.paused))
        else:
            sights.append(_daemon(node.name, node.role, survey))
    return tuple(sights)


def _daemon(name: str, role: str, survey: Survey) -> NodeSight:
    relation = survey.relations[name]
    standing = relation.standing
    answer = survey.answers.get(name)
    if answer is None:
        return NodeSight(name, role, True, standing)
    peer = answer.status.addrs_and_ports.peer
    return NodeSight(
        name=name,
        role=role,
        daemon=True,
        standing=standing,
        status=str(answer.status.sync_status),
        height=answer.chain.tip.height if answer.chain else None,
        peers=len(answer.status.peers),
        peer_id=peer.peer_id if peer else None,
        address=_address(answer.status.addrs_and_ports),
        tip=answer.chain.tip.state_hash if answer.chain else None,
        behind=relation.reference,
        forked=relation.own,
    )


def _address(said: AddrsAndPorts) -> str | None:
    """None before libp2p is up, and where what the daemon says is no address."""
    try:
        return str(Multiaddress(said.external_ip, said.libp2p_port, said.peer.peer_id)) if said.peer else None
    except MultiaddressError:
        return None
