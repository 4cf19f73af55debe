"""Every command explains itself: what it does, each option, and the exit codes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cyclopts import App

from mina_infra import __version__
from mina_infra.cli.app import app
from tests.cli.conftest import Command


def commands(part: App = app, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command with the words that call it, groups included."""
    for word in part:
        if not word.startswith("-"):
            yield (*path, word), part[word]
            yield from commands(part[word], (*path, word))


COMMANDS = dict(commands())


def test_the_commands_of_the_readme_exist() -> None:
    words = {" ".join(path) for path in COMMANDS}
    assert words >= {
        "plan", "up", "preview", "destroy", "outputs", "pulumi", "verify", "seeds", "publish", "post-deploy",
        "local up", "local down", "local status", "local fault", "local tools",
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_a_command_does(mina_infra: Command, path: tuple[str, ...]) -> None:
    answer = mina_infra(*path, "--help")
    assert answer.code == 0
    assert f"Usage: mina-infra {' '.join(path)}" in answer.out
    # The text between the usage and the first box: a sentence, not the function's name.
    said = answer.out.split("\n", 2)[2].partition("╭")[0].strip()
    assert said.endswith((".", "`"))
    assert len(said.split()) > 3


@pytest.mark.parametrize("path", [path for path, part in COMMANDS.items() if part.default_command], ids=" ".join)
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    arguments = COMMANDS[path].assemble_argument_collection(parse_docstring=True)
    options = [each for each in arguments if each.show]
    # `--out` and the like are explained in words; a choice of values explains itself in the command's text.
    mute = [each.name for each in options if not each.parameter.help and not each.get_choices()]
    assert mute == []


def test_the_first_page_lists_the_commands_and_exit_codes(mina_infra: Command) -> None:
    answer = mina_infra("--help")
    assert all(path[0] in answer.out for path in COMMANDS)
    said = " ".join(answer.out.split())
    assert "Exit codes: 0 done and healthy, 1 failed or unstable, 2 could not tell, 130 interrupted" in said
    assert mina_infra("--version").out.strip() == __version__


def test_the_help_shows_no_default_of_a_switch_that_is_off(mina_infra: Command) -> None:
    answer = mina_infra("verify", "--help")
    assert "[default: local]" in answer.out
    assert "False" not in answer.out
