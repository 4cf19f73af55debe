"""What is refused by name, how nameless objects are named, and what still works without a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.local.provider.support import AbortedError, Provider, attached, create, urn

MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "config", "namespace": "rec"},
    "data": {"daemon.json": "{}"},
}
URN = urn("core/v1:ConfigMap", "config")


@pytest.mark.parametrize("method", ["Check", "Diff", "Create", "Update", "Read", "Delete"])
def test_a_kind_that_is_not_known_is_refused_by_name(method: str, tmp_path: Path) -> None:
    item = {"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": "a", "namespace": "b"}}
    state = {**item, "__inputs": item}
    bodies = {
        "Check": {"news": item},
        "Diff": {"olds": state, "news": item},
        "Create": {"properties": item},
        "Update": {"olds": state, "news": item},
        "Read": {"id": "b/a", "properties": state, "inputs": item},
        "Delete": {"id": "b/a", "properties": state},
    }

    async def work(provider: Provider) -> None:
        before = len(provider.api.requests)
        with pytest.raises(AbortedError, match=r"does not know .*:CiliumNode\. It knows: .*Deploy"):
            await provider.call(method, {"urn": urn("cilium.io/v2:CiliumNode"), **bodies[method]})
        assert len(provider.api.requests) == before

    attached(tmp_path, work)


@pytest.mark.parametrize(
    ("method", "request_", "message"),
    [
        ("Invoke", {"tok": "kubernetes:helm:template"}, "no function kubernetes:helm:template"),
        ("GetSchema", {}, "has no schema"),
        ("Parameterize", {}, "takes no parameters"),
    ],
)
def test_what_it_does_not_do_it_says(method: str, request_: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(AbortedError, match=message) as caught:
        attached(tmp_path, lambda provider: provider.call(method, request_))
    assert caught.value.code.name == "UNIMPLEMENTED"


NAMELESS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}


def check(provider: Provider, **request: Any) -> Awaitable[dict[str, Any]]:
    return provider.call("Check", {"urn": URN, **request})


def test_an_object_without_name_gets_one_and_keeps_it(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        first = (await check(provider, news=NAMELESS, randomSeed="c2VlZA=="))["inputs"]
        assert first["metadata"]["name"].startswith("config-")
        assert first["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
        assert first["metadata"]["namespace"] == "default"
        again = (await check(provider, news=NAMELESS, olds=first, randomSeed="b3RoZXI="))["inputs"]
        assert again == first

    attached(tmp_path, work)


def test_the_engine_may_propose_a_name_or_forbid_to_make_one_up(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        proposed = {"mode": "PROPOSE", "proposedName": "mine"}
        answer = await check(provider, news=NAMELESS, randomSeed="c2VlZA==", autonaming=proposed)
        assert answer["inputs"]["metadata"]["name"] == "mine"
        with pytest.raises(AbortedError, match="autonaming is disabled"):
            await check(provider, news=NAMELESS, autonaming={"mode": "DISABLE"})
        with pytest.raises(AbortedError, match="generateName"):
            await check(provider, news={**NAMELESS, "metadata": {"generateName": "a-"}})

    attached(tmp_path, work)


def unreachable(folder: Path, work: Callable[[Provider], Awaitable[Any]], **variables: str) -> Any:
    async def inside(provider: Provider) -> Any:
        provider.api.down = True
        await provider.configure(**variables)
        return await work(provider)

    return attached(folder, inside)


STATE = {**MAP, "__inputs": MAP}
READ = {"id": "rec/config", "urn": URN, "properties": STATE, "inputs": MAP}
UPDATE = {"id": "rec/config", "urn": URN, "olds": STATE, "news": MAP}
DELETE = {"id": "rec/config", "urn": URN, "properties": STATE}


def test_without_cluster_previews_work_and_everything_else_says_why_not(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        assert (await create(provider, MAP, preview=True))["properties"] == MAP
        assert (await provider.call("Update", {**UPDATE, "preview": True}))["properties"] == MAP
        for call in (
            create(provider, MAP),
            provider.call("Update", UPDATE),
            provider.call("Delete", DELETE),
            provider.call("Read", READ),
        ):
            with pytest.raises(AbortedError, match="unreachable"):
                await call

    unreachable(tmp_path, work)


def test_a_dead_cluster_can_be_forgotten(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        assert await provider.call("Read", READ) == {}
        assert await provider.call("Delete", DELETE) == {}

    unreachable(tmp_path, work, deleteUnreachable="true")


def test_a_dead_cluster_can_be_passed_over(tmp_path: Path) -> None:
    async def work(provider: Provider) -> None:
        assert (await provider.call("Read", READ))["properties"] == STATE
        assert (await check(provider, news=NAMELESS, olds=MAP))["inputs"] == MAP

    unreachable(tmp_path, work, skipUpdateUnreachable="true")
