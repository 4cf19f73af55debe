"""The judgements that need no cluster: services, stateful sets, volumes, pods."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.local.provider import conditions
from mina_infra.local.provider.conditions import Look


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "spec": {"selector": {"app": "a"}, **spec}}


READY = {"subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]}
PENDING = {"subsets": [{"notReadyAddresses": [{"ip": "10.0.0.1"}]}]}


@pytest.mark.parametrize(
    ("spec", "endpoints", "quiet", "ready"),
    [
        ({"clusterIP": "None"}, None, 0, True),
        ({"type": "ExternalName"}, None, 0, True),
        ({"selector": {}}, None, 0, True),
        ({}, None, 99, False),
        ({}, READY, 0, False),
        ({}, READY, 10, True),
        ({}, PENDING, 99, False),
        ({}, {}, 10, True),
        ({"type": "LoadBalancer"}, READY, 10, False),
    ],
)
def test_a_service_is_ready_when_no_pod_is_pending_and_its_endpoints_are_quiet(
    spec: dict[str, Any], endpoints: dict[str, Any] | None, quiet: float, ready: bool
) -> None:
    assert conditions.service(service(**spec), endpoints, quiet).ready is ready


def test_a_service_that_only_needs_quiet_says_when_to_look_again() -> None:
    assert conditions.service(service(), READY, 7.5).again == 2.5
    assert conditions.service(service(), None, 7.5).again is None


def test_a_load_balancer_needs_an_address() -> None:
    item = {**service(type="LoadBalancer"), "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}
    assert conditions.service(item, READY, 10).ready
    missing = conditions.service(service(type="LoadBalancer"), READY, 10)
    assert missing.reasons == ["Service was not allocated an IP address; does your cloud provider support this?"]


def stateful(generation: int = 1, update: str = "RollingUpdate", **status: Any) -> Look:
    spec = {"replicas": 2, "updateStrategy": {"type": update}}
    full = {"replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "currentRevision": "a", "updateRevision": "a"}
    metadata = {"name": "s", "generation": generation}
    return conditions.stateful_set(
        {"metadata": metadata, "spec": spec, "status": {"observedGeneration": 1, **full, **status}}
    )


def test_a_stateful_set_is_ready_with_all_replicas_of_one_revision() -> None:
    assert stateful().ready
    assert stateful(readyReplicas=1).reasons == ["1 out of 2 replicas succeeded readiness checks"]
    assert not stateful(updateRevision="b").ready
    assert not stateful(generation=2).ready
    assert stateful(2, "OnDelete", observedGeneration=2, currentReplicas=0, updateRevision="b").ready


@pytest.mark.parametrize(("phase", "ready"), [("Available", True), ("Bound", True), ("Pending", False), (None, False)])
def test_a_volume_is_ready_when_it_can_be_or_is_used(phase: str | None, ready: bool) -> None:
    assert conditions.volume({"status": {"phase": phase}}).ready is ready


def pod(phase: str = "Running", **status: str) -> Look:
    found = [{"type": kind, "status": value, "message": f"{kind}!"} for kind, value in status.items()]
    return conditions.pod({"metadata": {"name": "p"}, "status": {"phase": phase, "conditions": found}})


def test_a_pod_is_ready_step_by_step() -> None:
    assert pod(PodScheduled="True", Initialized="True", Ready="True").ready
    assert pod("Succeeded", PodScheduled="True", Initialized="True", Ready="False").ready
    assert pod(PodScheduled="False").reasons == ["[Pod p]: PodScheduled!"]
    assert pod(PodScheduled="True", Initialized="True").status == 'Waiting for Pod "p" to be ready'


def rollout(
    revision: str = "1", *, generation: int = 1, progress: str = "", ready: int = 1, wanted: int = 1, updated: int = 1
) -> Look:
    found = [{"type": "Available", "status": "True"}]
    if progress:
        found.append({"type": "Progressing", "status": "True", "reason": progress})
    item = {
        "metadata": {"name": "d", "generation": generation, "annotations": {conditions.REVISION: revision}},
        "spec": {"replicas": wanted},
        "status": {"observedGeneration": 1, "updatedReplicas": updated, "conditions": found},
    }
    sets = [
        {
            "metadata": {"annotations": {conditions.REVISION: revision}},
            "spec": {"replicas": wanted},
            "status": {"readyReplicas": ready},
        }
    ]
    return conditions.deployment(item, sets, [])


def test_a_rollout_is_over_when_the_new_replica_set_is_available() -> None:
    assert rollout().ready
    assert not rollout(generation=2).ready
    assert not rollout("2").ready
    assert not rollout("2", progress="ReplicaSetUpdated").ready
    assert rollout("2", progress="NewReplicaSetAvailable").ready
    assert not rollout("2", progress="NewReplicaSetAvailable", ready=0).ready
    assert rollout(ready=0, wanted=0).ready
    assert not rollout(updated=0).ready, "the old ReplicaSet is scaled before the new one is made"


def test_a_token_and_a_path_in_a_list() -> None:
    assert conditions.token_secret({"data": {"token": "x"}}).ready
    assert not conditions.token_secret({}).ready
    item = {"metadata": {"name": "s"}, "status": {"addresses": [{"ip": "10.0.0.1"}]}}
    assert conditions.custom(item, "jsonpath={.status.addresses[0].ip}=10.0.0.1").ready
    assert not conditions.custom(item, "jsonpath={.status.addresses[1].ip}").ready
    assert conditions.custom(item, "jsonpath={.status.addresses}").ready
