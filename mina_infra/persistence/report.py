"""How an operation tells a person what it is doing; the engine's reports fit."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Where progress goes."""

    def say(self, label: str, text: str) -> None:
        """One finished line, kept on the screen."""

    def update(self, text: str) -> None:
        """What the work in progress is doing now; replaced by the next call."""
