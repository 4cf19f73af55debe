"""The document's fields: what a valid one becomes, and that each broken field is named with its allowed values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.spec import Retention, Role, SpecError, TestnetSpec, parse
from mina_infra.spec.fields import DNS_LABEL
from mina_infra.spec.models import NodeGroup, tag_version
from mina_infra.spec.roles import ROLES, VOLUMES, Backing, VolumeKind
from tests.spec.conftest import PEERS, IssuesOf


def test_a_valid_document_is_read_with_its_defaults(document: dict[str, Any], base: Path) -> None:
    spec = parse(document, base=base)
    assert spec.name == spec.namespace == "alpha"
    assert spec.retention is Retention.DELETE
    assert spec.genesis.ledger.source == "shared-claim"
    assert spec.nodes[2].name == "snark-coordinator"
    assert spec.nodes[1].node_names() == ("whale-1", "whale-2")
    assert spec.nodes[3].resources.cpu == "2"
    assert spec.thresholds.fork_depth == 5
    assert spec.thresholds.behind_blocks == 2
    assert [group.name for group in spec.groups_of(Role.ARCHIVE)] == ["archive"]


def test_the_runtime_config_becomes_its_text(document: dict[str, Any], base: Path) -> None:
    by_file = parse(document, base=base)
    document["genesis"]["runtimeConfig"] = (base / "daemon.json").read_text()
    assert parse(document, base=Path("/nowhere")) == by_file
    assert by_file.genesis.config()["genesis"]["genesis_state_timestamp"] == "2026-01-01T00:00:00Z"


def test_snake_case_and_camel_case_are_the_same_document(document: dict[str, Any], base: Path) -> None:
    snake = json.loads(
        json.dumps(document)
        .replace("runtimeConfig", "runtime_config")
        .replace("peerId", "peer_id")
        .replace("userAgent", "user_agent")
        .replace("postDeploy", "post_deploy")
        .replace("forkDepth", "fork_depth")
    )
    assert snake != document
    assert parse(snake, base=base) == parse(document, base=base)


def as_floats(value: Any) -> Any:
    """The value as it arrives from a program in another language: every int is a float."""
    if isinstance(value, dict):
        return {key: as_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_floats(inner) for inner in value]
    return float(value) if isinstance(value, int) else value


def test_ints_as_floats_are_the_same_document(document: dict[str, Any], base: Path) -> None:
    spec = parse(as_floats(document), base=base)
    assert spec == parse(document, base=base)
    assert isinstance(spec.era, int)
    assert spec.nodes[0].node_names() == ("seed-1", "seed-2")


def test_the_spec_cannot_be_changed_after_it_was_checked(document: dict[str, Any], base: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse(document, base=base).name = "other"


FIELDS: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("name",), "Alpha", "lower-case letters"),
    (("name",), "a" * 31, "at most 30"),
    (("name",), "a-", "not end with '-'"),
    (("name",), None, "found nothing: must be text"),
    (("name",), 7, "must be text"),
    (("era",), 0, "must be at least 1"),
    (("era",), 10000, "must be at most 9999"),
    (("era",), True, "must be a number"),
    (("era",), "two", "must be a whole number"),
    (("target",), "gke", "must be a mapping"),
    (("target", "provider"), "gkee", "allowed: gke, eks, aks, local"),
    (("target", "region"), "", "lower-case letters"),
    (("target", "zones"), "local-a", "must be a list"),
    (("target", "zones", 0), "A", "lower-case letters"),
    (("target", "replication"), "none", "allowed: zonal, regional"),
    (("target", "networks"), ["10.0.0.0"], "address range"),
    (("target", "networks"), ["10.0.0.1/8"], "address range"),
    (("image",), "has space", "image reference"),
    (("image",), "a@sha256:12", "image reference"),
    (("images", "init"), "", "image reference"),
    (("daemonVersion",), 3.0, "must be text"),
    (("daemonVersion",), "latest", "release such as 3.0.1"),
    (("retention",), "keep", "allowed: delete, retain"),
    (("ttl",), "72", "write it like 72h"),
    (("owner",), ["me"], "must be text"),
    (("genesis", "ledger", "source"), "claim", "allowed: shared-claim, config-map"),
    (("genesis", "ledger", "digest"), "sha256:0", "64 hex digits"),
    (("volumes",), [], "must be a mapping"),
    (("volumes", "runtime-state", "type"), "sdd", "allowed: ssd, balanced, standard, shared"),
    (("volumes", "runtime-state", "size"), 4, "write it like 2Gi"),
    (("volumes", "runtime-state", "accessMode"), "RWX", "allowed: ReadWriteOncePod"),
    (("nodes",), [], "must not be empty"),
    (("nodes",), {}, "must be a list"),
    (("nodes", 1), "whale", "must be a mapping"),
    (("nodes", 1, "role"), "block-produce", "allowed: seed, block-producer"),
    (("nodes", 1, "group"), "Whale", "lower-case letters"),
    (("nodes", 1, "count"), 2.5, "found 2.5: must be a whole number"),
    (("nodes", 1, "count"), 501, "must be at most 500"),
    (("nodes", 1, "count"), 0, "must be at least 1"),
    (("nodes", 1, "stake"), -1, "must be at least 0"),
    (("nodes", 1, "stake"), True, "must be a number"),
    (("nodes", 1, "bots", 0), "echoo", "allowed: user-agent, faucet, echo"),
    (("nodes", 0, "identities", 0, "peerId"), "12D3KooW0", "libp2p peer id"),
    (("nodes", 0, "identities", 0, "address"), "not a host", "IP address or a DNS name"),
    (("nodes", 3, "resources", "cpu"), "two", "number of cores"),
    (("nodes", 3, "resources", "cpu"), True, "must be text"),
    (("nodes", 3, "resources", "memory"), "512m", "write it like 2Gi"),
    (("thresholds", "forkDepth"), 0, "must be at least 1"),
    (("thresholds", "syncedShare"), 90, "must be at most 1"),
    (("thresholds", "productionError"), 0, "must be more than 0"),
    (("thresholds", "productionWindow"), True, "must be a number"),
    (("postDeploy", 0), "verfy", "allowed: verify, publish"),
]


@pytest.mark.parametrize(("path", "value", "message"), FIELDS)
def test_a_broken_field_is_the_one_issue_and_is_named(
    document: dict[str, Any], issues_of: IssuesOf, path: tuple[str | int, ...], value: Any, message: str
) -> None:
    target: Any = document
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    issues = issues_of(document)
    assert len(issues) == 1, [issue.text() for issue in issues]
    assert issues[0].path[: len(path)] == path
    assert message in issues[0].message


def test_what_the_patterns_say_is_shown_instead_of_the_patterns(document: dict[str, Any], issues_of: IssuesOf) -> None:
    document.update(name="A", image="?", daemonVersion="x")
    text = "\n".join(issue.text() for issue in issues_of(document))
    assert "^" not in text
    assert "[a-z]" not in text


@given(group=st.from_regex(DNS_LABEL, fullmatch=True), count=st.integers(1, 500))
def test_every_name_that_a_node_may_get_leaves_room_for_its_claims(group: str, count: int) -> None:
    names = NodeGroup(role=Role.PLAIN, group=group, count=count).node_names()
    assert len(set(names)) == count
    assert all(len(f"{name}-postgres-state-e9999") <= 63 for name in names)


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry.example/mina-daemon:3.0.1", "3.0.1"),
        ("registry.example:5000/mina-daemon:v3.1-abc@sha256:" + "0" * 64, "3.1"),
        ("mina:1.3.0beta1", "1.3.0"),
        ("mina:2.0.0-beta2-x", "2.0.0-beta2"),
        ("registry.example:5000/mina-daemon", None),
        ("mina:latest", None),
    ],
)
def test_the_release_is_read_from_the_tag(image: str, version: str | None) -> None:
    assert tag_version(image) == version


def test_the_role_table_says_what_the_rfc_asks() -> None:
    assert set(ROLES) == set(Role)
    assert set(VOLUMES) == set(VolumeKind)
    for info in ROLES.values():
        assert (VolumeKind.RUNTIME_STATE in info.volumes) == info.daemon
    assert VOLUMES[VolumeKind.WALLET_KEYS].backing is Backing.SECRET
    assert VOLUMES[VolumeKind.DAEMON_CONFIG].backing is Backing.CONFIG_MAP
    assert all(
        (row.size is None) == (row.disk is None) == (row.backing is not Backing.CLAIM) for row in VOLUMES.values()
    )
    assert [info.role for info in ROLES.values() if info.stakes] == [Role.BLOCK_PRODUCER]
    assert ROLES[Role.SNARK_WORKER].volumes == ()


def test_an_output_in_place_of_a_value_is_refused_by_path(document: dict[str, Any], base: Path) -> None:
    """What decides which objects exist cannot be a promise."""

    class Output:
        pass

    document["nodes"][0]["count"] = Output()
    with pytest.raises(SpecError, match=r"nodes\[0\]\.count\n  found an Output: must be plain data"):
        parse(document, base=base)


def test_peers_of_the_test_documents_differ() -> None:
    assert len(set(PEERS)) == len(PEERS)
    assert TestnetSpec.__test__ is False
