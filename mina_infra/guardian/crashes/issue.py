"""Crashes as a table, as JSON, and as the text of an issue that is ready to be filed. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mina_infra.errors import MinaInfraError
from mina_infra.guardian.crashes.known import Sorted
from mina_infra.guardian.crashes.model import Explained, Group
from mina_infra.outputs import OutputsDocument

SCHEMA = 1
_TITLE = 100


@dataclass(frozen=True)
class Intake:
    """What the command found. `history`: Cloud Logging was asked, too."""

    outputs: OutputsDocument
    sorted: Sorted
    explained: tuple[Explained, ...]
    unread: tuple[tuple[str, str], ...]
    since: float
    history: bool = False

    @property
    def groups(self) -> tuple[Group, ...]:
        """All, the new ones first."""
        known = (*self.sorted.told, *self.sorted.ignored)
        return (*self.sorted.new, *(group for group, _ in known))

    def standing(self, group: Group) -> str:
        """`new`, or the known issue and what is done about it."""
        for each, entry in (*self.sorted.told, *self.sorted.ignored):
            if each is group:
                return f"{entry.action.value}: {entry.issue}"
        return "new"

    def find(self, fingerprint: str) -> Group:
        """The group whose fingerprint begins so. Raises MinaInfraError for none or several."""
        matching = [group for group in self.groups if group.fingerprint.startswith(fingerprint.lower())]
        if len(matching) == 1:
            return matching[0]
        found = ", ".join(group.fingerprint for group in (matching or self.groups)) or "none"
        raise MinaInfraError(
            f"{'several crashes begin' if matching else 'no crash begins'} with '{fingerprint}' since "
            f"{_time(self.since)}; found: {found}. --since looks further back."
        )


def table(intake: Intake) -> str:
    """One line for each fingerprint, then what is no crash and what could not be read."""
    lines = [_LINE.format("fingerprint", "cause", "times", "nodes", "last seen", "known", "what")]
    for group in intake.groups:
        nodes = group.nodes[0] if len(group.nodes) == 1 else f"{len(group.nodes)} nodes"
        known, title = intake.standing(group), short(group.signature.title)
        lines.append(
            _LINE.format(group.fingerprint, group.cause.value, group.count, nodes, _time(group.last), known, title)
        )
    if len(lines) == 1:
        lines = [f"no crash since {_time(intake.since)}"]
    lines += [f"no crash: {each.node}/{each.container} was restarted: {each.why}" for each in intake.explained]
    lines += [f"not read: the previous log of {node}: {reason}" for node, reason in intake.unread]
    lines += [f"expired: the entry {entry.name} counted until {entry.expires}" for entry in intake.sorted.expired]
    if not intake.history:
        lines.append("only pods that still exist were asked; --cloud-logging also finds crashes of those that are gone")
    return "\n".join(line.rstrip() for line in lines) + "\n"


_LINE = "{:<12}  {:<19}  {:>5}  {:<14}  {:<16}  {:<6}  {}"


def value(intake: Intake) -> dict[str, Any]:
    """For machines: everything, samples included. Times RFC 3339 in UTC."""
    return {
        "schema": SCHEMA,
        "testnet": intake.outputs.testnet,
        "since": _rfc3339(intake.since),
        "crashes": [_group_value(intake, group) for group in intake.groups],
        "explained": [{"node": each.node, "container": each.container, "why": each.why} for each in intake.explained],
        "unread": [{"node": node, "reason": reason} for node, reason in intake.unread],
        "expired": [{"issue": entry.issue, "expires": entry.expires.isoformat()} for entry in intake.sorted.expired],
    }


def as_json(intake: Intake, only: Group | None = None) -> str:
    """All of it, or one group with the text of its issue."""
    data = value(intake) if only is None else {**_group_value(intake, only), "markdown": markdown(intake, only)}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _group_value(intake: Intake, group: Group) -> dict[str, Any]:
    return {
        "fingerprint": group.fingerprint,
        "cause": group.cause.value,
        "title": group.signature.title,
        "frames": list(group.signature.frames),
        "known": intake.standing(group),
        "count": group.count,
        "nodes": list(group.nodes),
        "firstSeen": _rfc3339(group.first),
        "lastSeen": _rfc3339(group.last),
        "commits": list(group.commits),
        "sample": group.sample.sample,
        "ends": [
            {
                "node": crash.node, "pod": crash.pod, "container": crash.container, "at": _rfc3339(crash.at),
                "detail": crash.detail, "commit": crash.commit, "source": crash.source,
            }
            for crash in group.crashes
        ],
    }  # fmt: skip


def markdown(intake: Intake, group: Group) -> str:
    """The text of an issue: its first line is the title."""
    outputs, sample = intake.outputs, group.sample
    roles = sorted({node.role for node in outputs.nodes if node.name in group.nodes})
    facts = {
        "Testnet": f"{outputs.testnet}, era {outputs.era}, {len(outputs.nodes)} nodes, "
        f"slots of {outputs.chain.slot_ms / 1000:g} s, k {outputs.chain.k}",
        "Image": f"`{outputs.images.get('daemon', 'unknown')}`",
        "Commit": ", ".join(f"`{commit}`" for commit in group.commits) or "not told",
        "Nodes": f"{len(group.nodes)} ({', '.join(roles) or 'no role'}): {', '.join(group.nodes)}",
        "Seen": f"{group.count} times, first {_rfc3339(group.first)}, last {_rfc3339(group.last)}",
        "Cause": f"{group.cause.value}; {sample.detail or sample.source}",
        "Fingerprint": f"`{group.fingerprint}`",
    }
    parts = [
        f"# Crash: {short(group.signature.title)}",
        "\n".join(f"- **{name}**: {words}" for name, words in facts.items()),
        _section("Frames", group.signature.frames, "The backtrace, without line numbers and addresses:"),
        _section(
            "Sample", sample.sample.splitlines(), f"As written by {sample.node} (pod {sample.pod}, {sample.source}):"
        ),
        "## How to find more",
        _more(intake, group),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, lines: Sequence[str], words: str) -> str:
    if not lines:
        return ""
    text = "\n".join(lines)
    fence = "```"
    while fence in text:
        fence += "`"
    return f"## {title}\n\n{words}\n\n{fence}\n{text}\n{fence}"


def _more(intake: Intake, group: Group) -> str:
    pods = sorted({(crash.pod, crash.container) for crash in group.crashes if crash.source != "Cloud Logging"})
    lines = [
        f"- `kubectl logs -n {intake.outputs.namespace} {pod} -c {container} --previous`" for pod, container in pods[:3]
    ]
    lines.append(f"- `mina-infra crashes --issue {group.fingerprint} --since 7d --cloud-logging`")
    lines.append("- Crash reports lie in the daemon's directory on its volume; the next crash replaces them.")
    return "\n".join(lines)


def short(text: str, most: int = _TITLE) -> str:
    """The text on one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _time(moment: float | None) -> str:
    return "unknown" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")


def _rfc3339(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
