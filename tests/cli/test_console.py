"""What a person sees while a command works."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mina_infra.cli.console import Reporter

SILENCE_S = 5.0
"""What is promised."""


@dataclass
class Clock:
    """Seconds, as the test wants them."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def reporter_on(clock: Clock, *, terminal: bool = False) -> tuple[Reporter, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=200, highlight=False)
    return Reporter(console, clock), text


def test_a_stage_that_hears_nothing_says_what_it_waits_for() -> None:
    clock = Clock()
    reporter, text = reporter_on(clock)
    with reporter, reporter.stage("deploying", "starting the engine"):
        for _ in range(40):
            clock.now += 0.5
            reporter.beat()
    lines = text.getvalue().splitlines()
    assert lines[0] == "deploying   starting the engine"
    assert lines[-1] == "deploying   starting the engine  (18 s)"
    assert len(lines) == 7
    assert reporter.longest_silence < SILENCE_S


@given(st.lists(st.tuples(st.floats(0, 0.5), st.sampled_from(["beat", "update", "same", "say"])), max_size=80))
def test_a_stage_is_never_silent_for_long(steps: list[tuple[float, str]]) -> None:
    """Whatever is reported meanwhile, as long as the heart beats twice a second."""
    clock = Clock()
    reporter, _ = reporter_on(clock)
    with reporter, reporter.stage("deploying", "starting"):
        for number, (seconds, what) in enumerate(steps):
            clock.now += seconds
            if what == "say":
                reporter.say("repaired", "something")
            elif what != "beat":
                reporter.update("starting" if what == "same" else f"{number} of many")
            reporter.beat()
        reporter.say("done", "")
    assert reporter.longest_silence < SILENCE_S


def test_progress_that_comes_often_is_not_printed_often_where_lines_stay() -> None:
    clock = Clock()
    reporter, text = reporter_on(clock)
    with reporter, reporter.stage("deploying", "starting"):
        for number in range(200):
            clock.now += 0.1
            reporter.update(f"{number}/200")
    assert len(text.getvalue().splitlines()) < 20


def test_a_terminal_gets_a_line_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    reporter, text = reporter_on(Clock(), terminal=True)
    with reporter, reporter.stage("settling", "0/12 nodes run"):
        reporter.update("12/12 nodes run")
    reporter.say("running", "12 nodes")
    assert "\x1b[" in text.getvalue()
    assert "12 nodes" in text.getvalue()


def test_what_is_reported_is_never_taken_for_markup() -> None:
    reporter, text = reporter_on(Clock())
    with reporter, reporter.stage("deploying", "waiting for [/] and [bold]"):
        reporter.say("repaired", "ended process [1234]", style="red")
    assert text.getvalue().splitlines() == [
        "deploying   waiting for [/] and [bold]", "repaired    ended process [1234]",
    ]  # fmt: skip


def test_a_stage_within_a_stage_gives_the_word_back() -> None:
    clock = Clock()
    reporter, text = reporter_on(clock)
    with reporter, reporter.stage("sanity", "looking"):
        with reporter.stage("publishing", "writing"):
            pass
        clock.now += 4
        reporter.beat()
    assert text.getvalue().splitlines()[-1] == "sanity      looking  (4 s)"


def test_an_update_without_a_stage_is_nothing() -> None:
    reporter, text = reporter_on(Clock())
    with reporter:
        reporter.update("nobody asked")
        reporter.beat()
    assert text.getvalue() == ""
