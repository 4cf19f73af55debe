"""What is wrong with a user's document: every mistake at once, each with its place and its mend."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mina_infra.errors import MinaInfraError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Issue:
    """One mistake: where it is, what is wrong (found, allowed, why) and what to do.

    `path` begins at the document; `within` is what leads to it in the file, for example `mina-infra:testnet`.
    """

    path: Path
    message: str
    hint: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    within: str = ""

    def at(self, file: str, line: int, column: int, within: str = "") -> Issue:
        return replace(self, file=file, line=line, column=column, within=within)

    def text(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}  " if self.file else ""
        path = (self.within, *self.path) if self.within else self.path
        lines = [f"{place}{dotted(path)}", f"  {self.message}"]
        lines += [f"  {self.hint}"] if self.hint else []
        return "\n".join(lines)


class SpecError(MinaInfraError):
    """The document is not valid; `issues` holds every mistake, the text of the exception shows them all."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues: Sequence[Issue] = tuple(issues)
        super().__init__("\n".join(issue.text() for issue in self.issues))


def camel(path: Path) -> Path:
    """The path in camelCase: a document may be written either way, an issue names each field one way."""
    return tuple(re.sub("_([a-z])", lambda m: m[1].upper(), part) if isinstance(part, str) else part for part in path)


def dotted(path: Path) -> str:
    """`nodes[1].count` for ("nodes", 1, "count"); keys that are no plain words are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w:-]+", part, re.ASCII):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text or "testnet"
