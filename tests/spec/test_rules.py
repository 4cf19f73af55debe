"""Each rule of the document: its message, its path, and the line and column that an editor jumps to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from mina_infra.spec.errors import Path
from tests.spec.conftest import DOCUMENT, PEERS, IssuesOf

Change = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Case:
    """A change that breaks a valid document, and the one issue that it must cause."""

    name: str
    change: Change
    path: Path
    message: str
    hint: str


def setting(*path: str | int, to: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        target: Any = document
        for part in path[:-1]:
            target = target[part]
        target[path[-1]] = to

    return change


def adding(group: dict[str, Any]) -> Change:
    return lambda document: document["nodes"].append(group)


def without(*roles: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        document["nodes"] = [group for group in document["nodes"] if group["role"] not in roles]

    return change


LEDGER = f"ledger@sha256:{'0' * 64}"
CASES = [
    Case("no seed", without("seed"), ("nodes",), "no seed", "Add {role: seed"),
    Case("workers alone", without("snark-coordinator"), ("nodes", 2), "nobody would hand out", "snark-coordinator"),
    Case("coordinator alone", without("snark-worker"), ("nodes", 2), "without workers", "snark-worker"),
    Case("two coordinators", setting("nodes", 2, "count", to=2), ("nodes", 2), "2 snark coordinators", "Keep one"),
    Case("too much stake", setting("nodes", 1, "stake", to=51), ("nodes",), "add up to 102 percent", "Lower `stake`"),
    Case("no stake", setting("nodes", 1, "stake", to=0), ("nodes",), "no block would ever be produced", "stake"),
    Case("namespace default", setting("name", to="default"), ("name",), "of Kubernetes itself", "Choose"),
    Case("kube-system", setting("name", to="kube-system"), ("name",), "of Kubernetes itself", "Choose"),
    Case("same name", adding({"role": "plain", "group": "whale"}), ("nodes", 5), "are named 'whale-1'", "`group`"),
    Case(
        "same peer id", adding({"role": "plain", "identities": [{"peerId": PEERS[0]}]}),
        ("nodes", 5, "identities", 0, "peerId"), "is already the identity of nodes[0].identities[0]", "key of its own",
    ),
    Case("zone twice", setting("target", "zones", to=["local-a"] * 2), ("target", "zones", 1), "twice", "Remove"),
    Case("bot twice", setting("nodes", 1, "bots", to=["faucet"] * 2), ("nodes", 1, "bots", 1), "twice", "Remove"),
    Case("no archive image", lambda d: d["images"].pop("archive"), ("images", "archive"), "for archive", "Set"),
    Case("no agent image", lambda d: d["images"].pop("userAgent"), ("images", "userAgent"), "user-agent", "userAgent"),
    Case("no bots image", lambda d: d["images"].pop("bots"), ("images", "bots"), "no image for faucet", "images.bots"),
    Case("no release", setting("image", to="mina-daemon:latest"), ("image",), "does not tell", "3.0.1"),
    Case(
        "ledger by tag", setting("genesis", "ledger", "image", to="ledger:1"),
        ("genesis", "ledger", "image"), "must be pinned by digest", "digest",
    ),
    Case(
        "no ledger image", lambda d: d["genesis"]["ledger"].pop("image"),
        ("genesis", "ledger", "image"), "source shared-claim needs the image", "config-map",
    ),
    Case(
        "keys on a claim", setting("volumes", "wallet-keys", to={"size": "1Gi"}),
        ("volumes", "wallet-keys"), "wallet keys are Secrets", "Remove",
    ),
    Case(
        "config on a claim", setting("volumes", "daemon-config", to={"size": "1Gi"}),
        ("volumes", "daemon-config"), "is a ConfigMap named by its content", "Remove",
    ),
    Case(
        "proof on a claim of its own", setting("volumes", "genesis-proof", to={"size": "1Gi"}),
        ("volumes", "genesis-proof"), "lies on the volume of genesis-ledger", "volumes.genesis-ledger",
    ),
    Case(
        "keys of a group on a claim", setting("nodes", 1, "volumes", to={"wallet-keys": {"size": "1Gi"}}),
        ("nodes", 1, "volumes", "wallet-keys"), "wallet keys are Secrets", "Remove",
    ),
    Case("stake of a seed", setting("nodes", 0, "stake", to=1), ("nodes", 0, "stake"), "cannot hold stake", "Remove"),
    Case("bots of a seed", setting("nodes", 0, "bots", to=["echo"]), ("nodes", 0, "bots"), "group is seed", "Move"),
    Case(
        "a seed without identity", setting("nodes", 0, "count", to=3),
        ("nodes", 0, "identities"), "3 seeds but 2 identities", "generate-keypair",
    ),
    Case(
        "too many identities", setting("nodes", 4, "identities", to=[{"peerId": each} for each in PEERS[2:4]]),
        ("nodes", 4, "identities"), "2 identities for 1 nodes", "Raise `count`",
    ),
    Case(
        "a worker with identity", setting("nodes", 3, "identities", to=[{"peerId": PEERS[2]}]),
        ("nodes", 3, "identities"), "has no libp2p identity", "Remove",
    ),
    Case(
        "a group's own genesis", setting("nodes", 1, "volumes", to={"genesis-ledger": {"size": "2Gi"}}),
        ("nodes", 1, "volumes", "genesis-ledger"), "shared by the whole testnet", "at the top",
    ),
    Case(
        "a volume that the role has not", setting("nodes", 1, "volumes", to={"postgres-state": {"size": "2Gi"}}),
        ("nodes", 1, "volumes", "postgres-state"), "a block-producer has no postgres-state; it has: genesis-ledger",
        "Remove",
    ),
    Case(
        "a volume for a worker", setting("nodes", 3, "volumes", to={"runtime-state": {"size": "2Gi"}}),
        ("nodes", 3, "volumes", "runtime-state"), "it has: no volumes", "Remove",
    ),
]  # fmt: skip


def place_of(text: str, path: Path) -> tuple[int, int]:
    """Line and column of the value at a path, or of the nearest around it: found anew, with PyYAML's own nodes."""
    node: Any = yaml.compose(text)
    mark = node.start_mark
    for part in ("config", "mina-infra:testnet", *path):
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == part), None)
            if entry is None:
                break
            mark, node = entry[0].start_mark, entry[1]
        elif isinstance(node, yaml.SequenceNode):
            node = node.value[part]
            mark = node.start_mark
    return mark.line + 1, mark.column + 1


def test_the_document_that_the_cases_break_is_valid(document: dict[str, Any], issues_of: IssuesOf) -> None:
    assert issues_of(document) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_names_its_mistake_and_its_place(case: Case, document: dict[str, Any], issues_of: IssuesOf) -> None:
    case.change(document)
    text = yaml.safe_dump({"config": {"mina-infra:testnet": document}}, sort_keys=False)
    issues = issues_of(text)
    assert [issue.path for issue in issues] == [case.path], [issue.text() for issue in issues]
    (issue,) = issues
    assert case.message in issue.message
    assert case.hint in issue.hint
    assert (issue.file, issue.line, issue.column) == ("Pulumi.alpha.yaml", *place_of(text, case.path))


def test_every_rule_speaks_at_once(document: dict[str, Any], issues_of: IssuesOf) -> None:
    """One run shows what three runs would show: no rule hides another."""
    setting("name", to="default")(document)
    setting("image", to="mina-daemon:latest")(document)
    setting("volumes", "wallet-keys", to={})(document)
    setting("nodes", 0, "stake", to=1)(document)
    adding({"role": "plain", "group": "whale"})(document)
    assert {issue.path for issue in issues_of(document)} == {
        ("name",), ("image",), ("volumes", "wallet-keys"), ("nodes", 0, "stake"), ("nodes", 5),
    }  # fmt: skip


def test_a_release_may_be_said_where_the_tag_does_not(document: dict[str, Any], issues_of: IssuesOf) -> None:
    document.update(image="mina-daemon:latest", daemonVersion="3.0.1")
    assert issues_of(document) == []


def test_all_stake_may_be_given_away(document: dict[str, Any], issues_of: IssuesOf) -> None:
    """Near miss of "too much": thirds that add up to 100 in floats only nearly."""
    document["nodes"][1].update(count=3, stake=100 / 3)
    assert issues_of(document) == []


def test_a_ledger_inside_the_runtime_config_needs_no_image(document: dict[str, Any], issues_of: IssuesOf) -> None:
    document["genesis"]["ledger"] = {"source": "config-map"}
    assert issues_of(document) == []


def test_the_base_document_has_every_kind_of_field() -> None:
    """So that the fuzzing of this folder reaches everything that a user may write."""
    from mina_infra.spec.models import NodeGroup, TestnetSpec

    names = {info.alias for info in TestnetSpec.model_fields.values()}
    assert set(DOCUMENT) == names - {"daemonVersion", "classRetention"}
    assert {key for group in DOCUMENT["nodes"] for key in group} == {i.alias for i in NodeGroup.model_fields.values()}
