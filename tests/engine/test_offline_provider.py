"""The offline provider on a real API server: its types are the server's, and whole lives of objects end well."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mina_infra.cluster.api import CONFIG_MAP, DEPLOYMENT, KINDS, NAMESPACE, Kind
from mina_infra.local.control_plane import EmbeddedCluster, start, stop
from mina_infra.local.provider.shapes import shapes
from mina_infra.local.tools import ensure_tools
from tests.engine.recorded_stack import Objects, RecordedStack, recorded_stack

NAME = "offline-provider"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, EmbeddedCluster]]:
    folder = tmp_path_factory.mktemp("offline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINA_INFRA_STATE", str(folder))
        tools = ensure_tools(print)
        try:
            yield tools.pulumi, start(NAME, tools, print)
        finally:
            stop(NAME)


@pytest.fixture
def stack(world: tuple[Path, EmbeddedCluster], tmp_path: Path) -> Iterator[RecordedStack]:
    cli, cluster = world
    with recorded_stack(cli, cluster, tmp_path / "stack") as found:
        yield found


def live(stack: RecordedStack, kind: Kind, name: str, namespace: str | None = None) -> dict[str, Any] | None:
    async def get() -> dict[str, Any] | None:
        async with stack.cluster.api() as api:
            return await api.get(kind, name, namespace)

    return asyncio.run(get())


def item(token: str, name: str, namespace: str | None = "life", **body: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **body.pop("metadata", {})}
    return {"type": token, "body": {"metadata": metadata, **body}, "options": {}}


LABELS = {"matchLabels": {"app": "mina"}}
POD = {"metadata": {"labels": LABELS["matchLabels"]}, "spec": {"containers": [{"name": "mina", "image": "mina:1"}]}}


def life() -> Objects:
    """Something of every kind that is waited for and needs no volume."""
    once = {"restartPolicy": "Never", "containers": [{"name": "v", "image": "v:1"}]}
    return {
        "ns": item("core/v1:Namespace", "life", None),
        "class": item("storage.k8s.io/v1:StorageClass", "life-ssd", None, provisioner="none"),
        "deployment": item(
            "apps/v1:Deployment", "mina", spec={"replicas": 2, "selector": LABELS, "template": POD}
        ),
        "stateful": item(
            "apps/v1:StatefulSet", "db", spec={"serviceName": "db", "selector": LABELS, "template": POD}
        ),
        "pod": item("core/v1:Pod", "alone", spec=POD["spec"]),
        "config": item("core/v1:ConfigMap", "config", data={"daemon.json": "{}"}),
        "key": item("core/v1:Secret", "key", stringData={"key": "s3cr3t"}),
        "quota": item("core/v1:ResourceQuota", "quota", spec={"hard": {"persistentvolumeclaims": "9"}}),
        "job": item("batch/v1:Job", "verify", metadata={"annotations": {"pulumi.com/skipAwait": "true"}}, spec={
            "template": {"metadata": {}, "spec": once}
        }),
    }  # fmt: skip


def counted(done: Any) -> dict[str, int]:
    """The summary of an update: `+ 3 created`, `2 unchanged`."""
    found = re.findall(r"(?m)^ +(?:[-+~]+ *)?(\d+) (created|updated|unchanged|deleted|replaced)", done.stdout)
    return {what: int(number) for number, what in found}


def test_objects_live_change_and_leave(stack: RecordedStack) -> None:
    objects = life()
    done = stack.up(objects)
    assert done.code == 0, done.stdout + done.stderr
    found = live(stack, DEPLOYMENT, "mina", "life")
    assert found
    assert found["status"]["readyReplicas"] == 2

    done = stack.up(objects, "--refresh")
    assert done.code == 0, done.stdout + done.stderr
    assert set(counted(done)) == {"unchanged"}

    objects["deployment"]["body"]["spec"]["template"] = json.loads(json.dumps(POD).replace("mina:1", "mina:2"))
    objects["config"]["body"]["data"] = {"daemon.json": "{1}"}
    objects["deployment"]["body"]["spec"]["replicas"] = 1
    done = stack.up(objects)
    assert done.code == 0, done.stdout + done.stderr
    assert counted(done)["updated"] == 1
    assert counted(done)["replaced"] == 1
    found = live(stack, DEPLOYMENT, "mina", "life")
    assert found
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "mina:2"
    assert found["status"]["updatedReplicas"] == 1
    managers = {(entry["manager"].rstrip("0123456789abcdef"), entry["operation"]) for entry in owned(found)}
    assert ("pulumi-kubernetes-", "Apply") in managers
    assert ("pulumi-kubernetes", "Update") not in managers

    done = stack.run("destroy", "--yes", "--skip-preview")
    assert done.code == 0, done.stdout + done.stderr
    assert live(stack, NAMESPACE, "life") is None
    assert "s3cr3t" not in (stack.folder / "provider.log").read_text()


def owned(found: dict[str, Any]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [e for e in found["metadata"]["managedFields"] if not e.get("subresource")]
    return entries


def small(name: str, **data: str) -> Objects:
    return {
        "ns": item("core/v1:Namespace", name, None),
        "class": item("storage.k8s.io/v1:StorageClass", f"{name}-ssd", None, provisioner="none"),
        "config": item("core/v1:ConfigMap", "config", name, data=data),
    }


def test_what_exists_is_not_taken_over_unless_asked(stack: RecordedStack) -> None:
    async def put() -> str:
        async with stack.cluster.api() as api:
            await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "theirs"}})
            manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": "theirs"}}
            uid: str = (await api.create({**manifest, "data": {"a": "1"}}))["metadata"]["uid"]
            return uid

    uid = asyncio.run(put())
    done = stack.up(small("theirs", a="1"))
    assert done.code != 0
    assert "already exists" in done.stdout + done.stderr
    assert "set upsertExistingObjects on the provider" in done.stdout + done.stderr

    adopting = replace(stack, provider_options={"upsert_existing_objects": True})
    done = adopting.up(small("theirs", a="1"))
    assert done.code == 0, done.stdout + done.stderr
    found = live(stack, CONFIG_MAP, "config", "theirs")
    assert found
    assert found["metadata"]["uid"] == uid
    assert adopting.preview(small("theirs", a="1")).digest["changeSummary"] == {"same": 6}
    assert stack.run("destroy", "--yes", "--skip-preview").code == 0


def test_what_does_not_get_ready_is_recorded_and_said(stack: RecordedStack) -> None:
    objects = small("stuck")
    volumes = [{"name": "r", "persistentVolumeClaim": {"claimName": "none"}}]
    pod = {**POD, "spec": {**POD["spec"], "volumes": volumes}}
    marks = {"annotations": {"pulumi.com/timeoutSeconds": "2"}}
    spec = {"selector": LABELS, "template": pod}
    objects["deployment"] = item("apps/v1:Deployment", "mina", "stuck", metadata=marks, spec=spec)
    done = stack.up(objects)
    said = done.stdout + done.stderr
    assert done.code != 0
    assert "'mina' timed out waiting to be Ready" in said
    assert "Minimum number of live Pods was not attained" in said
    state = json.loads(stack.run("stack", "export").stdout)["deployment"]["resources"]
    recorded = [resource for resource in state if resource.get("id") == "stuck/mina"]
    assert recorded[0]["initErrors"]
    assert stack.run("destroy", "--yes", "--skip-preview").code == 0


def test_a_configuration_for_another_cluster_is_refused(stack: RecordedStack, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    server = re.escape(stack.cluster.server)
    elsewhere.write_text(re.sub(server, "https://127.0.0.1:1", stack.cluster.kubeconfig.read_text()))
    done = replace(stack, cluster=replace(stack.cluster, kubeconfig=elsewhere)).up(small("none"))
    assert done.code != 0
    assert "the offline Kubernetes provider serves" in done.stdout + done.stderr
    assert live(stack, NAMESPACE, "none") is None


def test_the_types_are_those_of_the_api_server(world: tuple[Path, EmbeddedCluster]) -> None:
    """shapes.json against the server's OpenAPI document: the same fields, of the same types."""
    differences: list[str] = []
    documents = asyncio.run(documents_of(world[1]))
    for kind in (kind for kind in KINDS.values() if not kind.custom):
        schemas = documents[kind.api_version]["components"]["schemas"]
        compare(kind.kind, root(schemas, kind), schemas, differences, set())
    assert differences == []


async def documents_of(cluster: EmbeddedCluster) -> dict[str, Any]:
    async with cluster.api() as api:
        versions = {kind.api_version for kind in KINDS.values()}
        paths = {v: f"/openapi/v3/{'api' if '/' not in v else 'apis'}/{v}" for v in versions}
        return {version: await api.request("GET", path, timeout=60) for version, path in paths.items()}


def root(schemas: dict[str, Any], kind: Kind) -> str:
    group, _, version = kind.api_version.rpartition("/")
    wanted = {"group": group, "kind": kind.kind, "version": version}
    return next(name for name, schema in schemas.items() if wanted in schema.get("x-kubernetes-group-version-kind", []))


def compare(shape: str, schema: str, schemas: dict[str, Any], differences: list[str], seen: set[str]) -> None:
    if shape in seen:
        return
    seen.add(shape)
    fields, properties = shapes()[shape], schemas[schema].get("properties", {})
    if fields.keys() != properties.keys():
        differences.append(f"{shape}: {sorted(fields.keys() ^ properties.keys())}")
    for name in fields.keys() & properties.keys():
        compare_type(f"{shape}.{name}", fields[name].lstrip("*!"), properties[name], schemas, differences, seen)


def compare_type(
    where: str, code: str, found: dict[str, Any], schemas: dict[str, Any], differences: list[str], seen: set[str]
) -> None:
    reference = referenced(found)
    scalar = {"s": "string", "y": "string", "i": "integer", "f": "number", "b": "boolean"}.get(code)
    if code == "a":
        return
    if code in ("q", "x"):
        wanted = "resource.Quantity" if code == "q" else "intstr.IntOrString"
        if wanted not in reference:
            differences.append(f"{where}: {code}, {found}")
    elif code.startswith("[") and found.get("type") == "array":
        compare_type(where, code[1:], found["items"], schemas, differences, seen)
    elif code.startswith("{") and found.get("type") == "object":
        compare_type(where, code[1:], found["additionalProperties"], schemas, differences, seen)
    elif scalar:
        if found.get("type") != scalar:
            differences.append(f"{where}: {code}, {found}")
    elif reference.endswith("." + code):
        compare(code, reference, schemas, differences, seen)
    else:
        differences.append(f"{where}: {code}, {found}")


def referenced(found: dict[str, Any]) -> str:
    inner = found.get("allOf", [found])[0]
    return str(inner.get("$ref", "")).rpartition("/")[2]
