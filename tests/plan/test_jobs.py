"""Setup and verification Jobs as planned, and their built-in scripts run for real."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mina_infra.plan import Manifest, PlannedObject, TestnetPlan, parse_document, plan_group, plan_testnet, timeouts
from mina_infra.plan.check_scripts import BUILT_IN, FOLDER, LOST
from mina_infra.plan.jobs import members
from mina_infra.simulator import check_jobs
from mina_infra.spec.job_run import JobRun, Phase
from tests.plan.testnets import ROOT, of_kind, zoo

RUN = "0123abcd"
PHASES: tuple[Phase, Phase] = ("setup", "verify")


def document(jobs: Any = None, **changes: Any) -> dict[str, Any]:
    """Every role; archive and whale ask for Jobs."""
    result = zoo(**changes)
    for group in result["nodes"]:
        if group["role"] == "archive" or group.get("group") == "whale":
            group["jobs"] = {} if jobs is None else jobs
    return result


def plan(phase: Phase, jobs: Any = None, **changes: Any) -> TestnetPlan:
    spec = parse_document(document(jobs, **changes), ROOT)
    return plan_testnet(spec, JobRun(phase, RUN, dict.fromkeys(members(spec), 7)))


def job(phase: Phase, node: str = "archive-1", jobs: Any = None, **changes: Any) -> PlannedObject:
    return next(each for each in plan(phase, jobs, **changes).objects() if each.key == f"{node}-{phase}")


def pod(of: PlannedObject) -> Manifest:
    spec: Manifest = of.manifest["spec"]["template"]["spec"]
    return spec


def test_an_ordinary_run_plans_no_jobs() -> None:
    spec = parse_document(document(), ROOT)
    assert [each.key for each in of_kind(plan_testnet(spec), "Job")] == ["genesis-job"]
    assert plan_testnet(spec).objects() == plan_testnet(parse_document(zoo(), ROOT)).objects()


@pytest.mark.parametrize("phase", PHASES)
def test_each_node_of_a_group_that_asks_has_one(phase: Phase) -> None:
    keys = {each.key for each in of_kind(plan(phase), "Job")} - {"genesis-job"}
    assert keys == {f"{node}-{phase}" for node in ("whale-1", "whale-2", "archive-1", "archive-2")}


@pytest.mark.parametrize("phase", PHASES)
def test_rule_38_setup_and_verify_jobs_end(phase: Phase) -> None:
    """docs/facts.md: rule/38"""
    spec = job(phase).manifest["spec"]
    assert pod(job(phase))["restartPolicy"] == "Never"
    assert spec["backoffLimit"] <= 3
    # The pod's comes first: it leaves the log of a script that hangs, the Job's deletes it.
    assert spec["activeDeadlineSeconds"] > pod(job(phase))["activeDeadlineSeconds"] > 0
    assert "ttlSecondsAfterFinished" not in spec
    fail, ignore = spec["podFailurePolicy"]["rules"]
    assert fail == {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [LOST]}}
    assert ignore["action"] == "Ignore"
    assert ignore["onPodConditions"][0]["type"] == "DisruptionTarget"
    assert spec["podReplacementPolicy"] == "Failed"


def test_a_job_mounts_the_volumes_of_its_node_and_comes_after_them_and_the_node() -> None:
    planned = job("setup")
    claims = [each["persistentVolumeClaim"]["claimName"] for each in pod(planned)["volumes"]]
    assert claims == ["archive-1-runtime-state-e1", "archive-1-postgres-state-e1"]
    assert {"archive-1", "archive-1-runtime-state-e1", "archive-1-postgres-state-e1"} <= set(planned.after)
    (container,) = pod(planned)["containers"]
    env = {each["name"]: each["value"] for each in container["env"]}
    assert env == {
        "NODE": "archive-1", "RUN": RUN, "HEIGHT": "7", "VOLUMES": "/volumes/runtime-state /volumes/postgres-state",
    }  # fmt: skip


def test_a_claim_that_takes_the_place_of_a_nodes_own_is_mounted() -> None:
    changed = document()
    whale = next(group for group in changed["nodes"] if group.get("group") == "whale")
    whale["overrides"] = {"whale-2": {"volumes": {"runtime-state": {"existingClaim": "old-whale"}}}}
    found = plan_group(parse_document(changed, ROOT), "whale", JobRun("verify", RUN, {"whale-2": None}))
    (planned,) = [each for each in found.objects if each.manifest["kind"] == "Job"]
    assert pod(planned)["volumes"][0]["persistentVolumeClaim"]["claimName"] == "old-whale"


def test_nothing_takes_a_jobs_pod_for_its_node() -> None:
    """A Service and a Deployment select by `app`."""
    labels = job("setup").manifest["spec"]["template"]["metadata"]["labels"]
    assert "app" not in labels
    assert labels["mina-infra/node"] == "archive-1"


def test_names_follow_run_and_script_and_fit() -> None:
    names = {job(phase).manifest["metadata"]["name"] for phase in PHASES}
    names.add(job("verify", jobs={"verify": {"script": "true ; true"}}).manifest["metadata"]["name"])
    assert len(names) == 3
    longest = document()
    longest["nodes"][1] = {**longest["nodes"][1], "group": "w" * 30, "count": 1}
    spec = parse_document(longest, ROOT)
    planned = plan_testnet(spec, JobRun("verify", RUN, {f"{'w' * 30}-1": None}))
    assert max(len(each.manifest["metadata"]["name"]) for each in of_kind(planned, "Job")) <= 63


def test_only_the_setup_job_of_a_daemon_passes_its_start_guard() -> None:
    """It writes; whatever lies on a volume without its genesis would stop the node for ever."""
    (guard,) = pod(job("setup"))["initContainers"]
    assert guard["name"] == "start-guard"
    assert guard["volumeMounts"] == [{"name": "runtime-state", "mountPath": "/root/.mina-config"}]
    assert "initContainers" not in pod(job("verify"))


def test_a_script_of_ones_own_runs_in_its_own_image() -> None:
    image = f"registry.example/check@sha256:{'1' * 64}"
    planned = job("verify", jobs={"verify": {"script": "exit 42 # always", "image": image, "retries": 0}})
    (container,) = pod(planned)["containers"]
    assert (container["image"], container["command"]) == (image, ["sh", "-ceu", "exit 42 # always"])
    assert planned.manifest["spec"]["backoffLimit"] == 0
    assert "mina-infra/check" not in planned.manifest["spec"]["template"]["metadata"]["labels"]


# --- rule 39 ----------------------------------------------------------------------------------------------------------


def test_rule_39_waits_follow_the_number_of_nodes_and_the_document() -> None:
    """docs/facts.md: rule/39"""
    small, large = (parse_document(zoo(nodes=nodes(count)), ROOT) for count in (1, 200))
    for limit in (timeouts.claims, timeouts.deployments, timeouts.jobs):
        assert limit(small) < limit(large)
    said = parse_document(zoo(timeouts={"claims": "7m", "deployments": "8m", "jobs": "9m"}), ROOT)
    found = {each.manifest["kind"]: each.timeout_s for each in plan_testnet(said).objects() if each.timeout_s}
    assert found == {"PersistentVolumeClaim": 420, "Deployment": 480, "Job": 540}


def test_rule_39_a_jobs_own_deadline_comes_before_the_engines() -> None:
    for planned in of_kind(plan("setup"), "Job"):
        assert planned.manifest["spec"]["activeDeadlineSeconds"] <= planned.timeout_s


def test_rule_39_one_more_node_changes_no_object_of_another() -> None:
    one, two = (plan_testnet(parse_document(zoo(nodes=nodes(count)), ROOT)) for count in (5, 6))
    before = {each.key: each.manifest for each in one.objects()}
    changed = {each.key for each in two.objects() if before.get(each.key, each.manifest) != each.manifest} - {"quota"}
    assert changed == set()


def nodes(count: int) -> list[dict[str, Any]]:
    return [zoo()["nodes"][0], {"role": "block-producer", "group": "whale", "count": count, "stake": 0.1}]


# --- the built-in scripts, by `sh` and by the simulator ---------------------------------------------------------------


class Volumes:
    """Two volumes of one node."""

    def __init__(self, folder: Path) -> None:
        self.folders = {"runtime-state": folder / "runtime-state", "postgres-state": folder / "postgres-state"}
        for each in self.folders.values():
            each.mkdir(parents=True)

    def by_shell(self, phase: str, run: str = RUN) -> tuple[int, list[dict[str, str]]]:
        shell = shutil.which("sh") or "sh"
        paths = " ".join(map(str, self.folders.values()))
        env = {"PATH": "/usr/bin:/bin", "NODE": "archive-1", "RUN": run, "HEIGHT": "7", "VOLUMES": paths}
        done = subprocess.run([shell, "-ceu", BUILT_IN[phase]], env=env, capture_output=True, text=True)
        assert done.stderr == ""
        return done.returncode, lines(done.stdout.splitlines())

    def by_simulator(self, phase: str, run: str = RUN) -> tuple[int, list[dict[str, str]]]:
        code, said = check_jobs.play(phase, self.folders, run, "7")
        return code, lines(said)

    def ways(self) -> list[Any]:
        return [self.by_shell, self.by_simulator]


def lines(said: list[str]) -> list[dict[str, str]]:
    assert all(line.startswith("check-state ") for line in said)
    return [json.loads(line.removeprefix("check-state ")) for line in said]


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(tmp_path)


@pytest.mark.parametrize("writer", [0, 1])
def test_what_one_way_writes_the_other_finds(writer: int, volumes: Volumes) -> None:
    code, written = volumes.ways()[writer]("setup")
    assert code == 0
    assert [(each["volume"], each["marker"]) for each in written] == [
        ("runtime-state", "written"),
        ("postgres-state", "written"),
    ]
    for look in volumes.ways():
        code, found = look("verify")
        assert code == 0
        assert found == [{**each, "marker": "kept"} for each in written]


@pytest.mark.parametrize("writer", [0, 1])
def test_the_same_run_again_writes_nothing(writer: int, volumes: Volumes) -> None:
    write = volumes.ways()[writer]
    first = write("setup")
    assert write("setup") == first
    code, found = write("setup", run="ffff0000")
    assert (code, found[0]["run"]) == (0, "ffff0000")
    assert found[0]["digest"] != first[1][0]["digest"]


def emptied(folder: Path) -> None:
    shutil.rmtree(folder / FOLDER)


def damaged(folder: Path) -> None:
    (folder / FOLDER / "tree" / "a" / "two").write_bytes(b"something else")


def half(folder: Path) -> None:
    (folder / FOLDER / "tree" / "one").unlink()


def without_sums(folder: Path) -> None:
    (folder / FOLDER / "sums").unlink()


def quoted(folder: Path) -> None:
    (folder / FOLDER / "run").write_text('"}\n')


@pytest.mark.parametrize(
    ("harm", "marker"),
    [(emptied, "lost"), (damaged, "damaged"), (half, "damaged"), (without_sums, "damaged"), (quoted, "lost")],
)
def test_whatever_is_missing_or_changed_is_noticed(harm: Any, marker: str, volumes: Volumes) -> None:
    volumes.by_shell("setup")
    harm(volumes.folders["runtime-state"])
    answers = [look("verify") for look in volumes.ways()]
    assert answers[0] == answers[1]
    code, (runtime, postgres) = answers[0]
    assert (code, runtime["marker"], postgres["marker"]) == (LOST, marker, "kept")


def test_a_marker_of_another_run_is_an_older_state(volumes: Volumes) -> None:
    volumes.by_shell("setup", run="aaaa0000")
    for look in volumes.ways():
        code, found = look("verify")
        assert (code, found[0]["marker"], found[0]["run"]) == (LOST, "older", "aaaa0000")
