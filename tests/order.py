"""Which process runs which file of tests, and when (`pytest -n 3`). The longest begin first.

One process more than this has cores: most files wait for a cluster a good part of their time. A file stays in one
process, because its tests share a cluster; those of the real kubelet are as one file, because a machine has one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import pytest

ALONE = "tests/node/"
FIRST = (
    "tests/world/test_survival.py",
    ALONE,
    "tests/world/test_check_state.py",  # not killed_runs: three that need both cores would be at work together
    "tests/world/test_killed_runs.py",
    "tests/world/test_migrate.py",
    "tests/world/test_lifecycle.py",
    "tests/world/test_clone.py",
    "tests/world/",
    "tests/engine/test_engine_recover.py",
    "tests/engine/test_engine_guard.py",
    "tests/engine/test_engine_interrupted.py",
    "tests/engine/test_engine_paused.py",
    "tests/engine/",
    "tests/cli/test_interrupt.py",
    "tests/guardian/test_fault_matrix.py",
    "tests/guardian/",
)
"""Files and folders by what their files take, as the end of a run tells it."""
WORTH_TELLING_S = 20.0


def scope_of(nodeid: str) -> str:
    """What is never split over processes."""
    file = nodeid.partition("::")[0]
    return ALONE if file.startswith(ALONE) else file


def ordered(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The longest files first; otherwise as they were."""
    return sorted(items, key=lambda item: next((i for i, each in enumerate(FIRST) if item.nodeid.startswith(each)), 99))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one process runs the fast ones first, so that a mistake shows at once
        items[:] = ordered(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Of a run by several processes: what the longest files took."""
    if not terminalreporter.config.getoption("numprocesses", None):
        return
    took: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for each in reports:
            if isinstance(each, pytest.TestReport):
                took[scope_of(each.nodeid)] += each.duration
    for file, seconds in sorted(took.items(), key=itemgetter(1), reverse=True):
        if seconds >= WORTH_TELLING_S:
            terminalreporter.write_line(f"{seconds:6.0f} s  {file}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    return ByFile(config, log)
