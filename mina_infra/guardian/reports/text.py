"""A verdict in words, for a terminal. Pure."""

from __future__ import annotations

from datetime import datetime

from mina_infra.guardian.findings import Finding, Row, State
from mina_infra.guardian.instability import Judgement, Stability
from mina_infra.guardian.verdict import Health, Verdict

_MARKS = {State.PASS: "✓", State.FAIL: "✗", State.UNKNOWN: "?"}
_SHOWN = 5


def text(verdict: Verdict) -> str:
    """For a terminal: one line for each check, below it what matters when it does not pass, the verdict last."""
    lines: list[str] = []
    for finding in verdict.findings:
        lines += finding_lines(finding)
    for judgement in verdict.unstable:
        lines += _criterion_lines(judgement)
    lines += criteria_lines(verdict)
    lines.append(last_line(verdict))
    return "\n".join(lines) + "\n"


def moment_words(moment: datetime) -> str:
    """To the second, for people; the JSON has the milliseconds."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def criteria_lines(verdict: Verdict) -> list[str]:
    """How many of the runbook's criteria are stable, and why others are unknown. No line where checks were left out."""
    if not verdict.criteria or verdict.skipped:
        return []
    stable = sum(each.state is Stability.STABLE for each in verdict.criteria)
    words = [f"{stable} of the runbook's {len(verdict.criteria)} stable"]
    words += [f"{len(verdict.unstable)} unstable"] * bool(verdict.unstable)
    unknown: dict[str, list[str]] = {}
    for each in verdict.criteria:
        if each.state is Stability.UNKNOWN:
            unknown.setdefault(each.summary, []).append(str(each.number))
    words += [f"{' and '.join(numbers)} unknown ({why})" for why, numbers in unknown.items()]
    return [f"criteria {', '.join(words)}"]


def last_line(verdict: Verdict) -> str:
    """`qa: healthy, 7 checks passed, 200 nodes, in 12 s`."""
    asked = [finding for finding in verdict.findings if finding.asked]
    counts = {state: sum(finding.state is state for finding in asked) for state in State}
    words = [f"{counts[State.PASS]} check{'s' * (counts[State.PASS] != 1)} passed"]
    words += [f"{counts[State.FAIL]} failed"] * bool(counts[State.FAIL])
    words += [f"{counts[State.UNKNOWN]} could not tell"] * bool(counts[State.UNKNOWN])
    unasked = sum(not finding.asked for finding in verdict.findings)
    words += [f"{unasked} not asked"] * bool(unasked)
    seconds = (verdict.ended - verdict.started).total_seconds()
    health = f"{verdict.health}: paused" if verdict.paused and verdict.health is Health.UNKNOWN else verdict.health
    paused = sum(node.paused for node in verdict.nodes)
    nodes = f"{len(verdict.nodes)} nodes" + (f" ({paused} paused)" if paused else "")
    return f"{verdict.testnet}: {health}, {', '.join(words)}, {nodes}, in {seconds:.0f} s"


def finding_lines(finding: Finding, *, whole: bool = False) -> list[str]:
    """One check: a line, and below it what matters when it does not pass. `whole`: all of its evidence in any case."""
    lines = [f"{_MARKS[finding.state] if finding.asked else '-'} {finding.check:<11} {finding.summary}"]
    ill = finding.state is not State.PASS and finding.asked
    rows = finding.evidence if whole else finding.evidence[:_SHOWN] if ill else ()
    if ill:
        lines += [f"    expected  {finding.expected}"] * bool(finding.expected)
        lines += [f"    seen      {finding.seen}"] * bool(finding.seen)
    lines += [f"    {row_words(row)}" for row in rows]
    if ill:
        lines += [f"    and {len(finding.evidence) - len(rows)} more"] * (len(finding.evidence) > len(rows))
        lines += _silent_line(finding)
        lines += [f"    to do     {finding.action}"] * bool(finding.action)
    lines += [f"    note      {warning}" for warning in finding.warnings[:_SHOWN]]
    lines += [f"    and {len(finding.warnings) - _SHOWN} notes more"] * (len(finding.warnings) > _SHOWN)
    return lines


def _criterion_lines(judgement: Judgement) -> list[str]:
    """One criterion of the runbook by which the testnet is unstable; its evidence stands with the checks."""
    event = judgement.event
    since = f" since {moment_words(judgement.since)}" if judgement.since else ""
    lines = [
        f"! criterion {judgement.number}  {judgement.criterion.title}{since}",
        f"    seen      {judgement.summary}",
    ]
    lines += [f"    sure      {judgement.confidence}"] * bool(judgement.confidence)
    return [*lines, f"    runbook   {event.criticality}, {event.owner}: {event.action}"]


def _silent_line(finding: Finding) -> list[str]:
    named = set(finding.nodes)
    unnamed = [node for node in finding.silent if node not in named]
    if not unnamed:
        return []
    more = f" and {len(unnamed) - _SHOWN} more" if len(unnamed) > _SHOWN else ""
    return [f"    silent    {', '.join(unnamed[:_SHOWN])}{more}"]


def row_words(row: Row) -> str:
    """One row of evidence: the node first, then what was found, then the rest by name."""
    words = [str(row[key]) for key in ("node", "claim", "found", "strip", "detail") if row.get(key) is not None]
    rest = ("height", "tip", "usual")
    return "  ".join(words + [f"{key} {row[key]}" for key in rest if row.get(key) is not None])
