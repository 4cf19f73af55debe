"""Setup and verification Jobs in the document: what is refused, and where scripts come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mina_infra.spec import TestnetSpec, job_run, parse
from mina_infra.spec.job_run import JobRun
from tests.spec.conftest import IssuesOf

DIGEST = f"registry.example/check@sha256:{'1' * 64}"
WHALE, WORKER = 1, 3


def jobs(document: dict[str, Any], value: Any, group: int = WHALE) -> dict[str, Any]:
    document["nodes"][group]["jobs"] = value
    return document


def test_an_empty_pair_is_the_built_in_one(document: dict[str, Any], base: Path) -> None:
    spec = parse(jobs(document, {}), base=base)
    pair = spec.nodes[WHALE].jobs
    assert pair is not None
    assert (pair.setup.script, pair.verify.script) == (None, None)
    assert spec.nodes[0].jobs is None


def test_a_script_is_text_or_a_file_beside_the_stack_file(document: dict[str, Any], base: Path) -> None:
    (base / "check.sh").write_text("test -e /volumes/runtime-state/wallet\n")
    pair = {"setup": {"script": "touch /volumes/runtime-state/wallet"}, "verify": {"script": "check.sh"}}
    spec = parse(jobs(document, pair), base=base)
    found = spec.nodes[WHALE].jobs
    assert found is not None
    assert found.setup.script == "touch /volumes/runtime-state/wallet"
    assert found.verify.script == "test -e /volumes/runtime-state/wallet\n"
    assert TestnetSpec.model_validate_json(spec.model_dump_json()) == spec, "the program gets the text, not the name"


@pytest.mark.parametrize(
    ("script", "says"),
    [("missing.sh", "cannot read 'missing.sh'"), ("empty.sh", "would always pass"), ("long.sh", "66 KiB"),
     ("picture.png", "it is no text")],
)  # fmt: skip
def test_a_script_that_cannot_run_is_refused(
    script: str, says: str, document: dict[str, Any], base: Path, issues_of: IssuesOf
) -> None:
    (base / "empty.sh").write_text("\n")
    (base / "long.sh").write_text("true # and more\n" * 4200)
    (base / "picture.png").write_bytes(b"\x89PNG\xff")
    (issue,) = issues_of(jobs(document, {"verify": {"script": script}}))
    assert says in issue.message
    assert issue.path == ("nodes", WHALE, "jobs", "verify", "script")


def test_v37_a_job_with_a_failure_policy_never_restarts_in_place(document: dict[str, Any], issues_of: IssuesOf) -> None:
    """docs/facts.md: refusal/V37"""
    (issue,) = issues_of(jobs(document, {"setup": {"script": "true ; true", "restartPolicy": "OnFailure"}}))
    assert issue.message == "job 'whale-setup': pod_failure_policy requires restart_policy Never."


def test_the_program_that_checks_is_pinned_by_digest(document: dict[str, Any], issues_of: IssuesOf) -> None:
    (issue,) = issues_of(jobs(document, {"setup": {"script": "true ; true", "image": "registry.example/check:1"}}))
    assert "has a tag" in issue.message
    assert not issues_of(jobs(document, {"setup": {"script": "true ; true", "image": DIGEST}}))


def test_the_built_in_script_has_no_image_of_its_own(document: dict[str, Any], issues_of: IssuesOf) -> None:
    (issue,) = issues_of(jobs(document, {"setup": {"image": DIGEST}}))
    assert "images.init" in issue.message


def test_a_group_without_volumes_has_nothing_to_check(document: dict[str, Any], issues_of: IssuesOf) -> None:
    (issue,) = issues_of(jobs(document, {}, WORKER))
    assert issue.message.startswith("a snark-worker has no volume of its own")


def test_more_than_three_retries_are_refused(document: dict[str, Any], issues_of: IssuesOf) -> None:
    (issue,) = issues_of(jobs(document, {"setup": {"retries": 4}}))
    assert issue.path == ("nodes", WHALE, "jobs", "setup", "retries")


def test_a_run_is_handed_to_the_program_as_it_is() -> None:
    run = JobRun("verify", "0123abcd", {"whale-1": 7, "archive-1": None})
    assert job_run.from_variable(run.to_variable()) == run
    assert job_run.from_variable("") is None


@pytest.mark.parametrize("text", ["setup", "{}", '{"phase": "other", "run": "a", "heights": {}}'])
def test_a_run_that_nobody_wrote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="MINA_INFRA_JOBS"):
        job_run.from_variable(text)
