"""On a real node: whatever happens to its pods, every daemon goes on with the chain that lies on its volume."""

from __future__ import annotations

import json

from mina_infra.cluster.api import JOB, POD, Manifest
from tests.node.testnet import NEXT_DAEMON, Testnet


def resumed(testnet: Testnet, pods: dict[str, Manifest]) -> None:
    """Every daemon said that it found the chain of its volume."""
    for node, frontier in testnet.frontiers().items():
        assert testnet.log(pods[node], "mina").startswith(f"resumed chain {frontier.chain} at "), node


def test_a_pod_that_is_deleted(testnet: Testnet) -> None:
    before, old = testnet.frontiers(), testnet.pods()["whale-1"]
    testnet.ask(lambda api: api.delete(POD, old["metadata"]["name"], testnet.name))
    new = testnet.until_running({"whale-1": old})
    assert testnet.until_grown(before)
    assert testnet.log(new["whale-1"], "mina").startswith(f"resumed chain {before['whale-1'].chain} at ")


def test_all_pods_killed_without_grace(testnet: Testnet) -> None:
    """Their locks stay behind on the volumes, and the start guard removes them."""
    before, old = testnet.frontiers(), testnet.pods()

    async def kill(api) -> None:
        await api.request("DELETE", POD.path(testnet.name), params={"gracePeriodSeconds": "0"})

    testnet.ask(kill)
    resumed(testnet, testnet.until_running(old))
    testnet.until_grown(before)


def test_the_kubelet_is_killed(testnet: Testnet) -> None:
    """The daemons run on without noticing, and the new kubelet serves them."""
    before, old = testnet.frontiers(), testnet.pods()
    testnet.machine.restart_kubelet()
    testnet.until_grown(before)
    name = old["plain-1"]["metadata"]["name"]
    testnet.ask(lambda api: api.delete(POD, name, testnet.name))
    new = testnet.until_running({"plain-1": old["plain-1"]})
    testnet.until_grown(testnet.frontiers())
    for node in set(old) - {"plain-1"}:
        states = [pod["status"]["containerStatuses"] for pod in (old[node], new[node])]
        ids = [{each["name"]: each["containerID"] for each in state} for state in states]
        assert ids[0] == ids[1], node


def test_paused_and_resumed(testnet: Testnet) -> None:
    """Through the engine: a producer and a node with a database."""
    claims, before, pods = testnet.claims(), testnet.frontiers(), testnet.pods()
    old = {node: pods[node] for node in ("archive-1", "whale-1")}
    testnet.up(paused=set(old))
    testnet.until(POD, lambda now: not now.keys() & {pod["metadata"]["name"] for pod in old.values()})
    still = {node: testnet.frontiers()[node] for node in old}
    testnet.until_grown({node: frontier for node, frontier in before.items() if node not in old})
    assert {node: testnet.frontiers()[node] for node in old} == still, "a paused node does nothing"
    assert old.keys().isdisjoint(testnet.pods())

    testnet.up()
    new = testnet.until_running(old)
    testnet.until_grown(before)
    assert testnet.claims() == claims
    assert testnet.log(new["whale-1"], "mina").startswith(f"resumed chain {before['whale-1'].chain} at ")
    assert "database found" in testnet.log(new["archive-1"], "postgres")


def test_another_image(testnet: Testnet) -> None:
    before = testnet.frontiers()
    testnet.document["image"] = NEXT_DAEMON
    testnet.up()
    resumed(testnet, testnet.until_running(image=NEXT_DAEMON))
    testnet.until_grown(before)


def test_destroyed_with_retention_and_up_again(testnet: Testnet) -> None:
    claims, before, old = testnet.claims(), testnet.frontiers(), testnet.pods()
    testnet.destroy()
    testnet.until(POD, lambda pods: not pods or None)
    assert testnet.claims() == claims
    testnet.up()
    resumed(testnet, testnet.until_running(old))
    testnet.until_grown(before)
    assert testnet.claims() == claims
    (job,) = testnet.ask(lambda api: api.objects(JOB, testnet.name))
    labels = f"job-name={job['metadata']['name']}"
    (filled,) = testnet.ask(lambda api: api.objects(POD, testnet.name, labels=labels))
    assert testnet.log(filled, "fill").startswith("genesis ledger: already there")


def test_a_volume_of_another_genesis_stops_its_node_and_stays_as_it_is(testnet: Testnet) -> None:
    before, old = testnet.frontiers(), testnet.pods()["plain-1"]
    marker = testnet.volume("plain-1-runtime-state-e1") / ".mina-infra-genesis"
    own = marker.read_text()
    foreign = {"digest": f"sha256:{'f' * 64}", "era": 1}
    marker.write_text(json.dumps(foreign))
    testnet.ask(lambda api: api.delete(POD, old["metadata"]["name"], testnet.name))

    stopped = testnet.until(POD, stopped_by_its_guard)
    message = testnet.log(stopped, "start-guard")
    assert foreign["digest"] in message
    assert json.loads(own)["digest"] in message
    assert json.loads(marker.read_text()) == foreign
    assert testnet.frontiers()["plain-1"].chain == before["plain-1"].chain

    marker.write_text(own)
    testnet.until_running({"plain-1": old})
    testnet.until_grown(before)


def stopped_by_its_guard(pods: dict[str, Manifest]) -> Manifest | None:
    for pod in pods.values():
        for each in pod["status"].get("initContainerStatuses", ()):
            ended = each["state"].get("terminated") or each.get("lastState", {}).get("terminated") or {}
            if each["name"] == "start-guard" and ended.get("exitCode") == 42:
                return pod
    return None
