"""The status of a period in words, as Markdown and as JSON (schema 1). Pure."""

from __future__ import annotations

import json as _json
from collections.abc import Sequence
from typing import Any

from mina_infra.guardian.findings import some
from mina_infra.guardian.watch.messages import clock_of, duration_words, incidents, moment_of
from mina_infra.guardian.watch.period import NOT_LOOKED, Incident, NodeTrouble, Period

SCHEMA = 1
OLD_S = 90.0
"""A last look that is older than this says nothing of now: three of the longest pauses between looks."""


def text(period: Period) -> str:
    """For a terminal."""
    lines = [head(period), *(f"  {line}" for line in _facts(period))]
    for title, rows in (("incidents", [incident_words(each, period.until) for each in period.incidents]),
                        ("worst nodes", [_node_words(each) for each in period.worst])):  # fmt: skip
        lines += [title, *(f"  {row}" for row in rows)] if rows else []
    return "\n".join(lines) + "\n"


def markdown(period: Period) -> str:
    """For a chat, a wiki or a pull request."""
    lines = [f"## {_escaped(head(period))}", "", *(f"- {_escaped(line)}" for line in _facts(period))]
    if period.incidents:
        lines += ["", "| | Incident | What | Since | Lasted | Nodes |", "|---|---|---|---|---|---|"]
        lines += [_incident_row(each, period.until) for each in period.incidents]
    if period.worst:
        lines += ["", "| Node | Suffered from |", "|---|---|"]
        lines += [f"| {_escaped(each.node)} | {_escaped(_troubles(each))} |" for each in period.worst]
    return "\n".join(lines) + "\n"


def head(period: Period) -> str:
    """The verdict now, in one line."""
    span = f"the {duration_words(period.seconds)} until {clock_of(period.until)}"
    if period.last_look is None:
        return f"{period.testnet}: nobody has looked at it; nothing is known of {span}"
    if not period.looks:
        ago = duration_words(period.until - period.last_look)
        return f"{period.testnet}: nobody looked in {span}; the last look, {ago} earlier, said {period.health}"
    age = period.until - period.last_look
    now = f"{period.health} now" if age < OLD_S else f"{period.health} at the last look, {duration_words(age)} ago"
    return f"{period.testnet}: {now}; {span}"


def _facts(period: Period) -> Sequence[str]:
    if not period.looks:
        return []
    facts = [_shares_words(period)]
    bad = [f"{check} {state}" for check, state in period.checks.items() if state in ("fail", "unknown")]
    facts.append(f"checks in the last look: {', '.join(bad)}" if bad else "checks in the last look: none fails")
    if period.production is not None:
        made = period.production
        facts.append(
            f"{made.blocks} blocks in {made.slots:.1f} slots: {made.fill:.1%} filled, {made.expected:.1%} expected; "
            f"{made.active_stake:.0%} of the stake would explain that"
        )
    height, synced, expected = (period.figures.get(name) for name in ("height", "synced", "expected"))
    if height is not None and synced is not None and expected is not None:
        facts.append(f"height {height:.0f}; {synced:.0f} of {expected:.0f} daemons at the tip")
    crashed = sorted({node for each in period.crashes for node in each.nodes})
    facts.append(f"crashes: {incidents(len(period.crashes))} on {some(crashed)}" if crashed else "crashes: none")
    facts.append(f"incidents: {len(period.incidents)}, {len(period.open)} of them open")
    return facts


def _shares_words(period: Period) -> str:
    order = ["healthy", "unstable", "could not tell", NOT_LOOKED]
    parts = [f"{name} {share(period, name):.1%}" for name in order if period.shares.get(name, 0) > 0]
    return f"{', '.join(parts)} of the time; {period.looks} looks kept"


def share(period: Period, name: str) -> float:
    """Of the whole period, the time in which nobody looked included."""
    return period.shares.get(name, 0.0) / period.seconds if period.seconds else 0.0


def incident_words(incident: Incident, until: float) -> str:
    """One line."""
    words = f"{clock_of(incident.since)}  #{incident.number} {incident.severity}  {incident.check}: {incident.problem}"
    return f"{words}  {_lasted(incident, until)}  {incident.summary}"


def _lasted(incident: Incident, until: float) -> str:
    lasted = duration_words(incident.seconds(until))
    if incident.ended is None:
        return f"open for {lasted}"
    return f"at most {lasted}" if incident.unsure_from is not None else lasted


def _incident_row(incident: Incident, until: float) -> str:
    mark = "open" if incident.ended is None else "over"
    cells = [
        mark, f"{incident.check}: {incident.problem} (#{incident.number}, {incident.severity})", incident.summary,
        clock_of(incident.since), _lasted(incident, until), some(incident.nodes),
    ]  # fmt: skip
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _node_words(trouble: NodeTrouble) -> str:
    return f"{trouble.node}: {_troubles(trouble)}"


def _troubles(trouble: NodeTrouble) -> str:
    ordered = sorted(trouble.problems.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{problem} {duration_words(seconds)}" for problem, seconds in ordered)


def _escaped(cell: str) -> str:
    """Text of nodes and logs may hold what Markdown or a chat would take for its own."""
    for mark in "\\`*_[]<>|@":
        cell = cell.replace(mark, f"\\{mark}")
    return cell.replace("\n", " ")


def json(period: Period) -> str:
    """For machines."""
    return _json.dumps(json_value(period), indent=2, ensure_ascii=False) + "\n"


def json_value(period: Period) -> dict[str, Any]:
    """Keys in camelCase, times RFC 3339 in UTC, durations in seconds, shares of the whole period."""
    made = period.production
    return {
        "schema": SCHEMA,
        "testnet": period.testnet,
        "since": moment_of(period.since),
        "until": moment_of(period.until),
        "looks": period.looks,
        "lastLook": None if period.last_look is None else moment_of(period.last_look),
        "health": {"could not tell": "unknown", NOT_LOOKED: "unknown"}.get(period.health, period.health),
        "shares": {
            "healthy": round(share(period, "healthy"), 6),
            "unstable": round(share(period, "unstable"), 6),
            "unknown": round(share(period, "could not tell"), 6),
            "notLooked": round(share(period, NOT_LOOKED), 6),
        },
        "checks": dict(period.checks),
        "production": None if made is None else {
            "blocks": made.blocks,
            "slots": round(made.slots, 2),
            "fill": round(made.fill, 4),
            "expectedFill": round(made.expected, 4),
            "activeStake": round(made.active_stake, 4),
        },
        "figures": dict(period.figures),
        "incidents": [_incident_value(each, period.until) for each in period.incidents],
        "worstNodes": [
            {"node": each.node, "seconds": {name: round(value, 3) for name, value in each.problems.items()}}
            for each in period.worst
        ],
    }  # fmt: skip


def _incident_value(incident: Incident, until: float) -> dict[str, Any]:
    return {
        "incident": incident.number,
        "check": incident.check,
        "problem": incident.problem,
        "severity": incident.severity,
        "summary": incident.summary,
        "nodes": list(incident.nodes),
        "since": moment_of(incident.since),
        "ended": None if incident.ended is None else moment_of(incident.ended),
        "endedNotBefore": None if incident.unsure_from is None else moment_of(incident.unsure_from),
        "durationSeconds": round(incident.seconds(until), 3),
        "open": incident.ended is None,
    }
