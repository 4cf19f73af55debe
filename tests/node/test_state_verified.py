"""`mina-infra check-state` on a real node: Jobs of real containers on the volumes of nodes that stand still meanwhile.

Last of the tests here: it leaves its Jobs in the document.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mina_infra.cli.jobs import check_state
from mina_infra.cli.place import Place
from mina_infra.cluster.api import JOB, POD, KubeApi, Manifest
from mina_infra.engine import run
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.persistence.check_state import read_record
from mina_infra.plan.check_scripts import FOLDER
from mina_infra.plan.jobs import NODE_LABEL
from tests.node.testnet import CHECK, DAEMON, NEXT_DAEMON, Testnet

R = TypeVar("R")

BUILT_IN = {"whale-1", "whale-2", "archive-1"}
OWN = {"fish-1", "plain-1"}

WRITE = """\
read -r chain height <"$VOLUMES/frontier"
echo "$NODE $RUN $chain" >"$VOLUMES/own"
[ "$height" -ge "$HEIGHT" ]
echo "$NODE noted $chain at $height"
"""
READ = """\
read -r node run chain <"$VOLUMES/own"
read -r now height <"$VOLUMES/frontier"
echo "$NODE found $now at $height, it had $chain at $HEIGHT"
[ "$node $run $chain" = "$NODE $RUN $now" ] || exit 42
[ "$height" -ge "$HEIGHT" ]
"""
FRAGILE = """\
[ -e "$VOLUMES/precious" ] || { echo "$NODE misses what is precious" >&2; exit 7; }
"""


@dataclass(frozen=True)
class RealPlace(Place):
    """The testnet as a cluster that runs containers."""

    testnet: Any = None

    def environment(self) -> EngineEnvironment:
        return self.testnet.env  # type: ignore[no-any-return]

    def ask(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        return self.testnet.ask(question)  # type: ignore[no-any-return]

    def place(self) -> Place:
        return self


@dataclass
class Checks:
    """The command, and the Jobs and their pods as the engine left them each time."""

    testnet: Testnet
    folder: Path
    capsys: pytest.CaptureFixture[str]
    jobs: dict[str, Manifest] = field(default_factory=dict)
    pods: dict[str, list[Manifest]] = field(default_factory=dict)

    def __call__(self, phase: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Exit code, and what was found by node."""
        self.capsys.readouterr()
        place: Any = RealPlace(self.testnet.name, testnet=self.testnet)
        code = check_state(
            where=place, before=phase == "before", after=phase == "after", folder=self.folder, yes=True, json=True
        )
        return code, {row["node"]: row for row in json.loads(self.capsys.readouterr().out)["nodes"]}

    def log(self, phase: str, node: str) -> str:
        record = read_record(self.folder / "record.json")
        assert record is not None
        return (self.folder / record.run / phase / f"{node}.log").read_text()

    def look(self) -> None:
        async def look(api: KubeApi) -> tuple[list[Manifest], list[Manifest]]:
            return tuple([await api.objects(kind, self.testnet.name, labels=NODE_LABEL) for kind in (JOB, POD)])  # type: ignore[return-value]

        jobs, pods = self.testnet.ask(look)
        self.jobs = {job["metadata"]["labels"][NODE_LABEL]: job for job in jobs}
        self.pods = {node: [pod for pod in pods if pod["metadata"]["labels"][NODE_LABEL] == node] for node in self.jobs}


@pytest.fixture(scope="module")
def asked(testnet: Testnet) -> Testnet:
    """The testnet with the built-in pair for a group and an archive node, and two pairs of scripts of one's own."""
    (testnet.project / "read.sh").write_text(READ)
    image = testnet.document["genesis"]["ledger"]["image"].partition("@")[2]
    own = {"image": f"{CHECK}@{image}", "retries": 0}
    pairs: dict[str, Any] = {
        "whale": {},
        "archive": {},
        "fish": {"setup": {"script": WRITE, **own}, "verify": {"script": "read.sh", **own}},
        "plain": {"setup": {"script": 'touch "$VOLUMES/precious"'}, "verify": {"script": FRAGILE, **own}},
    }
    for group in testnet.document["nodes"]:
        if (name := group.get("group", group["role"])) in pairs:
            group["jobs"] = pairs[name]
    return testnet


@pytest.fixture
def check(
    asked: Testnet, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> Checks:
    checks = Checks(asked, tmp_path_factory.getbasetemp() / "check-state", capsys)
    whole = run.up

    def up(env: EngineEnvironment, *arguments: Any, **options: Any) -> Any:
        try:
            return whole(env, *arguments, **options)
        finally:
            if env.jobs is not None:
                checks.look()

    monkeypatch.setattr(run, "up", up)
    return checks


def conditions(job: Manifest) -> dict[str, str]:
    return {each["type"]: each.get("reason", "") for each in job["status"]["conditions"] if each["status"] == "True"}


def test_markers_and_scripts_of_ones_own_outlive_another_image_of_every_pod(check: Checks) -> None:
    testnet = check.testnet
    code, before = check("before")
    assert (code, {node: row["state"] for node, row in before.items()}) == (0, dict.fromkeys(BUILT_IN | OWN, "written"))
    assert all(row["before"] > 0 for row in before.values()), "heights that the daemons told through the kubelet"
    assert {frozenset(conditions(job)) for job in check.jobs.values()} == {
        frozenset({"SuccessCriteriaMet", "Complete"})
    }
    for node, kind in (("whale-2", "runtime-state"), ("archive-1", "runtime-state"), ("archive-1", "postgres-state")):
        assert (testnet.volume(f"{node}-{kind}-e1") / FOLDER / "sums").stat().st_size > 0, (node, kind)
    images = {node: pods[0]["spec"]["containers"][0]["image"] for node, pods in check.pods.items()}
    assert images["fish-1"].startswith(f"{CHECK}@sha256:")
    assert "noted" in check.log("setup", "fish-1")

    old = testnet.pods()
    other = NEXT_DAEMON if testnet.document["image"] == DAEMON else DAEMON
    testnet.document["image"] = other
    testnet.up()
    testnet.until_running(old, image=other)
    code, after = check("after")
    assert (code, {node: row["state"] for node, row in after.items()}) == (0, dict.fromkeys(BUILT_IN | OWN, "kept"))
    assert all(row["after"] >= row["before"] for row in after.values())
    assert f"fish-1 found {testnet.frontiers()['fish-1'].chain} at " in check.log("verify", "fish-1")


def test_a_lost_marker_and_a_failed_script_name_their_nodes_and_keep_their_logs(check: Checks) -> None:
    testnet = check.testnet
    shutil.rmtree(testnet.volume("whale-2-runtime-state-e1") / FOLDER)
    (testnet.volume("plain-1-runtime-state-e1") / "precious").unlink()
    claims, before = testnet.claims(), testnet.frontiers()
    code, after = check("after")
    assert code == 1
    assert {node: row["state"] for node, row in after.items()} == {
        "whale-1": "kept", "whale-2": "lost", "archive-1": "kept", "fish-1": "kept", "plain-1": "failed",
    }  # fmt: skip
    assert after["whale-2"]["reason"].startswith("runtime-state has no marker")
    assert '"marker": "lost"' in check.log("verify", "whale-2")
    assert after["plain-1"]["reason"] == "check ended with exit code 7"
    assert check.log("verify", "plain-1") == "plain-1 misses what is precious\n"

    # What is lost stays lost: exit code 42 ends a Job at once, although it may try twice more.
    assert conditions(check.jobs["whale-2"])["Failed"] == "PodFailurePolicy"
    assert check.jobs["whale-2"]["spec"]["backoffLimit"] == 2
    (pod,) = check.pods["whale-2"]
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 42
    assert conditions(check.jobs["plain-1"])["Failed"] == "BackoffLimitExceeded"

    testnet.until_grown(before)
    assert testnet.claims() == claims
    assert testnet.ask(lambda api: api.objects(JOB, testnet.name, labels=NODE_LABEL)) == []
