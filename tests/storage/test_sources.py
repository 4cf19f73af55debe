"""Where the genesis artefacts come from. Tests named test_vN and test_rule_N hold those of docs/facts.md."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.plan import TestnetPlan
from mina_infra.spec import Issue, SpecError
from tests.plan.testnets import NodeView, nodes, of_kind, plan, zoo

IMAGE = f"ledger@sha256:{'0' * 64}"
DIGEST = f"sha256:{'d' * 64}"
GKE = {"provider": "gke", "region": "us-central1"}
IDENTITY = "reader@some-project.iam.gserviceaccount.com"
SOURCES: dict[str, dict[str, Any]] = {
    "shared-claim": {"genesis": {"image": IMAGE}},
    "config-map": {"genesis": {}},
    "image": {"genesis": {"image": IMAGE}, "target": {**GKE, "kubernetes": "1.35"}},
    "init-copy": {"genesis": {"image": IMAGE}},
    "existing-claim": {"genesis": {"claim": "ledger-of-era-1", "digest": DIGEST}},
    "bucket": {"genesis": {"bucket": "our-ledgers", "digest": DIGEST, "workloadIdentity": IDENTITY}},
    "disk-copies": {
        "genesis": {"snapshot": "ledger", "digest": DIGEST},
        "target": {**GKE, "zones": ["us-central1-a"]},
    },
}


def groups() -> list[dict[str, Any]]:
    """Few groups with daemons, so that a snapshot's copies are enough for them."""
    return [each for each in zoo()["nodes"] if each["role"] in ("seed", "block-producer", "archive")]


def document(source: str, *, without: str = "", more: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    """A testnet with this source; `without` one field of the ledger, with `more` of them."""
    chosen = SOURCES[source]
    ledger = {"source": source, **chosen["genesis"], **(more or {})}
    ledger.pop(without, None)
    changes = {"target": chosen.get("target", GKE), "nodes": groups(), **top}
    result = zoo(**changes)
    result["genesis"]["ledger"] = ledger
    return result


def planned(source: str, **changes: Any) -> TestnetPlan:
    return plan(document(source, **changes))


def daemons(of: TestnetPlan) -> list[NodeView]:
    return [node for node in nodes(of) if node.role != "snark-worker"]


def refused(changed: dict[str, Any]) -> Issue:
    with pytest.raises(SpecError) as caught:
        plan(changed)
    (issue,) = caught.value.issues
    return issue


def genesis_volume(node: NodeView) -> dict[str, Any]:
    return dict(node.volume("genesis"))


@pytest.mark.parametrize("source", SOURCES)
def test_rule_12_no_source_is_one_nodes_claim_for_several_pods(source: str) -> None:
    of = planned(source)
    users: dict[str, set[str]] = {}
    for node in nodes(of):
        for volume in node.pod.get("volumes", ()):
            if "persistentVolumeClaim" in volume:
                users.setdefault(volume["persistentVolumeClaim"]["claimName"], set()).add(node.name)
    for claim in of_kind(of, "PersistentVolumeClaim"):
        (mode,) = claim.manifest["spec"]["accessModes"]
        assert mode in ("ReadWriteMany", "ReadOnlyMany") or len(users[claim.manifest["metadata"]["name"]]) == 1


@pytest.mark.parametrize("source", SOURCES)
def test_daemons_mount_the_artefacts_read_only_or_have_their_own(source: str) -> None:
    for node in daemons(planned(source)):
        mounts = {each["name"]: each for each in node.main["volumeMounts"]}
        assert ("genesis" in mounts) == (source not in ("config-map", "init-copy"))
        if "genesis" in mounts:
            assert mounts["genesis"]["readOnly"] is True
            assert mounts["genesis"]["mountPath"] == "/root/.mina-config/genesis"


@pytest.mark.parametrize("source", sorted(set(SOURCES) - {"shared-claim", "config-map", "init-copy", "image"}))
def test_files_that_no_job_checked_are_checked_by_each_node(source: str) -> None:
    for node in daemons(planned(source)):
        check = node.container("genesis-check")
        assert {each["name"]: each["value"] for each in check["env"]}["LEDGER_DIGEST"] == DIGEST
        assert check["volumeMounts"][0]["readOnly"] is True
        names = [each["name"] for each in node.pod["initContainers"]]
        assert names.index("start-guard") < names.index("genesis-check")


@pytest.mark.parametrize("source", SOURCES)
def test_only_the_shared_claim_needs_a_job(source: str) -> None:
    assert bool(of_kind(planned(source), "Job")) == (source == "shared-claim")


def test_an_image_is_mounted_by_digest() -> None:
    for node in daemons(planned("image")):
        assert genesis_volume(node)["image"] == {"reference": IMAGE, "pullPolicy": "IfNotPresent"}
        (mount,) = [each for each in node.main["volumeMounts"] if each["name"] == "genesis"]
        assert mount["subPath"] == "genesis"


def test_a_copy_lies_on_the_nodes_own_volume_after_the_start_guard() -> None:
    for node in daemons(planned("init-copy")):
        names = [each["name"] for each in node.pod["initContainers"]]
        assert names.index("start-guard") < names.index("genesis-copy")
        step = node.container("genesis-copy")
        assert step["image"] == IMAGE
        assert step["volumeMounts"] == [{"name": "config-dir", "mountPath": "/root/.mina-config"}]
        assert {each["name"]: each["value"] for each in step["env"]}["TARGET"] == "/root/.mina-config/genesis"


def test_an_existing_claim_is_mounted_and_its_namespace_stays() -> None:
    of = planned("existing-claim")
    for node in daemons(of):
        assert genesis_volume(node)["persistentVolumeClaim"] == {"claimName": "ledger-of-era-1", "readOnly": True}
    assert [each.key for each in of.objects() if each.protect] == ["namespace"]


def test_a_bucket_is_mounted_inline_by_an_account_that_may_read_it() -> None:
    of = planned("bucket")
    (account,) = of_kind(of, "ServiceAccount")
    assert account.manifest["metadata"]["annotations"]["iam.gke.io/gcp-service-account"] == IDENTITY
    for node in daemons(of):
        assert node.template["metadata"]["annotations"]["gke-gcsfuse/volumes"] == "true"
        csi = genesis_volume(node)["csi"]
        assert (csi["readOnly"], csi["volumeAttributes"]["bucketName"]) == (True, "our-ledgers")


def test_rule_14_read_only_disks_are_made_from_data_and_mounted_read_only() -> None:
    of = planned("disk-copies")
    copies = [each for each in of_kind(of, "PersistentVolumeClaim") if "dataSource" in each.manifest["spec"]]
    assert len(copies) == 4  # seeds, whales, fish, archives
    for claim in copies:
        spec = claim.manifest["spec"]
        assert spec["accessModes"] == ["ReadOnlyMany"]
        assert spec["storageClassName"].startswith("zoo-balanced-")
        assert spec["dataSource"] == {
            "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "ledger",
        }  # fmt: skip
    assert all(genesis_volume(node)["persistentVolumeClaim"]["readOnly"] for node in daemons(of))


@given(st.integers(1, 30))
def test_rule_15_at_most_ten_nodes_read_one_disk(count: int) -> None:
    members = groups()[:2]
    members[1].update(count=count, stake=1)
    of = planned("disk-copies", nodes=members)
    readers: dict[str, int] = {}
    for node in daemons(of):
        claim = genesis_volume(node)["persistentVolumeClaim"]["claimName"]
        readers[claim] = readers.get(claim, 0) + 1
    made = {each.manifest["metadata"]["name"] for each in of_kind(of, "PersistentVolumeClaim")}
    assert set(readers) <= made
    assert max(readers.values()) <= 10
    assert len(readers) == 1 + math.ceil(count / 10)


def test_a_group_that_grows_moves_no_node_to_another_disk() -> None:
    members = groups()
    members[1].update(count=12, stake=1)
    before, after = (
        {node.name: genesis_volume(node) for node in daemons(planned("disk-copies", nodes=each))}
        for each in (groups(), members)
    )
    assert {name: after[name] for name in before} == before


def test_copies_are_never_kept_since_the_snapshot_is() -> None:
    of = planned("disk-copies", retention="retain")
    kept = {each.key for each in of.objects() if each.protect}
    assert "genesis-ledger-whale-1-e1" not in kept
    assert "whale-1-runtime-state-e1" in kept


def test_v3_read_only_disks_from_nothing() -> None:
    issue = refused(document("disk-copies", without="snapshot"))
    assert issue.path == ("genesis", "ledger", "snapshot")
    assert "a ReadOnlyMany persistent disk must be created from data" in issue.message


def test_v5_more_readers_than_copies_of_a_disk_can_serve() -> None:
    members = groups()
    members[1].update(count=31, stake=1)
    issue = refused(document("disk-copies", nodes=members))
    assert "38 nodes read the artefacts, but one persistent disk attaches read-only to at most 10 VMs" in issue.message
    assert "the 7 copies" in issue.message
    members[1]["count"] = 30
    planned("disk-copies", nodes=members)


@pytest.mark.parametrize("zones", [[], ["us-central1-a", "us-central1-b"]])
def test_v5_readers_in_several_zones(zones: list[str]) -> None:
    assert "disk-copies lie in one zone" in refused(document("disk-copies", target={**GKE, "zones": zones})).message


@pytest.mark.parametrize("source", ["shared-claim", "image", "init-copy"])
def test_v18_an_artefact_by_tag(source: str) -> None:
    issue = refused(document(source, more={"image": "ledger:latest"}))
    assert issue.path == ("genesis", "ledger", "image")
    assert "must be pinned by digest" in issue.message


@pytest.mark.parametrize(("version", "shown"), [(None, "not said"), ("1.34", "1.34"), ("1.9", "1.9")])
def test_v19_image_volumes_on_an_old_cluster(version: str | None, shown: str) -> None:
    target = {**GKE, "kubernetes": version} if version else GKE
    old = {kind: {"accessMode": "ReadWriteOnce"} for kind in ("runtime-state", "postgres-state")}
    issue = refused(document("image", target=target, volumes=old))
    assert f"image volumes need Kubernetes 1.35+ (the cluster: {shown})" in issue.message
    assert "init-copy" in issue.hint


@pytest.mark.parametrize("version", ["1.35", "1.36", "1.100"])
def test_v19_image_volumes_on_a_new_one(version: str) -> None:
    planned("image", target={**GKE, "kubernetes": version})


@pytest.mark.parametrize(("source", "field"), [("existing-claim", "claim"), ("disk-copies", "snapshot")])
def test_v28_artefacts_of_another_namespace(source: str, field: str) -> None:
    issue = refused(document(source, more={field: "other/ledger"}))
    assert issue.path == ("genesis", "ledger", field)
    assert "claims and snapshots cannot be shared" in issue.message


def test_v36_a_bucket_without_an_identity() -> None:
    issue = refused(document("bucket", without="workloadIdentity"))
    assert issue.path == ("genesis", "ledger", "workloadIdentity")
    assert "a workload identity for namespace 'zoo'" in issue.message


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ({"provider": "aks", "region": "eastus"}, "bucket"),
        ({"provider": "local", "region": "local"}, "bucket"),
        ({"provider": "aks", "region": "eastus", "zones": ["eastus-1"]}, "disk-copies"),
        ({"provider": "local", "region": "local", "zones": ["local-a"]}, "disk-copies"),
    ],
)
def test_v39_a_source_that_the_provider_has_not_got(target: dict[str, Any], source: str) -> None:
    issue = refused(document(source, target=target))
    assert issue.path == ("genesis", "ledger", "source")
    assert f"provider '{target['provider']}' has no '{source}'" in issue.message
    assert "supported here: shared-claim, config-map, image, init-copy, existing-claim" in issue.message


def test_v39_hyperdisks_are_not_read_by_several() -> None:
    target = {**GKE, "zones": ["us-central1-a"], "diskFamily": "hyperdisk"}
    issue = refused(document("disk-copies", target=target, volumes={"runtime-state": {"size": "4Gi"}}))
    assert "its disks of this family cannot be read by several nodes" in issue.message


@pytest.mark.parametrize("source", [source for source in SOURCES if "digest" in SOURCES[source]["genesis"]])
def test_what_nothing_else_pins_needs_a_digest(source: str) -> None:
    assert refused(document(source, without="digest")).path == ("genesis", "ledger", "digest")


@pytest.mark.parametrize(("field", "value"), [("claim", "x"), ("bucket", "xyz"), ("snapshot", "x")])
def test_a_field_of_another_source_is_refused(field: str, value: str) -> None:
    issue = refused(document("shared-claim", more={field: value}))
    assert f"`{field}` says nothing with source shared-claim" in issue.message


def test_a_claim_of_the_testnet_itself_is_not_an_existing_one() -> None:
    issue = refused(document("existing-claim", more={"claim": "whale-1-runtime-state-e1"}))
    assert issue.path == ("genesis", "ledger", "claim")


@pytest.mark.parametrize("source", SOURCES)
def test_every_sources_script_is_the_digest_that_the_handbook_gives(source: str) -> None:
    """One way to take a digest, wherever it is taken."""
    command = "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    assert command in (Path(__file__).parents[2] / "docs" / "storage.md").read_text()
    scripts = json.dumps([each.manifest for each in planned(source).objects()])
    assert ("xargs -0 sha256sum | sha256sum" in scripts) == (source not in ("config-map", "image"))
