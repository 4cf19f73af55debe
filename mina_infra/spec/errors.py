"""What is wrong with a user's document: every mistake at once, each with its place and its mend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mina_infra.errors import MinaInfraError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Issue:
    """One mistake: where it is, what is wrong (found, allowed, why) and what to do."""

    path: Path
    message: str
    hint: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def at(self, file: str, line: int, column: int) -> Issue:
        return replace(self, file=file, line=line, column=column)

    def text(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}  " if self.file else ""
        lines = [f"{place}{dotted(self.path)}", f"  {self.message}"]
        lines += [f"  {self.hint}"] if self.hint else []
        return "\n".join(lines)


class SpecError(MinaInfraError):
    """The document is not valid; `issues` holds every mistake, the text of the exception shows them all."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues: Sequence[Issue] = tuple(issues)
        super().__init__("\n".join(issue.text() for issue in self.issues))


def dotted(path: Path) -> str:
    """`nodes[1].count` for ("nodes", 1, "count")."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "testnet"
