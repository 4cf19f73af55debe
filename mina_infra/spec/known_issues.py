"""The list of crashes that are known: `known-issues.yaml` beside the stack files.

issues:
  - fingerprint: 3f2a90c1d77e            # or regex: searched in message, frames and sample
    issue: https://github.com/MinaProtocol/mina/issues/1234
    action: warn                         # or ignore
    expires: 2026-12-31                  # the last day on which it counts; required
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from mina_infra.spec.errors import Issue, SpecError
from mina_infra.spec.explain import issues_of, not_plain, shown
from mina_infra.spec.fields import _Model
from mina_infra.spec.yaml_file import read_yaml


def _fingerprint(text: str | None) -> str | None:
    if text is not None and not re.fullmatch("[0-9a-f]{12}", text):
        raise ValueError(f"'{text}' is no fingerprint: 12 hex digits, as `mina-infra crashes` prints them")
    return text


def _regex(text: str | None) -> str | None:
    try:
        pattern = re.compile(text or "x")
    except re.error as error:
        raise ValueError(f"'{text}' is no regular expression: {error}") from error
    if pattern.search(""):
        raise ValueError(f"'{text}' is found in every text, so every crash would be known")
    return text


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is no day: write YEAR-MONTH-DAY, 2026-12-31") from error
    return text


class KnownIssueEntry(_Model):
    """One bug that is known, until a day."""

    fingerprint: Annotated[str | None, AfterValidator(_fingerprint)] = None
    """As `mina-infra crashes` prints it."""
    regex: Annotated[str | None, AfterValidator(_regex)] = None
    """Instead of a fingerprint: a pattern that is searched in the message, the frames and the sample."""
    issue: Annotated[str, Field(min_length=1)]
    """Where it is dealt with: an address or a number."""
    action: Literal["ignore", "warn"]
    """ignore: as if it had not happened. warn: told, and no failure."""
    expires: Annotated[str, AfterValidator(_day)]
    """The last day on which the entry counts, so that nothing is ignored for ever."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.fingerprint is None) == (self.regex is None):
            given = "both" if self.fingerprint else "neither"
            raise ValueError(f"give either a fingerprint or a regex; here is {given}")
        return self


class KnownIssueFile(_Model):
    """The whole file."""

    issues: tuple[KnownIssueEntry, ...] = ()


def load_known_issues(file: Path) -> tuple[KnownIssueEntry, ...]:
    """The entries of a file, in its order. Raises SpecError with the line of each mistake."""
    data, marks = read_yaml(file)
    if data is None:
        return ()
    if not isinstance(data, Mapping):
        message = f"found {shown(data)}: the file must begin with `issues:` and have its list below that."
        raise SpecError([marks.locate(Issue(("issues",), message))])
    problems = list(not_plain(data))
    if not problems:
        try:
            return KnownIssueFile.model_validate(data).issues
        except ValidationError as error:
            problems = issues_of(error, KnownIssueFile)
    located = (marks.locate(Issue(each.path, each.message, each.hint)) for each in problems)
    raise SpecError(sorted(located, key=lambda issue: (issue.line or 0, issue.column or 0)))
