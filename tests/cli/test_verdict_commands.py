"""`verify` with its reports and choices, and `explain`."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import get_args
from xml.etree import ElementTree

import pytest

from mina_infra.cli import verdict as commands
from mina_infra.cli.place import Place
from mina_infra.guardian.checks import CHECKS
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.instability import CRITERIA
from mina_infra.guardian.report import FORMATS
from mina_infra.outputs import Profile, Thresholds
from tests.cli.conftest import Command
from tests.guardian.fake_cluster import World

NAMES = [check.name for check, _ in CHECKS]


def test_the_choices_of_the_command_are_those_of_the_code() -> None:
    """They are written twice, because loading what defines them takes longer than printing the help."""
    assert get_args(get_args(get_args(commands.Format)[0])[0]) == FORMATS
    assert get_args(get_args(get_args(commands.Profile)[0])[0]) == get_args(Profile)


def test_reports_are_written_by_their_endings(
    mina_infra: Command,
    here: World,
    document: str,
    tmp_path: Path,
) -> None:
    files = [tmp_path / name for name in ("v.xml", "v.html", "v.json")]
    answer = mina_infra("verify", "--outputs", document, *(f"--report={file}" for file in files), "-o", "markdown")
    assert answer.code == 0
    assert answer.out.startswith("## ✅ testnet: healthy")
    assert len(ElementTree.parse(files[0]).findall("testsuite[@name='checks']/testcase")) == len(NAMES)
    assert json.loads(files[2].read_text())["verdict"] == "healthy"


def test_a_wrong_ending_is_told_before_anything_is_asked(mina_infra: Command) -> None:
    answer = mina_infra("verify", "--outputs", "nowhere.json", "--report", "verdict.pdf")
    assert answer.code == 1
    assert ".html (html)" in answer.err


def test_only_and_skip_choose_the_checks(mina_infra: Command, here: World, document: str) -> None:
    here.cluster.without_deployment.add("whale-1")
    answer = mina_infra("verify", "--outputs", document, "--json", "--only", "claims", "--only", "forks")
    value = json.loads(answer.out)
    assert [each["check"] for each in value["checks"]] == ["claims", "forks"]
    assert sorted(value["skipped"]) == sorted(set(NAMES) - {"claims", "forks"})
    unasked = {each["number"] for each in value["criteria"] if not each["asked"]}
    assert unasked >= {2, 6}
    answer = mina_infra("verify", "--outputs", document, "--json", "--skip", "inventory", "--deadline", "0")
    assert "inventory" not in [each["check"] for each in json.loads(answer.out)["checks"]]


def test_a_choice_that_leaves_no_check_is_refused(mina_infra: Command) -> None:
    answer = mina_infra("verify", "--outputs", "nowhere.json", "--only", "sync", "--skip", "sync")
    assert answer.code == 1
    assert "leave no check" in answer.err


def test_a_check_that_does_not_exist_is_told_with_those_that_do(mina_infra: Command) -> None:
    answer = mina_infra("verify", "--outputs", "nowhere.json", "--only", "snyc")
    assert answer.code == 1
    assert "Did you mean 'sync'?" in answer.err


def test_strict_counts_notes(mina_infra: Command, here: World, document: str) -> None:
    here.cluster.extra_deployments.add("visitor")
    assert mina_infra("verify", "--outputs", document).code == 0
    assert mina_infra("verify", "--outputs", document, "--strict").code == 1


def test_what_outsiders_met_is_judged_with_the_rest(
    mina_infra: Command, here: World, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits = []

    async def shut_out(
        api: object, plan: object, outputs: object, namespace: object, road: str, report: object
    ) -> Finding:
        visits.append(road)
        return Finding("join", State.FAIL, "an outsider finds no peer", problems=("cannot-connect",))

    monkeypatch.setattr("mina_infra.cli.join.visit", shut_out)
    monkeypatch.setattr(Place, "environment", lambda place: SimpleNamespace(plan=None))
    answer = mina_infra("verify", "-s", "local", "--outputs", document, "--join", "--road", "proxy", "--json")
    value = json.loads(answer.out)
    assert (answer.code, visits) == (1, ["proxy", "proxy"])  # a second one confirms
    assert value["checks"][-1]["check"] == "join"
    assert [each["number"] for each in value["criteria"] if each["state"] == "unstable"] == [7]


def test_the_profile_of_a_run(mina_infra: Command, here: World, document: str) -> None:
    answer = mina_infra("verify", "--outputs", document, "--json", "--profile", "public")
    assert json.loads(answer.out)["profile"] == "public"


def test_on_github_the_summary_gains_the_report_and_failures_are_named(
    mina_infra: Command,
    here: World,
    document: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    here.cluster.without_deployment.add("whale-1")
    answer = mina_infra("verify", "--outputs", document, "--json", "--deadline", "0")
    assert summary.read_text().startswith("before\n## ❌ testnet: unstable")
    assert any(line.startswith("::error title=testnet%3A inventory::") for line in answer.err.splitlines())
    json.loads(answer.out)


@pytest.mark.parametrize("name", [*NAMES, "join", *(each.name for each in CRITERIA), "1", "8"])
def test_explain_has_a_rule_and_what_to_do_for_everything(
    mina_infra: Command,
    here: World,
    document: str,
    name: str,
) -> None:
    answer = mina_infra("explain", name, "--outputs", document)
    assert answer.code == 0
    assert "\nrule\n" in answer.out
    assert "to do     Blocker" in answer.out or "to do     Minor" in answer.out


def test_explain_without_a_name_lists_what_can_be_explained(mina_infra: Command) -> None:
    words = mina_infra("explain").out.split()
    assert {*NAMES, "join", *(each.name for each in CRITERIA)} <= set(words)


def test_explain_prints_the_numbers_of_this_stack(mina_infra: Command, here: World, tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    limits = Thresholds(profile="mina-alerts", fork_depth=9)
    file.write_text(json.dumps(here.outputs.model_copy(update={"thresholds": limits}).to_json_value()))
    words = mina_infra("explain", "forks", "--outputs", str(file)).out
    assert "(profile mina-alerts)" in words
    assert "fork_depth          9 blocks" in words
    assert "LongFork (critical): fork length >= 16 blocks" in words
    words = mina_infra("explain", "production", "--outputs", str(file), "--profile", "qa").out
    assert "production_bound   8 of 20 slots" in words
    assert "silence            11 empty slots" in words
