"""What one run tells the program beside its document: variables that are set for the time of that run.

The program runs in this process; in a plain `pulumi up` the user may set them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from contextlib import contextmanager, nullcontext

from mina_infra.engine.environment import EngineEnvironment
from mina_infra.spec import hold, job_run
from mina_infra.spec.pause import PAUSED, to_variable, with_paused

ADOPT = "MINA_INFRA_ADOPT"
"""Set for one run after an interrupted one: the program then lets its provider take over existing objects."""

GUARDED = "MINA_INFRA_GUARDED"
"""Set for a run whose volumes were looked after: in the cluster, which knows more than the program's own guard."""


@contextmanager
def adopting(wanted: bool) -> Iterator[None]:
    """Tell the program to let its provider take over what exists."""
    with _told(ADOPT, "1") if wanted else nullcontext():
        yield


@contextmanager
def guarded() -> Iterator[None]:
    """Tell the program that the volumes in danger are known and judged."""
    with _told(GUARDED, "1"):
        yield


@contextmanager
def pausing(env: EngineEnvironment, nodes: Set[str]) -> Iterator[None]:
    """Tell the program which nodes to stop. Raises SpecError for unknown ones."""
    if nodes:
        with_paused(env.plan.spec, nodes)
    with _told(PAUSED, to_variable(nodes)) if nodes else nullcontext():
        yield


@contextmanager
def checking(env: EngineEnvironment) -> Iterator[None]:
    """Tell the program which setup or verification Jobs to make."""
    with _told(job_run.VARIABLE, env.jobs.to_variable()) if env.jobs else nullcontext():
        yield


@contextmanager
def holding(env: EngineEnvironment) -> Iterator[None]:
    """Tell the program which volumes to leave as they are."""
    with _told(hold.HELD, hold.to_variable(env.held)) if env.held else nullcontext():
        yield


@contextmanager
def _told(variable: str, value: str) -> Iterator[None]:
    os.environ[variable] = value
    try:
        yield
    finally:
        del os.environ[variable]
