"""A verdict as JUnit XML: one testcase for each check and each criterion of the runbook. Pure.

A failure is a failure, what could not be told an error, and what the network is not asked is skipped, so that a CI run
shows the three answers apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.instability import Judgement, Stability
from mina_infra.guardian.reports.text import finding_lines, row_words
from mina_infra.guardian.verdict import Verdict

# Characters that XML 1.0 cannot hold, not even escaped: a node's log may say anything.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_VERDICT_OF = {Stability.STABLE: State.PASS, Stability.UNSTABLE: State.FAIL, Stability.UNKNOWN: State.UNKNOWN}


def text_of(verdict: Verdict) -> str:
    """The document: the suites `checks` and `criteria`."""
    seconds = f"{(verdict.ended - verdict.started).total_seconds():.3f}"
    root = Element("testsuites", name=_clean(f"mina-infra verify {verdict.testnet}"), time=seconds)
    stamp = verdict.started.strftime("%Y-%m-%dT%H:%M:%S")
    for name in ("checks", "criteria"):
        suite = SubElement(root, "testsuite", name=name, timestamp=stamp, time=seconds, hostname=_clean(verdict.server))
        if name == "checks":
            for finding in verdict.findings:
                _check(suite, finding, verdict.testnet)
            for check in verdict.skipped:
                _case(suite, check, f"{verdict.testnet}.checks", State.UNKNOWN, False, "left out of this run", "")
        else:
            for judgement in verdict.criteria:
                _criterion(suite, judgement, verdict.testnet)
        _count(suite, [suite])
    _count(root, list(root))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _check(suite: Element, finding: Finding, testnet: str) -> None:
    said = "\n".join(finding_lines(finding, whole=True)[1:])
    _case(suite, finding.check, f"{testnet}.checks", finding.state, finding.asked, finding.summary, said)


def _criterion(suite: Element, judgement: Judgement, testnet: str) -> None:
    event = judgement.event
    lines = [f"rule: {judgement.criterion.rule}"]
    lines += [f"sure: {judgement.confidence}"] * bool(judgement.confidence)
    lines += [f"runbook ({event.row}): {event.criticality}, {event.owner}: {event.action}"]
    lines += [row_words(row) for row in judgement.evidence]
    name = f"{judgement.number} {judgement.criterion.title}"
    state = _VERDICT_OF[judgement.state]
    _case(suite, name, f"{testnet}.criteria", state, judgement.asked, judgement.summary, "\n".join(lines))


def _case(suite: Element, name: str, group: str, state: State, asked: bool, summary: str, said: str) -> None:
    case = SubElement(suite, "testcase", name=_clean(name), classname=_clean(group), time="0")
    if state is State.FAIL:
        SubElement(case, "failure", message=_clean(summary), type="fail").text = _clean(said)
    elif state is State.UNKNOWN and asked:
        SubElement(case, "error", message=_clean(summary), type="unknown").text = _clean(said)
    elif state is State.UNKNOWN:
        SubElement(case, "skipped", message=_clean(summary))
    else:
        SubElement(case, "system-out").text = _clean(f"{summary}\n{said}".strip())


def _count(element: Element, below: Sequence[Element]) -> None:
    for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(len(list(each.iter(tag))) for each in below)))


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
