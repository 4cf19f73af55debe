"""Inventory, pods and claims: what is wrong is named, what is surplus is only reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mina_infra.cluster.objects import Claim, Container, Deployment, Pod
from mina_infra.guardian.checks import claims, inventory, pods
from mina_infra.guardian.findings import State
from mina_infra.outputs import ClaimOutput, NodeOutput

GIB = 2**30
NODES = [NodeOutput(name=name, role="plain", group="plain", ports={"graphql": 3085}) for name in ("a", "b")]
GOOD = Container("mina", True, 0, None, None, None)


def pod(node: str, **changes: object) -> Pod:
    made = Pod(
        f"{node}-0", "uid", node, "Running", True, False, datetime(2026, 1, 1, tzinfo=UTC), (GOOD,), None,
        {"app": node, "role": "plain"}, {},
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def deployment(node: str, replicas: int = 1) -> Deployment:
    return Deployment(node, node, replicas, {"app": node})


def test_a_node_scaled_to_zero_is_missing_as_one_without_deployment() -> None:
    finding = inventory.judge(NODES, [deployment("a", 0)], [])
    assert [(row["node"], row["found"]) for row in finding.evidence] == [("b", "no Deployment"), ("a", "scaled to 0")]
    assert finding.state is State.FAIL


def test_a_pod_that_nobody_expected_is_reported_and_no_failure() -> None:
    finding = inventory.judge(NODES, [deployment("a"), deployment("b")], [pod("ghost")])
    assert finding.state is State.PASS
    assert "ghost" in finding.warnings[0]


def test_the_pods_of_jobs_are_no_surplus() -> None:
    job = replace(pod("genesis-ledger"), labels={"app": "genesis-ledger"})
    assert inventory.judge(NODES, [deployment("a"), deployment("b")], [job]).warnings == ()


@pytest.mark.parametrize(
    ("problem", "words", "settling"),
    [
        ({"phase": "Pending"}, "Pending", True),
        ({"phase": "Pending", "containers": (), "unschedulable": "0/4 nodes fit"}, "0/4 nodes fit", True),
        ({"ready": False}, "not ready", True),
        ({"deleting": True}, "being deleted", True),
        ({"containers": (replace(GOOD, waiting="ContainerCreating"),)}, "ContainerCreating", True),
        ({"containers": (replace(GOOD, waiting="CrashLoopBackOff", restarts=4),)}, "CrashLoopBackOff", True),
        ({"containers": (replace(GOOD, waiting="CrashLoopBackOff", restarts=5),)}, "CrashLoopBackOff", False),
        ({"containers": (replace(GOOD, waiting="CreateContainerConfigError"),)}, "CreateContainerConfigError", False),
    ],
)
def test_a_pod_in_trouble_is_named_with_its_reason(problem: dict[str, object], words: str, settling: bool) -> None:
    finding = pods.judge(NODES, [pod("a"), pod("b", **problem)])
    assert (finding.state, finding.nodes, finding.settling) == (State.FAIL, ["b"], settling)
    assert words in str(finding.evidence[0]["found"])


def test_restarts_are_told_with_their_cause_and_do_not_fail_a_pod_that_runs() -> None:
    finding = pods.judge(NODES, [pod("a", containers=(replace(GOOD, restarts=2, last_reason="OOMKilled"),)), pod("b")])
    assert finding.state is State.PASS
    assert finding.warnings == ("a/mina restarted 2 times (OOMKilled)",)


def test_of_two_pods_of_a_node_the_one_that_stays_counts() -> None:
    old = pod("a", name="old", deleting=True, created=datetime(2026, 2, 1, tzinfo=UTC))
    assert pods.judge(NODES, [old, pod("a"), pod("b")]).state is State.PASS


WANT = ClaimOutput(
    name="a-runtime-state-e1", kind="runtime-state", node="a", size_gib=4, storage_class="ssd",
    access_mode="ReadWriteOncePod", retention="delete",
)  # fmt: skip
HAVE = Claim("a-runtime-state-e1", "Bound", "ssd", ("ReadWriteOncePod",), 4 * GIB, 4 * GIB, "pv", {})


@pytest.mark.parametrize(
    ("changes", "words", "settling"),
    [
        ({"phase": "Pending", "capacity_bytes": None}, "Pending", True),
        ({"phase": "Lost"}, "Lost", False),
        ({"storage_class": "hdd"}, "class hdd, planned ssd", False),
        ({"access_modes": ("ReadWriteOnce",)}, "mode ReadWriteOnce, planned ReadWriteOncePod", False),
        ({"capacity_bytes": 4 * GIB - 1}, "planned 4 GiB", True),
        ({"name": "other"}, "missing", False),
    ],
)
def test_a_claim_that_is_not_as_planned_is_named(changes: dict[str, object], words: str, settling: bool) -> None:
    finding = claims.judge([WANT], [replace(HAVE, **changes)])  # type: ignore[arg-type]
    assert (finding.state, finding.nodes, finding.settling) == (State.FAIL, ["a"], settling)
    assert words in str(finding.evidence[0]["found"])


@pytest.mark.parametrize("changes", [{"phase": "Pending"}, {"storage_class": "hdd"}, {"capacity_bytes": GIB}])
def test_a_claim_of_a_kept_era_waits_for_nobody_and_keeps_its_shape(changes: dict[str, object]) -> None:
    kept = WANT.model_copy(update={"kept": True})
    assert claims.judge([kept], [replace(HAVE, **changes)]).state is State.PASS  # type: ignore[arg-type]
    assert claims.judge([kept], []).state is State.FAIL
    assert claims.judge([kept], [replace(HAVE, phase="Lost")]).state is State.FAIL


def test_a_larger_volume_than_asked_is_fine_and_a_surplus_claim_is_reported() -> None:
    finding = claims.judge([WANT], [replace(HAVE, capacity_bytes=10 * GIB), replace(HAVE, name="spare")])
    assert finding.state is State.PASS
    assert "spare" in finding.warnings[0]
