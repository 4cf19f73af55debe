"""Has anything crashed that nobody explains? (runbook: check the logs for crashes; unstable criterion 6)"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from mina_infra.guardian.crashes.ends import HOUR_S
from mina_infra.guardian.crashes.known import KnownIssue, sort
from mina_infra.guardian.crashes.model import Cause, Crashes, Group, grouped
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some

CHECK = CheckInfo(
    name="crashes",
    needs=("crashes",),
    warm_up=Slots(0),
    runbook="sanity check 1: no crashes in the logs; unstable criterion 6: persistent crashes",
)

# What may be wrong, the gravest first.
BURST = "crash-burst"
PROBLEMS = (BURST, Cause.CRASH.value, Cause.OOM.value, Cause.RESTART.value)
_TITLE = 100


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.crashes, Crashes)
    return judge(evidence.crashes, evidence.known, evidence.criteria, evidence.at)


def judge(crashes: Crashes, known: Sequence[KnownIssue], criteria: Criteria, now: float) -> Finding:
    """A crash of the last day that is in no list of known issues fails, whether or not the node runs again."""
    found = sort(grouped(crashes.found), known, datetime.fromtimestamp(now, UTC).date())
    recent = [kept for group in found.new if (kept := group.since(now - criteria.crash_window_s))]
    problems = {group.cause.value for group in recent}
    bursts = [group.fingerprint for group in recent if is_burst(group, criteria, now)]
    problems |= {BURST} if bursts else set()
    rows = [row for group in recent for row in _rows(group, group.fingerprint in bursts)]
    count = sum(len(group.crashes) for group in recent)
    nodes = tuple(dict.fromkeys(str(row["node"]) for row in rows))
    summary = f"{count} on {some(nodes, 3)}: {_titles(recent)}" if rows else _quiet(crashes)
    return Finding(
        check=CHECK.name,
        state=State.FAIL if rows else State.PASS,
        summary=summary,
        expected="no end of a program that nobody asked for",
        seen=f"{len(recent)} kinds on {len(nodes)} nodes" if rows else "",
        action="`mina-infra crashes --issue FINGERPRINT` writes the report; known ones belong in known-issues.yaml"
        if rows
        else "",
        evidence=tuple(rows),
        warnings=(
            *(f"known, {entry.name}: {some(group.nodes)}" for group, entry in found.told),
            *(f"the entry {entry.name} of the known issues expired on {entry.expires}" for entry in found.expired),
            *(f"{each.node}/{each.container} was restarted: {each.why}" for each in crashes.explained),
            *(f"{node}: the log of its last run could not be read: {reason}" for node, reason in crashes.unread),
        ),
        problems=tuple(word for word in PROBLEMS if word in problems),
        figures={
            "crashes": count,
            "fingerprints": len(recent),
            "bursts": len(bursts),
            "known": sum(len(group.crashes) for group, _ in (*found.told, *found.ignored)),
            "explained": len(crashes.explained),
        },
    )


def is_burst(group: Group, criteria: Criteria, now: float) -> bool:
    """Often enough, on enough nodes, within the last hour (docs/facts.md: guardian/crash-burst)."""
    last_hour = group.since(now - HOUR_S)
    return (
        last_hour is not None
        and last_hour.count >= criteria.burst_crashes
        and len(last_hour.nodes) >= criteria.burst_nodes
    )


def _rows(group: Group, burst: bool) -> list[Row]:
    words = BURST if burst else group.cause.value
    return [
        {
            "node": crash.node,
            "found": f"{words} {group.fingerprint}",
            "detail": f"{_short(group.signature.title)} ({crash.detail})" if crash.detail else _short(crash.sample),
            "container": crash.container,
            "fingerprint": group.fingerprint,
            "at": None if crash.at is None else datetime.fromtimestamp(crash.at, UTC).isoformat(timespec="seconds"),
            "commit": crash.commit or None,
        }
        for crash in group.crashes
    ]


def _quiet(crashes: Crashes) -> str:
    known = len(crashes.found)
    return f"nothing new has crashed, {known} known or earlier" if known else "nothing has crashed"


def _titles(groups: Sequence[Group]) -> str:
    return some([_short(group.signature.title, 80) for group in groups], 2)


def _short(text: str, most: int = _TITLE) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
