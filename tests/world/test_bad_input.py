"""Every mistake of a user: one clear message that says what to do, an exit code, and nothing changed.

Through the real command in a process of its own, in a project folder with nothing but the files that it needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mina_infra.cluster.api import KINDS, NAMESPACE, KubeApi
from mina_infra.engine import run
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import STATE_VARIABLE, tools_cache
from mina_infra.local.tools import ensure_tools
from tests.engine.testnets import SmallTestnet

NAME = "mistakes"
CHANGED = [
    kind
    for kind in KINDS.values()
    if kind.kind not in ("Event", "Node", "CSIDriver") and "kwok" not in kind.api_version
]


@dataclass
class Answer:
    """What the command said."""

    code: int
    out: str
    err: str


@dataclass
class User:
    """Somebody with a project folder who types commands."""

    testnet: SmallTestnet
    home: Path

    def types(self, *words: str, folder: Path | None = None, **variables: str) -> Answer:
        """`mina-infra WORDS --cluster ...` in the project folder."""
        command = [sys.executable, "-m", "mina_infra.cli", *words]
        ours = {STATE_VARIABLE: str(self.testnet.cluster.state.parent), "XDG_CACHE_HOME": str(tools_cache().parents[1])}
        environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        environment |= {"HOME": str(self.home), **ours, **variables}
        done = subprocess.run(
            command, cwd=folder or self.testnet.project, env=environment, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def deploys(self, **variables: str) -> Answer:
        """`mina-infra up` on the embedded cluster."""
        return self.types("up", "--stack", NAME, "--cluster", self.testnet.cluster.name, **variables)

    def edits(self, edit: Callable[[dict[str, Any]], object]) -> None:
        """Change the document of the stack."""
        data = yaml.safe_load(self.stack_file.read_text())
        edit(data["config"]["mina-infra:testnet"])
        self.stack_file.write_text(yaml.safe_dump(data))

    @property
    def stack_file(self) -> Path:
        return self.testnet.project / f"Pulumi.{NAME}.yaml"

    def sees(self) -> dict[tuple[str, str], object]:
        """Everything in the cluster that could have been changed, with its version; and the project's files."""

        async def look(api: KubeApi) -> dict[tuple[str, str], object]:
            found: dict[tuple[str, str], object] = {}
            for kind in CHANGED:
                for item in await api.objects(kind):
                    metadata = item["metadata"]
                    if NAME in (
                        metadata["name"],
                        metadata.get("namespace"),
                        (metadata.get("labels") or {}).get("testnet"),
                    ):
                        found[kind.kind, metadata["name"]] = metadata["uid"], metadata.get("generation")
            return found

        files = {("file", file.name): file.read_text() for file in self.testnet.project.glob("[!.]*.*")}
        return self.testnet.ask(look) | files


@pytest.fixture
def user(embedded_cluster: EmbeddedCluster, tmp_path: Path) -> User:
    home = tmp_path / "home"
    home.mkdir()
    return User(SmallTestnet(NAME, embedded_cluster, tmp_path / "project"), home)


def assert_told(answer: Answer, code: int, *words: str) -> None:
    """One message with these words, no trace, and that exit code."""
    print(answer.err)
    assert answer.code == code
    assert "Traceback" not in answer.err + answer.out
    for word in words:
        assert word in answer.err


# --- the document


def unknown_key(document: dict[str, Any]) -> None:
    document["nodes"][1]["cuont"] = 3


def wrong_type(document: dict[str, Any]) -> None:
    document["nodes"][1]["count"] = "many"


def many_readers_of_a_block_disk(document: dict[str, Any]) -> None:
    document["volumes"] = {"runtime-state": {"accessMode": "ReadWriteMany"}}


def two_nodes_of_one_name(document: dict[str, Any]) -> None:
    document["nodes"].append({"role": "block-producer", "group": "whale", "count": 1, "stake": 1})


def no_seed(document: dict[str, Any]) -> None:
    del document["nodes"][0]


DOCUMENTS = {
    unknown_key: ["nodes[1].cuont", "count"],
    wrong_type: ["nodes[1].count", "many", "whole number"],
    many_readers_of_a_block_disk: ["volumes.runtime-state.accessMode", "ReadWriteMany", "ReadWriteOncePod"],
    two_nodes_of_one_name: ["whale"],
    no_seed: ["seed"],
}


@pytest.mark.parametrize("mistake", DOCUMENTS, ids=lambda mistake: mistake.__name__)
def test_a_mistake_in_the_document_is_told_with_its_place(
    user: User, mistake: Callable[[dict[str, Any]], None]
) -> None:
    user.edits(mistake)
    before = user.sees()
    answer = user.deploys()
    assert_told(answer, 1, f"Pulumi.{NAME}.yaml:", *DOCUMENTS[mistake])
    assert user.sees() == before


# --- the cluster


def test_a_claim_does_not_shrink(user: User) -> None:
    user.edits(lambda document: document.update(volumes={"runtime-state": {"size": "8Gi"}}))
    run.up(user.testnet.env)
    try:
        before = user.sees()
        user.edits(lambda document: document.update(volumes={"runtime-state": {"size": "4Gi"}}))
        files = {key: value for key, value in user.sees().items() if key[0] == "file"}
        answer = user.deploys()
        assert_told(answer, 1, "'whale-1-runtime-state-e1'", "8Gi", "4Gi", "nothing was changed")
        assert user.sees() == before | files
    finally:
        run.destroy(user.testnet.env)


@pytest.fixture
def taken(user: User) -> Iterator[User]:
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": {"team": "payments"}}}
    by_them = {"fieldManager": "kubectl-create"}
    user.testnet.ask(lambda api: api.request("POST", NAMESPACE.path(), params=by_them, body=theirs))
    yield user

    async def leave(api: KubeApi) -> None:
        """Until it is gone: the next test would see it go."""
        await api.delete(NAMESPACE, NAME)
        async for event in api.watch(NAMESPACE):
            if event.type == "SYNCED" and all(item["metadata"]["name"] != NAME for item in event.object["items"]):
                return
            if event.type == "DELETED" and event.object["metadata"]["name"] == NAME:
                return

    user.testnet.ask(leave)


def test_a_namespace_of_somebody_else_stays_theirs(taken: User) -> None:
    before = taken.sees()
    assert_told(
        taken.deploys(), 1, f"namespace '{NAME}' belongs to somebody else", "nothing was changed", "another name"
    )
    destroy = taken.types("destroy", "--yes", "--stack", NAME, "--cluster", taken.testnet.cluster.name)
    assert_told(destroy, 0, "destroyed   0 deleted")
    assert taken.sees() == before


def test_an_embedded_cluster_that_was_never_started(user: User) -> None:
    answer = user.types("up", "--stack", NAME, "--cluster", "elsewhere")
    assert_told(answer, 2, "'elsewhere' is not running", f"mina-infra local up --stack {NAME} --cluster elsewhere")
    assert not (user.testnet.cluster.state.parent / "elsewhere").exists()


# --- a real cluster


@dataclass
class Abroad:
    """A user whose stack is meant for a cloud, with a backend of their own."""

    user: User
    variables: dict[str, str]

    def names(self, **cluster: str) -> None:
        """Write `mina-infra:cluster`."""
        data = yaml.safe_load(self.user.stack_file.read_text())
        data["config"]["mina-infra:cluster"] = cluster
        self.user.stack_file.write_text(yaml.safe_dump(data))

    def deploys(self) -> Answer:
        return self.user.types("up", "--yes", "--stack", NAME, **self.variables)


@pytest.fixture
def abroad(user: User, tmp_path: Path) -> Abroad:
    user.edits(lambda document: document.update(target={"provider": "gke", "region": "us-central1"}))
    (tmp_path / "backend").mkdir()
    programs = str(ensure_tools(print).pulumi.parent)
    variables = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
    }
    return Abroad(user, variables)


def test_a_cluster_that_does_not_answer(abroad: Abroad, tmp_path: Path) -> None:
    cluster = abroad.user.testnet.cluster
    dead = tmp_path / "dead"
    dead.write_text(cluster.kubeconfig.read_text().replace(cluster.server, "https://127.0.0.1:9"))
    abroad.names(kubeconfig=str(dead), context=cluster.context)
    assert_told(abroad.deploys(), 2, "https://127.0.0.1:9 does not answer", "Is it the one you mean")


def test_no_kubeconfig(abroad: Abroad) -> None:
    abroad.names(context="somewhere")
    assert_told(abroad.deploys(), 2, "no kubeconfig", "mina-infra:cluster")


def test_a_kubeconfig_that_is_not_there(abroad: Abroad, tmp_path: Path) -> None:
    abroad.names(kubeconfig=str(tmp_path / "nowhere"), context="somewhere")
    assert_told(abroad.deploys(), 2, "no kubeconfig", str(tmp_path / "nowhere"))


def test_a_context_that_is_not_in_the_kubeconfig(abroad: Abroad) -> None:
    cluster = abroad.user.testnet.cluster
    abroad.names(kubeconfig=str(cluster.kubeconfig), context="production")
    before = abroad.user.sees()
    assert_told(abroad.deploys(), 2, "'production' is not in the kubeconfig", cluster.context)
    assert abroad.user.sees() == before


def test_no_cluster_named_at_all(abroad: Abroad) -> None:
    assert_told(abroad.deploys(), 1, f"Pulumi.{NAME}.yaml:", "mina-infra:cluster.context", "is missing")


def test_no_pulumi_for_a_real_cluster(abroad: Abroad) -> None:
    abroad.names(context="somewhere")
    abroad.variables["PATH"] = "/usr/bin:/bin" if shutil.which("pulumi", path="/usr/bin:/bin") is None else ""
    assert_told(abroad.deploys(), 1, "no `pulumi` on PATH", "https://www.pulumi.com/docs/install")


# --- the place


def test_a_stack_that_does_not_exist(user: User) -> None:
    assert_told(user.types("up", "--stack", "prod"), 1, "no stack 'prod'", f"Known here: {NAME}")


def test_a_folder_without_a_project(user: User, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert_told(user.types("up", folder=elsewhere), 1, "no Pulumi.yaml", "change into the checkout")
    assert list(elsewhere.iterdir()) == []


def test_nothing_deployed_yet(user: User) -> None:
    where = ("--stack", NAME, "--cluster", user.testnet.cluster.name)
    for command in ("verify", "seeds", "outputs", "publish", "post-deploy"):
        assert_told(user.types(command, *where), 1, "no testnet deployed", f"mina-infra up -s {NAME}")
