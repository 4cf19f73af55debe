"""Eighty volumes that grow at once: an API server that cannot keep count of the quota is asked again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mina_infra.engine import run
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.errors import EngineError

CROWDED = 'fish-40: Operation cannot be fulfilled on resourcequotas "testnet": the object has been modified'


class Run:
    """An engine that fails as told, one text for each run."""

    failures: list[str]
    killed = False

    def __init__(self, *_: Any) -> None:
        pass

    def go(self, _: Callable[..., Any]) -> None:
        if Run.failures:
            raise EngineError(Run.failures.pop(0))


class Said(list[str]):
    def say(self, label: str, text: str) -> None:
        self.append(label)

    def update(self, text: str) -> None:
        pass


def repeated(failures: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(run, "EngineRun", Run)
    Run.failures = failures
    nowhere = Path()
    env = EngineEnvironment(nowhere, nowhere, nowhere, "crowded", lock=folder / "run.lock")
    said = Said()
    run._repeated(env, said, 1, lambda stack: None)
    return said


def test_growth_that_only_the_quota_refused_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert repeated([], tmp_path, monkeypatch) == []
    assert repeated([CROWDED], tmp_path, monkeypatch) == ["repeating"]
    assert repeated([CROWDED] * 2, tmp_path, monkeypatch) == ["repeating"] * 2


def test_other_failures_and_a_crowd_that_does_not_disperse_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineError, match="disk"):
        repeated(["no such disk", CROWDED], tmp_path, monkeypatch)
    assert Run.failures == [CROWDED], "not repeated"
    with pytest.raises(EngineError, match="resourcequotas"):
        repeated([CROWDED] * 3, tmp_path, monkeypatch)
