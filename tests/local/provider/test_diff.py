"""What counts as a change, how it is reported and what it replaces, kind by kind."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.local.provider.diff import Difference, compare, merge_patch, parse_path, path_text, same_json
from mina_infra.local.provider.inputs import normalized
from mina_infra.local.provider.wire import Secret, Unknown

UNKNOWN = Unknown("04da6b54-80e4-46f7-96ec-b56ff0331ba9")


def manifest(version: str, kind: str, **body: Any) -> dict[str, Any]:
    metadata = {"name": "it", "namespace": "rec", **body.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


def diff(old: dict[str, Any], new: dict[str, Any], live: dict[str, Any] | None = None, **options: Any) -> Difference:
    """Old inputs, of which the server made `live` (default: them, in its own spelling), against new inputs."""
    state = {**copy.deepcopy(live or normalized(old)), "__inputs": copy.deepcopy(old)}
    return compare(state, copy.deepcopy(new), namespaced=options.pop("namespaced", True), **options)


def kinds(found: Difference) -> dict[str, str]:
    return {path: change.name for path, change in found.detailed.items()}


def spec(version: str, kind: str, old: Any, new: Any, **options: Any) -> Difference:
    return diff(manifest(version, kind, spec=old), manifest(version, kind, spec=new), **options)


REPLACED = [
    ("v1", "PersistentVolumeClaim", "accessModes", ["ReadWriteOnce"], ["ReadWriteMany"], "spec.accessModes[0]"),
    ("v1", "PersistentVolumeClaim", "storageClassName", "a", "b", "spec.storageClassName"),
    ("v1", "PersistentVolumeClaim", "volumeName", "a", "b", "spec.volumeName"),
    ("v1", "PersistentVolumeClaim", "selector", {"matchLabels": {"a": "1"}}, {"matchLabels": {"a": "2"}}, None),
    ("v1", "ResourceQuota", "scopes", ["BestEffort"], ["NotBestEffort"], "spec.scopes[0]"),
    ("v1", "Service", "clusterIP", "10.0.0.1", "None", "spec.clusterIP"),
    ("apps/v1", "Deployment", "selector", {"matchLabels": {"a": "1"}}, {"matchLabels": {"a": "2"}}, None),
    ("apps/v1", "StatefulSet", "serviceName", "a", "b", "spec.serviceName"),
    ("apps/v1", "StatefulSet", "podManagementPolicy", "OrderedReady", "Parallel", "spec.podManagementPolicy"),
    ("apps/v1", "StatefulSet", "revisionHistoryLimit", 1, 2, "spec.revisionHistoryLimit"),
    ("batch/v1", "Job", "completions", 1, 2, "spec.completions"),
    ("batch/v1", "Job", "parallelism", 1, 2, "spec.parallelism"),
    ("v1", "Pod", "nodeName", "a", "b", "spec.nodeName"),
]


@pytest.mark.parametrize(("version", "kind", "field", "old", "new", "path"), REPLACED)
def test_a_change_of_what_cannot_be_updated_replaces(
    version: str, kind: str, field: str, old: Any, new: Any, path: str | None
) -> None:
    found = spec(version, kind, {field: old}, {field: new})
    path = path or "spec.selector.matchLabels.a"
    assert kinds(found) == {path: "UPDATE_REPLACE"}
    assert found.replaces == [path]
    assert found.delete_before_replace


UPDATED = [
    ("v1", "PersistentVolumeClaim", {"resources": {"requests": {"storage": "2Gi"}}}, "4Gi"),
    ("v1", "PersistentVolumeClaim", {"volumeMode": "Filesystem"}, "Block"),
    ("v1", "PersistentVolume", {"persistentVolumeReclaimPolicy": "Retain"}, "Delete"),
    ("v1", "ResourceQuota", {"hard": {"pods": "1"}}, "2"),
    ("v1", "Service", {"type": "ClusterIP"}, "LoadBalancer"),
    ("apps/v1", "Deployment", {"strategy": {"type": "Recreate"}}, "RollingUpdate"),
    ("apps/v1", "StatefulSet", {"replicas": 1}, 3),
    ("batch/v1", "Job", {"backoffLimit": 1}, 2),
    ("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never"}}}}}, "OnFailure"),
    ("policy/v1", "PodDisruptionBudget", {"maxUnavailable": 1}, "50%"),
]


@pytest.mark.parametrize(("version", "kind", "old", "leaf"), UPDATED)
def test_every_other_change_is_an_update_in_place(version: str, kind: str, old: dict[str, Any], leaf: Any) -> None:
    new, path = copy.deepcopy(old), []
    inner: Any = new
    while isinstance(inner, dict):
        key = next(iter(inner))
        path.append(key)
        if not isinstance(inner[key], dict):
            inner[key] = leaf
            break
        inner = inner[key]
    found = spec(version, kind, old, new)
    assert kinds(found) == {".".join(["spec", *path]): "UPDATE"}
    assert found.replaces == []
    assert not found.delete_before_replace


@pytest.mark.parametrize("source", ["hostPath", "nfs", "csi", "local"])
def test_another_source_of_a_volume_replaces_it(source: str) -> None:
    found = spec("v1", "PersistentVolume", {source: {"path": "/a"}}, {source: {"path": "/b"}}, namespaced=False)
    if source == "csi":  # has no path: the types drop it on both sides
        assert not found.changed
    else:
        assert found.replaces == [f"spec.{source}.path"]


def test_a_new_name_replaces_without_deleting_first() -> None:
    old = manifest("v1", "ServiceAccount")
    found = diff(old, manifest("v1", "ServiceAccount", metadata={"name": "other"}))
    assert found.replaces == ["metadata.name"]
    assert not found.delete_before_replace


def test_a_new_namespace_replaces_without_deleting_first() -> None:
    found = diff(manifest("v1", "ServiceAccount"), manifest("v1", "ServiceAccount", metadata={"namespace": "b"}))
    assert kinds(found) == {"metadata.namespace": "UPDATE_REPLACE"}
    assert not found.delete_before_replace


def test_an_autonamed_object_is_replaced_by_one_of_another_name() -> None:
    mark = {"annotations": {"pulumi.com/autonamed": "true"}}
    old = manifest("v1", "ConfigMap", metadata=mark, data={"a": "1"})
    found = diff(old, manifest("v1", "ConfigMap", metadata=mark, data={"a": "2"}))
    assert found.replaces == ["data.a"]
    assert not found.delete_before_replace


def test_no_namespace_is_the_default_one() -> None:
    old = manifest("v1", "ServiceAccount", metadata={"namespace": "default"})
    new = copy.deepcopy(old)
    del new["metadata"]["namespace"]
    assert not diff(old, new).changed


def test_a_namespace_on_a_cluster_wide_object_is_no_difference() -> None:
    old = manifest("v1", "Namespace")
    new = manifest("v1", "Namespace", metadata={"namespace": "other"})
    assert not diff(old, new, namespaced=False).changed


@pytest.mark.parametrize(
    ("kind", "flag"), [("ConfigMap", "mutable_config_maps"), ("Secret", "mutable_secrets")], ids=["map", "secret"]
)
@pytest.mark.parametrize(
    ("mutable", "immutable", "wanted"),
    [(False, False, "UPDATE_REPLACE"), (True, False, "UPDATE"), (True, True, "UPDATE_REPLACE")],
)
def test_data_are_replaced_unless_the_option_says_otherwise(
    kind: str, flag: str, mutable: bool, immutable: bool, wanted: str
) -> None:
    more = {"immutable": True} if immutable else {}
    old, new = (manifest("v1", kind, data={"a.b": text}, **more) for text in ("YQ==", "Yg=="))
    assert kinds(diff(old, new, **{flag: mutable})) == {'data["a.b"]': wanted}


def test_the_type_of_a_secret_replaces_it_even_if_secrets_are_mutable() -> None:
    old, new = (manifest("v1", "Secret", type=kind) for kind in ("Opaque", "other"))
    assert diff(old, new, mutable_secrets=True).replaces == ["type"]


def test_plain_and_encoded_secrets_with_the_same_content_are_equal() -> None:
    old = manifest("v1", "Secret", data={"key": "czNjcjN0"})
    assert not diff(old, manifest("v1", "Secret", stringData=Secret({"key": "s3cr3t"}))).changed


def container(**fields: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "mina", **fields}]}}}


IN_LISTS = [
    ({"args": ["a"]}, {"args": ["a", "b"]}, {"args[1]": "ADD"}),
    ({"args": ["a", "b"]}, {"args": ["a"]}, {"args[1]": "DELETE"}),
    ({"args": ["a", "b"]}, {"args": ["b", "a"]}, {"args[0]": "UPDATE", "args[1]": "UPDATE"}),
    ({}, {"args": ["a"]}, {"args": "ADD"}),
    ({"args": ["a"]}, {}, {"args": "DELETE"}),
    ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "2"}]}, {"env[0].value": "UPDATE"}),
    ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A"}]}, {"env[0].value": "DELETE"}),
    (
        {"env": [{"name": "A", "value": "1"}]},
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "f"}}}]},
        {"env[0].value": "DELETE", "env[0].valueFrom": "ADD"},
    ),
]


@pytest.mark.parametrize(("old", "new", "wanted"), IN_LISTS)
def test_list_elements_are_compared_one_by_one(old: Any, new: Any, wanted: dict[str, str]) -> None:
    found = spec("apps/v1", "Deployment", container(**old), container(**new))
    prefix = "spec.template.spec.containers[0]."
    assert kinds(found) == {prefix + path: kind for path, kind in wanted.items()}
    assert all(change.input_diff == (change.kind == "DELETE") for change in found.detailed.values())


def test_a_job_is_replaced_by_any_change_of_its_template() -> None:
    found = spec("batch/v1", "Job", container(args=["a", "b"]), container(args=["a"]))
    assert kinds(found) == {"spec.template.spec.containers[0].args[1]": "DELETE_REPLACE"}


def test_what_the_server_filled_in_is_no_difference() -> None:
    old = manifest("apps/v1", "Deployment", spec=container(image="mina:1"))
    live = manifest("apps/v1", "Deployment", spec={"replicas": 1.0, **container(image="mina:1", resources={})})
    assert not diff(old, old, live).changed


def test_what_somebody_else_changed_is_put_back() -> None:
    old = manifest("apps/v1", "Deployment", spec={"replicas": 1.0})
    live = manifest("apps/v1", "Deployment", spec={"replicas": 5.0})
    assert kinds(diff(old, old, live)) == {"spec.replicas": "UPDATE"}


EQUAL = [
    ("v1", "PersistentVolumeClaim", {"resources": {"requests": {"storage": "1024Mi"}}}, "1Gi"),
    ("v1", "ResourceQuota", {"hard": {"pods": 20.0}}, "20"),
    ("v1", "ResourceQuota", {"hard": {"requests.cpu": "0.5"}}, "500m"),
]


@pytest.mark.parametrize(("version", "kind", "old", "other"), EQUAL)
def test_two_spellings_of_one_quantity_are_equal(version: str, kind: str, old: dict[str, Any], other: str) -> None:
    new = copy.deepcopy(old)
    inner: Any = new
    while isinstance(inner[next(iter(inner))], dict):
        inner = inner[next(iter(inner))]
    inner[next(iter(inner))] = other
    assert not spec(version, kind, old, new).changed


def test_false_where_the_types_drop_it_is_a_deletion() -> None:
    found = spec("v1", "Service", {"publishNotReadyAddresses": True}, {"publishNotReadyAddresses": False})
    assert kinds(found) == {"spec.publishNotReadyAddresses": "DELETE"}


def test_zero_where_the_types_keep_it_is_an_update() -> None:
    assert kinds(spec("apps/v1", "Deployment", {"replicas": 1}, {"replicas": 0})) == {"spec.replicas": "UPDATE"}


def test_an_ignored_path_is_no_change_and_replaces_nothing() -> None:
    old, new = {"storageClassName": "a"}, {"storageClassName": "b"}
    assert not spec("v1", "PersistentVolumeClaim", old, new, ignore_changes=["spec.storageClassName"]).changed
    deployment = ("apps/v1", "Deployment", container(image="1"), container(image="2"))
    assert not spec(*deployment, ignore_changes=["spec.template.spec.containers[*].image"]).changed
    assert spec(*deployment, ignore_changes=["spec.replicas"]).changed


def test_unknown_values_count_as_changed() -> None:
    found = spec("v1", "PersistentVolumeClaim", {"storageClassName": "a"}, {"storageClassName": UNKNOWN})
    assert kinds(found) == {"spec.storageClassName": "UPDATE_REPLACE"}
    found = spec("v1", "PersistentVolumeClaim", {}, {"volumeName": UNKNOWN})
    assert kinds(found) == {"spec.volumeName": "ADD_REPLACE"}


def test_an_unknown_name_replaces_without_deleting_first() -> None:
    found = diff(manifest("v1", "ServiceAccount"), manifest("v1", "ServiceAccount", metadata={"name": UNKNOWN}))
    assert found.replaces == ["metadata.name"]
    assert not found.delete_before_replace


def test_an_added_container_of_a_pod_replaces_it_and_a_removed_one_does_not() -> None:
    one, two = {"containers": [{"name": "a"}]}, {"containers": [{"name": "a"}, {"name": "b", "image": "i"}]}
    assert kinds(spec("v1", "Pod", one, two)) == {"spec.containers[1]": "ADD_REPLACE"}
    assert kinds(spec("v1", "Pod", two, one)) == {"spec.containers[1]": "DELETE"}


def test_binding_to_another_role_replaces_and_other_subjects_do_not() -> None:
    def binding(role: str, subject: str) -> dict[str, Any]:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
        subjects = [{"kind": "ServiceAccount", "name": subject}]
        return manifest("rbac.authorization.k8s.io/v1", "RoleBinding", roleRef=reference, subjects=subjects)

    assert diff(binding("a", "x"), binding("b", "x")).replaces == ["roleRef.name"]
    assert kinds(diff(binding("a", "x"), binding("a", "y"))) == {"subjects[0].name": "UPDATE"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


def without_nulls(value: Any) -> Any:
    """What JSON merge patch can express: it has no way to set a null inside an object."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def applied(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = {**old} if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = applied(merged.get(key), value)
    return merged


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_leads_from_old_to_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    old, new = without_nulls(old), without_nulls(new)
    patch = merge_patch(old, new)
    assert same_json(applied(old, patch), new)
    assert bool(patch) == (not same_json(old, new))


@given(
    st.lists(st.integers(0, 99) | st.text(min_size=1, max_size=6), min_size=1).filter(lambda p: isinstance(p[0], str))
)
def test_paths_are_read_as_they_are_written(path: list[str | int]) -> None:
    if any("\\" in part for part in path if isinstance(part, str)):
        return  # neither side escapes a backslash; Kubernetes keys have none
    assert parse_path(path_text(path)) == path


@given(OBJECTS)
def test_equal_inputs_never_differ(body: dict[str, Any]) -> None:
    config = manifest("v1", "ConfigMap", data=body)
    assert not diff(config, config).changed
