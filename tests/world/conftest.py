"""Embedded clusters for tests: their own names, in temporary state folders, always stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mina_infra.local import control_plane
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import STATE_VARIABLE
from mina_infra.local.tools import Tools, ensure_tools

Starter = Callable[..., EmbeddedCluster]


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The real programs; built first where they are missing."""
    return ensure_tools(print)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state root of this test module. The blank in its name is on purpose."""
    root = tmp_path_factory.mktemp("the world")
    before = os.environ.get(STATE_VARIABLE)
    os.environ[STATE_VARIABLE] = str(root)
    yield root
    if before is None:
        del os.environ[STATE_VARIABLE]
    else:
        os.environ[STATE_VARIABLE] = before


@pytest.fixture(scope="module")
def start(state: Path, tools: Tools) -> Iterator[Starter]:
    """`start(name)`: a cluster that is stopped when the module's tests are done."""
    names: set[str] = set()

    def starter(name: str, report: Callable[[str], None] = print, **options: int) -> EmbeddedCluster:
        names.add(name)
        return control_plane.start(name, tools, report, **options)

    yield starter
    for name in names:
        control_plane.stop(name)
