"""Snapshots that nobody owns, and those that only look like it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mina_infra.hygiene import disks, snapshots
from mina_infra.hygiene.contents import Contents
from mina_infra.hygiene.orphans import Orphan, Owners, owners
from mina_infra.hygiene.spending import State, spending
from tests.hygiene.test_orphans import KNOWN, NAMESPACES, OURS
from tests.hygiene.test_spending import MACHINE
from tests.plan.testnets import plan, zoo

NAME = "whale-1-runtime-state-e1-before-upgrade"


def snapshot(namespace: str = "zoo", name: str = NAME, uid: str = "u1", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "labels": OURS, **metadata},
        "status": {"restoreSize": "10Gi", "boundVolumeSnapshotContentName": f"snapcontent-{uid}"},
    }


def content(
    namespace: str = "zoo", name: str = NAME, uid: str = "u1", handle: str = "projects/p/global/snapshots/snapshot-u1",
    *, imported: bool = False,
) -> dict[str, Any]:  # fmt: skip
    source = {"snapshotHandle": handle} if imported else {"volumeHandle": "projects/p/zones/z/disks/pvc-1"}
    return {
        "metadata": {"name": f"snapcontent-{uid}", "resourceVersion": "1"},
        "spec": {
            "driver": "pd.csi.storage.gke.io",
            "deletionPolicy": "Retain",
            "source": source,
            "volumeSnapshotRef": {"namespace": namespace, "name": name, "uid": uid},
        },
        "status": {"restoreSize": 10 * 2**30, "snapshotHandle": handle},
    }


def held(**parts: Any) -> Contents:
    return Contents(**{"namespaces": NAMESPACES, "machines": (MACHINE,), **parts})


def judged(known: Owners = KNOWN, **parts: Any) -> tuple[Orphan, ...]:
    return snapshots.judge(held(**parts), known)


def test_rule_34_a_content_whose_snapshot_is_gone_is_an_orphan_with_its_cost() -> None:
    for namespace in ("zoo", "vanished"):
        (found,) = judged(snapshot_contents=(content(namespace),))
        assert (found.kind, found.name, found.gib, found.sure) == ("snapshot content", "snapcontent-u1", 10, True)
        assert found.usd == pytest.approx(0.50)
        assert f"of {namespace}/{NAME}" in found.reason


def test_rule_34_a_snapshot_of_another_checkout_is_unknown() -> None:
    (found,) = judged(snapshots=(snapshot("elsewhere"),), snapshot_contents=(content("elsewhere"),))
    assert (found.name, found.sure) == (f"elsewhere/{NAME}", False)
    assert found.usd == pytest.approx(0.50)
    (left,) = judged(snapshot_contents=(content("elsewhere"),))
    assert not left.sure


@pytest.mark.parametrize(
    "parts",
    [
        {"snapshots": (snapshot(),), "snapshot_contents": (content(),)},
        {"snapshots": (snapshot(name="gone-1-runtime-state-e1-x"),)},
        {"snapshots": (snapshot("shop", labels={}),), "snapshot_contents": (content("shop", "backup", "u2"),)},
        {"snapshot_contents": (content(name="data-mysql-0-nightly"),)},
        {"snapshots": (snapshot("elsewhere", deletionTimestamp="now"),)},
    ],
    ids=["a testnet's", "of a node that is gone", "foreign", "foreign content", "leaving"],
)
def test_what_somebody_owns_is_no_orphan(parts: dict[str, Any]) -> None:
    assert judged(**parts) == ()


def test_two_contents_of_one_snapshot_are_never_surely_orphans() -> None:
    """A clone imports the snapshot of another testnet: deleting one would take it from the other."""
    handle = "projects/p/global/snapshots/snapshot-u1"
    found = judged(snapshot_contents=(content("gone"), content("vanished", uid="u2", handle=handle, imported=True)))
    assert [each.sure for each in found] == [False, False]


def test_rule_34_nothing_is_an_orphan_while_a_stack_cannot_be_read() -> None:
    partial = owners([plan(zoo())], [], whole=False)
    assert [each.sure for each in judged(partial, snapshot_contents=(content(),))] == [False]


def test_an_import_that_is_about_to_be_bound_is_left_out() -> None:
    waiting = content("elsewhere", imported=True)
    del waiting["spec"]["volumeSnapshotRef"]["uid"]
    assert judged(snapshots=(snapshot("elsewhere", uid="u9"),), snapshot_contents=(waiting,))[0].kind == "snapshot"


def test_snapshots_are_paid_for_too() -> None:
    (row,) = spending(held(snapshots=(snapshot(),), snapshot_contents=(content(),))).rows
    assert (row.testnet, row.state, row.volumes, row.gib) == ("zoo", State.SNAPSHOT, 1, 10)
    assert row.usd == pytest.approx(0.50)
    (row,) = spending(held(machines=(), snapshot_contents=(content(),))).rows
    assert row.usd is None, "a region that cannot be told has no price"


def listed(name: str = "snapshot-u1", cluster: str | None = "qa", of: str = NAME, **more: Any) -> dict[str, Any]:
    origin = {
        "kubernetes.io/created-for/volumesnapshot/name": of,
        "kubernetes.io/created-for/volumesnapshot/namespace": "zoo",
        "kubernetes.io/created-for/volumesnapshotcontent/name": name.replace("snapshot-", "snapcontent-"),
    }
    return {
        "name": name,
        "diskSizeGb": "10",
        "storageBytes": str(3 * 2**30),
        "storageLocations": ["us-central1"],
        "description": json.dumps(origin),
        "labels": {disks.CLUSTER_LABEL: cluster} if cluster else {},
        **more,
    }


def test_rule_34_a_listed_snapshot_is_an_orphan_when_its_cluster_does_not_know_it() -> None:
    context = "gke_p_us-central1_qa"
    (found,) = snapshots.judge_listing([listed()], [context], [])
    assert (found.kind, found.sure, found.gib) == ("cloud snapshot", True, 3), "what it holds, not its disk's size"
    assert found.usd == pytest.approx(0.15)
    assert disks.command(found) == "gcloud compute snapshots delete snapshot-u1"
    assert [each.sure for each in snapshots.judge_listing([listed()], [], [])] == [False], "nobody was asked"
    assert [each.sure for each in snapshots.judge_listing([listed(cluster=None)], [context], [])] == [False]


def test_a_listed_snapshot_that_a_cluster_knows_or_that_is_not_ours_is_left_out() -> None:
    known = list(snapshots.handles(held(snapshot_contents=(content(),))))
    foreign = [listed("snapshot-u3", of="nightly"), {"name": "by-hand", "diskSizeGb": "10"}]
    assert list(snapshots.judge_listing([listed(), *foreign], ["qa"], known)) == []
    assert list(snapshots.judge_listing([listed("other-name-u1")], ["qa"], ["other-name-u1"])) == []
