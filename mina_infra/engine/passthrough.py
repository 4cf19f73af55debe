"""Any command of the Pulumi CLI in a stack's environment: its backend, its provider, its program.

Whoever knows Pulumi loses nothing: `mina-infra pulumi -- preview --diff`, `-- stack`, `-- destroy --exclude-protected`.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from mina_infra.engine import cluster_stack
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.guard import way_for
from mina_infra.engine.process import tethered
from mina_infra.engine.program import Program, served
from mina_infra.engine.provider import provider
from mina_infra.engine.recovery import Situation, before_up
from mina_infra.engine.report import Report, Silent
from mina_infra.engine.run import changing, make_way
from mina_infra.engine.told import adopting, guarded
from mina_infra.errors import EngineError

_UP = {"up", "update"}
_PREVIEW = {"preview", "pre"}
_DESTROY = {"destroy", "down", "dn"}
RUNS_PROGRAM = _UP | _PREVIEW | _DESTROY | {"refresh"}
"""Commands, with their aliases, that take `--client`, the address of an inline program."""
CHANGES_STATE = _UP | _DESTROY | {"refresh", "import"}
NEEDS_PROVIDER = RUNS_PROGRAM | {"import"}


def pulumi(env: EngineEnvironment, arguments: Sequence[str], report: Report | None = None) -> int:
    """Run the CLI with the terminal attached; its exit code. Paths in the arguments start at the working folder.

    An `up` looks at the cluster first, as `run.up` does, and takes over what an interrupted run left.
    """
    report = report or Silent()
    command = next((each for each in arguments if not each.startswith("-")), "")
    program = Program(env.project)
    extra: list[str] = []
    variables = {"PULUMI_STACK": env.stack}
    with ExitStack() as stack:
        if command in CHANGES_STATE:
            stack.enter_context(changing(env, report))
        if command in _UP and not env.has_testnet:
            stack.enter_context(adopting(bool(cluster_stack.look(env, report).adopt)))
        elif command in _UP:
            situation = asyncio.run(before_up(env, report))
            _refuse_to_remove(env, situation)
            make_way(env, report, situation)
            stack.enter_context(guarded())
            stack.enter_context(adopting(situation.adopt))
        if command in NEEDS_PROVIDER:
            variables |= stack.enter_context(provider(env, report))
        if command in RUNS_PROGRAM:
            extra = [f"--client={stack.enter_context(served(program))}"]
        return _attached([str(env.pulumi), *_with_options(arguments, extra)], env, variables)


def _refuse_to_remove(env: EngineEnvironment, situation: Situation) -> None:
    """Claims that are made anew have to go before the engine shows its plan and asks."""
    if way_for(situation.volumes, env.plan, situation.recorded).remove:
        raise EngineError(
            "claims that this run names would be made anew, and have to go first; nothing was changed. "
            f"`mina-infra up -s {env.stack} --allow-volume ...` does that."
        )


def _with_options(arguments: Sequence[str], extra: Sequence[str]) -> list[str]:
    """The arguments with more options, put before a `--` that ends the options."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [*arguments[:end], *extra, *arguments[end:]]


def _attached(command: Sequence[str], env: EngineEnvironment, variables: dict[str, str]) -> int:
    """Run a command on our own terminal and in our own process group, so that it can ask and be interrupted."""
    with (
        _interrupts_are_the_childs(),
        subprocess.Popen(tethered(command), cwd=env.work_dir, env=env.process_environment(**variables)) as process,
    ):
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _interrupts_are_the_childs() -> Iterator[None]:
    """Ctrl-C goes to the whole process group; the engine acts on it, we only wait for the engine."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
