"""`mina-infra plan` in its three formats, for the three stacks."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from mina_infra.plan import load_stack, plan_testnet
from mina_infra.plan.summary import summarize
from tests.cli.conftest import ROOT, Command
from tests.components.test_parts import run_program

STACKS = ("local", "qa", "release")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@pytest.mark.parametrize("stack", STACKS)
def test_yaml_is_exactly_what_the_components_register(mina_infra: Command, stack: str) -> None:
    answer = mina_infra("plan", "-s", stack, "--format", "yaml")
    assert (answer.code, answer.err) == (0, "")
    printed = list(yaml.load_all(answer.out, Loader=LOADER))
    registered = [each.inputs for each in run_program(stack, {"context": "here"}).objects]

    def by_name(manifest: dict) -> tuple[str, str]:
        return manifest["kind"], manifest["metadata"]["name"]

    assert sorted(printed, key=by_name) == sorted(registered, key=by_name)


@pytest.mark.parametrize("stack", STACKS)
def test_json_is_the_same_as_data(mina_infra: Command, stack: str) -> None:
    answer = mina_infra("plan", "-s", stack, "--format", "json")
    data = json.loads(answer.out)
    assert answer.code == 0
    assert data.pop("objects") == list(
        yaml.load_all(mina_infra("plan", "-s", stack, "--format", "yaml").out, Loader=LOADER)
    )
    assert data


@pytest.mark.parametrize("stack", STACKS)
def test_the_table_has_nodes_volumes_and_cost(mina_infra: Command, stack: str) -> None:
    answer = mina_infra("plan", "-s", stack)
    assert answer.code == 0
    planned = plan_testnet(load_stack(ROOT / f"Pulumi.{stack}.yaml"))
    for group in planned.spec.nodes:
        assert group.role.value in answer.out
    for each in planned.classes:
        assert each.manifest["metadata"]["name"] in answer.out
    assert f"{len(planned.outputs.nodes)} nodes" in answer.out
    assert "GiB" in answer.out
    assert "USD" in answer.out
    assert summarize(planned)


def test_the_same_plan_is_the_same_bytes(mina_infra: Command) -> None:
    assert mina_infra("plan", "-s", "qa", "--format", "yaml") == mina_infra("plan", "-s", "qa", "--format", "yaml")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """`mina-infra plan --format yaml | head -1`."""
    command = [sys.executable, "-m", "mina_infra.cli", "plan", "-s", "qa", "--format", "yaml"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_planning_imports_no_pulumi() -> None:
    """Commands that only look start at once: Pulumi's Python side alone takes a second."""
    code = (
        "import sys\n"
        "from mina_infra.cli.app import app\n"
        "app(['plan', '-s', 'qa', '--format', 'json'], result_action='return_value')\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('pulumi', 'grpc')), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
