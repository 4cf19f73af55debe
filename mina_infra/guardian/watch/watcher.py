"""The watch: look, conclude, remember, tell; then wait for a sixth of a slot and look again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields

import msgspec

from mina_infra.cluster.cluster import Cluster
from mina_infra.errors import MinaInfraError
from mina_infra.guardian import instability
from mina_infra.guardian.checks import judge_all
from mina_infra.guardian.clock import Clock, WallClock
from mina_infra.guardian.crashes.known import KnownIssue
from mina_infra.guardian.criteria import Criteria, criteria_of
from mina_infra.guardian.evidence import Evidence, Unseen, gather
from mina_infra.guardian.verdict import EXIT_CODES, Health, health_of
from mina_infra.guardian.verify import pause_seconds
from mina_infra.guardian.watch.history import History, LookRecord, Span
from mina_infra.guardian.watch.incidents import Book, Change, Moment, advance
from mina_infra.guardian.watch.look import Judged, Slots, judge, with_criteria
from mina_infra.guardian.watch.messages import Mailbox, Message
from mina_infra.guardian.watch.remembered import Remembered
from mina_infra.guardian.watch.sinks import Post, Warn
from mina_infra.guardian.watch.symptoms import CANNOT_LOOK, WATCH, Severity
from mina_infra.outputs import OutputsDocument, Profile

LOOK_S = 120.0
"""A look that takes longer than this has seen nothing."""
GAP_SLOTS = 2
GAP_S = 30.0
# A watch that is asked for one look confirms a failure before it speaks, as `verify` does.
CONFIRMING_LOOKS = 3
MEMORY = "memory"
"""How the history calls what `Memory` holds."""
NOT_ASKED = "not-asked"
"""The state of a check that asks what this network does not do."""

Documents = Callable[[], Awaitable[OutputsDocument | None]]
"""The outputs document as it is now; None while it is as it was. May raise MinaInfraError."""


@dataclass(frozen=True)
class Memory:
    """What one look leaves for the next, also after a kill."""

    at: float | None = None
    book: Book = field(default_factory=Book)
    mailbox: Mailbox = field(default_factory=Mailbox)
    slots: Slots = field(default_factory=Slots)
    criteria: Mapping[str, instability.Memory] = field(default_factory=dict)
    complete: float | None = None
    """When a look last saw all that it looks at."""


@dataclass(frozen=True)
class Looked:
    """The result of one look. `took` in seconds; `changes` are new in this look, `message` may tell older ones too.

    `holds_until`: when the next look should long be there; then this one says nothing of now.
    """

    judged: Judged
    memory: Memory
    moment: Moment
    health: Health
    took: float
    changes: tuple[Change, ...]
    message: Message | None
    holds_until: float

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 unstable, 2 could not tell."""
        return EXIT_CODES[self.health]


@dataclass
class Watcher:
    """Watches one testnet. `on_look` gets every look after it was remembered, for metrics and progress.

    `known`: crashes that are known. `profile`: whose limits hold instead of those of the document.
    """

    cluster: Cluster
    outputs: OutputsDocument
    history: History
    post: Post
    clock: Clock = field(default_factory=WallClock)
    poll_s: float | None = None
    documents: Documents | None = None
    on_look: Callable[[Looked], None] = lambda looked: None
    warn: Warn = lambda line: None
    known: tuple[KnownIssue, ...] = ()
    profile: Profile | None = None
    memory: Memory = field(default_factory=Memory)
    remembered: Remembered = field(default_factory=Remembered)
    last: Looked | None = None

    def resume(self) -> None:
        """Go on where the history ends. Raises HistoryError when it holds something else."""
        kept = self.history.kept((MEMORY, *(each.name for each in fields(Remembered))))
        try:
            if (memory := kept.pop(MEMORY, None)) is not None:
                self.memory = msgspec.json.decode(memory, type=Memory)
            self.remembered = Remembered.of(kept)
        except msgspec.DecodeError as error:
            self.warn(f"{self.history.path}: what the last look left cannot be read ({error}); beginning anew")

    async def run(self, *, until: float | None = None, once: bool = False) -> int:
        """Look until told to stop (cancelled), or until a moment. The exit code is that of the last look."""
        self.resume()
        self.post.start()
        looks = 0
        try:
            while True:
                started = self.clock.now()
                looked = await self.look()
                looks += 1
                if (once and not self._unconfirmed(looks)) or self._over(until):
                    break
                await self.clock.sleep(max(self._poll(looked) - (self.clock.now() - started), 0.1))
        except asyncio.CancelledError:
            pass  # stopping a watch is how it ends; everything up to the last look is kept
        finally:
            await self.post.close()
        return self.last.exit_code if self.last else EXIT_CODES[Health.UNKNOWN]

    def _poll(self, looked: Looked) -> float:
        return self.poll_s or pause_seconds(looked.judged.evidence.criteria)

    def _over(self, until: float | None) -> bool:
        return until is not None and self.clock.now() >= until

    def _unconfirmed(self, looks: int) -> bool:
        """Whether another look may turn a failure into an incident."""
        failures = [each for each in self.memory.book.tracks if each.severity is Severity.FAILURE]
        sure = any(each.incident is not None for each in failures)
        return bool(failures) and not sure and looks < CONFIRMING_LOOKS

    async def look(self) -> Looked:
        """One look, remembered and told."""
        await self._renew()
        started = self.clock.now()
        evidence = await self._gather(criteria_of(self.outputs, self.profile).watching())
        kept = self.memory
        open_now = {track.key for track in kept.book.open}
        judged = with_criteria(judge(evidence, judge_all(evidence), kept.slots, open_now), kept.criteria)
        looked = self._conclude(judged, started)
        self.remembered = self.remembered.after(evidence)
        self.history.record(_record(looked, self.remembered))
        self.memory, self.last = looked.memory, looked
        self.post.wake()
        self.on_look(looked)
        self.history.prune(evidence.at)
        return looked

    async def _renew(self) -> None:
        """Take the newest outputs document: what is paused or added is not to be missed or found strange."""
        if self.documents is None:
            return
        try:
            async with asyncio.timeout(LOOK_S):
                self.outputs = await self.documents() or self.outputs
        except TimeoutError:
            self.warn(f"the outputs document could not be read again within {LOOK_S:.0f} s, the last one stays")
        except MinaInfraError as error:
            self.warn(f"the outputs document could not be read again, the last one stays: {error}")

    async def _gather(self, criteria: Criteria) -> Evidence:
        before = self.last.judged.evidence if self.last else self._blind("nobody looked before", criteria)
        try:
            async with asyncio.timeout(LOOK_S):
                return await gather(
                    self.cluster, self.outputs, criteria, self.clock, before=self.remembered.into(before),
                    known=self.known,
                )  # fmt: skip
        except TimeoutError:
            return self._blind(f"the cluster did not answer within {LOOK_S:.0f} s", criteria)

    def _blind(self, reason: str, criteria: Criteria) -> Evidence:
        return Evidence.blind(Unseen(reason), self.outputs, criteria, self.clock.now(), self.remembered.past)

    def _longest_s(self, criteria: Criteria) -> float:
        """Seconds between two looks within which nothing is missed."""
        return max(criteria.seconds(GAP_SLOTS), GAP_S, 3 * (self.poll_s or pause_seconds(criteria)))

    def _moment(self, evidence: Evidence, started: float) -> Moment:
        before, slot_s = self.memory.at, evidence.criteria.seconds(1)
        if before is None or before > evidence.at:
            return Moment(evidence.at, slot_s)
        gap = started - before > self._longest_s(evidence.criteria)
        return Moment(evidence.at, slot_s, evidence.at - before, gap=gap)

    def _conclude(self, judged: Judged, started: float) -> Looked:
        at, before = judged.evidence.at, self.memory
        moment = self._moment(judged.evidence, started)
        book, changes = advance(before.book, judged.seen, moment)
        health = health_now(book, judged)
        mailbox = before.mailbox.put(changes, moment.elapsed_s if moment.gap else None, at)
        mailbox, message = mailbox.take(self.outputs.testnet, health, len(book.open), at)
        complete = before.complete if (WATCH, CANNOT_LOOK) in judged.seen.symptoms else at
        memory = Memory(at, book, mailbox, judged.slots, judged.memories, complete)
        holds_until = at + max(self._longest_s(judged.evidence.criteria), LOOK_S)
        return Looked(judged, memory, moment, health, at - started, changes, message, holds_until)


def health_now(book: Book, judged: Judged) -> Health:
    """Unstable while an incident that is a failure is open; healthy when, besides, every check passes in this look.

    A failure that is not confirmed yet is neither.
    """
    open_now = {track.severity for track in book.open}
    if Severity.FAILURE in open_now:
        return Health.UNSTABLE
    seen = health_of(judged.findings)
    return Health.HEALTHY if seen is Health.HEALTHY and Severity.BLIND not in open_now else Health.UNKNOWN


def _record(looked: Looked, remembered: Remembered) -> LookRecord:
    judged, memory = looked.judged, looked.memory
    return LookRecord(
        at=looked.moment.at,
        took=looked.took,
        health=str(looked.health),
        figures=dict(judged.figures),
        spans=tuple(_spans(looked)),
        changes=looked.changes,
        message=looked.message,
        kept={MEMORY: msgspec.json.encode(memory), **remembered.parts()},
        gap=looked.moment.elapsed_s is None or looked.moment.gap,
        open=tuple((each.incident, each.last, each.nodes) for each in memory.book.open if each.incident is not None),
    )


def _spans(looked: Looked) -> Iterator[Span]:
    """What may last over many looks: the verdict, the state of each check, and each node with what it suffers from."""
    yield Span("health", "", str(looked.health))
    for finding in looked.judged.findings:
        state = str(finding.state) if finding.asked else NOT_ASKED
        yield Span("check", finding.check, state, finding.summary)
    for symptom in looked.judged.seen.symptoms.values():
        for node in symptom.nodes:
            yield Span("node", f"{node}/{symptom.check}/{symptom.problem}", str(symptom.severity), symptom.summary)
