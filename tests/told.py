"""Tables that tests measured, printed at the end of the run, whichever process measured them."""

from __future__ import annotations

from typing import Any

import pytest

_TOLD = pytest.StashKey[list[str]]()
_OUTPUT = "told"


def tell_at_the_end(config: pytest.Config, text: str) -> None:
    """Print it above pytest's summary."""
    config.stash.setdefault(_TOLD, []).append(text)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of pytest-xdist hands over what it has to tell."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = session.config.stash.get(_TOLD, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """The process that prints takes it over. A process that died has nothing to hand over."""
    for text in getattr(node, "workeroutput", {}).get(_OUTPUT, []):
        tell_at_the_end(node.config, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for text in terminalreporter.config.stash.get(_TOLD, []):
        terminalreporter.write_line(text)
