"""What a paused testnet looks like, and the words that make it last."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.persistence.paused import chosen_nodes, how_to_write
from mina_infra.plan import parse_document
from tests.plan.testnets import ROOT, plans, zoo

SPEC = plans()["zoo"].spec
NAMES = [name for group in SPEC.nodes for name in group.node_names()]


def test_without_names_all_nodes_are_meant() -> None:
    assert chosen_nodes(SPEC, (), ()) == set(NAMES)
    assert chosen_nodes(SPEC, ["echo-1"], ["whale"]) == {"echo-1", "whale-1", "whale-2"}
    with pytest.raises(KeyError):
        chosen_nodes(SPEC, (), ["shoal"])


@given(st.sets(st.sampled_from(NAMES)))
def test_what_is_told_to_be_written_pauses_exactly_these_nodes(names: set[str]) -> None:
    """The lines are read as an operator would: a key of the document, or of a group."""
    document = zoo()
    for line in how_to_write(SPEC, names):
        if not line.startswith("group "):
            document |= yaml.safe_load(line)
            continue
        name, _, words = line.removeprefix("group ").partition(": ")
        group = next(each for each in document["nodes"] if each.get("group", each["role"]) == name)
        group |= yaml.safe_load(words)
    assert parse_document(document, base=ROOT).paused_nodes() == names
