"""The list of known crashes: every mistake with its line, and a last day for every entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from mina_infra.spec.errors import SpecError
from mina_infra.spec.known_issues import load_known_issues

GOOD = """\
issues:
  - {fingerprint: 0123456789ab, issue: "mina#1", action: ignore, expires: 2026-12-31}
  - regex: no ancestor of .* from
    issue: https://github.com/MinaProtocol/mina/issues/2
    action: warn
    expires: 2027-01-31
"""


def load(folder: Path, text: str) -> str:
    """The message of a refusal, empty when it is taken."""
    file = folder / "known-issues.yaml"
    file.write_text(text)
    try:
        load_known_issues(file)
    except SpecError as error:
        return str(error)
    return ""


def test_a_list_is_read_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "known-issues.yaml").write_text(GOOD)
    first, second = load_known_issues(tmp_path / "known-issues.yaml")
    assert (first.fingerprint, first.action, first.expires) == ("0123456789ab", "ignore", "2026-12-31")
    assert (second.fingerprint, second.regex) == (None, "no ancestor of .* from")


def test_an_empty_list_is_none(tmp_path: Path) -> None:
    assert load(tmp_path, "") == load(tmp_path, "issues: []\n") == load(tmp_path, "# nothing is known\n") == ""


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        (", expires: 2026-12-31", "", "known-issues.yaml:2:5  issues[0].expires", "is missing"),
        ("2026-12-31", "never", "known-issues.yaml:2:66  issues[0].expires", "'never' is no day"),
        ("0123456789ab", "xyz", "known-issues.yaml:2:6  issues[0].fingerprint", "12 hex digits"),
        ("action: ignore", "action: igore", "known-issues.yaml:2:50  issues[0].action", "Did you mean 'ignore'?"),
        ("no ancestor of .* from", "'('", "known-issues.yaml:3:5  issues[1].regex", "no regular expression"),
        ("no ancestor of .* from", "'.*'", "known-issues.yaml:3:5  issues[1].regex", "every crash would be known"),
        ("regex: no ancestor of .* from", "reason: x", "known-issues.yaml:3:5  issues[1].reason", "unknown key"),
        ("{fingerprint", '{regex: a, fingerprint', "known-issues.yaml:2:5  issues[0]", "here is both"),
        ("issues:\n", "", "known-issues.yaml:1:1  issues", "must begin with `issues:`"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, place: str, words: str) -> None:
    text = GOOD.replace(old, new) if old != "issues:\n" else "- a\n"
    message = load(tmp_path, text)
    assert place in message
    assert words in message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    message = load(tmp_path, GOOD.replace("action: ignore", "action: x").replace("2027-01-31", "soon"))
    assert message.count("known-issues.yaml:") == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot read .*none\.yaml"):
        load_known_issues(tmp_path / "none.yaml")
