"""promtool, found or fetched once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import promtool


@pytest.fixture(scope="session")
def tool() -> Path:
    return promtool.ensure_promtool(print)
