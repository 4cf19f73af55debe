"""The daemon's flags and names by release: a flag that a release does not know stops its start."""

from __future__ import annotations

import pytest

from mina_infra.plan import flags
from tests.plan.testnets import nodes, plan, zoo


def arguments(version: str) -> list[str]:
    return next(node.args for node in nodes(plan(zoo(daemonVersion=version))) if node.name == "whale-1")


@pytest.mark.parametrize(
    ("version", "received", "keypair", "trustlist"),
    [
        ("0.0.17", True, "-discovery-keypair", "CODA_CLIENT_TRUSTLIST"),
        ("0.1.9", True, "-discovery-keypair", "CODA_CLIENT_TRUSTLIST"),
        ("0.2.0", False, "-discovery-keypair", "MINA_CLIENT_TRUSTLIST"),
        ("1.3.1", False, "-discovery-keypair", "MINA_CLIENT_TRUSTLIST"),
        ("1.4.0", False, "-libp2p-keypair", "MINA_CLIENT_TRUSTLIST"),
        ("3.0.1-abc", False, "-libp2p-keypair", "MINA_CLIENT_TRUSTLIST"),
    ],
)
def test_a_release_gets_the_flags_it_knows(version: str, received: bool, keypair: str, trustlist: str) -> None:
    node = next(node for node in nodes(plan(zoo(daemonVersion=version))) if node.name == "whale-1")
    assert ("-log-received-blocks" in node.args) is received
    assert keypair in node.args
    assert len({"-discovery-keypair", "-libp2p-keypair"} & set(node.args)) == 1
    assert trustlist in node.env()


def test_the_runbooks_gossip_logs_are_on_for_every_release() -> None:
    for version in ("0.0.17", "1.3.1", "3.0.1"):
        found = arguments(version)
        for flag in ("-log-snark-work-gossip", "-log-txn-pool-gossip"):
            assert found[found.index(flag) + 1] == "true"
        assert "-log-json" in found
        assert found[found.index("-log-level") + 1] == "Debug"


def test_every_role_with_a_daemon_opens_its_limited_graphql_and_keeps_the_full_one_to_itself() -> None:
    """The guardian reads the limited port by the pod's address; the full one can send payments."""
    daemons = [node for node in nodes(plan(zoo())) if node.args[:1] == ["daemon"]]
    assert {node.role for node in nodes(plan(zoo()))} - {node.role for node in daemons} == {"snark-worker"}
    for node in daemons:
        assert node.flag("-limited-graphql-port") == "3095"
        assert "-open-limited-graphql-port" in node.args
        assert "-insecure-rest-server" not in node.args
        assert {"name": "limited-graphql", "containerPort": 3095} in [
            {key: port[key] for key in ("name", "containerPort")} for port in node.main["ports"]
        ]
    assert {each.ports["limited-graphql"] for each in plan(zoo()).outputs.daemons()} == {3095}


def test_releases_before_the_limited_port_are_not_given_its_flags() -> None:
    found = arguments("0.1.9")
    assert "-limited-graphql-port" not in found
    assert "-open-limited-graphql-port" not in found
    old = plan(zoo(daemonVersion="0.1.9")).outputs
    assert all("limited-graphql" not in each.ports for each in old.daemons())


def test_old_releases_keep_their_own_names_everywhere() -> None:
    for node in nodes(plan(zoo(daemonVersion="0.0.17"))):
        if node.role != "snark-worker":
            assert node.main["command"] == ["coda"]
            assert node.flag("-config-directory") == "/root/.coda-config"
            places = {each["name"]: each["mountPath"] for each in node.main["volumeMounts"]}
            assert places["config-dir"] == "/root/.coda-config"
            assert places["genesis"] == "/root/.coda-config/genesis"
            assert not any("mina-config" in path for path in places.values())


def test_the_document_overrides_what_the_tag_says() -> None:
    assert flags.release(plan(zoo(daemonVersion="1.3.1")).spec) == (1, 3, 1)
    assert flags.release(plan(zoo()).spec) == (3, 0, 1)


def test_the_table_ascends_so_the_last_row_that_fits_is_found() -> None:
    firsts = [first for first, _ in flags.DIALECTS]
    assert firsts == sorted(firsts)
    assert firsts[0] == (0, 0, 0)
