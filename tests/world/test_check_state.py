"""`mina-infra check-state` on the embedded cluster: real Jobs, awaited by the engine, over the nodes' real volumes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mina_infra.cluster.api import CLAIM, DEPLOYMENT, JOB, POD, KubeApi
from mina_infra.engine import run
from mina_infra.errors import EngineError
from mina_infra.persistence.check_state import read_record
from tests.world.survivors import Network


@pytest.fixture(scope="module")
def network(start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network("checked", start("checked"), tmp_path_factory.mktemp("project"), {"postDeploy": []})
    for group in made.document["nodes"]:
        if group["role"] == "archive" or group.get("group") == "whale":
            group["jobs"] = {}
    made.change()
    assert made.up() == 0
    return made


def check(network: Network, phase: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and what was found by node."""
    capsys.readouterr()
    code = network.command("check-state", f"--{phase}", "--json")
    return code, {row["node"]: row for row in json.loads(capsys.readouterr().out)["nodes"]}


def volume(network: Network, claim: str) -> Path:
    found = network.ask(lambda api: api.get(CLAIM, claim, network.name))
    assert found is not None
    return network.cluster.paths.volumes / str(found["spec"]["volumeName"])


def ordinary(network: Network) -> None:
    """Everything is as an ordinary run leaves it: no Job of a check, every node running, nothing left to change."""

    async def look(api: KubeApi) -> tuple[list[str], list[int]]:
        jobs = [item["metadata"]["name"] for item in await api.objects(JOB, network.name)]
        return jobs, [item["spec"]["replicas"] for item in await api.objects(DEPLOYMENT, network.name)]

    jobs, replicas = network.ask(look)
    assert [name for name in jobs if not name.startswith("genesis-ledger")] == []
    assert set(replicas) == {1}
    assert set(network.up_again()) <= {"same"}


MEMBERS = {"whale-1", "whale-2", "whale-3", "archive-1"}


def test_without_a_record_nothing_is_compared(network: Network, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EngineError, match="--before"):
        check(network, "after", capsys)


def test_state_that_survives_is_kept(network: Network, capsys: pytest.CaptureFixture[str]) -> None:
    code, before = check(network, "before", capsys)
    assert (code, set(before)) == (0, MEMBERS)
    assert all(row["before"] for row in before.values()), "heights that the daemons told"
    ordinary(network)

    network.change(image="registry.example/mina-daemon:3.0.2")
    run.up(network.env)
    network.ask(lambda api: api.request("DELETE", POD.path(network.name), params={"gracePeriodSeconds": "0"}))
    code, after = check(network, "after", capsys)
    assert (code, {row["state"] for row in after.values()}) == (0, {"kept"})
    assert all(row["after"] >= row["before"] for row in after.values())
    ordinary(network)


def test_state_that_is_lost_fails_its_job_and_is_told_with_its_node(
    network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(volume(network, "whale-2-runtime-state-e1") / ".mina-infra-check")
    (volume(network, "archive-1-postgres-state-e1") / ".mina-infra-check" / "tree" / "one").write_text("damaged")
    code, after = check(network, "after", capsys)
    assert code == 1
    assert {node: row["state"] for node, row in after.items()} == {
        "whale-1": "kept", "whale-2": "lost", "whale-3": "kept", "archive-1": "lost",
    }  # fmt: skip
    assert "postgres-state has a damaged marker" in after["archive-1"]["reason"]
    folder = network.project / "out" / network.name / "check-state"
    record = read_record(folder / "record.json")
    assert record is not None
    assert '"marker": "lost"' in (folder / record.run / "verify" / "whale-2.log").read_text()
    ordinary(network)


def test_a_check_that_was_interrupted_goes_on_with_its_marks(
    network: Network, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the stopping of the nodes and their Jobs; the nodes stay stopped until somebody goes on."""
    whole = run.up

    def interrupted(env: Any, *arguments: Any, **options: Any) -> Any:
        if env.jobs is not None:
            raise KeyboardInterrupt
        return whole(env, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(run, "up", interrupted)
        with pytest.raises(KeyboardInterrupt):
            check(network, "before", capsys)
    file = network.project / "out" / network.name / "check-state" / "record.json"
    begun = read_record(file)
    assert begun is not None
    assert not begun.complete

    code, before = check(network, "before", capsys)
    record = read_record(file)
    assert record is not None
    assert (code, record.run, record.complete) == (0, begun.run, True)
    assert {node: row["before"] for node, row in before.items()} == begun.heights(MEMBERS), "told before it was stopped"
    code, after = check(network, "after", capsys)
    assert (code, {row["state"] for row in after.values()}) == (0, {"kept"})
    ordinary(network)


def test_a_script_of_ones_own_is_never_run_here_and_never_passes(
    network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    whale = next(group for group in network.document["nodes"] if group.get("group") == "whale")
    whale["jobs"] = {"verify": {"script": "echo never > evidence"}}
    network.change()
    code, before = check(network, "before", capsys)
    assert code == 2
    assert {node: row["state"] for node, row in before.items()} == {
        "archive-1": "written", **dict.fromkeys(sorted(MEMBERS - {"archive-1"}), "unknown"),
    }  # fmt: skip
    assert "does not run on the embedded cluster" in before["whale-1"]["reason"]
    ordinary(network)
