"""The page as a browser shows it says what seeds.json and the verdict say."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

from mina_infra.publish.folder import publish
from tests import chromium
from tests.guardian.fake_cluster import world


def texts(tag: str, page: str) -> list[str]:
    """What stands in each element of that kind, without the markup inside it."""
    found = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", page, re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", "", each)).strip() for each in found]


def test_the_pages_figures_in_a_browser_are_those_of_the_json(tmp_path: Path) -> None:
    here = world()
    hostile = "mina:<script>document.title='owned'</script>"
    outputs = here.outputs.model_copy(update={"images": {"daemon": hostile}})
    verdict = here.verify()
    published = publish(outputs, verdict, tmp_path / "out")
    page = chromium.dump(published.page, tmp_path / "profile", width=390, dark=True)
    seeds = json.loads((published.folder / "seeds.json").read_text())["seeds"]
    shown = texts("code", page)
    assert [each for each in shown if "/p2p/" in each] == [seed["multiaddress"] for seed in seeds]
    assert hostile in shown
    assert texts("title", page) == ["testnet: Mina testnet"]
    rows = [texts("td", row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]
    states = {row[0]: row[1] for row in rows if len(row) == 3 and row[1] in ("pass", "fail", "unknown", "not asked")}
    assert states == {each.check: str(each.state) if each.asked else "not asked" for each in verdict.findings}
    roles = {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[1].isdigit()}
    assert roles == {role: sum(node.role == role for node in outputs.nodes) for role in roles}
    assert sum(roles.values()) == len(outputs.nodes)
