"""What the deployment itself sends: user agents, from a while after their start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.survey import Survey
from mina_infra.outputs import OutputsDocument


@dataclass(frozen=True)
class Sender:
    """Payments per second, from a moment on (ms since 1970)."""

    tps: float
    from_ms: float


def senders(outputs: OutputsDocument, survey: Survey, criteria: Criteria) -> list[Sender]:
    """The user agents of the daemons that answer. They start with their daemon and sleep first."""
    found = []
    for node in outputs.daemons():
        answer = survey.answers.get(node.name)
        if node.load_tps > 0 and answer is not None:
            started = answer.now_ms - answer.status.uptime_secs * 1000
            found.append(Sender(node.load_tps, started + criteria.agent_sleep_s * 1000))
    return found


def offered(load: Iterable[Sender], from_ms: float, to_ms: float) -> float:
    """How many payments were sent between two moments."""
    return sum(each.tps * max(0.0, to_ms - max(from_ms, each.from_ms)) / 1000 for each in load)


def declared_tps(load: Iterable[Sender]) -> float:
    """Payments per second once all of them send."""
    return sum(each.tps for each in load)
