"""Eight defects of the client library that was considered, each shown not to be ours.

(docs/facts.md: guardian/client-defects)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lightkube.config.models import NameValue, User, UserExec

from mina_infra.cluster.api import POD, ApiStatusError, KubeApi
from mina_infra.cluster.credentials import PluginAuth, auth_of
from mina_infra.cluster.exec import exec_in_pod
from mina_infra.cluster.logs import MAX_LINE, LogRange, follow_log, read_log
from mina_infra.cluster.retry import DroppedError
from mina_infra.errors import ClusterError
from tests.cluster.api_server import Call, serving
from tests.cluster.test_streams import against

EMPTY_LIST = json.dumps({"metadata": {"resourceVersion": "7"}, "items": []}).encode()


def test_defect_1_many_log_followers_leave_room_for_a_list(tmp_path: Path) -> None:
    """A pool of 100 connections let 51 of 150 followers and every list time out."""
    followers, there = 150, asyncio.Event()
    waiting = 0

    async def script(call: Call) -> None:
        nonlocal waiting
        if "follow=true" not in call.path:
            await call.plain(200, EMPTY_LIST)
            return
        call.writer.write(b"HTTP/1.1 200 OK\r\n\r\nfirst\n")
        await call.writer.drain()
        waiting += 1
        if waiting == followers:
            there.set()
        await call.reader.read()

    async def ask(api: KubeApi) -> list[dict[str, Any]]:
        async def follow(number: int) -> None:
            async for _ in follow_log(api, "ns", f"pod-{number}", "mina", LogRange()):
                pass

        tasks = [asyncio.create_task(follow(number)) for number in range(followers)]
        await there.wait()
        found = await api.objects(POD, "ns")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return found

    assert against(script, tmp_path, ask) == []


# --- credential plugins -----------------------------------------------------------------------------------------------

PLUGIN = """
echo started >> "$RUNS"
echo "$KUBERNETES_EXEC_INFO" > "$RUNS.info"
echo '{"status": {"token": "token-'$(wc -l < "$RUNS" | tr -d ' ')'"'$EXTRA'}}'
"""


def plugin(folder: Path, version: str = "v1beta1", script: str = PLUGIN, extra: str = "") -> UserExec:
    env = [NameValue("RUNS", str(folder / "runs")), NameValue("EXTRA", extra)]
    return UserExec(f"client.authentication.k8s.io/{version}", "sh", env, ["-c", script], "Install it so.")


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


@asynccontextmanager
async def signed(folder: Path, auth: httpx2.Auth, refuse: set[str]) -> AsyncIterator[tuple[KubeApi, list[str]]]:
    """A client whose server refuses some tokens; and the tokens that it accepted."""
    accepted: list[str] = []

    async def script(call: Call) -> None:
        token = call.headers["authorization"].removeprefix("Bearer ")
        if token in refuse:
            await call.refuse(401, "Unauthorized", "expired")
            return
        accepted.append(token)
        await call.plain(200, b"{}")

    async with serving(script, folder) as api:
        api.http.auth = auth
        yield api, accepted


def ask_many(folder: Path, auth: httpx2.Auth, refuse: set[str] = frozenset(), count: int = 40) -> list[str]:  # type: ignore[assignment]
    async def run() -> list[str]:
        async with asyncio.timeout(20), signed(folder, auth, refuse) as (api, accepted):
            await asyncio.gather(*(api.request("GET", "/version") for _ in range(count)))
            return accepted

    return asyncio.run(run())


def test_defect_2_forty_first_requests_start_the_plugin_once(tmp_path: Path) -> None:
    auth = PluginAuth(plugin(tmp_path))
    assert ask_many(tmp_path, auth) == ["token-1"] * 40
    assert runs(tmp_path) == 1


def test_defect_2_forty_refusals_start_it_once_more(tmp_path: Path) -> None:
    auth = PluginAuth(plugin(tmp_path))
    assert ask_many(tmp_path, auth, refuse={"token-1"}) == ["token-2"] * 40
    assert runs(tmp_path) == 2


def test_a_token_that_is_about_to_end_is_not_used(tmp_path: Path) -> None:
    soon = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    auth = PluginAuth(plugin(tmp_path, extra=f',"expirationTimestamp":"{soon}"'))
    assert set(ask_many(tmp_path, auth, count=1)) == {"token-1"}
    assert set(ask_many(tmp_path, auth, count=1)) == {"token-2"}


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_defect_3_every_version_of_the_plugins_protocol_is_spoken(tmp_path: Path, version: str) -> None:
    auth = auth_of(User(exec=plugin(tmp_path, version)))
    assert isinstance(auth, PluginAuth)
    assert ask_many(tmp_path, auth, count=1) == ["token-1"]
    told = json.loads((tmp_path / "runs.info").read_text())
    assert told["apiVersion"] == f"client.authentication.k8s.io/{version}"


def test_a_plugin_of_another_protocol_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"v9; known here: client\.authentication\.k8s\.io/v1"):
        auth_of(User(exec=plugin(tmp_path, "v9")))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo no such account >&2; exit 3", "ended with 3: no such account"),
        ("echo hello", "gave no token"),
        ("echo '{}'", "gave no token"),
    ],
)
def test_a_plugin_that_fails_says_how(tmp_path: Path, script: str, words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        ask_many(tmp_path, PluginAuth(plugin(tmp_path, script=script)), count=1)


def test_a_plugin_that_is_not_installed_says_what_to_install(tmp_path: Path) -> None:
    missing = UserExec("client.authentication.k8s.io/v1", "no-such-plugin-here", None, None, "Install it so.")
    with pytest.raises(ClusterError, match=r"does not start.*Install it so\."):
        ask_many(tmp_path, PluginAuth(missing), count=1)


# --- logs, watch, exec ------------------------------------------------------------------------------------------------


def test_defect_4_the_log_of_the_container_that_crashed_can_be_read(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        for word in ("previous=true", "sinceTime=", "limitBytes=10"):
            assert word in call.path
        await call.plain(200, b"0123456789 and more than was asked for")

    part = LogRange(previous=True, since=datetime(2026, 1, 1, tzinfo=UTC), limit_bytes=10)
    assert against(script, tmp_path, lambda api: read_log(api, "ns", "p", "mina", part)) == b"0123456789"


def test_a_log_without_end_is_cut_off_and_a_line_without_end_comes_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mina_infra.cluster.logs.MAX_LOG", 1000)
    monkeypatch.setattr("mina_infra.cluster.logs.MAX_LINE", 1000)
    assert MAX_LINE > 1000

    async def script(call: Call) -> None:
        call.writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(50):
            call.writer.write(b"x" * 100)
            await call.writer.drain()

    assert len(against(script, tmp_path, lambda api: read_log(api, "ns", "p", "mina", LogRange()))) == 1000

    async def follow(api: KubeApi) -> list[bytes]:
        return [line async for line in follow_log(api, "ns", "p", "mina", LogRange())]

    pieces = against(script, tmp_path, follow)
    assert len(pieces) > 1
    assert sum(map(len, pieces)) == 5000


def test_defect_5_following_a_log_that_is_not_there_says_not_found(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.refuse(404, "NotFound", 'pods "p" not found')

    async def follow(api: KubeApi) -> None:
        async for _ in follow_log(api, "ns", "p", "mina", LogRange()):
            pass

    with pytest.raises(ApiStatusError) as error:
        against(script, tmp_path, follow)
    assert error.value.code == 404


@pytest.mark.parametrize("cut", [b"", b'{"type": "ADDED", "object": {"meta', b"<html>502</html>\n"])
def test_defect_6_a_watch_survives_the_end_of_its_connection_and_a_refused_reconnect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: bytes
) -> None:
    """The reconnect itself fails twice: not answered, then refused by a load balancer."""
    monkeypatch.setattr("random.random", lambda: 0.0)
    calls: list[str] = []

    async def script(call: Call) -> None:
        calls.append(call.path)
        if "watch=1" in call.path:
            call.writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + cut)
            await call.writer.drain()
        elif len(calls) == 3:
            return  # no answer at all
        elif len(calls) == 4:
            await call.plain(503, b"no backend")
        else:
            await call.plain(200, EMPTY_LIST)

    async def watch(api: KubeApi) -> int:
        synced = 0
        async for event in api.watch(POD, "ns"):
            synced += event.type == "SYNCED"
            if synced == 2:
                break
        return synced

    assert against(script, tmp_path, watch) == 2
    assert len(calls) == 5


def test_defect_7_a_command_that_reads_its_input_ends_because_none_is_attached(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        assert "stdin=false" in call.path
        await call.upgrade("v5.channel.k8s.io")
        await call.send(b'\x03{"status": "Success"}')

    run = against(script, tmp_path, lambda api: exec_in_pod(api, "ns", "p", "mina", ["cat"], timeout=5))
    assert run.exit_code == 0


def test_defect_8_a_pod_killed_while_a_command_runs_is_a_typed_error(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.upgrade("v5.channel.k8s.io")
        await call.send(b"\x01half of the out")

    with pytest.raises(DroppedError, match="ended early"):
        against(script, tmp_path, lambda api: exec_in_pod(api, "ns", "p", "mina", ["mina"], timeout=5))


def test_an_answer_that_is_no_json_is_no_api_server(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.plain(200, b"<html>sign in</html>")

    with pytest.raises(ClusterError, match="is no API server"):
        against(script, tmp_path, lambda api: api.request("GET", "/version"))
