"""Live objects, reduced to what operation needs."""

from __future__ import annotations

import pytest

from mina_infra.cluster.objects import bytes_of, claim_of, deployment_of, event_of, pod_of

META = {"name": "whale-1-abc", "uid": "u", "creationTimestamp": "2026-11-21T23:33:54Z", "labels": {"app": "whale-1"}}


def test_a_crashing_pod() -> None:
    pod = pod_of(
        {
            "metadata": META,
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "False"}, {"type": "PodScheduled", "status": "True"}],
                "containerStatuses": [
                    {
                        "name": "mina",
                        "ready": False,
                        "restartCount": 4,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                    }
                ],
            },
        }
    )
    (container,) = pod.containers
    assert (pod.node, pod.ready, pod.deleting, pod.unschedulable) == ("whale-1", False, False, None)
    assert (container.waiting, container.restarts, container.last_exit, container.last_reason) == (
        "CrashLoopBackOff", 4, 137, "OOMKilled",
    )  # fmt: skip


def test_a_pod_without_a_place_and_without_a_status() -> None:
    conditions = [{"type": "PodScheduled", "status": "False", "message": "0/4 nodes are available"}]
    assert pod_of({"metadata": META, "status": {"conditions": conditions}}).unschedulable == "0/4 nodes are available"
    assert pod_of({"metadata": META}).phase == "Unknown"


def test_a_claim_before_and_after_binding() -> None:
    spec = {
        "storageClassName": "ssd",
        "accessModes": ["ReadWriteOncePod"],
        "resources": {"requests": {"storage": "4Gi"}},
    }
    waiting = claim_of({"metadata": {"name": "c"}, "spec": spec})
    assert (waiting.phase, waiting.requested_bytes, waiting.capacity_bytes) == ("Pending", 4 * 2**30, None)
    status = {"phase": "Bound", "capacity": {"storage": "10Gi"}}
    assert claim_of({"metadata": {"name": "c"}, "spec": spec, "status": status}).capacity_bytes == 10 * 2**30
    going = {"name": "c", "deletionTimestamp": "2026-11-21T23:33:54Z"}
    assert claim_of({"metadata": going, "spec": spec, "status": status}).phase == "Terminating"


def test_a_deployment_without_replicas_has_one() -> None:
    assert deployment_of({"metadata": {"name": "a"}, "spec": {}}).replicas == 1


def test_an_event_of_the_new_kind_has_its_time_elsewhere() -> None:
    event = event_of({"metadata": {}, "eventTime": "2026-11-21T23:33:54.123456Z", "reason": "Killing"})
    assert event.last_seen is not None
    assert event.count == 1


@pytest.mark.parametrize(
    ("quantity", "size"), [("4Gi", 4 * 2**30), ("1500Mi", 1500 * 2**20), ("1G", 10**9), ("0.5Ti", 2**39), (7, 7)]
)
def test_quantities(quantity: str | int, size: int) -> None:
    assert bytes_of(quantity) == size


def test_what_is_no_quantity_of_bytes() -> None:
    with pytest.raises(ValueError, match="quantity"):
        bytes_of("4Gik")
