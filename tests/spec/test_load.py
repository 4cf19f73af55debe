"""Reading a stack file: everything that can be wrong with the file itself, and all mistakes in one report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mina_infra.spec import Issue, SpecError, TestnetSpec, load_stack_spec, parse
from mina_infra.spec.load import parse_cluster
from mina_infra.spec.runtime_config import CONFIG_MAP_LIMIT
from tests.spec.conftest import RUNTIME_CONFIG, IssuesOf

HEAD = "config:\n  mina-infra:testnet:\n"


def only(issues: list[Issue]) -> Issue:
    assert len(issues) == 1, [issue.text() for issue in issues]
    return issues[0]


def test_the_stack_files_of_this_repository_are_valid() -> None:
    root = Path(__file__).parents[2]
    names = {load_stack_spec(file).name for file in root.glob("Pulumi.*.yaml")}
    assert names == {"local", "qa", "release"}


def test_an_error_reads_as_place_path_message_and_mend(document: dict[str, Any], issues_of: IssuesOf) -> None:
    text = yaml.safe_dump({"config": {"mina-infra:testnet": {**document, "retension": "retain"}}}, sort_keys=False)
    line = text.splitlines().index("    retension: retain") + 1
    assert only(issues_of(text)).text() == (
        f"Pulumi.alpha.yaml:{line}:5  mina-infra:testnet.retension\n"
        "  unknown key 'retension'.\n"
        "  Did you mean 'retention'? Known here: name, era, keptEras, target, image, daemonVersion, images, retention, "
        "classRetention, ttl, automated, owner, paused, genesis, snapshots, volumes, roles, nodes, thresholds, "
        "timeouts, postDeploy."
    )


@pytest.mark.parametrize(
    ("path", "key", "near"),
    [
        (("nodes", 1), "cuont", "count"),
        (("nodes", 0, "identities", 0), "peerID", "peerId"),
        (("target",), "zone", "zones"),
        (("genesis",), "runtimeconfig", "runtimeConfig"),
        (("genesis", "ledger"), "imgae", "image"),
        (("volumes", "runtime-state"), "accessmode", "accessMode"),
        (("nodes", 3, "resources"), "mem", "memory"),
        (("thresholds",), "fork_dept", "forkDepth"),
        (("images",), "useragent", "userAgent"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_one(
    document: dict[str, Any], issues_of: IssuesOf, path: tuple[str | int, ...], key: str, near: str
) -> None:
    target: Any = document
    for part in path:
        target = target[part]
    target[key] = "1"
    issue = only(issues_of(document))
    assert issue.path == (*path, key)
    assert f"Did you mean '{near}'?" in issue.hint
    assert near in issue.hint.partition("Known here: ")[2]


def test_a_field_written_both_ways_is_refused(document: dict[str, Any], issues_of: IssuesOf) -> None:
    document["post_deploy"] = []
    assert "another spelling of 'postDeploy'" in only(issues_of(document)).message


@pytest.mark.parametrize(
    "path", [("name",), ("image",), ("genesis", "runtimeConfig"), ("nodes", 1, "role"), ("target", "region")]
)
def test_a_missing_field_is_named_and_described(
    document: dict[str, Any], issues_of: IssuesOf, path: tuple[str | int, ...]
) -> None:
    target: Any = document
    for part in path[:-1]:
        target = target[part]
    del target[path[-1]]
    issue = only(issues_of(document))
    assert issue.path == path
    assert issue.message == "is missing."
    assert issue.hint
    assert issue.line


def test_every_mistake_is_shown_in_one_run_whatever_its_kind(document: dict[str, Any], issues_of: IssuesOf) -> None:
    """Structure, rules and the runtime config together, in the order of the file."""
    document["colour"] = "red"
    document["ttl"] = "3 days"
    document["nodes"][1]["bots"] = ["fauct"]
    document["nodes"].append({"role": "plain", "group": "whale", "count": 2.5})
    document["nodes"] = document["nodes"][1:]
    document["volumes"]["wallet-keys"] = {}
    document["genesis"]["runtimeConfig"] = "other.json"
    issues = issues_of(document)
    assert [issue.path for issue in issues] == sorted(
        [issue.path for issue in issues], key=lambda path: [i.line for i in issues if i.path == path]
    )
    assert {issue.path for issue in issues} == {
        ("colour",), ("ttl",), ("nodes", 0, "bots", 0), ("nodes", 4, "count"), ("volumes", "wallet-keys"),
        ("genesis", "runtimeConfig"),
    }  # fmt: skip


def test_rules_still_speak_beside_an_unknown_key(document: dict[str, Any], issues_of: IssuesOf) -> None:
    document["nodes"][1]["colour"] = "red"
    document["nodes"] = [*document["nodes"][1:], {"role": "plain", "group": "whale"}]
    assert {issue.path for issue in issues_of(document)} == {("nodes",), ("nodes", 4), ("nodes", 0, "colour")}


def test_rules_of_others_are_asked_too_and_see_the_runtime_config(document: dict[str, Any], base: Path) -> None:
    def rule(spec: TestnetSpec) -> list[Issue]:
        return [Issue(("owner",), f"{spec.owner}, {len(spec.genesis.config())} sections")]

    with pytest.raises(SpecError, match="me, 2 sections"):
        parse(document, base=base, more_rules=[rule])
    document["colour"] = "red"
    with pytest.raises(SpecError, match=r"(?s)colour.*me, 2 sections"):
        parse(document, base=base, more_rules=[rule])


FILES = {
    "empty": ("", "no testnet", 1),
    "a list at the top": ("- 1\n", "no testnet", 1),
    "no config": ("encryptionsalt: x\n", "no testnet", 1),
    "config is a list": ("config: []\n", "no testnet", 1),
    "another project": ("config:\n  other:testnet: {}\n", "no testnet", 1),
    "a tab": ("config:\n\tmina-infra:testnet: {}\n", "not valid YAML", 2),
    "an open bracket": ("config: [\n", "not valid YAML", 2),
    "two documents": ("config: {}\n---\nconfig: {}\n", "not valid YAML", 2),
    "an undefined alias": ("config: *other\n", "not valid YAML", 1),
    "a control character": ("config: \x00\n", "not valid YAML", 1),
    "a key twice": (HEAD + "    name: a\n    era: 1\n    name: b\n", "given twice, here and in line 3", 5),
    "a group twice": ("config: {}\nconfig: {}\n", "given twice, here and in line 1", 2),
    "a mapping as key": ("config:\n  ? {a: 1}\n  : 2\n", "a key must be text", 2),
    "a list as key": ("config:\n  [1]: 2\n", "a key must be text", 2),
    "an unknown tag": (HEAD + "    name: !Ref x\n", "the tag !Ref is not for plain data", 3),
    "a Python tag": (HEAD + "    name: !!python/object:os.system x\n", "is not for plain data", 3),
    "a set": (HEAD + "    nodes: !!set {a, b}\n", "the tag !!set is not for plain data", 3),
    "a tag that does not suit": (HEAD + "    era: !!int abc\n", "does not suit its value", 3),
    "a mapping tagged as text": (HEAD + "    name: !!str {}\n", "does not suit its value", 3),
    "an endless number": (HEAD + f"    era: {'9' * 5000}\n", "not valid YAML", 1),
    "a deep nest": ("config: " + "[" * 1000 + "]" * 1000, "nested too deeply", 1),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_holds_no_testnet(issues_of: IssuesOf, name: str) -> None:
    text, message, line = FILES[name]
    issue = only(issues_of(text))
    assert message in issue.message
    assert (issue.file, issue.line) == ("Pulumi.alpha.yaml", line)


VALUES = {
    "nothing": ("config: {mina-infra:testnet: }\n", (), "found nothing: must be a mapping"),
    "text": ("config: {mina-infra:testnet: alpha}\n", (), "must be a mapping"),
    "a list": ("config: {mina-infra:testnet: [1]}\n", (), "must be a mapping"),
    "a number as key": (HEAD + "    1: a\n", (), "a key must be text, not an int"),
    "a cycle": (HEAD + "    name: &a [*a]\n", ("name", 0), "contains itself"),
    "infinity": (HEAD + "    era: .inf\n", ("era",), "must be a number"),
    "half a character": (HEAD + '    name: "\\ud800"\n', ("name",), "lone surrogate"),
    "a large number": (HEAD + f"    era: {2**63}\n", ("era",), "too large"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_testnet_that_is_no_plain_mapping(issues_of: IssuesOf, name: str) -> None:
    text, path, message = VALUES[name]
    issue = only(issues_of(text))
    assert issue.path == path
    assert message in issue.message
    assert issue.line


def test_words_and_numbers_are_read_as_the_engine_reads_them(document: dict[str, Any], issues_of: IssuesOf) -> None:
    """PyYAML's own YAML 1.1 would make these a boolean, a date and base 60."""
    for owner in ("no", "on", "2026-01-01", "12:30"):
        text = yaml.safe_dump({"config": {"mina-infra:testnet": document}}).replace("owner: me", f"owner: {owner}")
        assert issues_of(text) == [], owner


def test_anchors_and_merges_are_plain_yaml(document: dict[str, Any], issues_of: IssuesOf, base: Path) -> None:
    text = yaml.safe_dump({"config": {"mina-infra:testnet": document}}, sort_keys=False)
    merged = text.replace("      runtime-state:\n", "      runtime-state: &disk\n", 1) + (
        "  other:thing: {<<: [], a: 1}\n  other:more: &m {a: 1}\n  other:most: {<<: *m, a: 2}\n"
    )
    assert issues_of(merged) == []
    aliased = text.replace("          size: 16Gi\n", "          size: 16Gi\n        runtime-state: *disk\n").replace(
        "      runtime-state:\n", "      runtime-state: &disk\n", 1
    )
    assert issues_of(aliased) == []
    assert load_stack_spec(base / "Pulumi.alpha.yaml").nodes[4].volumes["runtime-state"].size == "4Gi"  # type: ignore[index]


def test_a_nest_of_aliases_is_not_walked_for_ever(issues_of: IssuesOf) -> None:
    nest = "".join(f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 40))
    assert "no testnet" in only(issues_of(f"config:\n  a0: &a0 x\n{nest}")).message


def test_an_issue_in_a_snake_case_file_has_its_line(issues_of: IssuesOf, document: dict[str, Any]) -> None:
    document["genesis"]["runtime_config"] = document["genesis"].pop("runtimeConfig") + "x"
    text = yaml.safe_dump({"config": {"mina-infra:testnet": document}}, sort_keys=False)
    issue = only(issues_of(text))
    assert "runtime_config" in text.splitlines()[(issue.line or 0) - 1]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for name, content in (("missing.yaml", None), ("folder", None), ("latin.yaml", b"name: \xe9")):
        if name == "folder":
            (tmp_path / name).mkdir()
        elif content:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(SpecError, match=f"{name}"):
            load_stack_spec(tmp_path / name)


def test_a_byte_order_mark_is_no_content(document: dict[str, Any], base: Path) -> None:
    text = yaml.safe_dump({"config": {"mina-infra:testnet": document}})
    (base / "Pulumi.bom.yaml").write_text(text, encoding="utf-8-sig")
    assert load_stack_spec(base / "Pulumi.bom.yaml").name == "alpha"


CONFIGS: dict[str, tuple[Any, str]] = {
    "broken": ("{", "not valid JSON"),
    "a list": ("[]", "must be a JSON object"),
    "text": ('"x"', "must be a JSON object"),
    "NaN": ('{"a": NaN}', "NaN is no JSON number"),
    "a key twice": ('{"genesis": {}, "genesis": {}}', "'genesis' is given twice"),
    "too deep": ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    "no time": ({"genesis": {}}, "genesis_state_timestamp is missing"),
    "nothing": ({}, "genesis_state_timestamp is missing"),
    "a time without zone": ({"genesis": {"genesis_state_timestamp": "2026-01-01"}}, "with its time zone"),
    "a time that is none": ({"genesis": {"genesis_state_timestamp": "soon"}}, "with its time zone"),
    "a time as number": ({"genesis": {"genesis_state_timestamp": 5}}, "with its time zone"),
    "genesis is text": ({**RUNTIME_CONFIG, "proof": "x"}, "proof must be a JSON object"),
    "k is text": ({"genesis": {**RUNTIME_CONFIG["genesis"], "k": "290"}}, "genesis.k must be a whole number above 0"),
    "no slot length": ({**RUNTIME_CONFIG, "proof": {"block_window_duration_ms": 0}}, "must be a whole number above 0"),
    "too big": ({**RUNTIME_CONFIG, "ledger": "x" * CONFIG_MAP_LIMIT}, "limited to 1 MiB"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_broken_runtime_config(document: dict[str, Any], issues_of: IssuesOf, base: Path, name: str) -> None:
    content, message = CONFIGS[name]
    (base / "daemon.json").write_text(content if isinstance(content, str) else json.dumps(content))
    issue = only(issues_of(document))
    assert issue.path == ("genesis", "runtimeConfig")
    assert message in issue.message


def test_v17_the_largest_runtime_config_is_judged_by_its_bytes(
    document: dict[str, Any], issues_of: IssuesOf, base: Path
) -> None:
    """At the limit, and one byte above; a quote takes two bytes in JSON although Python shows one character."""
    assert CONFIG_MAP_LIMIT == 1_048_576, "bytes, of the API server"
    empty = len(json.dumps({**RUNTIME_CONFIG, "ledger": ""}, separators=(",", ":")))
    quotes = '"' * ((CONFIG_MAP_LIMIT - empty) // 2) + "x" * ((CONFIG_MAP_LIMIT - empty) % 2)
    (base / "daemon.json").write_text(json.dumps({**RUNTIME_CONFIG, "ledger": quotes}, indent=2))
    assert issues_of(document) == []
    (base / "daemon.json").write_text(json.dumps({**RUNTIME_CONFIG, "ledger": quotes + "x"}))
    assert "limited to 1 MiB" in only(issues_of(document)).message


def test_a_runtime_config_that_cannot_be_read(document: dict[str, Any], issues_of: IssuesOf, base: Path) -> None:
    for name in ("missing.json", ".", "x" * 5000, "nul\0", ""):
        document["genesis"]["runtimeConfig"] = name
        issue = only(issues_of(document))
        assert issue.path == ("genesis", "runtimeConfig")
    (base / "daemon.json").write_bytes(b"\xff")
    document["genesis"]["runtimeConfig"] = "daemon.json"
    assert "not valid JSON" in only(issues_of(document)).message


def test_the_cluster_of_a_stack_is_checked_with_its_testnet(document: dict[str, Any], issues_of: IssuesOf) -> None:
    document["ttl"] = "?"
    config = {"mina-infra:cluster": {"kontext": "x"}, "mina-infra:testnet": document, "mina-infra:ca": "x"}
    issues = issues_of(yaml.safe_dump({"config": config, "encryptionsalt": "v1:x"}, sort_keys=False))
    assert [(issue.within, issue.path) for issue in issues] == [
        ("mina-infra:cluster", ("context",)), ("mina-infra:cluster", ("kontext",)), ("mina-infra:testnet", ("ttl",)),
    ]  # fmt: skip
    assert "Did you mean 'context'?" in issues[1].hint


def test_a_cluster_given_as_data() -> None:
    assert parse_cluster({"context": "c"}).kubeconfig == "~/.kube/config"
    for wrong in (None, {}, {"context": ""}, {"context": "c", "x": 1}, {1: 2}):
        with pytest.raises(SpecError, match="mina-infra:cluster"):
            parse_cluster(wrong)


def test_the_fields_of_an_issue_without_a_file() -> None:
    assert Issue((), "m").text() == "testnet\n  m"
    assert Issue(("a b", 0, "c"), "m", "h").text() == '["a b"][0].c\n  m\n  h'
