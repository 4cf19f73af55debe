"""Two files of tests at a time (`pytest -n 2`): most of them wait for a cluster. The longest begin first.

A file stays in one process, because its tests share a cluster; those of the real kubelet are as one file, because a
machine has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

ALONE = "tests/node/"
FIRST = ("tests/world/test_survival.py", ALONE, "tests/world/", "tests/engine/")


def scope_of(nodeid: str) -> str:
    """What is never split over processes."""
    file = nodeid.partition("::")[0]
    return ALONE if file.startswith(ALONE) else file


def ordered(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The longest files first; otherwise as they were."""
    return sorted(items, key=lambda item: next((i for i, each in enumerate(FIRST) if item.nodeid.startswith(each)), 9))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one process runs the fast ones first, so that a mistake shows at once
        items[:] = ordered(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    return ByFile(config, log)
