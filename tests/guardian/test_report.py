"""The verdict in words and as JSON."""

from __future__ import annotations

import json

from mina_infra.daemon.multiaddress import Multiaddress
from mina_infra.guardian import report
from mina_infra.guardian.checks import CHECKS
from mina_infra.simulator.simulated import small_network
from tests.guardian.fake_cluster import world


def test_a_healthy_verdict_is_one_line_for_each_check_and_one_for_all() -> None:
    lines = report.text(world().verify()).splitlines()
    *checks, criteria, _ = lines
    assert [line.split()[1] for line in checks] == [check.name for check, _ in CHECKS]
    passed = sum(line.startswith("✓") for line in checks)
    assert all(line.startswith(("✓", "-")) for line in checks)
    assert criteria.startswith("criteria 6 of the runbook's 8 stable, 7 and 8 unknown (no outsider was let in; ")
    assert lines[-1].startswith(f"testnet: healthy, {passed} checks passed")


def test_evidence_shows_five_rows_and_says_how_many_more() -> None:
    here = world(nodes=small_network(plain=8))
    for number in range(8):
        here.network.crash(f"plain-{number + 1}")
    words = report.text(here.verify())
    pods = words[words.index("✗ pods") : words.index("claims")]
    assert sum(line.strip().startswith("plain-") for line in pods.splitlines()) == 5
    assert "and 3 more" in pods
    assert "to do" in pods


def test_silent_nodes_are_named_where_they_leave_a_question_open() -> None:
    here = world()
    here.cluster.silent = {"fish-2"}
    words = report.text(here.verify())
    assert "silent    fish-2" in words[words.index("? sync") :]
    assert "3 could not tell" in words.splitlines()[-1]


def test_the_json_form_holds_all_evidence_and_the_exit_code() -> None:
    here = world(nodes=small_network(plain=8))
    for number in range(8):
        here.network.crash(f"plain-{number + 1}")
    verdict = here.verify()
    value = json.loads(report.json(verdict))
    assert (value["schema"], value["verdict"], value["exitCode"]) == (1, "unstable", 1)
    by_name = {check["check"]: check for check in value["checks"]}
    assert len(by_name["pods"]["evidence"]) == 8
    assert by_name["pods"]["runbook"]
    assert [node["name"] for node in value["nodes"]] == [node.name for node in here.outputs.nodes]
    assert value["started"].endswith("Z")


def test_the_json_form_tells_the_multiaddress_of_every_daemon_that_answers() -> None:
    here = world()
    here.cluster.silent = {"fish-2"}
    nodes = {node["name"]: node for node in json.loads(report.json(here.verify()))["nodes"]}
    whale = Multiaddress.parse(nodes["whale-1"]["address"])
    assert whale.peer_id == nodes["whale-1"]["peerId"]
    assert nodes["fish-2"]["address"] is None


def test_what_is_unknown_is_called_so_in_json() -> None:
    here = world()
    here.cluster.silent = {"fish-2"}
    value = json.loads(report.json(here.verify()))
    assert (value["verdict"], value["exitCode"]) == ("unknown", 2)
