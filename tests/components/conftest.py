"""Documents of this repository's stacks, read as the engine gives them to the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STACKS = {file.name.split(".")[1]: file for file in sorted(ROOT.glob("Pulumi.*.yaml"))}


def document_of(stack: str) -> Any:
    return yaml.safe_load(STACKS[stack].read_text())["config"]["mina-infra:testnet"]


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runtime configs are named relative to the stack file."""
    monkeypatch.chdir(ROOT)


@pytest.fixture
def document() -> Any:
    """A small testnet with every role."""
    return document_of("local")
