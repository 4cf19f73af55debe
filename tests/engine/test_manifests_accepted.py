"""Every manifest of every stack, on every provider, is taken by a real API server: strictly, and without a warning."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from mina_infra.cluster.api import KubeApi, Manifest, kind_of
from mina_infra.cluster.fanout import gather_bounded
from mina_infra.local.control_plane import EmbeddedCluster, start, stop
from mina_infra.local.tools import ensure_tools
from mina_infra.plan import TestnetPlan, localize, parse_classes, parse_document, plan_classes, plan_testnet
from tests.plan.testnets import ROOT, plan, plans, zoo
from tests.storage.test_sources import SOURCES, document

NAME = "accepted-test"
TARGETS: dict[str, dict[str, Any]] = {
    "gke-regional": {
        "provider": "gke",
        "region": "us-central1",
        "replication": "regional",
        "zones": ["us-central1-a", "us-central1-b"],
    },
    "gke-hyperdisk": {"provider": "gke", "region": "us-central1", "diskFamily": "hyperdisk"},
    "eks": {"provider": "eks", "region": "us-east-1", "fileSystem": "fs-0123456789abcdef0"},
    "aks": {"provider": "aks", "region": "eastus", "zones": ["eastus-1", "eastus-2"]},
    "aks-regional": {"provider": "aks", "region": "eastus", "replication": "regional"},
    "local": {"provider": "local", "region": "local", "zones": ["local-a", "local-b"]},
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINA_INFRA_STATE", str(tmp_path_factory.mktemp("accepted")))
        try:
            yield start(NAME, ensure_tools(print), print)
        finally:
            stop(NAME)


MORE = {
    "gke": {"disk-encryption-kms-key": "projects/p/locations/l/keyRings/r/cryptoKeys/k", "labels": "team=infra"},
    "eks": {"encrypted": "true", "tagSpecification_1": "team=infra"},
    "aks": {"tags": "team=infra"},
    "local": {},
}
FAST = {"iops": 5000, "throughput": 200}


def localized(name: str) -> TestnetPlan:
    document = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())["config"]["mina-infra:testnet"]
    return plan_testnet(parse_document(localize(document, ROOT), base=ROOT))


def on_provider(target: str) -> TestnetPlan:
    """Every role on one provider; eks has no load balancers with a fixed address."""
    document = zoo(target=TARGETS[target], volumes={"runtime-state": {"size": "4Gi"}})
    if target == "eks":
        for identity in document["nodes"][0]["identities"]:
            identity.pop("address", None)
            identity.pop("ip", None)
    return plan(document)


def with_everything(target: str) -> TestnetPlan:
    """Classes that the cluster declares, performance where the disks take it, parameters, and a keyset."""
    where = {**TARGETS[target], "kubernetes": "1.36", "classParameters": MORE[TARGETS[target]["provider"]]}
    document = zoo(target=where, volumes={"runtime-state": {"size": "8Gi", "type": "testnet-ssd"}})
    for identity in document["nodes"][0]["identities"] if target == "eks" else ():
        identity.pop("address", None)
        identity.pop("ip", None)
    if target in ("gke-hyperdisk", "eks"):
        document["volumes"]["runtime-state"]["performance"] = FAST
    document["nodes"][1]["keys"] = document["nodes"][2]["keys"] = {"secret": "producers"}
    return plan(document)


async def refusals(api: KubeApi, planned: TestnetPlan) -> list[object]:
    """What the API server says against a plan's objects; nothing is created besides the namespace."""
    manifests = [each.manifest for each in planned.objects()]
    await api.apply(next(each for each in manifests if each["kind"] == "Namespace"))
    others = [each for each in manifests if each["kind"] != "Namespace"]
    said = await gather_bounded(others, lambda each: _dry_run(api, each), limit=32, per_item_timeout=30)
    return [each for each in said if each]


async def _dry_run(api: KubeApi, manifest: Manifest) -> str:
    path = kind_of(manifest).path(manifest["metadata"].get("namespace"))
    response = await api.http.request(
        "POST",
        path,
        params={"dryRun": "All", "fieldValidation": "Strict"},
        content=json.dumps(manifest),
        headers={"Content-Type": "application/json"},
    )
    warnings = response.headers.get("Warning", "")
    problem = response.json()["message"] if response.status_code >= 400 else warnings
    return f"{manifest['kind']} {manifest['metadata']['name']}: {problem}" if problem else ""


def check(cluster: EmbeddedCluster, planned: TestnetPlan) -> None:
    async def ask() -> list[object]:
        async with cluster.api() as api:
            return await refusals(api, planned)

    assert asyncio.run(ask()) == []


@pytest.mark.parametrize("stack", ["local", "qa", "release"])
def test_a_localized_stack_is_accepted(cluster: EmbeddedCluster, stack: str) -> None:
    planned = localized(stack)
    check(cluster, planned)


@pytest.mark.parametrize("stack", ["release", "zoo"])
def test_a_stack_for_its_own_cloud_is_accepted(cluster: EmbeddedCluster, stack: str) -> None:
    check(cluster, plans()[stack])


@pytest.mark.parametrize("target", TARGETS)
def test_every_role_is_accepted_for_every_provider(cluster: EmbeddedCluster, target: str) -> None:
    check(cluster, on_provider(target))


@pytest.mark.parametrize("target", TARGETS)
def test_parameters_performance_and_keysets_are_accepted_for_every_provider(
    cluster: EmbeddedCluster, target: str
) -> None:
    planned = with_everything(target)
    attributes = [each for each in planned.classes if each.manifest["kind"] == "VolumeAttributesClass"]
    assert len(attributes) == (target in ("gke-hyperdisk", "eks"))
    check(cluster, planned)


@pytest.mark.parametrize("target", TARGETS)
def test_the_classes_of_a_cluster_are_accepted_for_every_provider(cluster: EmbeddedCluster, target: str) -> None:
    """Every type, retention and replication that the provider has, and a class under a fixed name."""
    where = {**TARGETS[target], "kubernetes": "1.36", "classParameters": MORE[TARGETS[target]["provider"]]}
    storage: dict[str, Any] = {"target": where, "fixed": {"testnet-ssd": {"type": "testnet-ssd"}}}
    if target in ("gke-hyperdisk", "eks"):
        storage["performances"] = [FAST]
    manifests = [each.manifest for each in plan_classes(parse_classes(storage), "cluster")]

    async def ask() -> list[str]:
        async with cluster.api() as api:
            return [said for each in manifests if (said := await _dry_run(api, each))]

    assert len(manifests) > 4
    assert asyncio.run(ask()) == []


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_of_genesis_artefacts_is_accepted(cluster: EmbeddedCluster, source: str) -> None:
    check(cluster, plan(document(source)))


@pytest.mark.parametrize("version", ["0.0.17", "1.3.1"])
def test_every_role_is_accepted_for_old_releases(cluster: EmbeddedCluster, version: str) -> None:
    check(cluster, plan(zoo(daemonVersion=version)))


def test_a_misspelt_field_would_be_noticed(cluster: EmbeddedCluster) -> None:
    planned = plan(zoo())
    planned.groups[0].objects[-1].manifest["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}

    async def ask() -> list[object]:
        async with cluster.api() as api:
            return await refusals(api, planned)

    (refusal,) = asyncio.run(ask())
    assert "redinessProbe" in str(refusal)
