"""Nodes that stand still while something is done to their volumes: stopped and started by the engine alone."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from mina_infra.cli.console import Reporter
from mina_infra.cli.place import Place
from mina_infra.cli.steps import Session

if TYPE_CHECKING:
    from mina_infra.engine.environment import EngineEnvironment


def run_up(
    place: Place,
    environment: EngineEnvironment,
    reporter: Reporter,
    paused: Set[str] = frozenset(),
    allow: Sequence[str] = (),
) -> None:
    """One `up` with these nodes stopped as well, until every other one runs and their pods are gone.

    Raises SpecError, ClusterError or EngineError.
    """
    from mina_infra.engine.run import up

    what = f"with {len(paused)} nodes stopped" if paused else "everything as the document says"
    with reporter.stage("deploying", what):
        result = up(environment, reporter, paused=paused, allow=allow)
    Session(place, result.outputs, reporter).settle()
