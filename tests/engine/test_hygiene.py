"""ttl, renewal and expiry on a real API server, through the real engine."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mina_infra.cli import hygiene
from mina_infra.cli.cost import cost
from mina_infra.cli.orphans import orphans
from mina_infra.cluster.api import CLAIM, NAMESPACE, PERSISTENT_VOLUME, SNAPSHOT_CONTENT, VOLUME_SNAPSHOT, KubeApi
from mina_infra.engine import run
from mina_infra.engine.settle import wait_until_running
from mina_infra.errors import ClusterError, EngineError, MinaInfraError
from mina_infra.hygiene.expire import Standing, judge, see
from mina_infra.hygiene.lifetime import lifetime, renew
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import STATE_VARIABLE
from mina_infra.persistence.snapshots import Wanted, claims_of, take
from mina_infra.spec.values import Duration
from tests.engine.testnets import SmallTestnet

Make = Callable[..., SmallTestnet]


@pytest.fixture
def make(embedded_cluster: EmbeddedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """`make(name, **changes)`: a testnet of one project, in whose folder the command line stands; gone afterwards."""
    made: list[SmallTestnet] = []

    def maker(name: str, **changes: object) -> SmallTestnet:
        testnet = SmallTestnet(name, embedded_cluster, tmp_path / "project")
        testnet.change(**changes)
        made.append(testnet)
        monkeypatch.chdir(testnet.project)
        return testnet

    monkeypatch.setenv(STATE_VARIABLE, str(embedded_cluster.state.parent))
    yield maker
    for each in made:
        # Not through the engine: an API server lets five seconds pass before it empties a namespace.
        each.ask(lambda api, name=each.name: api.delete(NAMESPACE, name))


def expire(testnet: SmallTestnet, *, yes: bool = False) -> int:
    return hygiene.expire(stack=None, local=True, cluster=testnet.cluster.name, yes=yes)


def test_a_renewal_outlives_every_up(make: Make) -> None:
    testnet = make("renewed", ttl="1h")
    run.up(testnet.env, testnet)
    now = datetime.now(UTC)
    before, after = testnet.ask(lambda api: renew(api, "renewed", Duration("24h"), now))
    assert before.expires
    assert before.expires < now + timedelta(hours=2)
    assert after.expires == (now + timedelta(hours=24)).replace(microsecond=0)

    assert run.up(testnet.env, testnet).changed == 0
    assert run.refresh(testnet.env, testnet).changed == 0
    testnet.change(ttl="2h", owner="somebody")
    assert dict(run.up(testnet.env, testnet).changes)["update"] == 1
    namespace = testnet.ask(lambda api: api.get(NAMESPACE, "renewed"))
    assert namespace
    found = lifetime(namespace)
    assert found
    assert found.expires == after.expires
    assert found.owner == "somebody"

    shorter = testnet.ask(lambda api: renew(api, "renewed", Duration("1m"), now))
    assert shorter[0] == shorter[1], "a renewal never shortens"


def test_what_does_not_end_cannot_be_renewed(make: Make) -> None:
    testnet = make("endless")
    with pytest.raises(ClusterError, match="no testnet 'endless'"):
        testnet.ask(lambda api: renew(api, "endless", Duration("1h"), datetime.now(UTC)))
    run.up(testnet.env, testnet)
    with pytest.raises(MinaInfraError, match="has no ttl") as told:
        testnet.ask(lambda api: renew(api, "endless", Duration("1h"), datetime.now(UTC)))
    assert not isinstance(told.value, ClusterError), "the document's, not the cluster's"


def test_expired_testnets_go_through_their_stack_and_no_other_is_touched(make: Make) -> None:
    expired, living, stranger = make("expired", ttl="1s"), make("living", ttl="9h"), "stranger"
    labels = {"app.kubernetes.io/managed-by": "mina-infra", "testnet": stranger}
    notes = {"mina-infra/ttl": "1s"}
    metadata = {"name": stranger, "labels": labels, "annotations": notes}
    # The stranger first: it has expired by the time that two testnets are up.
    expired.ask(lambda api: api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
    try:
        for each in (expired, living):
            run.up(each.env, each)
        assert expire(expired) == 1, "a dry run tells that something has expired"
        assert expired.deployments()
        assert expire(expired, yes=True) == 1, "the stranger is still there"
        assert expired.remains() == []
        assert living.deployments()
        found = expired.ask(see)
        later = datetime.now(UTC) + timedelta(seconds=5)
        standings = {each.testnet: each.standing for each in judge(found, [expired.env, living.env], later)}
        assert standings["living"] is Standing.LIVING
        assert standings[stranger] is Standing.FOREIGN, "no stack of ours has it on record"
    finally:
        expired.ask(lambda api: api.delete(NAMESPACE, stranger))


def test_a_kept_testnet_that_has_expired_loses_its_nodes_and_keeps_its_volumes(make: Make) -> None:
    testnet = make("expired-kept", ttl="1s", retention="retain")
    run.up(testnet.env, testnet)
    claims = testnet.claims()
    assert expire(testnet, yes=True) == 0
    assert testnet.deployments() == {}
    assert testnet.claims() == claims
    assert expire(testnet) == 0, "what is kept on purpose is not left over"


def test_a_namespace_that_was_made_anew_is_not_the_stacks(make: Make) -> None:
    """Same name, other uid: whoever made it, this record is not about it."""
    testnet = make("made-anew", ttl="1s")
    run.up(testnet.env, testnet)
    seen = testnet.ask(see)
    (mine,) = [each for each in seen.namespaces if each["metadata"]["name"] == "made-anew"]
    later = datetime.now(UTC) + timedelta(seconds=5)
    another = {**mine, "metadata": {**mine["metadata"], "uid": "another"}}
    found = judge(type(seen)((another,), seen.deployments), [testnet.env], later)
    assert [each.standing for each in found] == [Standing.FOREIGN]


def clear(testnet: SmallTestnet) -> None:
    """Wait until what earlier tests left in this cluster is gone: it belongs to no stack of this project."""
    deadline = time.monotonic() + 60

    async def left(api: KubeApi) -> list[str]:
        namespaces = [each for each in await api.objects(NAMESPACE) if "deletionTimestamp" in each["metadata"]]
        volumes = await api.objects(PERSISTENT_VOLUME)
        for each in volumes:
            if each["spec"]["persistentVolumeReclaimPolicy"] == "Retain":
                policy = {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
                await api.patch(PERSISTENT_VOLUME, each["metadata"]["name"], policy)
        return [each["metadata"]["name"] for each in (*namespaces, *volumes)]

    while remaining := testnet.ask(left):
        assert time.monotonic() < deadline, f"still there: {remaining}"
        time.sleep(0.1)


def find_orphans(testnet: SmallTestnet, *delete: str) -> int:
    return orphans(local=True, cluster=testnet.cluster.name, delete=list(delete), yes=True)


def test_rule_34_orphans_are_named_and_only_the_named_one_is_deleted(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    testnet = make("orphans")
    clear(testnet)
    run.up(testnet.env, testnet)
    live = testnet.ask(lambda api: api.objects(CLAIM, "orphans"))
    like = next(each for each in live if each["metadata"]["name"].startswith("whale-1"))
    for name in ("left-1-runtime-state-e1", "left-2-runtime-state-e1"):
        metadata = {"name": name, "namespace": "orphans", "labels": like["metadata"]["labels"]}
        spec = {key: value for key, value in like["spec"].items() if key != "volumeName"}
        testnet.ask(
            lambda api, metadata=metadata, spec=spec: api.create(
                {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
            )
        )
    before = set(testnet.claims())
    capsys.readouterr()  # the engine's progress names nodes too
    assert find_orphans(testnet) == 1
    said = capsys.readouterr().out
    assert "orphan  claim orphans/left-1-runtime-state-e1" in said
    assert "whale" not in said
    assert set(testnet.claims()) == before

    with pytest.raises(EngineError, match="not known to be an orphan; nothing was deleted"):
        find_orphans(testnet, "orphans/left-1-runtime-state-e1", "orphans/whale-1-runtime-state-e1")
    assert set(testnet.claims()) == before

    assert find_orphans(testnet, "orphans/left-1-runtime-state-e1") == 1, "the other one is still there"
    after = testnet.ask(lambda api: api.objects(CLAIM, "orphans"))
    staying = {each["metadata"]["name"] for each in after if "deletionTimestamp" not in each["metadata"]}
    assert before - staying == {"left-1-runtime-state-e1"}


def test_the_cost_of_what_is_there_is_told_by_testnet_and_state(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    testnet = make("costly", retention="retain")
    run.up(testnet.env, testnet)
    nodes = list(testnet.deployments())
    testnet.ask(lambda api: wait_until_running(api, "costly", nodes, testnet, deadline_s=60))

    def states() -> dict[str, int]:
        capsys.readouterr()
        assert cost(local=True, cluster=testnet.cluster.name, json=True) == 0
        data = json.loads(capsys.readouterr().out)["clusters"][testnet.cluster.name]["testnets"]["costly"]
        assert (data["usd"], data["unknown_prices"]) == (0, []), "directories cost nothing"
        found: Counter[str] = Counter()
        for row in data["rows"]:
            found[row["state"]] += row["volumes"]
        return dict(found)

    claims = len(testnet.claims())
    assert states() == {"running": claims}
    run.destroy(testnet.env, testnet, exclude_protected=True)
    assert states() == {"kept": claims}, "what outlives a testnet is still paid for"


def test_rule_34_a_snapshots_content_outlives_it_and_goes_when_it_is_named(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    testnet = make("snapped", retention="retain")
    clear(testnet)
    run.up(testnet.env, testnet)
    spec, nodes = testnet.env.plan.spec, list(testnet.deployments())
    testnet.ask(lambda api: wait_until_running(api, "snapped", nodes, testnet, deadline_s=60))

    async def snap_and_forget(api: KubeApi) -> str:
        claims = await claims_of(api, spec, ["whale-1"])
        (taken,) = await take(api, spec, [Wanted(claims[0], "left")], testnet)
        await api.delete(VOLUME_SNAPSHOT, taken["metadata"]["name"], "snapped")
        return str(taken["status"]["boundVolumeSnapshotContentName"])

    content = testnet.ask(snap_and_forget)
    kept = testnet.cluster.paths.snapshots
    assert [each.name for each in kept.iterdir()] == [f"snapshot-{content.removeprefix('snapcontent-')}"]
    capsys.readouterr()
    assert find_orphans(testnet) == 1
    said = capsys.readouterr().out
    assert f"orphan  snapshot content {content}" in said
    assert "of snapped/whale-1-runtime-state-e1-left, which is gone" in said

    assert find_orphans(testnet, content) == 0
    deadline = time.monotonic() + 20
    while testnet.ask(lambda api: api.get(SNAPSHOT_CONTENT, content)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(kept.iterdir()) == [], "what lay behind it goes before it does"
