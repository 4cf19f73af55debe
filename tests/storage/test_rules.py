"""What no provider can bind is refused by name, at the place where it was written.

Tests named test_vN hold the refusals VN of docs/facts.md.
"""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.spec import Issue, SpecError
from tests.plan.testnets import plan, plans, zoo

GKE = {"provider": "gke", "region": "us-central1"}


def issues(**changes: Any) -> tuple[Issue, ...]:
    with pytest.raises(SpecError) as caught:
        plan(zoo(**changes))
    return tuple(caught.value.issues)


def only(**changes: Any) -> Issue:
    (issue,) = issues(**changes)
    return issue


def without_addresses() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = zoo()["nodes"]
    for identity in nodes[0]["identities"]:
        identity.pop("address", None)
        identity.pop("ip", None)
    return nodes


def test_the_projects_own_stacks_are_valid() -> None:
    assert set(plans()) == {"local", "qa", "release", "zoo"}


@pytest.mark.parametrize("disk", ["ssd", "balanced"])
@pytest.mark.parametrize("provider", [GKE, {"provider": "local", "region": "local"}])
def test_v1_read_write_many_on_a_block_disk(disk: str, provider: dict[str, str]) -> None:
    issue = only(target=provider, volumes={"runtime-state": {"type": disk, "accessMode": "ReadWriteMany"}})
    assert issue.path == ("volumes", "runtime-state", "accessMode")
    assert "ReadWriteMany needs a shared file backend" in issue.message
    assert f"'{disk}' on {provider['provider']} is a block disk and the claim would stay Pending" in issue.message
    assert "ReadWriteOncePod" in issue.hint


def test_v1_is_said_at_the_group_that_asks_for_it() -> None:
    nodes = zoo()["nodes"]
    nodes[2]["volumes"] = {"runtime-state": {"accessMode": "ReadWriteMany"}}
    assert only(nodes=nodes).path == ("nodes", 2, "volumes", "runtime-state", "accessMode")


@pytest.mark.parametrize("mode", ["ReadWriteOncePod", "ReadWriteOnce"])
def test_v2_a_shared_artefact_for_one_pod(mode: str) -> None:
    issue = only(volumes={"genesis-ledger": {"accessMode": mode}})
    assert f"{mode} but 15 daemons mount it" in issue.message


def test_rule_41_one_pod_alone_needs_kubernetes_1_29() -> None:
    for issue in (found := issues(target={**GKE, "kubernetes": "1.28"})):
        assert issue.path == ("target", "kubernetes")
        assert "ReadWriteOncePod needs Kubernetes 1.29+ (the cluster: 1.28)" in issue.message
    assert len(found) == 2, "runtime-state, postgres-state"
    for_one_machine = {kind: {"accessMode": "ReadWriteOnce"} for kind in ("runtime-state", "postgres-state")}
    plan(zoo(target={**GKE, "kubernetes": "1.28"}, volumes=for_one_machine))
    plan(zoo(target={**GKE, "kubernetes": "1.29"}))


def test_v3_a_read_only_block_disk_without_data() -> None:
    issue = only(volumes={"genesis-ledger": {"type": "ssd"}})
    assert issue.path == ("volumes", "genesis-ledger", "type")
    assert "a ReadOnlyMany disk must be created from data" in issue.message
    assert "config-map" in issue.hint


def test_a_nodes_state_cannot_be_read_only() -> None:
    issue = only(volumes={"runtime-state": {"accessMode": "ReadOnlyMany"}})
    assert "its node writes to it" in issue.message


def test_a_database_does_not_lie_on_a_file_backend() -> None:
    found = issues(volumes={"runtime-state": {"type": "shared"}, "postgres-state": {"type": "shared"}})
    assert {issue.path for issue in found} == {
        ("volumes", "runtime-state", "type"),
        ("volumes", "postgres-state", "type"),
    }
    assert all("one node's database" in issue.message for issue in found)


def test_v10_a_regional_standard_disk_has_a_floor_of_200_gib() -> None:
    found = issues(
        target={**GKE, "replication": "regional"},
        volumes={"postgres-state": {"type": "standard", "size": "8Gi"}},
    )
    messages = [issue.message for issue in found]
    assert any("at least 200 GiB (you asked 8Gi; 2 of them would cost $32/month)" in message for message in messages)


@pytest.mark.parametrize("zones", [["us-central1-a"], ["us-central1-a", "us-central1-b", "us-central1-c"]])
def test_v11_regional_needs_two_zones(zones: list[str]) -> None:
    issue = only(target={**GKE, "replication": "regional", "zones": zones})
    assert issue.path == ("target", "zones")
    assert f"exactly two zones of one region; got {', '.join(zones)}" in issue.message


def test_v12_a_zone_of_another_region() -> None:
    issue = only(target={**GKE, "zones": ["us-central1-a", "us-east1-b"]})
    assert issue.path == ("target", "zones", 1)
    assert "zone us-east1-b is not one of region 'us-central1'" in issue.message


@pytest.mark.parametrize(
    ("provider", "region", "zone"), [("gke", "us-east1", "us-east10-b"), ("aks", "eastus", "eastus2-1")]
)
def test_v12_a_region_whose_name_begins_alike(provider: str, region: str, zone: str) -> None:
    found = issues(target={"provider": provider, "region": region, "zones": [zone]})
    assert any(f"zone {zone} is not one of region '{region}'" in each.message for each in found)


def test_v13_hyperdisk_is_not_rounded_up() -> None:
    issue = only(target={**GKE, "diskFamily": "hyperdisk"}, volumes={"runtime-state": {"size": "2Gi"}})
    assert issue.path == ("volumes", "runtime-state", "size")
    assert "hyperdisk-balanced is at least 4 GiB (you asked 2Gi); the driver does not round up" in issue.message
    assert "4Gi" in issue.hint


def test_v13_at_the_minimum_is_fine() -> None:
    plan(zoo(target={**GKE, "diskFamily": "hyperdisk"}, volumes={"runtime-state": {"size": "4Gi"}}))


def test_v13_a_default_size_that_is_too_small_is_said_at_the_target() -> None:
    assert only(target={**GKE, "diskFamily": "hyperdisk"}).path == ("target",)


def test_v34_a_slow_disk_for_a_database() -> None:
    issue = only(volumes={"runtime-state": {"type": "standard", "size": "2Gi"}})
    assert issue.path == ("volumes", "runtime-state", "type")
    assert "2Gi of pd-standard gives about 2 read and 3 write IOPS" in issue.message


@pytest.mark.parametrize(("size", "refused"), [("333Gi", True), ("334Gi", False)])
def test_v34_a_standard_disk_is_fine_where_its_size_makes_it_fast(size: str, refused: bool) -> None:
    document = zoo(volumes={"runtime-state": {"type": "standard", "size": size}})
    if refused:
        with pytest.raises(SpecError):
            plan(document)
    else:
        plan(document)


def test_v34_only_where_it_is_slow() -> None:
    plan(zoo(target={"provider": "aks", "region": "eastus"}, volumes={"runtime-state": {"type": "standard"}}))


@pytest.mark.parametrize(
    "target",
    [{"provider": "local", "region": "local"}, {"provider": "eks", "region": "us-east-1", "fileSystem": "fs-01234567"}],
)
def test_v39_regional_where_there_is_none_is_said_once(target: dict[str, str]) -> None:
    issue = only(target={**target, "replication": "regional"}, nodes=without_addresses())
    assert issue.path == ("target", "replication")
    assert f"provider '{target['provider']}' has no 'regional'" in issue.message


def test_v39_a_type_that_has_no_second_copy() -> None:
    issue = only(
        target={"provider": "aks", "region": "eastus", "replication": "regional"},
        volumes={"runtime-state": {"type": "standard"}},
    )
    assert "provider 'aks' has no regional 'standard' disk; supported here: ssd, balanced, shared" in issue.message


def test_v39_efs_needs_its_file_system() -> None:
    issue = only(target={"provider": "eks", "region": "us-east-1"}, nodes=without_addresses())
    assert "no file system is named" in issue.message
    assert "fileSystem" in issue.hint


@pytest.mark.parametrize(
    ("extra", "key"), [({"diskFamily": "hyperdisk"}, "diskFamily"), ({"fileSystem": "fs-01234567"}, "fileSystem")]
)
def test_v39_what_belongs_to_another_provider(extra: dict[str, str], key: str) -> None:
    assert only(target={"provider": "aks", "region": "eastus", **extra}).path == ("target", key)


def test_v39_eks_has_no_load_balancer_with_a_fixed_address() -> None:
    found = issues(target={"provider": "eks", "region": "us-east-1", "fileSystem": "fs-01234567"})
    assert {issue.path for issue in found} == {
        ("nodes", 0, "identities", 0, "address"),
        ("nodes", 0, "identities", 1, "address"),
    }


@pytest.mark.parametrize("network", ["0.0.0.0/0", "8.8.8.0/24", "10.0.0.0/7", "::/0"])
def test_a_trusted_network_holds_no_public_address(network: str) -> None:
    assert only(target={**GKE, "networks": ["10.0.0.0/8", network]}).path == ("target", "networks", 1)


@pytest.mark.parametrize("network", ["172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "10.4.0.0/14", "fd00::/8"])
def test_every_range_that_clusters_use_may_be_trusted(network: str) -> None:
    plan(zoo(target={**GKE, "networks": [network]}))


def test_all_mistakes_are_told_at_once() -> None:
    found = issues(
        target={**GKE, "zones": ["us-east1-b"]},
        volumes={"runtime-state": {"accessMode": "ReadWriteMany"}, "genesis-ledger": {"type": "ssd"}},
    )
    assert len(found) == 3


def test_v32_an_automated_testnet_without_a_ttl() -> None:
    issue = only(automated=True)
    assert issue.path == ("ttl",)
    assert issue.message == "testnet 'zoo' is automated: set ttl (for example 6h) so its volumes are removed."
    plan(zoo(automated=True, ttl="6h"))


def test_v33_an_automated_testnet_that_keeps_its_volumes() -> None:
    issue = only(automated=True, ttl="6h", retention="retain")
    assert issue.path == ("retention",)
    assert "'retain' on an automated testnet leaks 146 GiB ($27.82/month) per run" in issue.message
    unpriced = only(automated=True, ttl="6h", retention="retain", target={"provider": "gke", "region": "europe-north2"})
    assert "(at a price not known) per run" in unpriced.message


def test_v33_a_single_kept_volume_is_enough() -> None:
    issue = only(automated=True, ttl="6h", volumes={"postgres-state": {"retention": "retain"}})
    assert issue.path == ("automated",)
    assert "leaks 16 GiB" in issue.message


def test_v33_says_nothing_where_a_volume_cannot_be_made_anyway() -> None:
    found = issues(automated=True, ttl="6h", retention="retain", target={"provider": "aks", "region": "eastus",
                   "replication": "regional"}, volumes={"runtime-state": {"type": "standard"}})  # fmt: skip
    assert [issue.path for issue in found] == [("volumes", "runtime-state", "type")]
