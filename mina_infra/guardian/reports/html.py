"""A verdict as one HTML file that needs nothing else: no script, no font, no image from elsewhere. Pure.

What a node, a log or a reply says is data. The template escapes all of it; characters that no text needs, and that
could reorder or hide what follows, are shown as U+FFFD; the page forbids scripts to itself.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from mina_infra.guardian import joining
from mina_infra.guardian.checks import CHECKS
from mina_infra.guardian.forks import Standing
from mina_infra.guardian.reports.drawing import CELL, CELL_HEIGHT, draw_strip, draw_tree
from mina_infra.guardian.reports.json import time_text
from mina_infra.guardian.reports.text import last_line, moment_words, row_words
from mina_infra.guardian.verdict import Health, NodeSight, Verdict

# Controls, and the marks that turn the direction of the text around them.
_UNSAFE = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_MOODS = {Health.HEALTHY: "good", Health.UNSTABLE: "bad", Health.UNKNOWN: "open"}
_IN_PLACE = (Standing.EQUAL, Standing.AHEAD)


def text_of(verdict: Verdict) -> str:
    """The page."""
    return _template().render(
        verdict=verdict,
        mood=_MOODS[verdict.health],
        line=last_line(verdict),
        runbook={check.name: check.runbook for check in (*(check for check, _ in CHECKS), joining.CHECK)},
        tree=draw_tree(verdict.tree),
        strip=draw_strip(verdict.strip) if verdict.strip else None,
        nodes=sorted(verdict.nodes, key=_worst_first),
        cell=CELL,
        cell_height=CELL_HEIGHT,
        sights={node.name: node for node in verdict.nodes},
    )


def _worst_first(node: NodeSight) -> tuple[int, int, str]:
    """Daemons that are not at the tip, then those that are, then what is no daemon."""
    rank = 2 if not node.daemon else 1 if node.standing in _IN_PLACE else 0
    return rank, -(node.behind or 0), node.name


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize
    )
    environment.filters["row_words"] = row_words
    environment.filters["time"] = time_text
    environment.filters["moment"] = moment_words
    source = files("mina_infra.guardian.reports").joinpath("verdict.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source)


def _finalize(value: Any) -> Any:
    """Of a value that is printed; what a macro made is markup already, and its parts came through here."""
    return _UNSAFE.sub("\ufffd", value) if isinstance(value, str) and not isinstance(value, Markup) else value
