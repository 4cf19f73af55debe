"""The provider's own options: what means another cluster, what is refused, whose settings are whose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mina_infra.errors import ClusterError
from mina_infra.local.provider.settings import Settings, compare_settings
from mina_infra.local.provider.wire import Unknown
from tests.local.provider.support import KUBECONFIG, AbortedError, Provider, urn

UNKNOWN = Unknown("04da6b54-80e4-46f7-96ec-b56ff0331ba9")
MOVED = KUBECONFIG.replace("127.0.0.1:9", "127.0.0.1:10")
CLUSTER = {"kubeconfig": KUBECONFIG, "context": "kwok-t1"}
ELSEWHERE = {"kubeconfig": MOVED, "context": "kwok-t1"}

DIFFERENCES: list[tuple[dict[str, Any], dict[str, Any], list[str], list[str]]] = [
    (CLUSTER, CLUSTER, [], []),
    ({}, {"clusterIdentifier": "a"}, ["clusterIdentifier"], []),
    ({"clusterIdentifier": "a"}, {}, ["clusterIdentifier"], []),
    ({"clusterIdentifier": "a"}, {"clusterIdentifier": "b"}, ["clusterIdentifier"], ["clusterIdentifier"]),
    (CLUSTER, ELSEWHERE, ["kubeconfig"], ["kubeconfig"]),
    ({**CLUSTER, "clusterIdentifier": "a"}, {**ELSEWHERE, "clusterIdentifier": "a"}, ["kubeconfig"], []),
    ({**CLUSTER, "clusterIdentifier": "a"}, ELSEWHERE, ["clusterIdentifier", "kubeconfig"], ["kubeconfig"]),
    (CLUSTER, {**CLUSTER, "kubeconfig": KUBECONFIG + "\n# a remark\n"}, ["kubeconfig"], []),
    (CLUSTER, {**CLUSTER, "context": "far"}, ["context"], ["context"]),
    (CLUSTER, {**CLUSTER, "kubeconfig": UNKNOWN}, ["kubeconfig"], ["kubeconfig"]),
    (
        {**CLUSTER, "clusterIdentifier": "a"},
        {**CLUSTER, "kubeconfig": UNKNOWN, "clusterIdentifier": "a"},
        ["kubeconfig"],
        [],
    ),
    (CLUSTER, {**CLUSTER, "enablePatchForce": "true"}, ["enablePatchForce"], []),
]


@pytest.mark.parametrize(("old", "new", "diffs", "replaces"), DIFFERENCES)
def test_only_another_cluster_replaces_the_provider(
    old: dict[str, Any], new: dict[str, Any], diffs: list[str], replaces: list[str]
) -> None:
    found = compare_settings(old, new)
    assert (found.diffs, found.replaces) == (diffs, replaces)


def test_a_kubeconfig_that_cannot_be_read_is_an_error_that_does_not_quote_it() -> None:
    old = {"clusterIdentifier": "a", **CLUSTER}
    with pytest.raises(ClusterError, match="failed to parse kubeconfig") as caught:
        compare_settings(old, {"clusterIdentifier": "a", "kubeconfig": "clusters: { SECRET-TOKEN }"})
    assert "SECRET-TOKEN" not in str(caught.value)


def test_options_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_K8S_UPSERT_EXISTING_OBJECTS", "true")
    assert Settings.from_variables({}, accept_secrets=True).upsert_existing
    given = {"kubernetes:config:upsertExistingObjects": "false"}
    assert not Settings.from_variables(given, accept_secrets=True).upsert_existing


def run(folder: Path, work: Callable[[Provider], Awaitable[Any]]) -> Any:
    async def inside() -> Any:
        provider = Provider(folder)
        try:
            return await work(provider)
        finally:
            await provider.clusters.close()

    return asyncio.run(inside())


REFUSED = [
    ({"kubeconfig": MOVED}, "serves http://10.0.0.1, http://127.0.0.1:9 only"),
    ({"context": "far"}, "loopback addresses only, not http://10.0.0.1"),
    ({"cluster": "far"}, "loopback addresses only, not http://10.0.0.1"),
    ({"context": "none"}, "no usable context 'none'"),
    ({"enableServerSideApply": "false"}, "server-side apply only"),
    ({"renderYamlToDirectory": "out"}, "has no renderYamlToDirectory"),
]


@pytest.mark.parametrize(("variables", "message"), REFUSED)
def test_a_configuration_for_another_cluster_or_way_of_working_is_refused(
    variables: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(AbortedError, match=message):
        run(tmp_path, lambda provider: provider.configure(**variables))


def test_the_content_of_the_kubeconfig_will_do_as_well_as_its_path(tmp_path: Path) -> None:
    run(tmp_path, lambda provider: provider.configure(kubeconfig=KUBECONFIG))


def test_each_connection_has_its_own_settings(tmp_path: Path) -> None:
    async def work(provider: Provider) -> list[str]:
        await provider.configure("one", namespace="first")
        await provider.configure("two", namespace="second")
        request = {"urn": urn("core/v1:ServiceAccount"), "news": {"apiVersion": "v1", "kind": "ServiceAccount"}}
        request["news"]["metadata"] = {"name": "a"}
        checked = [await provider.call("Check", request, peer) for peer in ("one", "two")]
        return [answer["inputs"]["metadata"]["namespace"] for answer in checked]

    assert run(tmp_path, work) == ["first", "second"]


def test_a_connection_that_was_not_configured_is_told_so(tmp_path: Path) -> None:
    properties = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "b"}}
    request = {"urn": urn("core/v1:ServiceAccount"), "properties": properties}
    with pytest.raises(AbortedError, match="has not called Configure on this connection"):
        run(tmp_path, lambda provider: provider.call("Create", request))


STRICT = {"strictMode": "true"}


@pytest.mark.parametrize(
    ("news", "properties"),
    [
        (STRICT, ["kubeconfig", "context"]),
        ({**STRICT, "kubeconfig": "k"}, ["context"]),
        ({**STRICT, "kubeconfig": "k", "context": "c"}, []),
        ({"renderYamlToDirectory": "out"}, ["renderYamlToDirectory"]),
        ({"enableServerSideApply": False}, ["enableServerSideApply"]),
    ],
)
def test_options_are_checked_before_anything_is_done(
    news: dict[str, Any], properties: list[str], tmp_path: Path
) -> None:
    request = {"urn": "urn:pulumi:rec::recorded::pulumi:providers:kubernetes::cluster", "news": news}
    answer = run(tmp_path, lambda provider: provider.call("CheckConfig", request))
    assert [failure["property"] for failure in answer.get("failures", [])] == properties
