"""A verdict in any form. The forms have a file each in `reports/`, which is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Literal, cast, get_args

from mina_infra.errors import MinaInfraError
from mina_infra.guardian.reports.json import text_of as json
from mina_infra.guardian.reports.json import value_of as json_value
from mina_infra.guardian.reports.text import last_line, row_words, text
from mina_infra.guardian.verdict import Verdict

__all__ = ["FORMATS", "Format", "format_of", "json", "json_value", "last_line", "render", "row_words", "text"]

Format = Literal["text", "json", "junit", "markdown", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)

_BY_ENDING: Mapping[str, Format] = {
    ".txt": "text", ".json": "json", ".xml": "junit", ".md": "markdown", ".html": "html", ".htm": "html",
}  # fmt: skip


class ReportError(MinaInfraError):
    """A report cannot be written where or how it was asked for."""


def render(verdict: Verdict, form: Format) -> str:
    """The whole report in that form."""
    writer = import_module(f"mina_infra.guardian.reports.{form}")
    return cast(Callable[[Verdict], str], writer.text if form == "text" else writer.text_of)(verdict)


def format_of(file: Path) -> Format:
    """The form that a file's ending asks for. Raises ReportError for one that says nothing."""
    form = _BY_ENDING.get(file.suffix.lower())
    if form is None:
        allowed = ", ".join(f"{ending} ({name})" for ending, name in _BY_ENDING.items() if ending != ".htm")
        raise ReportError(f"{file}: the ending says which form to write; use one of {allowed}")
    return form


def write(verdict: Verdict, file: Path) -> None:
    """Write the report in the form of the file's ending. Raises ReportError."""
    content = render(verdict, format_of(file))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"cannot write {file}: {error.strerror}") from error
