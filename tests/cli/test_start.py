"""Commands that only look start at once: each loads what it needs, and nothing for the others."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, Command

# What is heavy, and which commands need it: Pulumi takes a second, models and schemas a quarter of one.
HEAVY = {"pulumi", "grpc", "pydantic", "yaml", "httpx2", "lightkube", "msgspec"}


@pytest.mark.parametrize("command", ["verify", "seeds", "publish"])
def test_the_help_of_an_operators_command_loads_nothing_heavy(command: str) -> None:
    """`mina-infra verify` must be there in less than 0.3 s (benchmarks/verify.py measures it)."""
    code = (
        "import sys\n"
        "from mina_infra.cli.app import app\n"
        f"app(['{command}', '--help'], result_action='return_value')\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stderr.split()) == set()


def test_the_first_page_still_says_what_each_command_does(mina_infra: Command) -> None:
    """Commands are named and not imported until they are called; for this page they are."""
    said = " ".join(mina_infra("--help").out.split())
    assert "verify Is the network healthy?" in said
