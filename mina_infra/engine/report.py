"""How the engine tells a person what it is doing."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Where progress goes. Both methods are called from several threads."""

    def say(self, label: str, text: str) -> None:
        """One finished line, kept on the screen."""

    def update(self, text: str) -> None:
        """What the work in progress is doing now; replaced by the next call."""


class Silent:
    """A report that nobody reads."""

    def say(self, label: str, text: str) -> None:
        """Nothing."""

    def update(self, text: str) -> None:
        """Nothing."""
