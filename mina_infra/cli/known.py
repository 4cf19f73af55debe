"""The list of known crashes, from the file to what the guardian takes."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from mina_infra.cli.place import Place

if TYPE_CHECKING:
    from mina_infra.guardian.crashes.known import KnownIssue


def known_issues_of(place: Place, file: Path | None = None) -> tuple[KnownIssue, ...]:
    """The list of known crashes: of a file that is named, else of the one beside the stack file, else none.

    Raises SpecError with the line of each mistake.
    """
    from mina_infra.spec.stack_file import KNOWN_ISSUES_FILE

    path = file or place.project / KNOWN_ISSUES_FILE
    if file is None and not path.exists():
        return ()
    from mina_infra.guardian.crashes.known import Action, KnownIssue
    from mina_infra.spec.known_issues import load_known_issues

    return tuple(
        KnownIssue(
            entry.issue,
            Action(entry.action),
            date.fromisoformat(entry.expires),
            entry.fingerprint,
            re.compile(entry.regex) if entry.regex is not None else None,
        )
        for entry in load_known_issues(path)
    )
