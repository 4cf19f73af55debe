"""Which road to the daemons is taken, what each of them does, and what it costs to find out."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mina_infra.cluster.api import ApiStatusError, KubeApi
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.cluster.fanout import NoAnswerError
from mina_infra.cluster.posts import direct
from mina_infra.cluster.replies import MAX_BODY, BadReplyError, ForwardFailedError, PortRefusedError
from mina_infra.cluster.retry import DroppedError
from mina_infra.cluster.roads import Door, Road, Roads, usual_roads
from mina_infra.errors import ClusterError
from tests.cluster.api_server import Call, Script
from tests.cluster.test_streams import PORT_FRAMES, against

ANSWER = b'{"data": {"version": "0"}}'
FULL, LIMITED = 3085, 3095
DOOR = Door("pod-1", FULL, LIMITED)


# --- choosing ---------------------------------------------------------------------------------------------------------


class World:
    """What each road does, and how often it was taken."""

    def __init__(self, **roads: bytes | ClusterError | None) -> None:
        self.roads = {Road(name.replace("_", "-")): does for name, does in roads.items()}
        self.taken: Counter[Road] = Counter()

    async def post(self, road: Road, door: Door, body: bytes) -> bytes:
        self.taken[road] += 1
        does = self.roads[road]
        if does is None:
            await asyncio.Event().wait()
        if isinstance(does, ClusterError):
            raise does
        assert isinstance(does, bytes)
        return does


def found(world: World, *doors: Door, order: tuple[Road, ...] = tuple(Road)) -> Roads:
    async def run() -> Roads:
        roads = Roads(order, world.post)
        await roads.find(doors or (DOOR,))
        return roads

    return asyncio.run(run())


def test_inside_the_cluster_the_pods_address_comes_first_and_outside_it_is_not_tried() -> None:
    inside = usual_roads({"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert inside == (Road.DIRECT, Road.PROXY, Road.PORT_FORWARD, Road.EXEC)
    assert usual_roads({}) == (Road.PROXY, Road.PORT_FORWARD, Road.EXEC)


def test_the_first_road_that_brings_an_answer_is_taken_and_the_rest_is_not_tried() -> None:
    world = World(direct=ForwardFailedError("no route"), proxy=ANSWER, port_forward=ANSWER, exec=ANSWER)
    assert found(world).chosen is Road.PROXY
    assert world.taken == {Road.DIRECT: 1, Road.PROXY: 1}


def test_two_hundred_nodes_pay_for_a_road_that_fails_once() -> None:
    world = World(proxy=ForwardFailedError("nothing at the pod's address"), port_forward=ANSWER, exec=ANSWER)

    async def sweeps() -> None:
        roads = Roads(usual_roads({}), world.post)
        for _ in range(3):
            await roads.find([Door(f"pod-{number}", FULL, LIMITED) for number in range(3)])
            await asyncio.gather(*(roads.ask(Door(f"pod-{number}", FULL, LIMITED), b"") for number in range(200)))

    asyncio.run(sweeps())
    assert world.taken == {Road.PROXY: 1, Road.PORT_FORWARD: 1 + 3 * 200}


def test_a_road_that_hangs_delays_the_others_by_its_head_start_alone() -> None:
    async def run() -> float:
        roads = Roads(tuple(Road), World(direct=None, proxy=None, port_forward=ANSWER, exec=ANSWER).post)
        started = asyncio.get_running_loop().time()
        await roads.find([DOOR])
        assert roads.chosen is Road.PORT_FORWARD
        return asyncio.get_running_loop().time() - started

    assert asyncio.run(run()) < 1.5


def test_a_silent_daemon_does_not_decide_about_the_roads() -> None:
    class Silent(World):
        async def post(self, road: Road, door: Door, body: bytes) -> bytes:
            if door.pod == "silent":
                raise NoAnswerError("no answer")
            return await super().post(road, door, body)

    world = Silent(direct=ANSWER, proxy=ANSWER, port_forward=ANSWER, exec=ANSWER)
    assert found(world, Door("silent", FULL, LIMITED), DOOR).chosen is Road.DIRECT


def test_a_road_refused_by_rbac_is_skipped_and_said() -> None:
    forbidden = ApiStatusError(403, "Forbidden", 'cannot create resource "pods/proxy"')
    world = World(proxy=forbidden, port_forward=ANSWER, exec=ANSWER)
    roads = found(world, *(Door(f"pod-{number}", FULL, LIMITED) for number in range(3)), order=usual_roads({}))
    assert roads.chosen is Road.PORT_FORWARD
    assert roads.notes == ('road proxy skipped, not allowed: cannot create resource "pods/proxy"',)
    assert world.taken[Road.PROXY] == 1


def test_a_login_page_with_status_200_is_no_road() -> None:
    world = World(proxy=b"<html>please sign in</html>", port_forward=ANSWER, exec=ANSWER)
    assert found(world, order=usual_roads({})).chosen is Road.PORT_FORWARD


def test_a_daemon_without_a_limited_port_is_asked_by_the_full_one() -> None:
    world = World(direct=ANSWER, proxy=ANSWER, port_forward=ANSWER, exec=ANSWER)
    roads = found(world, Door("old", FULL, None))
    assert roads.chosen is Road.PORT_FORWARD
    assert found(world).road_to(Door("old", FULL, None)) is Road.PORT_FORWARD


def test_nothing_is_remembered_when_no_road_works() -> None:
    refused = PortRefusedError("connection refused")
    roads = found(World(direct=refused, proxy=refused, port_forward=refused, exec=refused))
    assert roads.chosen is None
    assert roads.road_to(DOOR) is Road.PORT_FORWARD


def test_a_road_that_stops_working_is_given_up_after_a_sweep_without_any_answer() -> None:
    world = World(proxy=ANSWER, port_forward=ANSWER, exec=ANSWER)

    async def run() -> Road | None:
        roads = Roads(usual_roads({}), world.post)
        await roads.find([DOOR])
        assert roads.chosen is Road.PROXY
        world.roads[Road.PROXY] = DroppedError("the tunnel is gone")
        for _ in range(2):
            with pytest.raises(DroppedError):
                await roads.ask(DOOR, b"")
        await roads.find([DOOR])
        return roads.chosen

    assert asyncio.run(run()) is Road.PORT_FORWARD


def test_what_a_stranger_answers_on_an_unproven_road_is_not_the_daemons_word() -> None:
    """Seen on a network whose gateway answers for every address: HTTP 403 and 404 of its own."""

    async def run(answer: bytes | ClusterError) -> bytes:
        roads = Roads((Road.PROXY,), World(proxy=answer).post)
        await roads.find([DOOR])
        return await roads.ask(DOOR, b"")

    strange: list[bytes | ClusterError] = [
        BadReplyError("HTTP 403: denied"), PortRefusedError("connection refused"), b"<html>hello</html>",
    ]  # fmt: skip
    for answer in strange:
        with pytest.raises(ForwardFailedError, match="no daemon was reached by road proxy"):
            asyncio.run(run(answer))
    assert asyncio.run(run(ANSWER)) == ANSWER


# --- driving ----------------------------------------------------------------------------------------------------------


def ask(road: Road) -> Callable[[KubeApi], Awaitable[bytes]]:
    """By a road that has proved itself."""

    async def question(api: KubeApi) -> bytes:
        cluster = KubeCluster(api, "ns", (road,))
        cluster._roads.chosen = road
        return await cluster.graphql("pod-1", "{ version }", limited=LIMITED)

    return question


async def read_body(call: Call) -> bytes:
    return await call.reader.readexactly(int(call.headers["content-length"]))


def proxying(status: int, body: bytes) -> Script:
    async def script(call: Call) -> None:
        assert call.path == "/api/v1/namespaces/ns/pods/pod-1:3095/proxy/graphql"
        assert b"version" in await read_body(call)
        await call.plain(status, body)

    return script


def status(message: str, code: int = 503, reason: str = "ServiceUnavailable") -> bytes:
    return json.dumps({"kind": "Status", "message": message, "code": code, "reason": reason}).encode()


def test_the_proxy_leads_to_the_limited_port(tmp_path: Path) -> None:
    assert against(proxying(200, ANSWER), tmp_path, ask(Road.PROXY)) == ANSWER


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        (503, status("error trying to reach service: dial tcp: connect: connection refused"), PortRefusedError),
        (403, status("no", 403, "Forbidden"), ApiStatusError),
        (404, b"Not found", BadReplyError),
        (500, b"<html>of the daemon itself</html>", BadReplyError),
        (200, b"x" * (MAX_BODY + 1), BadReplyError),
    ],
)  # fmt: skip
def test_the_proxys_own_errors_are_told_from_the_daemons(
    tmp_path: Path, code: int, body: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        against(proxying(code, body), tmp_path, ask(Road.PROXY))


def test_port_forward_and_exec_lead_to_the_full_port(tmp_path: Path) -> None:
    async def forward(call: Call) -> None:
        assert call.path.endswith("/portforward?ports=3085")
        await call.upgrade("v4.channel.k8s.io")
        await call.send(*PORT_FRAMES)
        await call.receive()
        await call.send(b"\x00HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))

    async def curl(call: Call) -> None:
        assert "/exec?container=mina" in call.path
        assert "stdin=false" in call.path
        assert "http%3A%2F%2F127.0.0.1%3A3085%2Fgraphql" in call.path
        await call.upgrade("v5.channel.k8s.io")
        await call.send(b"\x01" + ANSWER + b"\n200", b'\x03{"status": "Success"}')

    assert against(forward, tmp_path, ask(Road.PORT_FORWARD)) == ANSWER
    assert against(curl, tmp_path, ask(Road.EXEC)) == ANSWER


def test_metrics_take_the_road_that_was_found(tmp_path: Path) -> None:
    text = b"Mina_daemon_uptime 1\n"

    def read(road: Road | None) -> Callable[[KubeApi], Awaitable[bytes]]:
        async def question(api: KubeApi) -> bytes:
            cluster = KubeCluster(api, "ns", usual_roads({}))
            cluster._roads.chosen = road
            return await cluster.metrics("pod-1", 10001)

        return question

    async def proxied(call: Call) -> None:
        assert call.path == "/api/v1/namespaces/ns/pods/pod-1:10001/proxy/metrics"
        assert "content-length" not in call.headers
        await call.plain(200, text)

    async def forwarded(call: Call) -> None:
        assert call.path.endswith("/portforward?ports=10001")
        await call.upgrade("v4.channel.k8s.io")
        await call.send(*PORT_FRAMES)
        assert b"GET /metrics" in await call.receive()
        await call.send(b"\x00HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))

    async def curl(call: Call) -> None:
        assert call.path.endswith("command=http%3A%2F%2F127.0.0.1%3A10001%2Fmetrics")
        assert "command=-d" not in call.path
        await call.upgrade("v5.channel.k8s.io")
        await call.send(b"\x01" + text + b"\n200", b'\x03{"status": "Success"}')

    assert against(proxied, tmp_path, read(Road.PROXY)) == text
    assert against(forwarded, tmp_path, read(Road.PORT_FORWARD)) == text
    assert against(forwarded, tmp_path, read(None)) == text
    assert against(curl, tmp_path, read(Road.EXEC)) == text


@pytest.mark.parametrize(
    ("code", "error"),
    [(7, PortRefusedError), (28, NoAnswerError), (63, BadReplyError), (6, ForwardFailedError)],
)
def test_what_curl_ends_with_says_whose_fault_it_was(tmp_path: Path, code: int, error: type[Exception]) -> None:
    async def curl(call: Call) -> None:
        await call.upgrade("v5.channel.k8s.io")
        await call.send(b'\x03{"status": "Failure", "message": "exit status %d"}' % code)

    with pytest.raises(error):
        against(curl, tmp_path, ask(Road.EXEC))


def test_directly_no_credentials_leave_for_the_pod(tmp_path: Path) -> None:
    """The pod's server sees what was sent: no Authorization, no cookie, no proxy of the environment."""
    seen: dict[str, str] = {}

    async def daemon(call: Call) -> None:
        seen.update(call.headers)
        await read_body(call)
        await call.plain(200, ANSWER)

    async def post(api: KubeApi) -> bytes:
        port = int(api.config.cluster.server.rpartition(":")[2])
        return await direct(api.plain, "127.0.0.1", port, "/graphql", b'{"query": "{ version }"}')

    assert against(daemon, tmp_path, post) == ANSWER
    assert "authorization" not in seen


def test_a_closed_port_is_refused_and_an_unknown_host_is_the_road(tmp_path: Path) -> None:
    async def nobody(call: Call) -> None:
        await call.plain(500, b"")

    for address, error in (("127.0.0.1", PortRefusedError), ("pod.invalid", ForwardFailedError)):

        async def post(api: KubeApi, address: str = address) -> bytes:
            return await direct(api.plain, address, 9, "/graphql", b"{}")

        with pytest.raises(error):
            against(nobody, tmp_path, post)


def test_without_a_limited_port_named_the_caller_gets_the_full_schema(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        if "/proxy/" in call.path:
            await read_body(call)
            await call.plain(200, ANSWER)
            return
        assert call.path.endswith("/portforward?ports=3085")
        await call.upgrade("v4.channel.k8s.io")
        await call.send(*PORT_FRAMES)
        await call.receive()
        await call.send(b"\x00HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async def question(api: KubeApi) -> bytes:
        cluster = KubeCluster(api, "ns", usual_roads({}))
        await cluster.find_road([DOOR])
        assert cluster.road is Road.PROXY
        return await cluster.graphql("pod-1", "{ bestChain { stateHash } }")

    assert against(script, tmp_path, question) == b"{}"
