"""`rbac` and `doctor`: what they print and how they exit, against scripted answers of an API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mina_infra.cli.examination import Line, Mark, examine, exit_code
from mina_infra.cli.place import Place
from mina_infra.cluster.roads import Road
from mina_infra.errors import ClusterError
from mina_infra.outputs import OutputsDocument
from mina_infra.plan.rights import Duty
from mina_infra.simulator.deployment import outputs_of
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import SimulatedNetwork
from tests.cli.conftest import Command
from tests.cluster.api_server import Call, serving

NOW = 1_795_304_034.0  # of the Date below
DATE = "Date: Sat, 21 Nov 2026 23:33:54 GMT\r\n"


class StoppedClock:
    def __init__(self, ahead: float) -> None:
        self.ahead = ahead

    def now(self) -> float:
        return NOW + self.ahead

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


Allowed = Callable[[dict[str, Any]], bool]


def doctor(
    folder: Path,
    *,
    allowed: Allowed = lambda _: True,
    ahead: float = 0.5,
    code: int = 200,
    duties: tuple[Duty, ...] = (),
    pods: int = 1,
) -> list[Line]:
    """What it finds with a server that knows us, one pod that answers through the proxy, and these faults."""
    network = SimulatedNetwork(1, [NodeSpec("seed-1", seed=True)])
    outputs: OutputsDocument = outputs_of(network)

    async def script(call: Call) -> None:
        body = json.loads(await call.reader.readexactly(int(call.headers.get("content-length", 0))) or b"{}")
        if code != 200:
            await call.refuse(code, "Unauthorized" if code == 401 else "", "no")
        elif call.path.endswith("/selfsubjectreviews"):
            await call.plain(201, json.dumps({"status": {"userInfo": {"username": "ada"}}}).encode())
        elif call.path.endswith("/selfsubjectaccessreviews"):
            answer = {"status": {"allowed": allowed(body["spec"]["resourceAttributes"])}}
            await call.plain(201, json.dumps(answer).encode())
        elif "/proxy/graphql" in call.path:
            node = network.network.nodes["seed-1"]
            await call.plain(200, network.answers.reply(node, json.dumps(body).encode(), limited=True))
        elif call.path.startswith("/api/v1/namespaces/testnet/pods?"):
            await call.plain(200, json.dumps({"metadata": {"resourceVersion": "1"}, "items": [pod()] * pods}).encode())
        else:
            await call.plain(200, b"{}", DATE)

    async def run() -> list[Line]:
        async with asyncio.timeout(20), serving(script, folder) as api:
            return await examine(api, outputs, StoppedClock(ahead), (Road.PROXY, Road.EXEC), duties)

    return asyncio.run(run())


def pod() -> dict[str, Any]:
    return {
        "metadata": {
            "name": "seed-1-0", "uid": "u", "labels": {"app": "seed-1"}, "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "status": {"phase": "Running"},
    }  # fmt: skip


def line(lines: list[Line], about: str) -> Line:
    return next(each for each in lines if each.about == about)


def test_where_all_is_well_the_road_that_will_be_taken_is_named(tmp_path: Path) -> None:
    lines = doctor(tmp_path)
    assert exit_code(lines) == 0
    assert "ada" in line(lines, "credentials").text
    assert line(lines, "roads").text == "proxy will be taken"
    assert line(lines, "road: exec").mark is Mark.NOTE


def test_credentials_that_are_not_known_are_1_and_end_the_look(tmp_path: Path) -> None:
    lines = doctor(tmp_path, code=401)
    assert [(each.about, each.mark) for each in lines] == [("credentials", Mark.BAD)]
    assert "log in again" in lines[0].mend
    assert exit_code(lines) == 1


def test_a_server_that_does_not_answer_well_is_2(tmp_path: Path) -> None:
    assert exit_code(doctor(tmp_path, code=503)) == 2


def test_a_missing_right_is_printed_as_the_rule_that_grants_it(tmp_path: Path) -> None:
    lines = doctor(tmp_path, allowed=lambda asked: asked["resource"] != "persistentvolumeclaims")
    found = line(lines, "rights: observer")
    assert found.mark is Mark.BAD
    assert "check claims" in found.text
    assert yaml.safe_load(found.mend)["rules"] == [
        {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list"]}
    ]
    assert exit_code(lines) == 1


def test_verbs_are_asked_one_by_one_and_only_the_missing_one_is_printed(tmp_path: Path) -> None:
    """The outage of 1.35: `get` on pods/exec is there, `create` is not."""

    def before_1_35(asked: dict[str, Any]) -> bool:
        return not (asked.get("subresource") == "exec" and asked["verb"] == "create")

    found = line(doctor(tmp_path, allowed=before_1_35, duties=(Duty.EXEC,)), "rights: exec")
    assert found.mark is Mark.BAD
    assert yaml.safe_load(found.mend)["rules"] == [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}]


def test_rights_that_nobody_needs_now_are_a_note_or_not_asked(tmp_path: Path) -> None:
    observer = {"pods", "namespaces", "services", "endpointslices", "deployments", "statefulsets", "events"}

    def only_looks(asked: dict[str, Any]) -> bool:
        return asked["verb"] in ("get", "list", "watch") and asked["resource"] in observer | {"persistentvolumeclaims"}

    lines = doctor(tmp_path, allowed=only_looks)
    assert line(lines, "rights: exec").mark is Mark.NOTE
    assert "rights: chaos" not in [each.about for each in lines]
    assert line(doctor(tmp_path, allowed=only_looks, duties=(Duty.CHAOS,)), "rights: chaos").mark is Mark.BAD


@pytest.mark.parametrize(("ahead", "mark"), [(40.0, Mark.GOOD), (50.0, Mark.BAD), (-60.0, Mark.BAD)])
def test_a_clock_may_be_off_by_a_quarter_of_a_slot(tmp_path: Path, ahead: float, mark: Mark) -> None:
    lines = doctor(tmp_path, ahead=ahead)
    assert line(lines, "clock").mark is mark
    assert ("ahead" if ahead > 0 else "behind") in line(lines, "clock").text


def test_without_a_running_daemon_nobody_can_tell_about_roads(tmp_path: Path) -> None:
    lines = doctor(tmp_path, pods=0)
    assert line(lines, "roads").mark is Mark.UNKNOWN
    assert exit_code(lines) == 2


# --- the commands -----------------------------------------------------------------------------------------------------


def test_rbac_prints_what_kubectl_applies(mina_infra: Command) -> None:
    answer = mina_infra("rbac", "-s", "qa", "--role", "observer", "--service-account", "looker")
    assert answer.code == 0, answer.err
    kinds = [(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(answer.out)]
    assert kinds == [
        ("ServiceAccount", "looker"), ("Role", "guardian-observer"), ("RoleBinding", "guardian-observer-looker"),
    ]  # fmt: skip


def test_doctor_on_a_cluster_that_does_not_answer_is_2(mina_infra: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    document = outputs_of(SimulatedNetwork(1))

    def nobody(place: Place, question: object) -> None:
        raise ClusterError("the cluster does not answer")

    monkeypatch.setattr(Place, "outputs", lambda place: document)
    monkeypatch.setattr(Place, "ask", nobody)
    answer = mina_infra("doctor", "--json")
    assert answer.code == 2
    assert json.loads(answer.out)["looks"][0]["mark"] == "unknown"
    assert mina_infra("doctor").out.startswith("? credentials")
