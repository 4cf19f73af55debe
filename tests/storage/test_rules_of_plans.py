"""What every plan obeys, whatever its document says. Tests named test_rule_N hold the rules N of docs/facts.md,
test_vN its refusals VN."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement

from mina_infra.plan import TestnetPlan
from mina_infra.plan.guard import ANOTHER_GENESIS
from mina_infra.plan.summary import summarize, to_text
from mina_infra.spec import DiskType, Issue, SpecError
from mina_infra.storage import cost
from mina_infra.storage.classes import storage_class
from tests.plan.testnets import ROOT, NodeView, every_node, nodes, of_kind, plan, plans, zoo
from tests.storage.test_sources import SOURCES, document


def all_plans() -> list[TestnetPlan]:
    """The project's stacks, the zoo, the zoo with kept volumes, and each source of genesis artefacts."""
    return [*plans().values(), plan(zoo(retention="retain")), *(plan(document(source)) for source in SOURCES)]


def owners() -> list[NodeView]:
    return [
        node for node in every_node() if any("persistentVolumeClaim" in each for each in node.pod.get("volumes", ()))
    ]


def refused(changed: dict[str, Any]) -> tuple[Issue, ...]:
    with pytest.raises(SpecError) as caught:
        plan(changed)
    return tuple(caught.value.issues)


def test_rule_7_no_class_has_a_name_that_would_stay_when_its_fields_change() -> None:
    for planned in all_plans():
        for each in planned.classes:
            assert re.fullmatch(r".*-[0-9a-f]{8}", each.manifest["metadata"]["name"])
    one, other = (plan(zoo(retention=retention)).spec for retention in ("delete", "retain"))
    assert storage_class(one, DiskType.SSD).name != storage_class(other, DiskType.SSD).name


def test_rule_9_no_pod_goes_around_the_scheduler() -> None:
    assert not any("nodeName" in node.pod for planned in all_plans() for node in nodes(planned))


def test_rule_13_keys_are_secrets_config_is_a_config_map_artefacts_are_pinned() -> None:
    for planned in all_plans():
        for node in nodes(planned):
            for volume in node.pod.get("volumes", ()):
                if "key" in volume["name"] or "wallet" in volume["name"]:
                    assert set(volume) - {"name"} <= {"secret", "emptyDir", "projected"}
                if volume["name"] == "daemon-config":
                    assert "configMap" in volume
                if "image" in volume:
                    assert "@sha256:" in volume["image"]["reference"]
        for job in of_kind(planned, "Job"):
            assert "@sha256:" in job.manifest["spec"]["template"]["spec"]["containers"][0]["image"]


def test_rule_16_the_smallest_number_of_machines_follows_from_their_attach_slots() -> None:
    """16 disks: two machines of 15, one of 127."""
    assert "The smallest machine types take 15, others up to 127: 2 or 1 machines at least" in to_text(
        summarize(plans()["release"])
    )


def test_rule_18_the_size_as_billed_is_claimed_shown_paid_and_counted() -> None:
    planned = plan(zoo(volumes={"runtime-state": {"size": "2.5Gi"}}))
    claims = [each.manifest["spec"] for each in of_kind(planned, "PersistentVolumeClaim")]
    sizes = [each["resources"]["requests"]["storage"] for each in claims]
    assert all(re.fullmatch(r"[0-9]+Gi", each) for each in sizes)
    total = sum(int(each.removesuffix("Gi")) for each in sizes)
    assert total == 15 * 3 + 2 * 8 + 100
    assert summarize(planned).gib == total
    assert sum(line.gib for line in cost.monthly(planned.spec).lines) == total
    (quota,) = of_kind(planned, "ResourceQuota")
    assert int(quota.manifest["spec"]["hard"]["requests.storage"].removesuffix("Gi")) >= 2 * total


def test_rule_19_wallet_keys_have_no_claim() -> None:
    for planned in all_plans():
        assert not any(claim.kind == "wallet-keys" for claim in planned.outputs.claims)


def test_v14_a_claim_for_wallet_keys() -> None:
    (issue,) = refused(zoo(volumes={"wallet-keys": {"size": "12Ki"}}))
    assert issue.path == ("volumes", "wallet-keys")
    assert "rounded up to 1 GiB and keep keys in plain text on a disk" in issue.message


def test_rule_20_an_owner_of_volumes_is_recreated_and_has_time_to_stop() -> None:
    for node in owners():
        spec = node.deployment["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
        assert node.pod["terminationGracePeriodSeconds"] >= 60


def test_rule_22_a_kept_claim_needs_no_workload_to_stay() -> None:
    """Neither its owner nor its parent is a workload, and what it needs is protected with it."""
    planned = plan(zoo(retention="retain"))
    objects = {each.key: each for each in planned.objects()}
    for claim in of_kind(planned, "PersistentVolumeClaim"):
        assert claim.protect
        needs = {objects[key].manifest["kind"]: objects[key].protect for key in claim.after}
        assert needs == {"Namespace": True, "ResourceQuota": False, "StorageClass": True}


@pytest.mark.parametrize(("retention", "policy"), [("delete", "Delete"), ("retain", "Retain")])
def test_rule_24_retention_is_the_classes_policy_and_the_claims_protection(retention: str, policy: str) -> None:
    planned = plan(zoo(retention=retention))
    assert {each.manifest["reclaimPolicy"] for each in planned.classes} == {policy}
    assert {each.protect for each in of_kind(planned, "PersistentVolumeClaim")} == {retention == "retain"}


def test_rule_25_what_mounts_a_claim_depends_on_it_and_the_namespace_goes_last() -> None:
    for planned in all_plans():
        objects = {each.key: each for each in planned.objects()}
        claims = {each.manifest["metadata"]["name"]: each.key for each in of_kind(planned, "PersistentVolumeClaim")}
        for each in [*of_kind(planned, "Deployment"), *of_kind(planned, "Job")]:
            volumes = each.manifest["spec"]["template"]["spec"].get("volumes", ())
            used = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes
                    if "persistentVolumeClaim" in volume}  # fmt: skip
            assert {claims[name] for name in used if name in claims} <= set(each.after)
        classes = {each.manifest["metadata"]["name"]: each.key for each in planned.classes}
        for each in of_kind(planned, "PersistentVolumeClaim"):
            assert classes[each.manifest["spec"]["storageClassName"]] in each.after
        for each in objects.values():
            if each.manifest["metadata"].get("namespace"):
                assert "namespace" in each.after


MOUNTS = {
    "config-dir": "/root/.mina-config",
    "genesis": "/root/.mina-config/genesis",
    "postgres-data": "/var/lib/postgresql/data",
}
"""Where claims are mounted: no directory of keys is among them."""


def test_rule_27_mounts_are_directories_and_no_key_lies_on_a_claim() -> None:
    for planned in all_plans():
        for node in nodes(planned):
            claims = {each["name"] for each in node.pod.get("volumes", ()) if "persistentVolumeClaim" in each}
            for container in node.containers:
                paths = [each["mountPath"] for each in container.get("volumeMounts", ())]
                assert len(set(paths)) == len(paths)
                for mount in container.get("volumeMounts", ()):
                    assert "*" not in mount["mountPath"]
                    assert mount["name"] not in claims or mount["mountPath"] == MOUNTS[mount["name"]]
            if node.has("postgres"):
                assert node.env("postgres")["PGDATA"]["value"] == "/var/lib/postgresql/data/pgdata"


def test_rule_32_a_namespace_has_a_limit_of_its_own() -> None:
    for planned in all_plans():
        (quota,) = of_kind(planned, "ResourceQuota")
        claims = of_kind(planned, "PersistentVolumeClaim")
        hard = quota.manifest["spec"]["hard"]
        gib = sum(int(each.manifest["spec"]["resources"]["requests"]["storage"].removesuffix("Gi")) for each in claims)
        assert int(hard["persistentvolumeclaims"]) >= 2 * len(claims)
        assert int(hard["requests.storage"].removesuffix("Gi")) >= 2 * gib


def test_rule_38_jobs_end() -> None:
    for planned in all_plans():
        for job in of_kind(planned, "Job"):
            spec = job.manifest["spec"]
            assert spec["template"]["spec"]["restartPolicy"] == "Never"
            assert spec["backoffLimit"] <= 3
            assert spec["activeDeadlineSeconds"] > 0
            assert "ttlSecondsAfterFinished" not in spec
            fail, ignore = spec["podFailurePolicy"]["rules"]
            assert (fail["action"], fail["onExitCodes"]["operator"]) == ("FailJob", "In")
            assert fail["onExitCodes"]["values"] == [ANOTHER_GENESIS]
            disruption = [{"type": "DisruptionTarget", "status": "True"}]
            assert ignore == {"action": "Ignore", "onPodConditions": disruption}


def test_rule_41_the_provider_is_new_enough() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (provider,) = [each for each in map(Requirement, project["dependencies"]) if each.name == "pulumi-kubernetes"]
    assert not provider.specifier.contains("4.28.0")


def test_rule_42_disruption_budgets_are_shares_of_a_role() -> None:
    for planned in all_plans():
        name, budgets = planned.spec.name, [each.manifest["spec"] for each in of_kind(planned, "PodDisruptionBudget")]
        assert [each["selector"]["matchLabels"] for each in budgets] == [
            {"testnet": name, "role": role} for role in dict.fromkeys(group.role.value for group in planned.spec.nodes)
        ]
        assert all("minAvailable" not in each and each["maxUnavailable"].endswith("%") for each in budgets)


@pytest.mark.parametrize("modes", [["ReadWriteOnce", "ReadOnlyMany"], ["ReadWriteOncePod"]])
def test_v4_several_access_modes(modes: list[str]) -> None:
    (issue,) = refused(zoo(volumes={"runtime-state": {"accessMode": modes}}))
    assert issue.path == ("volumes", "runtime-state", "accessMode")
    assert "found a list; allowed: ReadWriteOncePod, ReadWriteOnce, ReadOnlyMany, ReadWriteMany" in issue.message


def test_v40_names_that_would_be_too_long() -> None:
    found = zoo(name="n" * 31)
    found["nodes"][1]["group"] = "g" * 31
    issues = refused(found)
    assert {issue.path for issue in issues} == {("name",), ("nodes", 1, "group")}
    assert all("at most 30" in issue.message for issue in issues)


@pytest.mark.parametrize("source", SOURCES)
def test_v40_the_longest_names_fit(source: str) -> None:
    """Names of claims, Services and labels of them: at most 63 characters."""
    longest = document(source, name="n" * 30, era=9999)
    longest["nodes"][1].update(group="g" * 30, count=30, stake=1)
    for each in plan(longest).objects():
        metadata = each.manifest["metadata"]
        assert len(metadata["name"]) <= 63
        assert all(len(value) <= 63 for value in metadata["labels"].values())
