"""up, preview, refresh and destroy of one stack.

Every changing run holds the stack's lock, ends what an interrupted run left running, mends the backend, looks at the
cluster, and only then starts the engine. All functions are synchronous and belong in the main thread, where Ctrl-C is
passed on to the engine; none may be called from within a running event loop.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pulumi import automation as auto
from pulumi.automation._stack import StackInitMode

from mina_infra.engine.command import EngineCommand
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.guard import way_for
from mina_infra.engine.process import end_leftovers, exclusive
from mina_infra.engine.program import Program
from mina_infra.engine.progress import Progress
from mina_infra.engine.provider import provider
from mina_infra.engine.recovery import Situation, before_destroy, before_refresh, before_up, hold_volumes, look, sweep
from mina_infra.engine.report import Report, Silent
from mina_infra.engine.state import mend, outputs, state_file, unprotect
from mina_infra.engine.told import adopting, checking, guarded, holding, pausing
from mina_infra.errors import EngineError, MinaInfraError
from mina_infra.outputs import OutputsDocument
from mina_infra.plan.losses import message

# An engine that is killed is told in one message of ours, not by the libraries that lose their connection to it.
warnings.filterwarnings("ignore", message="Error in event stream")
logging.getLogger("grpc._server").setLevel(logging.CRITICAL)

PARALLEL = 64
"""Operations at once; enough to keep the API server busy (docs/facts.md: measured/waiting)."""

CROWDED = "Operation cannot be fulfilled on resourcequotas"
"""What the API server answers to some of 80 claims that grow at once: each is charged to the quota, and after three
collisions it gives up. The engine takes that for a failure of the claim; asking again is all it needs."""


@dataclass(frozen=True)
class RunResult:
    """What a run did. `changes` counts Kubernetes objects by operation (create, update, replace, delete, same)."""

    changes: Mapping[str, int]
    seconds: float
    adopted: int = 0

    @property
    def changed(self) -> int:
        """Objects that are not as they were."""
        return sum(count for op, count in self.changes.items() if op not in ("same", "refresh", "read"))


@dataclass(frozen=True)
class UpResult(RunResult):
    """What an `up` did, and the testnet's outputs document."""

    outputs: OutputsDocument = field(kw_only=True)


@dataclass(frozen=True)
class Preview:
    """A preview's digest (docs/facts.md: pulumi/preview-digest).

    `failed` is the engine's verdict: a protected object is in the way, or the API server refuses a change; the digest
    is complete all the same.
    """

    digest: Mapping[str, Any]
    failed: bool

    @property
    def changes(self) -> Mapping[str, int]:
        """Steps by operation; components and providers are counted."""
        summary: Mapping[str, int] = self.digest.get("changeSummary") or {}
        return summary


def up(
    env: EngineEnvironment,
    report: Report | None = None,
    *,
    allow: Sequence[str] = (),
    paused: Set[str] = frozenset(),
    refresh: bool = False,
) -> UpResult:
    """Make the cluster what the stack file says. Raises SpecError, ClusterError or EngineError.

    Refuses to lose a volume whose claim no pattern of `allow` names (docs/facts.md: rule/23). `paused`: nodes that this
    run stops beyond those that the document stops; `spec.pause.ALL` for every one. The next run without it starts them
    again. `refresh`: trust no word of the record. Does not wait for pods: see `mina_infra.engine.settle`.
    """
    report = report or Silent()
    with changing(env, report), holding(env), pausing(env, paused), checking(env):
        situation = asyncio.run(before_up(env, report, allow))
        make_way(env, report, situation)
        hold(env, report)
        total = max(len(env.plan.objects()), len(situation.recorded.objects))
        # What a killed engine changed and did not record looks unchanged to the next one, which would leave it so.
        refresh = refresh or situation.refresh or _unfinished(env).exists()
        total += len(situation.recorded.objects) if refresh else 0
        with guarded(), adopting(situation.adopt):
            run = _repeated(env, report, total, lambda stack, **common: stack.up(refresh=refresh or None, **common))
    return UpResult(
        changes=run.progress.changes,
        seconds=run.seconds,
        adopted=len(situation.difference.adopt),
        outputs=outputs(env),
    )


def destroy(env: EngineEnvironment, report: Report | None = None, *, exclude_protected: bool = False) -> RunResult:
    """Take the testnet away, also what an interrupted run left unrecorded. With `exclude_protected` its volumes stay.

    Raises EngineError, before anything is changed, when the document keeps volumes and `exclude_protected` is not
    given. Kept volumes are deleted by setting `retention: delete` in the document first, then destroying.
    """
    report = report or Silent()
    with changing(env, report):
        situation = asyncio.run(before_destroy(env, exclude_protected=exclude_protected))
        more = {} if exclude_protected else {"destroy": ["--ignore-protect"]}
        run = EngineRun(env, report, len(situation.recorded.objects), more)
        if situation.recorded.resources:
            run.go(lambda stack, **common: stack.destroy(exclude_protected=exclude_protected or None, **common))
        swept = asyncio.run(sweep(env, report))
    changes = dict(run.progress.changes)
    changes["delete"] = changes.get("delete", 0) + swept
    return RunResult(changes, run.seconds)


def refresh(env: EngineEnvironment, report: Report | None = None) -> RunResult:
    """Bring the record in line with the cluster; changes nothing there."""
    report = report or Silent()
    with changing(env, report):
        situation = asyncio.run(before_refresh(env))
        run = EngineRun(env, report, len(situation.recorded.objects))
        run.go(lambda stack, **common: stack.refresh(**common))
    return RunResult(run.progress.changes, run.seconds)


def hold(env: EngineEnvironment, report: Report) -> None:
    """Keep the volumes of a testnet whose retention was switched on after it had been deployed."""
    if held := asyncio.run(hold_volumes(env)):
        report.say("retaining", f"{held} volumes, which would have gone with their claims")


def make_way(env: EngineEnvironment, report: Report, situation: Situation) -> None:
    """Let the engine lose the volumes that this run names, and only those.

    What it has protected on record is unprotected there; claims that are made anew go first, with what mounts them.
    """
    way = way_for(situation.volumes, env.plan, situation.recorded)
    if way.unprotect:
        unprotect(env, way.unprotect)
    if way.remove:
        run = EngineRun(env, report, len(way.remove))
        with finishing(env, run):
            run.go(lambda stack, **common: stack.destroy(target=list(way.remove), target_dependents=True, **common))


def preview(
    env: EngineEnvironment,
    report: Report | None = None,
    *,
    allow: Sequence[str] = (),
    paused: Set[str] = frozenset(),
) -> Preview:
    """What `up` would do, as data; unchanged objects are listed too. Takes no lock and changes nothing.

    Volumes that `up` would refuse to lose are a failure in the digest's diagnostics. Raises EngineError when there is
    no digest at all, which is never the same as "no changes".
    """
    report = report or Silent()
    situation = asyncio.run(look(env, report, allow))
    total = max(len(env.plan.objects()), len(situation.recorded.objects))
    with pausing(env, paused):
        found = digest_of(env, report, total)
    refused = situation.volumes.refused
    if not refused:
        return found
    told = {"severity": "error", "message": message(refused, shown=None)}
    return Preview({**found.digest, "diagnostics": [*found.digest.get("diagnostics", ()), told]}, failed=True)


def digest_of(env: EngineEnvironment, report: Report, total: int) -> Preview:
    """Ask the engine for its digest. Raises EngineError when it prints none."""
    # A flipped retainOnDelete is visible in no other way (docs/facts.md: pulumi/preview-digest).
    run = EngineRun(env, report, total, {"preview": ["--show-sames"]})
    failure: MinaInfraError | None = None
    try:
        with guarded():
            run.go(lambda stack, **common: stack.preview(json=True, **common))
    except EngineError as error:
        failure = error
    finally:
        end_leftovers(env.lock, grace_s=1.0)
    try:
        return Preview(json.loads(run.printed), failed=failure is not None)
    except ValueError:
        raise failure or EngineError("the engine printed no digest") from None


@contextmanager
def changing(env: EngineEnvironment, report: Report) -> Iterator[None]:
    """One changing run at a time, begun on clean ground and leaving no process behind."""
    with exclusive(env.lock):
        report.update("looking at what is there")
        for pid, command in end_leftovers(env.lock).items():
            report.say("repaired", f"ended process {pid} of an interrupted run ({Path(command.split()[0]).name})")
        mend(env, report)
        try:
            yield
        finally:
            end_leftovers(env.lock, grace_s=1.0)


def _unfinished(env: EngineEnvironment) -> Path:
    """A file that stands as long as the record may be behind the cluster: a run is under way, or was killed."""
    return env.lock.with_suffix(".unfinished")


@contextmanager
def finishing(env: EngineEnvironment, run: EngineRun) -> Iterator[None]:
    """Leave a trace of this run unless its engine lives to write its state."""
    _unfinished(env).touch()
    try:
        yield
    except EngineError:
        if not run.killed:
            _unfinished(env).unlink(missing_ok=True)
        raise
    _unfinished(env).unlink(missing_ok=True)


def _repeated(env: EngineEnvironment, report: Report, total: int, operation: Callable[..., Any]) -> EngineRun:
    """The run that did it: one that failed only for the crowd before the namespace's quota is repeated twice."""
    for left in (2, 1, 0):
        # One node's failed Job must not keep the others' from being made.
        run = EngineRun(env, report, total, {"up": ["--continue-on-error"]} if env.jobs else None)
        try:
            with finishing(env, run):
                run.go(operation)
            break
        except EngineError as error:
            if CROWDED not in str(error) or not left:
                raise
            report.say("repeating", "many volumes changed at once, and the API server lost count of the quota")
    return run


class _Stack(auto.Stack):
    """Without the three commands that the Automation API runs after each operation to fill a result nobody reads.

    They took a second of the three that an `up` of 12 unchanged nodes takes.
    """

    def outputs(self) -> auto.OutputMap:
        return {}

    def info(self, show_secrets: bool = True) -> auto.UpdateSummary:
        return auto.UpdateSummary("update", datetime.now(UTC), "", {}, {}, "succeeded")


class _Workspace(auto.LocalWorkspace):
    """Does not start the engine to hear that a stack exists whose state lies before us: every operation names it.

    That start took a fifth of a second of each run.
    """

    def __init__(self, env: EngineEnvironment, **more: Any) -> None:
        super().__init__(work_dir=str(env.work_dir), **more)
        self._state = state_file(env) if env.backend else None

    def select_stack(self, stack_name: str) -> None:
        if self._state is None or not self._state.exists():
            super().select_stack(stack_name)


class EngineRun:
    """One command of the engine: its progress, and its failure in words."""

    def __init__(
        self, env: EngineEnvironment, report: Report, total: int, more: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.progress = Progress(total=total, prefix=env.prefix)
        self.seconds = 0.0
        self._env = env
        self._report = report
        self._command = EngineCommand(env, more)
        self._program = Program(env.project)

    @property
    def killed(self) -> bool:
        """Whether the engine was killed, and so did not write what it had done."""
        return self._command.finished is not None and self._command.finished.code < 0

    @property
    def printed(self) -> str:
        """What the last command wrote to its standard output."""
        return self._command.finished.stdout if self._command.finished else ""

    def go(self, operation: Callable[..., Any]) -> Any:
        """Call a method of the stack with what all methods share. Raises EngineError, or the program's own mistake."""
        began = time.monotonic()
        with provider(self._env, self._report) as variables, _ticking(self._tick):
            try:
                workspace = _Workspace(
                    self._env, program=self._program, env_vars=variables, pulumi_command=self._command
                )
                stack = _Stack(self._env.stack, workspace, StackInitMode.CREATE_OR_SELECT)
                return operation(stack, parallel=PARALLEL, color="never", on_event=self._see)
            except auto.CommandError as error:
                raise self._failure(error) from None
            finally:
                self.seconds = time.monotonic() - began

    def _see(self, event: auto.EngineEvent) -> None:
        self.progress.see(event, time.monotonic())

    def _tick(self) -> None:
        if self.progress.waiting or self.progress.done:
            self._report.update(self.progress.line(time.monotonic()))

    def _failure(self, error: auto.CommandError) -> MinaInfraError:
        """What went wrong, in the words of who knows best: our program, the engine's diagnostics, its last output."""
        mistake = self._program.mistake
        if mistake is not None:
            return mistake if isinstance(mistake, MinaInfraError) else EngineError(str(mistake))
        finished = self._command.finished
        if finished is not None and finished.code < 0:
            name = signal.Signals(-finished.code).name
            return EngineError(f"the engine was killed ({name}); the same command goes on from here")
        if isinstance(error, auto.ConcurrentUpdateError):
            return EngineError(
                f"stack '{self._env.stack}' is locked by another run. If that run is dead: "
                f"mina-infra pulumi -s {self._env.stack} -- cancel"
            )
        known = self.progress.failure_text()
        return EngineError(known or (finished.stderr or finished.stdout if finished else str(error)).strip())


@contextmanager
def _ticking(tick: Callable[[], None], every_s: float = 0.5) -> Iterator[None]:
    """Call `tick` regularly from a thread of its own, so that waiting is seen to go on."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(every_s):
            tick()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
