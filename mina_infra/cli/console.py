"""What a person sees while a command works: one labelled line for each stage, never silent for long.

Progress goes to stderr and data to stdout. On a terminal the current stage is a live line; elsewhere (CI, a file) the
same lines are printed plainly, and a stage that takes long repeats what it is waiting for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.status import Status

HEARTBEAT_S = 3.0
"""Seconds after which a silent stage says again what it is doing."""

PLAIN_EVERY_S = 3.0
"""Seconds between lines of one stage where they stay, as in the log of a CI run."""

LABEL_WIDTH = 11


@dataclass
class Stage:
    """The work in progress: its label and the newest thing known about it."""

    label: str
    text: str
    started: float

    def line(self) -> str:
        return f"{self.label:<{LABEL_WIDTH}} {self.text}"


class Reporter:
    """Prints stages. Safe to call from any thread; close it (or leave its context) to stop the heartbeat.

    `clock` gives seconds; only differences count.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.longest_silence = 0.0
        self._clock = clock
        self._lock = threading.RLock()
        self._stage: Stage | None = None
        self._status: Status | None = None
        self._last = clock()
        self._done = threading.Event()
        self._beat = threading.Thread(target=self._heartbeat, daemon=True)
        self._beat.start()

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._done.set()
        with self._lock:
            self._end_status()

    def say(self, label: str, text: str, style: str = "") -> None:
        """One finished line."""
        line = f"{label:<{LABEL_WIDTH}} {text}"
        with self._lock:
            self._note()
            self.console.print(f"[{style}]{escape(line)}[/]" if style else escape(line), soft_wrap=True)

    @contextmanager
    def stage(self, label: str, text: str = "") -> Iterator[Stage]:
        """A stretch of work; `update` says how it goes. What it leaves behind is one line with its last text."""
        with self._lock:
            outer, self._stage = self._stage, Stage(label, text, self._clock())
            stage = self._stage
            if text:
                self._show(stage)
        try:
            yield stage
        finally:
            with self._lock:
                self._end_status()
                self._stage = outer

    def update(self, text: str) -> None:
        """What the current stage is doing now."""
        with self._lock:
            stage = self._stage
            if stage is None or stage.text == text:
                return
            stage.text = text
            self._show(stage)

    def _show(self, stage: Stage) -> None:
        if self.console.is_terminal:
            if self._status is None:
                self._status = self.console.status("", spinner="dots")
                self._status.start()
            self._status.update(f"{escape(stage.line())} [dim]{self._elapsed(stage)} s[/]")
            self._note()
        elif self._clock() - self._last >= PLAIN_EVERY_S or self._elapsed(stage) < 1:
            self._plain(stage)

    def _elapsed(self, stage: Stage) -> int:
        return int(self._clock() - stage.started)

    def _plain(self, stage: Stage) -> None:
        elapsed = f"  ({self._elapsed(stage)} s)" if self._elapsed(stage) else ""
        self._note()
        self.console.print(escape(stage.line() + elapsed), soft_wrap=True)

    def _note(self) -> None:
        now = self._clock()
        self.longest_silence = max(self.longest_silence, now - self._last)
        self._last = now

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _heartbeat(self) -> None:
        while not self._done.wait(0.5):
            self.beat()

    def beat(self) -> None:
        """Say again what the current stage does, if it has been silent for long. Called twice a second."""
        limit = 0.5 if self.console.is_terminal else HEARTBEAT_S
        with self._lock:
            stage = self._stage
            if stage is None or not stage.text or self._clock() - self._last < limit:
                return
            if self.console.is_terminal:
                self._show(stage)
            else:
                self._plain(stage)
