"""What would lose a volume ends a program before it registers anything: the engine's last record is all it needs."""

from __future__ import annotations

import copy
from typing import Any

import pulumi
import pytest

from components import Testnet, guard_volumes
from mina_infra.plan.losses import ALLOW
from tests.components.recording import Recording, provider, record

CLUSTER = {"context": "cluster"}


def deployed(document: Any) -> dict[str, Any]:
    """The engine's record after an `up` of the document."""
    registered = record(lambda: declare(document)).registrations
    return {each.urn: {"type": each.type, "outputs": each.inputs} for each in registered}


def declare(document: Any) -> None:
    Testnet(document["name"], document, pulumi.ResourceOptions(provider=provider()))


def whole(document: Any, cluster: Any = CLUSTER) -> None:
    guard_volumes([document], cluster)
    declare(document)


def fewer(document: Any) -> Any:
    less = copy.deepcopy(document)
    (plain,) = (each for each in less["nodes"] if each["role"] == "plain")
    less["nodes"].remove(plain)
    return less


def refusal(recording: Recording) -> str:
    """Why the program ended; nothing may be registered."""
    assert recording.error is not None
    assert recording.objects == ()
    return str(recording.error)


def test_the_same_document_again_is_fine(document: Any) -> None:
    assert record(lambda: whole(document), known=deployed(document)).error is None


@pytest.mark.parametrize("program", [declare, whole])
def test_a_claim_that_leaves_is_refused_in_any_program(document: Any, program: Any) -> None:
    found = refusal(record(lambda: program(fewer(document)), known=deployed(document)))
    assert "claim 'plain-1-runtime-state-e1': group plain -> none" in found


def test_a_named_claim_may_go(document: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW, "plain-*")
    assert record(lambda: whole(fewer(document)), known=deployed(document)).error is None


def test_a_run_that_looked_at_the_cluster_is_not_asked_again(document: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINA_INFRA_GUARDED", "1")
    assert record(lambda: whole(fewer(document)), known=deployed(document)).error is None


def test_another_testnet_of_the_same_program_is_none_of_its_business(document: Any) -> None:
    other = {**document, "name": "other"}
    assert record(lambda: declare(document), known=deployed(document) | deployed(other)).error is None
    assert "name other -> local" in refusal(record(lambda: whole(document), known=deployed(other)))


def test_another_cluster_is_refused(document: Any) -> None:
    cluster = {"context": "cluster", "identifier": "elsewhere"}
    found = refusal(record(lambda: whole(document, cluster), known=deployed(document)))
    assert "another cluster ('cluster' -> 'elsewhere')" in found
