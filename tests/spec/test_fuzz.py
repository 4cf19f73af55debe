"""Whatever a user writes: the document is read, or refused with at least one located issue. Never another exception."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mina_infra.plan import parse_document, plan_testnet
from mina_infra.spec import Role, SpecError, TestnetSpec, load_stack_spec, parse
from mina_infra.spec.errors import Path as DocumentPath
from mina_infra.spec.ledger_rules import NEEDS
from tests.spec.conftest import DOCUMENT, RUNTIME_CONFIG, refusal

QUICK = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])

WORDS = st.sampled_from(
    [
        "",
        "[key]",
        "peer_id",
        "peerId",
        "role",
        "seed",
        "2Gi",
        "-1",
        "1e9",
        "gke",
        "null",
        "~",
        "yes",
        "nodes",
        "*",
        "\n",
    ]
)
LEAVES = st.one_of(
    WORDS, st.text(max_size=8), st.none(), st.booleans(), st.integers(), st.floats(), st.integers(-(10**40), 10**40)
)
JUNK = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(WORDS, st.text(max_size=5)), inner, max_size=3)
    ),
    max_leaves=6,
)
ODD = st.one_of(JUNK, st.dictionaries(st.one_of(st.integers(), st.none(), st.booleans()), JUNK, max_size=2),
                st.sets(st.integers(), max_size=2), st.binary(max_size=3), st.dates(), st.just(object()))  # fmt: skip


def places(value: Any, path: DocumentPath = ()) -> Iterator[DocumentPath]:
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from places(inner, (*path, key))


PLACES = list(places(DOCUMENT))


def changed(document: Any, path: DocumentPath, kind: str, junk: Any, word: str) -> Any:
    """The document with one value replaced, deleted, doubled, renamed or joined by a stranger."""
    if not path:
        return junk
    try:
        parent: Any = document
        for part in path[:-1]:
            parent = parent[part]
        key: Any = path[-1]
        if kind == "delete":
            del parent[key]
        elif kind == "rename" and isinstance(parent, dict):
            parent[word] = parent.pop(key)
        elif kind == "add" and isinstance(parent, dict):
            parent[word] = junk
        elif kind in ("add", "rename"):
            parent.insert(key, junk)
        else:
            parent[key] = junk
    except (KeyError, IndexError, TypeError, AttributeError):
        pass  # an earlier change took the place away
    return document


@st.composite
def broken_documents(draw: st.DrawFn, junk: st.SearchStrategy[Any] = JUNK) -> Any:
    document: Any = copy.deepcopy(DOCUMENT)
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["delete", "replace", "rename", "add"]))
        document = changed(document, draw(st.sampled_from(PLACES)), kind, draw(junk), draw(WORDS))
    return document


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "daemon.json").write_text(json.dumps(RUNTIME_CONFIG))
        yield Path(name)


@QUICK
@given(document=broken_documents(ODD))
def test_any_data_is_a_spec_or_a_spec_error(folder: Path, document: Any) -> None:
    refusal(lambda: parse(document, base=folder))


@QUICK
@given(document=broken_documents())
def test_any_stack_file_is_a_spec_or_a_located_spec_error(folder: Path, document: Any) -> None:
    stack = folder / "Pulumi.fuzz.yaml"
    stack.write_text(yaml.safe_dump({"config": {"mina-infra:testnet": document}}, allow_unicode=False))
    lines = stack.read_text().count("\n")
    error = refusal(lambda: load_stack_spec(stack))
    for issue in error.issues if error else ():
        assert issue.file == stack.name
        assert 1 <= (issue.line or 0) <= lines
        assert issue.column


SYNTAX = st.sampled_from(
    [
        "*a",
        "&a ",
        "!!int ",
        "!!set ",
        "? ",
        "<<: ",
        "- ",
        ": ",
        "\t",
        "{",
        "[",
        '"',
        "'",
        "|\n",
        "#",
        "---\n",
        "%YAML 1.1\n",
    ]
)
TEXT = yaml.safe_dump({"config": {"mina-infra:testnet": DOCUMENT}}, sort_keys=False)


@QUICK
@given(start=st.integers(0, len(TEXT)), length=st.integers(0, 40), insert=st.text(max_size=6) | SYNTAX)
def test_any_text_is_a_spec_or_a_located_spec_error(folder: Path, start: int, length: int, insert: str) -> None:
    stack = folder / "Pulumi.text.yaml"
    stack.write_bytes((TEXT[:start] + insert + TEXT[start + length :]).encode(errors="surrogatepass"))
    error = refusal(lambda: load_stack_spec(stack))
    assert all(issue.file == stack.name and issue.line and issue.column for issue in (error.issues if error else ()))


@QUICK
@given(path=st.sampled_from([path for path in PLACES if path]), value=st.sampled_from([None, [[]]]))
def test_one_broken_field_makes_no_other_field_look_broken(folder: Path, path: DocumentPath, value: Any) -> None:
    """What the gap itself would cause is not blamed on the rest of the document."""
    document = changed(copy.deepcopy(DOCUMENT), path, "replace", value, "")
    error = refusal(lambda: parse(document, base=folder))
    assert all(issue.path[: len(path)] == path for issue in (error.issues if error else ())), str(error)


@pytest.mark.parametrize("path", [path for path in PLACES if path], ids=str)
def test_one_misspelt_key_is_one_or_two_issues_at_its_place(folder: Path, path: DocumentPath) -> None:
    """The unknown key and, where it was required, the missing one: nothing that only follows from it."""
    if not isinstance(path[-1], str) or path[:-1] in (("volumes",), ("nodes", 4, "volumes")):
        return
    document = changed(copy.deepcopy(DOCUMENT), path, "rename", None, f"{path[-1]}s")
    with pytest.raises(SpecError) as caught:
        parse(document, base=folder)
    assert {issue.path[:-1] for issue in caught.value.issues} == {path[:-1]}, str(caught.value)


OVERRIDES = st.dictionaries(
    st.sampled_from(["runtime-state", "postgres-state", "genesis-ledger"]),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["ssd", "balanced", "standard", "shared"]),
            "size": st.sampled_from(["1", "10", "1000", "99999"]).map(lambda size: f"{size}Gi") | st.just("1k"),
            "accessMode": st.sampled_from(["ReadWriteOncePod", "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"]),
            "retention": st.sampled_from(["delete", "retain"]),
            "storageClass": st.just("premium"),
            "existingClaim": st.sampled_from(["old", "other/old", "a-1-runtime-state-e2"]),
            "existingVolume": st.sampled_from(["pv-1", "pv-2"]),
        },
    ),
    max_size=2,
)
TARGETS = st.fixed_dictionaries(
    {"provider": st.sampled_from(["gke", "eks", "aks", "local"]), "region": st.sampled_from(["us-east1", "r"])},
    optional={
        "zones": st.lists(st.sampled_from(["us-east1-b", "us-east1-c", "z"]), max_size=3),
        "kubernetes": st.sampled_from(["1.30", "1.36"]),
        "replication": st.sampled_from(["zonal", "regional"]),
        "networks": st.lists(st.sampled_from(["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "100.64.0.0/10"]), max_size=2),
    },
)
GROUPS = st.fixed_dictionaries(
    {"role": st.sampled_from([role.value for role in Role])},
    optional={
        "group": st.sampled_from(["a", "b", "seed", "a-1", "x" * 30]),
        "count": st.integers(1, 500) | st.integers(1, 3),
        "stake": st.floats(0, 100),
        "bots": st.lists(st.sampled_from(["user-agent", "faucet", "echo"]), unique=True),
        "volumes": OVERRIDES,
        "overrides": st.dictionaries(
            st.sampled_from(["a-1", "b-2", "nobody-1"]), st.fixed_dictionaries({"volumes": OVERRIDES}), max_size=2
        ),
        "resources": st.just({"cpu": 0.5, "memory": "1.5Gi"}),
    },
)


LEDGERS = st.fixed_dictionaries(
    {"source": st.sampled_from(list(NEEDS))},
    optional={
        "image": st.just(f"ledger@sha256:{'0' * 64}"),
        "digest": st.just(f"sha256:{'0' * 64}"),
        "claim": st.sampled_from(["ledger", "whale-1-runtime-state-e2"]),
        "bucket": st.just("ledgers"),
        "workloadIdentity": st.just("reader@some-project.iam.gserviceaccount.com"),
        "snapshot": st.just("ledger"),
    },
)


@st.composite
def plausible_documents(draw: st.DrawFn) -> Any:
    """Documents whose fields are all of the right kind: the plan must cope with every combination that is accepted."""
    document: Any = copy.deepcopy(DOCUMENT)
    document.update(
        target=draw(TARGETS), volumes=draw(OVERRIDES), retention=draw(st.sampled_from(["delete", "retain"]))
    )
    document["nodes"] += draw(st.lists(GROUPS, max_size=2))
    document["roles"] = draw(
        st.dictionaries(
            st.sampled_from([role.value for role in Role]), st.fixed_dictionaries({"volumes": OVERRIDES}), max_size=2
        )
    )
    document["image"] += draw(st.sampled_from(["", f"@sha256:{'1' * 64}"]))
    if draw(st.booleans()):
        document["genesis"]["ledger"] = draw(LEDGERS)
    return document


@QUICK
@given(document=plausible_documents() | broken_documents())
def test_whatever_is_accepted_can_be_planned(folder: Path, document: Any) -> None:
    """With the rules of all layers: nothing passes them that the plan stumbles over."""

    def read() -> TestnetSpec:
        spec = parse_document(document, base=folder)
        assert plan_testnet(spec).objects()
        return spec

    refusal(read)
