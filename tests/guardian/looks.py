"""Looking at a simulated testnet again and again, exactly as the watch does, in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field

from mina_infra.guardian.checks import judge_all
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.evidence import Evidence, gather
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.watch.incidents import Book, Moment, Track, advance
from mina_infra.guardian.watch.look import Slots, judge
from mina_infra.guardian.watch.symptoms import Severity
from mina_infra.outputs import OutputsDocument
from mina_infra.simulator.cluster import SimulatedCluster


@dataclass(frozen=True)
class Named:
    """An incident of the watch, as it stands: the words, how grave it is, whom it names, when it was opened."""

    check: str
    problem: str
    severity: Severity
    nodes: frozenset[str]
    slot: int


@dataclass
class Looker:
    """Looks at one testnet. `named` are the incidents that were opened, by number, each at its gravest.

    `words` are all problems that incidents have had: a fork that gets deeper changes its word.
    """

    cluster: SimulatedCluster
    outputs: OutputsDocument
    evidence: Evidence | None = None
    findings: tuple[Finding, ...] = ()
    looks: int = 0
    named: dict[int, Named] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    _slots: Slots = field(default_factory=Slots)
    _book: Book = field(default_factory=Book)

    def __post_init__(self) -> None:
        self.criteria = criteria_of(self.outputs).watching()

    async def look(self) -> None:
        """Gather, judge, keep the book of incidents."""
        before = self.evidence
        self.evidence = await gather(self.cluster, self.outputs, self.criteria, self.cluster.clock, before=before)
        judged = judge(self.evidence, judge_all(self.evidence), self._slots)
        self.findings, self._slots = judged.findings, judged.slots
        elapsed = self.evidence.at - before.at if before else None
        moment = Moment(self.evidence.at, self.criteria.slot_ms / 1000, elapsed)
        self._book, _ = advance(self._book, judged.seen, moment)
        self.looks += 1
        for track in self._book.open:
            self._note(track)

    async def live(self, slots: float, *, each: float = 1.0) -> None:
        """Let so many slots pass, at least one look, one after each `each` of them."""
        passed = 0.0
        while passed < slots:
            await self.cluster.clock.sleep(each * self.criteria.slot_ms / 1000)
            await self.look()
            passed += each

    def _note(self, track: Track) -> None:
        assert track.incident is not None
        self.words.add(track.problem)
        known = self.named.get(track.incident)
        nodes = frozenset(track.nodes) | (known.nodes if known and known.problem == track.problem else frozenset())
        slot = known.slot if known and known.problem == track.problem else self.cluster.network.slot
        self.named[track.incident] = Named(track.check, track.problem, track.severity, nodes, slot)

    @property
    def failures(self) -> list[Named]:
        """Incidents that say that the network is ill."""
        return [each for each in self.named.values() if each.severity is Severity.FAILURE]

    def said(self) -> str:
        """What was named, and what is open or failing now, in one line."""
        words = [f"{n.check} {n.severity}: {n.problem} ({', '.join(sorted(n.nodes)[:4])})" for n in self.named.values()]
        words += [
            f"[{finding.check} {finding.state}: {finding.summary}]"
            for finding in self.findings
            if finding.state is not State.PASS and finding.asked
        ]
        return "; ".join(words) or "all was well"
