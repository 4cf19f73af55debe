"""How commands end: in numbers that a script can rely on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mina_infra.cli import app as application
from mina_infra.cli.deploy import confirm
from mina_infra.errors import ClusterError, EngineError, ToolError
from mina_infra.spec import Issue, SpecError
from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (None, 0, ""),
        (0, 0, ""),
        (1, 1, ""),
        (2, 2, ""),
        (EngineError("the engine failed"), 1, "the engine failed\n"),
        (ToolError("no Go toolchain"), 1, "no Go toolchain\n"),
        (SpecError([Issue(("nodes", 0), "no seed")]), 1, "nodes[0]\n  no seed\n"),
        (ClusterError("the cluster does not answer"), 2, "the cluster does not answer\n"),
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on from here\n"),
        (BrokenPipeError(), 0, ""),
        (OSError(28, "No space left on device", "out/qa"), 1, "out/qa: No space left on device\n"),
    ],
    ids=repr,
)
def test_how_a_command_ends(
    mina_infra: Command, monkeypatch: pytest.MonkeyPatch, ending: object, code: int, said: str
) -> None:
    def command(arguments: list[str], **options: object) -> object:
        if isinstance(ending, BaseException):
            raise ending
        return ending

    monkeypatch.setattr(application, "app", command)
    assert mina_infra("plan") == (code, "", said)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["deploy"], 'Unknown command "deploy"'),
        (["up", "--stak", "qa"], "Did you mean --stack?"),
        (["plan", "--format", "xml"], '"table", "yaml", "json"'),
        (["verify", "now"], "now"),
        (["verify", "--deadline", "soon"], "soon"),
        (["local", "up", "--local"], "--local"),
        (["local", "fault", "stuck-synced"], "say which nodes: --node"),
        (["local", "fault", "--heal"], "say which nodes: --node"),
    ],
)
def test_misuse_is_1_and_says_what_is_known(mina_infra: Command, words: list[str], told: str) -> None:
    """Not 2, as programs usually do: that is "could not tell"."""
    answer = mina_infra(*words)
    assert answer.code == 1
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_a_message_of_the_cluster_is_never_taken_for_markup(
    mina_infra: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(arguments: list[str], **options: object) -> None:
        raise EngineError("nodes[1] [/red] [bold]")

    monkeypatch.setattr(application, "app", command)
    assert mina_infra("plan").err == "nodes[1] [/red] [bold]\n"


def test_a_question_that_nobody_can_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In CI: a real cluster is never changed because nobody could say no."""
    monkeypatch.setattr("sys.stdin", (tmp_path / "empty").open("w+"))
    with pytest.raises(EngineError, match="say --yes"):
        confirm("Deploy stack 'release'?")
