"""Laws of every workload. Tests named test_rule_N and test_vN hold those of docs/facts.md.

What a document cannot ask for is refused where a user tries to write it; that no plan ever breaks the law is held by
property tests over documents of all kinds, and `components` looks once more at whatever it registers.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from mina_infra.plan import laws
from mina_infra.spec import Issue, SpecError
from tests.plan.strategies import documents
from tests.plan.testnets import RUNTIME_CONFIG, nodes, plan, plans, zoo
from tests.storage.test_sources import SOURCES, document

often = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def refused(changed: dict[str, Any]) -> list[Issue]:
    with pytest.raises(SpecError) as caught:
        plan(changed)
    return list(caught.value.issues)


def with_group(**more: Any) -> dict[str, Any]:
    changed = zoo()
    changed["nodes"][1].update(more)
    return changed


def deployment(change: Callable[[dict[str, Any]], None]) -> list[str]:
    """What the laws say of a whale after a change."""
    found = copy.deepcopy(next(node.deployment for node in nodes(plan(zoo())) if node.name == "whale-1"))
    assert list(laws.broken(found)) == []
    change(found)
    return list(laws.broken(found))


def main_mounts(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manifest["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    return found


@often
@given(documents())
def test_v20_v21_v22_v35_and_rule_28_no_document_leads_to_a_workload_that_breaks_a_law(changed: dict[str, Any]) -> None:
    """V20, V21, V22, V35, rule 28: whatever is asked for, on every provider, from every source."""
    for each in plan(changed).objects():
        assert list(laws.broken(each.manifest)) == []


def test_every_plan_of_the_project_obeys() -> None:
    for of in plans().values():
        laws.obey(each.manifest for each in of.objects())


@pytest.mark.parametrize("path", ["/root/.coda-config/genesis/genesis_ledger*", "/root/.coda-config/*"])
@pytest.mark.parametrize("key", ["mountPath", "path"])
def test_v20_the_rfcs_mount_paths_with_wildcards(path: str, key: str) -> None:
    (issue,) = refused(zoo(volumes={"runtime-state": {key: path}}))
    directory = path.rpartition("/")[0]
    assert (
        f"mount path '{path}' contains a wildcard; a volume is mounted on a directory, here '{directory}'"
        in issue.message
    )
    assert "'runtime-state' is mounted at /root/.mina-config" in issue.message


def test_v20_a_mount_path_of_ones_own_for_a_group() -> None:
    (issue,) = refused(with_group(volumes={"runtime-state": {"mountPath": "/data"}}))
    assert issue.path == ("nodes", 1, "volumes", "runtime-state", "mountPath")
    assert "two volumes would collide" in issue.message


@pytest.mark.parametrize("letter", ["*", "?", "["])
def test_v20_wildcards_in_a_workload(letter: str) -> None:
    def wild(manifest: dict[str, Any]) -> None:
        main_mounts(manifest)[0]["mountPath"] = f"/root/.mina-config/{letter}"

    assert any("contains a wildcard; mount the directory '/root/.mina-config'" in each for each in deployment(wild))


def test_v20_collisions_in_a_workload() -> None:
    def twice(manifest: dict[str, Any]) -> None:
        main_mounts(manifest)[1]["mountPath"] = main_mounts(manifest)[0]["mountPath"] + "/"

    assert any("collide at" in each or "not a plain absolute path" in each for each in deployment(twice))
    twins: Callable[[dict[str, Any]], None] = lambda found: main_mounts(found).append(dict(main_mounts(found)[0]))  # noqa: E731
    assert any(
        "mounts 'config-dir' and 'config-dir' collide at /root/.mina-config" in each for each in deployment(twins)
    )


def test_v20_nothing_is_mounted_below_what_nobody_can_write() -> None:
    def below(manifest: dict[str, Any]) -> None:
        main_mounts(manifest).append({"name": "more", "mountPath": "/config/more"})

    assert any("mounts 'daemon-config' and 'more' collide" in each for each in deployment(below))


@pytest.mark.parametrize("value", [3, "2"])
def test_v21_replicas_of_a_node(value: object) -> None:
    (issue,) = refused(with_group(replicas=value))
    assert issue.path == ("nodes", 1, "replicas")
    assert "replicas must be 1 when a persistent volume is attached; add more nodes instead" in issue.message
    assert "count" in issue.hint


def test_v21_a_workload_with_two_pods_on_one_volume() -> None:
    def two(manifest: dict[str, Any]) -> None:
        manifest["spec"]["replicas"] = 2

    assert deployment(two) == [
        "node 'whale-1': replicas must be 1 when a persistent volume is attached; add more nodes instead."
    ]
    assert deployment(lambda manifest: manifest["spec"].update(replicas=0)) == [], "a paused node"


@pytest.mark.parametrize("key", ["strategy", "updateStrategy", "rolling_update"])
def test_v22_a_rolling_update_of_a_node(key: str) -> None:
    (issue,) = refused(with_group(**{key: "RollingUpdate"}))
    assert "would start a second pod on the same ReadWriteOnce volume and deadlock" in issue.message
    assert "Recreate" in issue.message


@pytest.mark.parametrize("strategy", [None, {}, {"type": "RollingUpdate"}])
def test_v22_a_workload_that_rolls(strategy: dict[str, str] | None) -> None:
    (said,) = deployment(lambda manifest: manifest["spec"].update(strategy=strategy))
    assert "deadlock; strategy must be Recreate" in said


def test_v22_the_components_register_nothing_that_breaks_a_law() -> None:
    broken = copy.deepcopy(next(node.deployment for node in nodes(plan(zoo())) if node.name == "whale-1"))
    broken["spec"]["strategy"] = {"type": "RollingUpdate"}
    with pytest.raises(laws.BrokenLaw, match="strategy must be Recreate"):
        laws.obey([broken])


ACCOUNTS = [{"pk": "B62q", "balance": "1"}]


def with_config(source: str, **sections: Any) -> dict[str, Any]:
    changed = document(source)
    changed["genesis"]["runtimeConfig"] = json.dumps({**RUNTIME_CONFIG, **sections})
    return changed


@pytest.mark.parametrize("source", sorted(set(SOURCES) - {"config-map", "init-copy"}))
def test_v35_a_ledger_that_the_daemon_would_write_where_it_cannot(source: str) -> None:
    (issue,) = refused(with_config(source, ledger={"accounts": ACCOUNTS}))
    assert issue.path == ("genesis", "ledger", "source")
    assert f"artifact 'genesis ledger' is read-only with source {source}" in issue.message
    assert "the ledger that it builds from ledger.accounts" in issue.message
    assert "ledger.hash, or use source: init-copy" in issue.hint


@pytest.mark.parametrize("epoch", ["staking", "next"])
def test_v35_epoch_ledgers_too(epoch: str) -> None:
    ledger = {epoch: {"accounts": ACCOUNTS, "seed": "x"}}
    (issue,) = refused(with_config("shared-claim", epoch_data=ledger))
    assert f"epoch_data.{epoch}.accounts" in issue.message


@pytest.mark.parametrize(
    ("source", "ledger"),
    [("config-map", {"accounts": ACCOUNTS}), ("init-copy", {"accounts": ACCOUNTS}),
     ("shared-claim", {"accounts": ACCOUNTS, "hash": "jx7"}), ("image", {"name": "qa"}), ("image", {"accounts": []})],
)  # fmt: skip
def test_v35_what_the_daemon_may_write_or_finds(source: str, ledger: dict[str, Any]) -> None:
    plan(with_config(source, ledger=ledger))


def test_v35_a_read_only_mount_where_the_daemon_writes() -> None:
    def frozen(manifest: dict[str, Any]) -> None:
        main_mounts(manifest).append({"name": "frontier", "mountPath": "/root/.mina-config/frontier", "readOnly": True})

    (said,) = deployment(frozen)
    assert (
        "artifact 'frontier' is read-only but '/root/.mina-config/frontier' is inside a path the daemon writes" in said
    )


def test_rule_28_no_pod_asks_for_a_group_of_files() -> None:
    """Mina's images run as root (docs/facts.md: rule/28), so no volume needs another owner."""
    for of in [*plans().values(), *(plan(document(source)) for source in SOURCES)]:
        for node in nodes(of):
            contexts = [node.pod.get("securityContext") or {}]
            contexts += [each.get("securityContext") or {} for each in node.containers]
            assert not any("fsGroup" in each or each.get("runAsNonRoot") for each in contexts)


def test_rule_28_fs_group_only_once_for_one_nodes_volume_and_not_for_root() -> None:
    def pod(manifest: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = manifest["spec"]["template"]["spec"]
        return found

    good = {"fsGroup": 1000, "fsGroupChangePolicy": "OnRootMismatch", "runAsNonRoot": True}

    def private(manifest: dict[str, Any]) -> None:
        pod(manifest)["securityContext"] = good
        pod(manifest)["volumes"] = [
            each for each in pod(manifest)["volumes"] if not (each.get("persistentVolumeClaim") or {}).get("readOnly")
        ]

    def always(manifest: dict[str, Any]) -> None:
        private(manifest)
        pod(manifest)["securityContext"] = {**good, "fsGroupChangePolicy": "Always"}

    def root(manifest: dict[str, Any]) -> None:
        private(manifest)
        pod(manifest)["securityContext"] = {**good, "runAsNonRoot": False}

    assert deployment(private) == []
    assert "without OnRootMismatch" in deployment(always)[0]
    assert "containers that are not root" in deployment(root)[0]
    (said,) = deployment(lambda manifest: pod(manifest).update(securityContext=good))
    assert "does nothing for volumes that many read (genesis)" in said
