"""Each form of the report says what the JSON says, and nothing that a node says becomes markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.guardian import report
from mina_infra.guardian.checks import CHECKS
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.picture import strip_of, tree_of
from mina_infra.guardian.report import FORMATS, ReportError, format_of, render, write
from mina_infra.guardian.reports.drawing import MOST_ROWS, draw_strip, draw_tree
from mina_infra.guardian.reports.markdown import ERROR_LINES, LIMIT_BYTES, error_lines
from mina_infra.guardian.reports.markdown import text_of as markdown
from mina_infra.guardian.verdict import Verdict
from mina_infra.simulator.simulated import small_network
from tests import chromium
from tests.guardian.fake_cluster import world
from tests.guardian.surveys import survey_of
from tests.guardian.test_forks import line
from tests.guardian.test_production import CRITERIA

HOSTILE = (
    "<script>document.title='owned'</script>", '"><img src=x onerror=alert(1)>', "a|b `c` *d* @everyone [x](http://x)",
    "]]>&amp;\x00\x1b[31m\u202egnp.exe", "%0A::error::x\n::warning::y", "{{ 7*7 }}{% raw %}",
)  # fmt: skip


@pytest.fixture(scope="module")
def ill() -> Verdict:
    """Two sides, one node down and one silent, one with hostile words, and one check that is not asked."""
    here = world(nodes=small_network(plain=9))
    here.network.partition(["seed-1", "whale-1", "fish-1", "fish-2", "plain-1"])
    here.network.run(slots=12)
    here.network.crash("plain-3")
    here.cluster.silent = {"plain-4"}
    made = here.verify()
    rows = tuple({"node": words, "found": words, "detail": words} for words in HOSTILE)
    findings = tuple(
        replace(each, evidence=each.evidence + rows, summary=each.summary + HOSTILE[0], warnings=HOSTILE)
        if each.check == "answers"
        else replace(each, asked=False, state=State.UNKNOWN)
        if each.check == "claims"
        else each
        for each in made.findings
    )
    return replace(made, findings=findings)


@pytest.fixture(scope="module")
def value(ill: Verdict) -> dict[str, Any]:
    data: dict[str, Any] = report.json_value(ill)
    return data


def test_every_form_is_written_by_the_ending_of_the_file(ill: Verdict, tmp_path: Path) -> None:
    endings = {"text": "a.txt", "json": "a.json", "junit": "a.xml", "markdown": "new/a.md", "html": "a.HTML"}
    for form in FORMATS:
        file = tmp_path / endings[form]
        assert format_of(file) == form
        write(ill, file)
        assert file.read_text() == render(ill, form)
    with pytest.raises(ReportError, match=r"\.xml \(junit\)"):
        format_of(tmp_path / "report.pdf")
    with pytest.raises(ReportError, match="cannot write"):
        write(ill, tmp_path / "a.txt" / "b.txt")


# --- JUnit


def cases(root: ElementTree.Element, suite: str) -> dict[str, str]:
    """What each testcase of a suite came to: its child's tag, or passed."""
    found = root.find(f"testsuite[@name='{suite}']")
    assert found is not None
    ends = ("failure", "error", "skipped")
    return {
        case.attrib["name"]: next((each.tag for each in case if each.tag in ends), "passed") for case in found
    }  # fmt: skip


def test_junit_tells_failed_unknown_and_not_asked_apart(ill: Verdict, value: dict[str, Any]) -> None:
    root = ElementTree.fromstring(render(ill, "junit"))
    expected = {
        each["check"]: {"pass": "passed", "fail": "failure", "unknown": "error"}[each["state"]]
        if each["asked"]
        else "skipped"
        for each in value["checks"]
    }
    assert cases(root, "checks") == expected
    assert {"passed", "failure", "error", "skipped"} <= set(expected.values())
    criteria = cases(root, "criteria")
    assert criteria["1 Network forks"] == "failure"
    assert criteria["2 Blocks are not being created"] == "passed"
    assert len(criteria) == 8
    counts = {name: int(root.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    ends = [*expected.values(), *criteria.values()]
    assert counts == {
        "tests": len(ends), "failures": ends.count("failure"), "errors": ends.count("error"),
        "skipped": ends.count("skipped"),
    }  # fmt: skip


def test_a_check_that_was_left_out_is_skipped_in_junit(ill: Verdict) -> None:
    partly = replace(ill, findings=ill.findings[1:], skipped=("inventory",))
    assert cases(ElementTree.fromstring(render(partly, "junit")), "checks")["inventory"] == "skipped"


@given(st.text())
def test_whatever_a_node_says_every_form_stays_well_formed(words: str) -> None:
    verdict = bare(Finding("sync", State.FAIL, words, evidence=({"node": words, "detail": words},), warnings=(words,)))
    ElementTree.fromstring(render(verdict, "junit"))
    assert json.loads(render(verdict, "json"))["checks"][0]["summary"] == words
    assert tags(render(verdict, "html")) == tags(render(bare(FAILED), "html"))
    assert all("\n" not in each and "\r" not in each for each in error_lines(verdict))


FAILED = Finding("sync", State.FAIL, "x", evidence=({"node": "x", "detail": "x"},), warnings=("x",))
BARE = world(slots=3).verify()


def bare(*findings: Finding) -> Verdict:
    return replace(BARE, findings=findings, criteria=(), tree=(), strip=None, nodes=(), seeds=())


@pytest.mark.parametrize("form", ["junit", "markdown"])
@pytest.mark.parametrize("state", [State.FAIL, State.UNKNOWN])
def test_all_evidence_is_there_and_each_row_once(form: Any, state: State) -> None:
    rows = tuple({"node": f"node-{letter}", "detail": "words"} for letter in "abcdefgh")
    text = render(bare(replace(FAILED, state=state, evidence=rows)), form)
    assert [text.count(f"node-{letter}") for letter in "abcdefgh"] == [1] * 8
    assert "more" not in text


# --- Markdown


def test_markdown_shows_words_of_nodes_as_they_are(ill: Verdict) -> None:
    words = render(ill, "markdown")
    assert "<script" not in re.sub(r"(`{3,})text\n.*?\n\1", "", words, flags=re.DOTALL)
    assert "\\|" in markdown(bare(replace(FAILED, summary="a|b <i>x</i> @all")))
    assert "&lt;i&gt;" in markdown(bare(replace(FAILED, summary="a|b <i>x</i> @all")))
    assert "❌ | 1 Network forks" in words
    fenced = bare(replace(FAILED, evidence=({"node": "````", "detail": "```"},)))
    assert "\n`````text" in markdown(fenced)


def test_a_summary_never_exceeds_what_github_takes(ill: Verdict) -> None:
    rows = tuple({"node": f"node-{number}", "detail": "x" * 1000} for number in range(2000))
    huge = replace(ill, findings=tuple(replace(each, evidence=rows) for each in ill.findings))
    assert len(render(huge, "markdown").encode()) <= LIMIT_BYTES
    assert "left out" in render(huge, "markdown")
    assert "Network forks" in render(huge, "markdown")
    assert all(len(markdown(ill, limit).encode()) <= limit for limit in (200, 500, 1000, 5000))


def test_github_errors_are_one_line_each_and_no_more_than_ten(ill: Verdict) -> None:
    lines = error_lines(ill)
    assert lines[0].startswith("::error title=testnet%3A 1 Network forks::")
    many = replace(ill, findings=tuple(replace(FAILED, check=f"c{number}") for number in range(30)))
    assert len(error_lines(many)) == ERROR_LINES
    assert error_lines(many)[-1].endswith("22 more failures: see the summary")
    spoofed = error_lines(bare(replace(FAILED, summary="%0A\n::error::x")))
    assert spoofed == ["::error title=testnet%3A sync::%250A%0A::error::x"]


# --- the tree and the strip

MAIN = line(100)


def test_the_tree_counts_the_nodes_of_each_block() -> None:
    fork = [*MAIN[:97], *line(4, 98, "x", "m97")]
    twig = [*fork[:99], *line(1, 100, "y", fork[98].state_hash)]
    survey = survey_of({"a": MAIN, "b": MAIN, "c": MAIN[:99], "d": fork, "e": twig}, 101)
    found = {each.state_hash: each for each in tree_of(survey)}
    assert {name: each.nodes for name, each in found.items()} == {
        "m100": 2, "m99": 3, "m97": 5, "x101": 1, "y100": 1, "x99": 2, "m1": 5,
    }  # fmt: skip
    assert found["m97"].parent == "m1"
    assert found["m97"].blocks == 96
    assert found["x99"].parent == "m97"
    assert found["m99"].tips == ("c",)
    # The higher fork is the reference; m99 is not on it.
    assert [name for name, each in found.items() if each.reference] == ["x101", "x99", "m97", "m1"]


def test_the_tree_of_a_split_has_two_roots() -> None:
    survey = survey_of({"a": MAIN, "b": line(100, 1, "z", "other")}, 101)
    assert [each.parent for each in tree_of(survey)].count(None) == 2


def test_a_drawing_has_each_block_once_and_lines_that_meet() -> None:
    fork = [*MAIN[:97], *line(4, 98, "x", "m97")]
    drawing = draw_tree(tree_of(survey_of({"a": MAIN, "b": fork, "c": MAIN[:50]}, 101)))
    places = {(dot.x, dot.y) for dot in drawing.dots}
    assert len(places) == len(drawing.dots) == 5
    assert {(edge.to_x, edge.to_y) for edge in drawing.edges} <= places
    assert len(drawing.edges) == 4


def test_a_tree_too_large_to_draw_says_how_much_is_hidden() -> None:
    chains = {
        f"n{number}": [*MAIN[:number], *line(1, number + 1, f"x{number}-", f"m{number}")] for number in range(1, 99)
    }
    vertices = tree_of(survey_of(chains, 101))
    drawing = draw_tree(vertices)
    assert (len(drawing.dots), drawing.hidden) == (MOST_ROWS, len(vertices) - MOST_ROWS)


def test_the_strip_has_every_slot_and_leaves_those_in_flight_unjudged() -> None:
    chain = [block for block in MAIN if block.slot % 4]
    survey = survey_of({"a": chain}, 105)
    strip = strip_of(survey, CRITERIA)
    assert strip is not None
    assert (strip.first, strip.last, strip.judged_to) == (2, 105, 103)
    drawing = draw_strip(strip)
    assert len(drawing.cells) == 104
    assert [cell.kind for cell in drawing.cells[-6:]] == ["empty", "empty", "empty", "empty", "flight", "flight"]
    assert drawing.judged == 102
    assert drawing.filled == sum(2 <= block.slot <= 103 for block in chain)


# --- HTML


class _Page(HTMLParser):
    """Tags, texts by element id, and attributes of interest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes.append((tag, found))
        if "id" in found and tag not in ("table", "svg"):
            self._open = [found["id"], tag]

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[1] == tag:
            self._open = []

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[0]] = self.texts.get(self._open[0], "") + data

    def having(self, name: str) -> Iterator[dict[str, str]]:
        return (found for _, found in self.attributes if name in found)


def tags(text: str) -> list[str]:
    return _Page(text).tags


def test_the_page_needs_nothing_and_runs_nothing(ill: Verdict) -> None:
    page = _Page(render(ill, "html"))
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(page.tags)
    assert not [
        name for _, found in page.attributes for name in found if name.startswith("on") or name in ("src", "href")
    ]
    text = render(ill, "html")
    assert "prefers-color-scheme: dark" in text
    assert "url(" not in text
    assert "\u202e" not in text
    assert "{{ 7*7 }}" in text


def test_the_figures_in_a_browser_are_those_of_the_json(ill: Verdict, value: dict[str, Any], tmp_path: Path) -> None:
    write(ill, tmp_path / "report.html")
    page = _Page(chromium.dump(tmp_path / "report.html", tmp_path / "profile"))
    assert page.texts["verdict"] == value["verdict"] == "unstable"
    assert page.texts["line"] == report.last_line(ill)
    assert [each["datetime"] for each in page.having("datetime")] == [value["ended"]]
    assert {each["data-check"]: each["data-state"] for each in page.having("data-check")} == {
        each["check"]: each["state"] for each in value["checks"]
    }
    assert [(each["data-criterion"], each["data-state"]) for each in page.having("data-criterion")] == [
        (str(each["number"]), each["state"]) for each in value["criteria"]
    ]
    assert {each["data-node"] for each in page.having("data-node")} == {each["name"] for each in value["nodes"]}
    assert [each["data-seed"] for each in page.having("data-seed")] == [each["name"] for each in value["seeds"]]
    assert [int(each["data-nodes"]) for each in page.having("data-nodes")] == [each["nodes"] for each in value["tree"]]
    kinds = [each["class"].split()[1] for tag, each in page.attributes if tag == "rect"]
    strip = value["production"]
    assert len(kinds) == strip["lastSlot"] - strip["firstSlot"] + 1
    assert kinds.count("block") == len(strip["blocks"])
    judged = [each for each in strip["blocks"] if each["slot"] <= strip["judgedTo"]]
    slots = strip["judgedTo"] - strip["firstSlot"] + 1
    assert page.texts["fill"].startswith(f"{len(judged)} of {slots} finished slots have a block")
    assert "owned" not in "".join(page.texts.get("title", ""))
    assert "script" not in page.tags


def test_every_check_has_a_state_in_every_form() -> None:
    verdict = world().verify()
    for form in FORMATS:
        words = render(verdict, form)
        assert [check.name for check, _ in CHECKS if check.name not in words] == []
