"""docs/facts.md and what cites it: nothing is cited that is not there, nothing stands there that nobody needs."""

from __future__ import annotations

import re
from functools import cache

from tests.facts import FILE, ID, entries, names
from tests.plan import test_musts_daemons, test_musts_roles
from tests.test_house import ROOT, lines_with, python_files, text_of, tracked

CITATION = re.compile(rf"docs/facts\.md: ({ID}(?:, {ID})*)")
WALKED = {*test_musts_daemons.AREAS.values(), *test_musts_roles.AREAS.values()}
"""Areas whose every entry has a test of its name."""

CITING = tuple(name for name in tracked() if name not in ("docs/facts.md", "tests/test_facts.py"))
"""Files that cite: all but the two that explain how it is written."""


@cache
def cited() -> frozenset[str]:
    lists = [found for name in CITING for found in CITATION.findall(text_of(name))]
    return frozenset(each for found in lists for each in found.split(", "))


def numbers_of_tests(pattern: str) -> set[str]:
    """The numbers in names of tests such as test_v12_... or test_rule_5_..."""
    return {number for name in python_files() for number in re.findall(rf"def {pattern}", text_of(name))}


def test_every_id_is_given_once() -> None:
    assert len(set(entries())) == len(entries()) > 100


def test_every_citation_resolves() -> None:
    assert cited() - set(entries()) == set()


def test_citations_have_one_form() -> None:
    """`docs/facts.md: area/name`, several with commas, on one line."""
    assert lines_with(rf"docs/facts\.md:(?! {ID}(, {ID})*([^\w/,-]|$))", CITING) == []
    assert lines_with(r"(?i)(?<!docs/)\bfacts(:|/| [0-9])|\bmusts,|\bfacts, [vV][0-9]", CITING) == []


def test_every_entry_is_cited_or_has_a_test_of_its_name() -> None:
    tested = {f"rule/{number}" for number in numbers_of_tests(r"test_rule_(\d+)_")}
    unused = set(entries()) - cited() - tested
    assert {each for each in unused if each.partition("/")[0] not in WALKED} == set()


def test_each_of_the_43_rules_and_40_refusals_has_an_entry_and_a_test_of_its_number() -> None:
    rules, refusals = ({str(number) for number in range(1, count + 1)} for count in (43, 40))
    assert numbers_of_tests(r"test_rule_(\d+)_") == set(names("rule")) == rules
    assert numbers_of_tests(r"test_v(\d+)_") == {name.removeprefix("V") for name in names("refusal")} == refusals


def test_every_fact_names_its_source() -> None:
    facts = re.findall(r"^- \*\*.*?(?=\n\n|\n- \*\*)", FILE.read_text(), re.MULTILINE | re.DOTALL)
    assert [fact[:60] for fact in facts if "Source:" not in fact] == []


def test_entries_that_name_each_other_exist() -> None:
    text = re.sub(r"`[^`]*`", "", FILE.read_text())
    areas = {each.partition("/")[0] for each in entries()}
    named = {each for each in re.findall(ID, text) if each.partition("/")[0] in areas}
    assert named - set(entries()) == set()


def test_the_files_of_ours_that_it_names_exist() -> None:
    paths = re.findall(r"`((?:tests|mina_infra|components|benchmarks)/[\w/.-]+)`", FILE.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []
