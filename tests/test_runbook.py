"""docs/runbook.md names every check and only commands and options that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mina_infra.cli.app import app
from mina_infra.guardian.checks import CHECKS
from mina_infra.guardian.instability import CRITERIA, Criterion

RUNBOOK = (Path(__file__).parents[1] / "docs" / "runbook.md").read_text()


def test_every_check_is_named() -> None:
    named = set(re.findall(r"`([a-z]+)`", RUNBOOK))
    assert {check.name for check, _ in CHECKS} - named == set()


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda each: str(each.number))
def test_every_criterion_of_an_unstable_testnet_names_what_decides_it(criterion: Criterion) -> None:
    part = RUNBOOK.partition("## Criteria")[2]
    line = re.search(rf"^\| {criterion.number}\. [^|]+\|([^|]+)\|", part, re.MULTILINE)
    assert line is not None
    assert set(re.findall(r"`([a-z]+)`", line[1])) == set(criterion.checks)


@pytest.mark.parametrize("words", sorted(set(re.findall(r"`mina-infra ([^`]+)`", RUNBOOK))))
def test_commands_and_options_exist(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *rest = words.split()
    app([command, "--help"], exit_on_error=False, result_action="return_value")
    said = capsys.readouterr().out
    assert command in said
    for option in (word for word in rest if word.startswith("--")):
        assert option in said
