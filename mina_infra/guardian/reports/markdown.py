"""A verdict as Markdown for the summary of a CI run, and as the lines that GitHub shows beside a run. Pure.

What a node says is data: nothing of it becomes markup, a link or a mention. GitHub drops a summary of more than 1 MiB
as a whole, so evidence is left out before that (docs/facts.md: ci/step-summary).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.instability import Stability
from mina_infra.guardian.reports.text import finding_lines, last_line, moment_words
from mina_infra.guardian.verdict import Health, Verdict

LIMIT_BYTES = 2**20
ERROR_LINES = 10
"""GitHub shows ten of a kind for one step."""

_LONGEST_SUMMARY = 2000
_MARKS = {State.PASS: "✅", State.FAIL: "❌", State.UNKNOWN: "❔"}
_CRITERION_MARKS = {Stability.STABLE: "✅", Stability.UNSTABLE: "❌", Stability.UNKNOWN: "❔"}
_HEALTH_MARKS = {Health.HEALTHY: "✅", Health.UNSTABLE: "❌", Health.UNKNOWN: "❔"}
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$:@])")


def text_of(verdict: Verdict, limit: int = LIMIT_BYTES) -> str:
    """Verdict, criteria, checks, and the evidence of what does not pass, in at most `limit` bytes."""
    title = f"{_HEALTH_MARKS[verdict.health]} {_plain(verdict.testnet)}: {verdict.health}"
    parts = [f"## {title}\n\n{_plain(last_line(verdict))}\n"]
    parts.append(_table(("", "Criterion of the runbook", "State", "Since", "Seen"), _criterion_rows(verdict)))
    parts.append(_table(("", "Check", "Seen", "Expected"), map(_check_row, verdict.findings)))
    parts += [_evidence(finding) for finding in verdict.findings if finding.state is not State.PASS and finding.asked]
    return _within(parts, limit)


def error_lines(verdict: Verdict) -> list[str]:
    """`::error title=...::...` for each unstable criterion and each failed check; never more than GitHub shows."""
    errors = [
        (f"{each.number} {each.criterion.title}", f"{each.summary}. {each.event.criticality}: {each.event.action}")
        for each in verdict.unstable
    ]
    errors += [(each.check, each.summary) for each in verdict.findings if each.state is State.FAIL]
    if len(errors) > ERROR_LINES:
        errors[ERROR_LINES - 1 :] = [("more", f"{len(errors) - ERROR_LINES + 1} more failures: see the summary")]
    return [
        f"::error title={_property(f'{verdict.testnet}: {title}')}::{_message(message)}" for title, message in errors
    ]


def _criterion_rows(verdict: Verdict) -> Iterable[Sequence[str]]:
    for each in verdict.criteria:
        mark = _CRITERION_MARKS[each.state] if each.asked else "➖"
        since = moment_words(each.since) if each.since and each.state is Stability.UNSTABLE else ""
        yield mark, f"{each.number} {each.criterion.title}", str(each.state), since, each.summary


def _check_row(finding: Finding) -> Sequence[str]:
    mark = _MARKS[finding.state] if finding.asked else "➖"
    return mark, finding.check, finding.summary, finding.expected


def _evidence(finding: Finding) -> str:
    body = "\n".join(finding_lines(finding, whole=True))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", body)), default=0))
    return f"<details><summary>{escape(finding.check)}</summary>\n\n{fence}text\n{body}\n{fence}\n\n</details>\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(_plain(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _within(parts: Sequence[str], limit: int) -> str:
    """As many parts as fit, whole."""
    kept, size = [], 0
    for number, part in enumerate(parts):
        left_out = f"\n{len(parts) - number} parts of the report are left out: they do not fit into a summary.\n"
        room = limit - size - (len(left_out.encode()) if number < len(parts) - 1 else 0)
        if len(part.encode()) + 1 > room:
            kept.append(left_out)
            break
        kept.append(part)
        size += len(part.encode()) + 1
    return "\n".join(kept)


def _plain(text: str) -> str:
    """One line that Markdown shows as it is."""
    line = " ".join(text.split())[:_LONGEST_SUMMARY]
    return _MARKUP.sub(r"\\\1", escape(line, quote=False))


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
