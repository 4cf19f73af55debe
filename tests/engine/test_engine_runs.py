"""up, preview, change, destroy: the real engine on a real API server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mina_infra.cluster.api import CLAIM, DEPLOYMENT, SERVICE, KubeApi
from mina_infra.engine import passthrough, run
from mina_infra.engine.environment import ambient_environment
from mina_infra.engine.process import exclusive, leftovers
from mina_infra.engine.settle import wait_until_running
from mina_infra.engine.state import outputs, recorded
from mina_infra.errors import ClusterError, EngineError, MinaInfraError
from mina_infra.spec import SpecError
from tests.engine.testnets import SmallTestnet, document


def test_life_of_a_testnet(testnet: SmallTestnet, capfd: pytest.CaptureFixture[str]) -> None:
    """In one test, because each step starts from what the one before left."""
    first = run.up(testnet.env, testnet)
    planned = len(testnet.env.plan.objects())
    assert dict(first.changes) == {"create": planned}
    assert {node.name for node in first.outputs.nodes} == set(testnet.deployments())
    assert outputs(testnet.env) == first.outputs

    expected = [node.name for node in first.outputs.nodes]

    async def settle(api: KubeApi) -> None:
        await wait_until_running(api, testnet.name, expected, testnet, deadline_s=60)

    testnet.ask(settle)

    assert dict(run.up(testnet.env, testnet).changes) == {"same": planned}, "a second up changes nothing"
    digest = run.preview(testnet.env, testnet)
    assert not digest.failed
    assert {step["op"] for step in digest.digest["steps"]} == {"same"}

    nodes = document(testnet.name)["nodes"]
    nodes[1]["count"] = 4
    testnet.change(nodes=nodes)
    before = versions(testnet)
    digest = run.preview(testnet.env, testnet)
    added, updated = steps(digest, "create"), steps(digest, "update")
    assert all(name.startswith(f"{testnet.name}-whale-4") for name in added)
    assert updated == set(), "nothing else knows of the new one, and the quota has room for it"
    grown = run.up(testnet.env, testnet)
    assert dict(grown.changes) == {"create": len(added), "same": planned}
    assert {key: versions(testnet)[key] for key in before} == before, "adding a node touches only its own objects"

    assert run.refresh(testnet.env, testnet).changed == 0
    assert passthrough.pulumi(testnet.env, ["stack"], testnet) == 0
    assert f"{testnet.name}-whale-4" in capfd.readouterr().out
    assert passthrough.pulumi(testnet.env, ["preview", "--diff"], testnet) == 0
    assert "unchanged" in capfd.readouterr().out
    assert passthrough.pulumi(testnet.env, ["no-such-command"], testnet) != 0

    gone = run.destroy(testnet.env, testnet)
    assert dict(gone.changes) == {"delete": planned + len(added)}
    assert testnet.remains() == []
    assert leftovers(testnet.env.lock) == {}
    assert run.destroy(testnet.env, testnet).changed == 0, "destroying nothing is no mistake"
    with pytest.raises(EngineError, match="no testnet deployed"):
        outputs(testnet.env)


def steps(preview: run.Preview, op: str) -> set[str]:
    """The names of the Kubernetes objects with this operation."""
    found = (step["urn"] for step in preview.digest["steps"] if step["op"] == op)
    return {urn.rpartition("::")[2] for urn in found if "$kubernetes:" in urn}


def versions(testnet: SmallTestnet) -> dict[str, object]:
    """The generation of each Deployment and Service: it moves with every change of the declaration."""

    async def look(api: KubeApi) -> dict[str, object]:
        items = [*(await api.objects(DEPLOYMENT, testnet.name)), *(await api.objects(SERVICE, testnet.name))]
        return {
            f"{item['kind']} {item['metadata']['name']}": (item["metadata"]["uid"], item["metadata"].get("generation"))
            for item in items
        }

    return testnet.ask(look)


def test_kept_volumes_outlive_a_destroy(testnet: SmallTestnet) -> None:
    testnet.change(retention="retain")
    run.up(testnet.env, testnet)
    claims = testnet.claims()
    with pytest.raises(EngineError, match="keeps its volumes") as refused:
        run.destroy(testnet.env, testnet)
    assert "--exclude-protected" in str(refused.value)
    assert len(testnet.deployments()) == 6, "a refused destroy deletes nothing"

    run.destroy(testnet.env, testnet, exclude_protected=True)
    assert testnet.deployments() == {}
    assert testnet.claims() == claims
    run.up(testnet.env, testnet)
    assert testnet.claims() == claims
    assert len(testnet.deployments()) == 6

    testnet.change(retention="delete")
    with pytest.raises(EngineError, match="lose its data"):
        run.up(testnet.env, testnet)
    assert testnet.claims() == claims
    run.destroy(testnet.env, testnet)
    assert testnet.remains() == [], "kept volumes go in two steps: retention: delete, then destroy"


def test_foreign_namespace_is_refused(testnet: SmallTestnet) -> None:
    testnet.ask(lambda api: api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": testnet.name}}))
    for operation in (run.up, run.preview):
        with pytest.raises(EngineError, match="belongs to somebody else"):
            operation(testnet.env, testnet)
    assert testnet.deployments() == {}
    assert recorded(testnet.env).resources == 0
    run.destroy(testnet.env, testnet)
    assert testnet.remains() == [f"Namespace {testnet.name}"], "a destroy leaves what is not ours"


def test_foreign_object_is_refused(testnet: SmallTestnet) -> None:
    planned = [each.manifest for each in testnet.env.plan.objects()]
    service = next(each for each in planned if each["kind"] == "Service")
    stolen = {**service, "metadata": {**service["metadata"], "labels": {"app.kubernetes.io/managed-by": "helm"}}}

    async def plant(api: KubeApi) -> None:
        await api.apply(next(each for each in planned if each["kind"] == "Namespace"))
        await api.apply(stolen)

    testnet.ask(plant)
    with pytest.raises(EngineError, match=f"Service {service['metadata']['name']}"):
        run.up(testnet.env, testnet)
    assert testnet.deployments() == {}


def test_what_was_deleted_by_hand_is_made_anew_and_said(testnet: SmallTestnet) -> None:
    """Without a refresh the engine believes its record and never makes it again (docs/facts.md: pulumi/no-refresh).

    The claim is still being deleted when the run begins: its pod has to end first.
    """
    run.up(testnet.env, testnet)
    before = testnet.claims()

    async def lose(api: KubeApi) -> None:
        await api.delete(CLAIM, "whale-1-runtime-state-e1", testnet.name)
        await api.delete(DEPLOYMENT, "whale-1", testnet.name)
        labels = {"app.kubernetes.io/managed-by": "mina-infra", "testnet": testnet.name}
        metadata = {"name": "stray", "namespace": testnet.name, "labels": labels}
        await api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})

    testnet.ask(lose)
    result = run.up(testnet.env, testnet)
    assert result.changes["create"] == 2
    assert "whale-1" in testnet.deployments()
    after = testnet.claims()
    assert [name for name in before if after[name] != before[name]] == ["whale-1-runtime-state-e1"]
    assert any("gone from the cluster" in line for line in testnet.said)
    assert any("claims are gone" in line and "whale-1-runtime-state-e1" in line for line in testnet.said)
    assert "orphans: ours, but neither planned nor on record: ConfigMap stray" in testnet.said
    run.destroy(testnet.env, testnet)
    assert testnet.remains() == []


def test_mistakes_of_the_document_change_nothing(testnet: SmallTestnet) -> None:
    testnet.change(nodes=[{"role": "whale"}], retention="keep")
    with pytest.raises(SpecError) as refused:
        run.up(testnet.env, testnet)
    assert f"Pulumi.{testnet.name}.yaml:" in str(refused.value)
    assert len(refused.value.issues) >= 2
    assert testnet.remains() == []


def test_a_real_cluster_without_the_official_provider_is_refused(
    testnet: SmallTestnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster is real enough: what makes it so is that the stack file, not `local`, names it."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(testnet.env.pulumi.parent))
    config = yaml.safe_load((stack_file := testnet.project / f"Pulumi.{testnet.name}.yaml").read_text())
    cluster = {"context": testnet.cluster.context, "kubeconfig": str(testnet.cluster.kubeconfig)}
    config["config"]["mina-infra:cluster"] = cluster
    stack_file.write_text(yaml.safe_dump(config))
    with pytest.raises(EngineError, match="neither installed nor could it be installed"):
        run.up(ambient_environment(project=testnet.project, stack=testnet.name), testnet)
    assert testnet.remains() == []


def test_only_one_run_at_a_time(testnet: SmallTestnet) -> None:
    with exclusive(testnet.env.lock), pytest.raises(EngineError, match="another run is at work"):
        run.up(testnet.env, testnet)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("kubeconfig", Path("/nowhere/kubeconfig"), "no kubeconfig"),
        ("context", "production", "context 'production' is not in the kubeconfig"),
        ("kubeconfig", "unreachable", "does not answer"),
    ],
    ids=["missing", "context", "unreachable"],
)
def test_no_cluster(testnet: SmallTestnet, tmp_path: Path, field: str, value: object, message: str) -> None:
    """Found out before the engine starts: nothing is recorded, no process runs."""
    if value == "unreachable":
        text = testnet.cluster.kubeconfig.read_text()
        value = tmp_path / "kubeconfig"
        port = text.partition("https://127.0.0.1:")[2].split()[0]
        value.write_text(text.replace(f":{port}", ":1"))
    env = replace(testnet.env, **{field: value})
    for operation in (run.up, run.preview, run.destroy):
        with pytest.raises(MinaInfraError, match=message) as refused:
            operation(env, testnet)
        assert isinstance(refused.value, ClusterError)
    assert recorded(env).resources == 0
