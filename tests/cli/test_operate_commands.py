"""`verify`, `seeds`, `publish` and `post-deploy` on a simulated network in place of a cluster."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from mina_infra.cli.place import Place
from mina_infra.errors import ClusterError
from mina_infra.guardian.checks import CHECKS
from mina_infra.outputs import OutputsDocument
from mina_infra.plan import load_stack, plan_testnet
from tests.cli.conftest import ROOT, Command
from tests.guardian.fake_cluster import World


def test_a_healthy_network_in_json(mina_infra: Command, here: World, document: str) -> None:
    answer = mina_infra("verify", "--outputs", document, "--json")
    assert answer.code == 0
    verdict = json.loads(answer.out)
    assert verdict.keys() >= {
        "schema", "testnet", "era", "namespace", "server", "verdict", "exitCode", "started", "ended", "sweeps",
        "checks", "nodes", "criteria",
    }  # fmt: skip
    assert (verdict["schema"], verdict["verdict"], verdict["exitCode"]) == (1, "healthy", 0)
    assert [each["check"] for each in verdict["checks"]] == [check.name for check, _ in CHECKS]
    for check in verdict["checks"]:
        assert check.keys() >= {"check", "state", "summary", "expected", "seen", "action", "evidence", "silent"}
        assert check["state"] == ("pass" if check["asked"] else "unknown")
    assert {each["name"] for each in verdict["nodes"]} == {node.name for node in here.outputs.nodes}
    assert all(each["height"] > 1 for each in verdict["nodes"] if each["daemon"])
    assert "healthy" in answer.err, "people read on standard error what machines read on standard output"


def test_an_ill_network_is_1_and_names_the_node(mina_infra: Command, here: World, document: str) -> None:
    here.cluster.without_deployment.add("whale-1")
    answer = mina_infra("verify", "--outputs", document, "--json", "--deadline", "0")
    assert answer.code == 1
    verdict = json.loads(answer.out)
    assert verdict["verdict"] == "unstable"
    failed = {each["check"] for each in verdict["checks"] if each["state"] == "fail"}
    assert "inventory" in failed
    assert "whale-1" in answer.err


def test_a_network_that_cannot_be_seen_is_2(mina_infra: Command, here: World, document: str) -> None:
    here.cluster.road_closed |= set(here.network.names)
    answer = mina_infra("verify", "--outputs", document, "--json", "--deadline", "0")
    assert answer.code == 2
    assert json.loads(answer.out)["exitCode"] == 2


def test_a_cluster_that_does_not_answer_is_2(
    mina_infra: Command, here: World, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(place: Place, question: object) -> None:
        raise ClusterError("the cluster does not answer")

    monkeypatch.setattr(Place, "ask", ask)
    answer = mina_infra("verify", "--outputs", document)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines()[-1] == "the cluster does not answer"


def test_an_ill_network_is_not_published(mina_infra: Command, here: World, document: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert mina_infra("publish", "--outputs", document, "--out", str(folder)).code == 0
    assert {file.name for file in folder.iterdir()} == {"seeds.json", "peers.txt", "index.html"}
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    here.cluster.without_deployment.add("whale-1")
    assert mina_infra("publish", "--outputs", document, "--out", str(folder), "--deadline", "0").code == 1
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == before


@pytest.mark.parametrize(("steps", "published"), [(["verify", "publish"], True), (["verify"], False), ([], False)])
def test_post_deploy_does_the_steps_of_the_stack(
    mina_infra: Command, here: World, tmp_path: Path, steps: list[str], published: bool
) -> None:
    file, folder = tmp_path / "outputs.json", tmp_path / "out"
    file.write_text(json.dumps(here.outputs.model_copy(update={"post_deploy": steps}).to_json_value()))
    assert mina_infra("post-deploy", "--outputs", str(file), "--out", str(folder)).code == 0
    assert (folder / "peers.txt").exists() is published


# --- the outputs document


def outputs_of(stack: str) -> OutputsDocument:
    return plan_testnet(load_stack(ROOT / f"Pulumi.{stack}.yaml")).outputs


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"testnet": value}], ids=["document", "outputs"])
def test_seeds_of_a_document(mina_infra: Command, tmp_path: Path, wrap: Any) -> None:
    """Both the document and all outputs of a stack are understood (`pulumi stack output --json`)."""
    outputs = outputs_of("release")
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(wrap(outputs.to_json_value())))
    answer = mina_infra("seeds", "--outputs", str(file))
    assert (answer.code, answer.err) == (0, "")
    assert set(answer.out.splitlines()) == {seed.multiaddress for seed in outputs.seeds}
    assert len(answer.out.splitlines()) == 3
    data = json.loads(mina_infra("seeds", "--outputs", str(file), "--json").out)
    assert {seed["multiaddress"] for seed in data["seeds"]} == {seed.multiaddress for seed in outputs.seeds}


def test_seeds_from_standard_input(mina_infra: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = outputs_of("qa")
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(outputs.to_json_value())))
    answer = mina_infra("seeds", "--outputs", "-")
    assert set(answer.out.splitlines()) == {seed.multiaddress for seed in outputs.seeds}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', '{"schema": 2}', '"text"', "\x00", '{"testnet": 3}'])
def test_what_is_no_document_is_told(mina_infra: Command, tmp_path: Path, text: str) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(text)
    answer = mina_infra("seeds", "--outputs", str(file))
    assert (answer.code, answer.out) == (1, "")
    assert f"{file} is not an outputs document" in answer.err
    assert "mina-infra outputs -s local" in answer.err


def test_a_file_that_is_not_there_is_told(mina_infra: Command, tmp_path: Path) -> None:
    answer = mina_infra("seeds", "--outputs", str(tmp_path / "nothing"))
    assert answer.code == 1
    assert answer.err == f"cannot read {tmp_path / 'nothing'}: No such file or directory\n"
