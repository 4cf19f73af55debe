"""Storage classes that the testnets of a cluster share: the real engine, the real API server.

Tests named test_rule_N and test_vN hold those of docs/facts.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from mina_infra.cli.place import embedded_environment_of
from mina_infra.cluster.api import CLAIM, NAMESPACE, STORAGE_CLASS, KubeApi
from mina_infra.engine import cluster_stack, passthrough, run
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.errors import EngineError
from mina_infra.local.control_plane import EmbeddedCluster
from tests.engine.testnets import ROOT, document

R = TypeVar("R")
LOCAL = {"provider": "local", "region": "local", "zones": ["local-a", "local-b"]}
SHARED = {**LOCAL, "storageClasses": "shared"}


@dataclass
class Project:
    """Stack files on the shared embedded cluster: a cluster's stack and testnets of their own names."""

    cluster: EmbeddedCluster
    folder: Path
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        for file in ("__main__.py", "Pulumi.yaml"):
            (self.folder / file).write_text((ROOT / file).read_text())

    def stack(self, name: str, **config: Any) -> EngineEnvironment:
        keys = {f"mina-infra:{key}": value for key, value in config.items()}
        (self.folder / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": keys}))
        return embedded_environment_of(self.cluster, self.folder, name)

    def testnet(self, name: str, **changes: Any) -> EngineEnvironment:
        return self.stack(name, testnet=document(name, **{"nodes": NODES, **changes}))

    def say(self, label: str, text: str) -> None:
        self.said.append(f"{label}: {text}")

    def update(self, text: str) -> None:
        print(text)

    def ask(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        async def session() -> R:
            async with self.cluster.api() as api:
                return await question(api)

        return asyncio.run(session())

    def classes(self) -> set[str]:
        """Names of the classes that belong to the cluster, of whatever stack."""
        items = self.ask(lambda api: api.objects(STORAGE_CLASS, labels="mina-infra/scope=cluster"))
        return {each["metadata"]["name"] for each in items}

    def claimed(self, namespace: str) -> set[str]:
        items = self.ask(lambda api: api.objects(CLAIM, namespace))
        return {each["spec"]["storageClassName"] for each in items}


NODES = [document("x")["nodes"][0], {"role": "block-producer", "group": "whale", "stake": 100}]


@pytest.fixture
def project(embedded_cluster: EmbeddedCluster, tmp_path: Path) -> Iterator[Project]:
    """Whatever a test leaves of shared classes and namespaces goes after it."""
    project = Project(embedded_cluster, tmp_path / "project")
    yield project

    async def clear(api: KubeApi) -> None:
        for name in ("share-a", "share-b", "share-c", "share-d"):
            await api.delete(NAMESPACE, name)
        for each in await api.objects(STORAGE_CLASS):
            if each["metadata"]["name"].startswith(("mina-", "testnet-", "share-", "in-tree")):
                await api.delete(STORAGE_CLASS, each["metadata"]["name"])

    project.ask(clear)


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(EngineError) as caught:
        action()
    return str(caught.value)


def test_rule_6_two_testnets_share_the_classes_that_the_clusters_stack_declares(project: Project) -> None:
    cluster = project.stack("cluster", storage={"target": LOCAL, "types": ["ssd", "shared"]})
    assert dict(cluster_stack.up(cluster, project).changes) == {"create": 4}
    declared = project.classes()

    for name in ("share-a", "share-b"):
        env = project.testnet(name, target=SHARED)
        result = run.up(env, project)
        assert result.changes == {"create": len(env.plan.objects())}
        assert project.claimed(name) <= declared
    assert project.claimed("share-a") == project.claimed("share-b")
    assert dict(cluster_stack.up(cluster, project).changes) == {"same": 4}

    own = project.testnet("share-c")
    run.up(own, project)
    assert not project.claimed("share-c") & declared, "own classes are beside the shared ones"

    run.destroy(project.testnet("share-a", target=SHARED), project)
    assert project.classes() == declared, "a testnet takes no shared class with it"

    cluster_stack.destroy(cluster, project)
    assert project.classes() == project.claimed("share-b"), "what is in use stays"
    run.destroy(project.testnet("share-b", target=SHARED), project)
    cluster_stack.destroy(cluster, project)
    assert project.classes() == set()
    run.destroy(own, project)


def in_zones(project: Project, zones: list[str]) -> EngineEnvironment:
    """A class of other zones: the embedded cluster has but one place, so this is written past it."""
    env = project.stack("cluster", storage={"target": LOCAL, "types": ["ssd"], "retentions": ["delete"]})
    data = yaml.safe_load(env.stack_file.read_text())
    data["config"]["mina-infra:storage"]["target"]["zones"] = zones
    env.stack_file.write_text(yaml.safe_dump(data))
    return env


def test_an_immutable_change_makes_a_class_beside_the_old_one_and_adoption_finds_it_again(project: Project) -> None:
    cluster_stack.up(in_zones(project, ["local-a", "local-b"]), project)
    (old,) = project.classes()
    run.up(project.testnet("share-a", target=SHARED, genesis=CONFIG_MAP), project)
    cluster_stack.up(in_zones(project, ["local-a"]), project)
    assert len(project.classes()) == 2
    assert old in project.classes()
    assert any(each.startswith(f"kept: {old}") and "in use: share-a/" in each for each in project.said)

    again = in_zones(project, ["local-a", "local-b"])
    preview = cluster_stack.preview(again, project)
    assert not preview.failed or "exist" in str(preview.digest)
    assert cluster_stack.up(again, project).adopted == 1
    assert passthrough.pulumi(again, ["up", "--yes"], project) == 0


CONFIG_MAP = {**document("x")["genesis"], "ledger": {"source": "config-map"}}


def test_v25_a_missing_class_is_told_with_the_nearest_and_what_to_do(project: Project) -> None:
    env = project.testnet("share-a", target=SHARED, genesis=CONFIG_MAP)
    for operation in (run.up, run.preview):
        said = refused(lambda operation=operation: operation(env, project))
        assert "nothing was changed; claims would wait for ever:" in said
        assert "storage class 'mina-ssd-local-" in said
        assert "Deploy the cluster's stack (`mina-infra:storage` with the same target) first" in said
    cluster_stack.up(in_zones(project, ["local-a"]), project)
    said = refused(lambda: run.up(env, project))
    assert "The nearest that stack 'cluster' declares is 'mina-ssd-local-" in said
    assert 'allowedTopologies is [{"matchLabelExpressions"' in said
    assert project.claimed("share-a") == set()


def test_v25_a_class_of_that_name_with_other_settings_is_told_with_the_difference(project: Project) -> None:
    env = project.testnet("share-a", target=SHARED, genesis=CONFIG_MAP)
    cluster = project.stack("cluster", storage={"target": LOCAL, "types": ["ssd"], "retentions": ["delete"]})
    (planned,) = cluster.classes
    made = {**planned.manifest, "metadata": {"name": planned.manifest["metadata"]["name"]}, "reclaimPolicy": "Retain"}
    project.ask(lambda api: api.create(made))
    said = refused(lambda: run.up(env, project))
    assert f"already exists in cluster '{env.context}' with different settings (reclaimPolicy is 'Retain'" in said
    assert "this one was made by somebody else" in said
    said = refused(lambda: cluster_stack.up(cluster, project))
    assert (
        "with different settings (reclaimPolicy is 'Retain', wanted 'Delete'), and it was not made by a stack" in said
    )


def test_v25_a_second_stack_that_declares_the_same_classes_is_refused(project: Project) -> None:
    storage = {"target": LOCAL, "types": ["ssd"], "retentions": ["delete"]}
    cluster_stack.up(project.stack("cluster", storage=storage), project)
    said = refused(lambda: cluster_stack.up(project.stack("other", storage=storage), project))
    assert "already exists, and stack 'cluster' declares it; classes belong to one stack of a cluster" in said
    together = project.stack("share-b", storage=storage, testnet=document("share-b", nodes=NODES))
    assert "stack 'cluster' declares it" in refused(lambda: run.up(together, project))


def test_one_stack_may_declare_the_classes_and_a_testnet_that_uses_them(project: Project) -> None:
    testnet = document("share-d", nodes=NODES, target=SHARED, genesis=CONFIG_MAP)
    env = project.stack("share-d", storage={"target": LOCAL, "types": ["ssd"]}, testnet=testnet)
    assert dict(run.up(env, project).changes) == {"create": len(env.plan.objects()) + 2}
    assert dict(run.up(env, project).changes) == {"same": len(env.plan.objects()) + 2}
    alone = project.stack("share-d", testnet=testnet)
    run.up(alone, project)
    assert len(project.classes()) == 2, "they left the program and stay in the cluster"
    assert run.up(project.stack("share-d", storage={"target": LOCAL, "types": ["ssd"]}, testnet=testnet)).adopted == 2
    run.destroy(env, project)


def test_v26_a_fixed_name_in_use_cannot_carry_other_settings(project: Project) -> None:
    def declare(**fixed: Any) -> EngineEnvironment:
        storage = {"target": LOCAL, "types": ["ssd"], "retentions": ["delete"], "fixed": fixed}
        return project.stack("cluster", storage=storage)

    cluster_stack.up(declare(**{"testnet-ssd": {"type": "ssd"}}), project)
    volumes = {"runtime-state": {"storageClass": "testnet-ssd"}}
    run.up(project.testnet("share-a", genesis=CONFIG_MAP, volumes=volumes), project)
    said = refused(
        lambda: cluster_stack.up(declare(**{"testnet-ssd": {"type": "ssd", "retention": "retain"}}), project)
    )
    assert "storage class 'testnet-ssd': reclaimPolicy cannot be changed in place" in said
    assert "It is in use: share-a/" in said
    assert "A new class name is needed: 'mina-ssd-local-" in said
    assert "'testnet-ssd' would be deleted, and is in use: share-a/" in refused(
        lambda: cluster_stack.up(declare(), project)
    )
    assert "'testnet-ssd' would be deleted" in refused(lambda: cluster_stack.destroy(declare(), project))


def test_rule_7_a_fixed_name_that_nobody_uses_is_replaced(project: Project) -> None:
    def declare(retention: str) -> EngineEnvironment:
        fixed = {"testnet-standard": {"type": "testnet-standard", "retention": retention}}
        return project.stack("cluster", storage={"target": LOCAL, "types": ["ssd"], "fixed": fixed})

    def policy(api: KubeApi) -> Awaitable[dict[str, Any] | None]:
        return api.get(STORAGE_CLASS, "testnet-standard")

    cluster_stack.up(declare("delete"), project)
    before = project.ask(policy)
    result = cluster_stack.up(declare("retain"), project)
    after = project.ask(policy)
    assert before is not None
    assert after is not None
    assert (before["reclaimPolicy"], after["reclaimPolicy"]) == ("Delete", "Retain")
    assert before["metadata"]["uid"] != after["metadata"]["uid"]
    assert result.changes["same"] == 2, "classes named by content are never touched"


def test_v6_a_live_class_of_a_plugin_that_left_kubernetes_is_refused_for_new_claims(project: Project) -> None:
    old = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "in-tree"},
        "provisioner": "kubernetes.io/gce-pd",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    project.ask(lambda api: api.create(old))
    volumes = {"runtime-state": {"storageClass": "in-tree"}}
    env = project.testnet("share-a", genesis=CONFIG_MAP, volumes=volumes)
    said = refused(lambda: run.up(env, project))
    assert "storage class 'in-tree': 'kubernetes.io/gce-pd' was removed in Kubernetes 1.28" in said
    assert "use 'pd.csi.storage.gke.io' (parameter 'fstype' becomes 'csi.storage.k8s.io/fstype')" in said
    missing = project.testnet("share-a", genesis=CONFIG_MAP, volumes={"runtime-state": {"storageClass": "in-treee"}})
    assert "storage class 'in-treee' of " in refused(lambda: run.up(missing, project))
