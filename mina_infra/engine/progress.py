"""From the engine's events to what a person wants to know: how far, what changed, what is waited for, what failed.

Pure: `Progress` is folded over events one by one; the clock is given. Events are those of the Automation API
(`pulumi.automation.EngineEvent`), of which only a few fields are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent, StepEventMetadata

_STACK = "pulumi:pulumi:Stack"
_MARKUP = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
_SUBJECT = re.compile(r'^(?:error: )*resource "?urn:pulumi:[^" ]*"? (?:was )?')
_SHOWN_FAILURES = 8
# What the engine says beside the real causes.
_NOISE = ("update failed", "resource monitor shut down", "preview failed", "update canceled", "update cancelled")


@dataclass
class Progress:
    """A run as far as its events tell. Counts are Kubernetes objects; components and providers are left out."""

    total: int = 0
    """Objects that this run will look at, as planned or recorded; grows when there turn out to be more."""
    prefix: str = ""
    """Beginning of all resource names (the testnet's), left out where a person reads them."""
    changes: dict[str, int] = field(default_factory=dict)
    """Finished objects by operation: create, update, replace, delete, same, refresh."""
    waiting: dict[str, float] = field(default_factory=dict)
    """Objects in work by URN, with the time (seconds) at which their operation began."""
    failures: dict[str, str] = field(default_factory=dict)
    """What went wrong, by object name; "" for the run as a whole."""

    @property
    def done(self) -> int:
        return sum(self.changes.values())

    @property
    def changed(self) -> int:
        """Finished objects that were not left as they were."""
        return sum(count for op, count in self.changes.items() if op not in ("same", "refresh", "read"))

    def see(self, event: EngineEvent, now: float) -> None:
        """Take one event into account. `now` is any clock in seconds."""
        if event.resource_pre_event:
            step = event.resource_pre_event.metadata
            if counts(step):
                self.waiting.setdefault(step.urn, now)
        elif event.res_outputs_event:
            self._finish(event.res_outputs_event.metadata)
        elif event.res_op_failed_event:
            self.waiting.pop(event.res_op_failed_event.metadata.urn, None)
            self.failures.setdefault(self._name(event.res_op_failed_event.metadata.urn), "failed")
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            self._note(event.diagnostic_event.urn or "", event.diagnostic_event.message)

    def _finish(self, step: StepEventMetadata) -> None:
        self.waiting.pop(step.urn, None)
        # A replacement is three steps; the logical one in the middle is the one to count.
        if counts(step) and step.op.value not in ("create-replacement", "delete-replaced"):
            self.changes[step.op.value] = self.changes.get(step.op.value, 0) + 1
            self.total = max(self.total, self.done)

    def _note(self, urn: str, message: str) -> None:
        text = _MARKUP.sub("", message).strip()
        if text.removeprefix("error: ").startswith(_NOISE):
            return
        # The provider's general advice follows after an empty line; it does not fit here (never import, never patch).
        text = _SUBJECT.sub("", text.partition("\n\n")[0])
        name = "" if not urn or f"::{_STACK}::" in urn else self._name(urn)
        known = self.failures.get(name, "failed")
        self.failures[name] = text if known == "failed" else known if text in known else f"{known}\n{text}"

    def _name(self, urn: str) -> str:
        return urn.rpartition("::")[2].removeprefix(self.prefix)

    def line(self, now: float) -> str:
        """`318/412   waiting for whale-3, 4 s`."""
        text = f"{self.done}/{max(self.total, self.done + len(self.waiting))}"
        if self.waiting:
            urn, since = min(self.waiting.items(), key=lambda item: item[1])
            more = f" and {len(self.waiting) - 1} more" if len(self.waiting) > 1 else ""
            text += f"   waiting for {self._name(urn)}{more}, {now - since:.0f} s"
        return text

    def failure_text(self) -> str:
        """All that went wrong, the causes first, without the engine's decoration."""
        named = {name: text for name, text in self.failures.items() if name}
        lines = [f"{name}: {text}" for name, text in list(named.items())[:_SHOWN_FAILURES]]
        if len(named) > _SHOWN_FAILURES:
            lines.append(f"and {len(named) - _SHOWN_FAILURES} more: {', '.join(list(named)[_SHOWN_FAILURES:])}")
        if self.failures.get("") and not named:
            lines.append(self.failures[""])
        return "\n".join(lines)


def counts(step: StepEventMetadata) -> bool:
    """Is the step about an object of the cluster?"""
    return step.type.startswith("kubernetes:")


def summary(changes: dict[str, int]) -> str:
    """`12 created, 1 updated, 63 unchanged`."""
    words = {
        "create": "created", "update": "updated", "replace": "replaced", "delete": "deleted", "same": "unchanged",
        "import": "imported",
    }  # fmt: skip
    return ", ".join(f"{count} {words.get(op, op)}" for op, count in ordered(changes)) or "nothing to do"


def ordered(changes: dict[str, int]) -> Iterable[tuple[str, int]]:
    """Operations in the order in which people look for them."""
    order = ("create", "update", "replace", "delete", "import", "same")
    rank = {op: index for index, op in enumerate(order)}
    return sorted(changes.items(), key=lambda item: (rank.get(item[0], len(order)), item[0]))
