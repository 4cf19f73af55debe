"""The command line in this process: what it prints and how it exits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mina_infra.cli.app import run

ROOT = Path(__file__).resolve().parents[2]


class Answer(NamedTuple):
    """What one command came to."""

    code: int
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture
def mina_infra(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """`mina_infra("plan", "-s", "qa")`, in the checkout unless the test has changed the folder."""
    monkeypatch.chdir(ROOT)

    def call(*words: str) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(list(words))
        printed = capsys.readouterr()
        return Answer(int(ended.value.code or 0), printed.out, printed.err)

    return call
