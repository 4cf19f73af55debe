"""Every rule and every refusal has a test that carries its number, and an entry in docs/facts.md."""

from __future__ import annotations

from tests.facts import names
from tests.test_facts import numbers_of_tests

RULES = {str(number) for number in range(1, 44)}
REFUSALS = {str(number) for number in range(1, 41)}


def test_every_rule_has_its_test_and_its_entry() -> None:
    assert RULES - numbers_of_tests(r"test_rule_(\d+)_") == set()
    assert RULES - set(names("rule")) == set()


def test_every_refusal_has_its_test_and_its_entry() -> None:
    assert REFUSALS - numbers_of_tests(r"test_v(\d+)_") == set()
    assert {f"V{number}" for number in REFUSALS} - set(names("refusal")) == set()
