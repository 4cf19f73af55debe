"""The page about one testnet: a single HTML file that needs nothing else, in the reader's light or dark. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from mina_infra.guardian.checks import CHECKS
from mina_infra.guardian.findings import State
from mina_infra.guardian.verdict import Verdict
from mina_infra.outputs import OutputsDocument
from mina_infra.publish.seeds import Seed

_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1b1f27; --soft: #5b6270; --line: #d5d8de;
  --panel: #f5f6f8; --good: #0a7a3d; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ground: #14171c; --ink: #e8eaef; --soft: #a3abba; --line: #3a3f4a;
  --panel: #1c2027; --good: #4cc98a; --bad: #ff8a80 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 64rem; padding: 2rem 1rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { margin: 0; font-size: 1.75rem } h2 { margin: 2rem 0 .5rem; font-size: 1.15rem }
.state { font-weight: 600 } .good { color: var(--good) } .bad { color: var(--bad) } .soft { color: var(--soft) }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
th { color: var(--soft); font-weight: 500; font-size: .875rem } td.number { font-variant-numeric: tabular-nums }
code, pre { font: .875rem/1.5 ui-monospace, monospace } td code, td:first-child { white-space: nowrap }
pre { overflow-x: auto; padding: .75rem 1rem; border-radius: .375rem; background: var(--panel) }
"""

_TIME = re.compile(r'<time id="since" datetime="([^"]+)">')


def render(outputs: OutputsDocument, seeds: Sequence[Seed], verdict: Verdict, since: datetime) -> str:
    """The page. `since`: the moment from which on it has said just this."""
    mood = "good" if verdict.healthy else "bad"
    moment = f"{since:%Y-%m-%d %H:%M:%S} UTC"
    asked = [finding for finding in verdict.findings if finding.asked]
    passed = sum(finding.state is State.PASS for finding in asked)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(outputs.testnet)}: Mina testnet</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(outputs.testnet)}</h1>
<p><span class="state {mood}" id="verdict">{escape(str(verdict.health))}</span>
<span class="soft">{passed} of {len(asked)} checks passed; so since
<time id="since" datetime="{since.isoformat()}">{moment}</time></span></p>
<h2>Seeds</h2>
{_table(("Name", "Multiaddress"), _seed_rows(seeds))}
<p>A node joins with the list beside this page:</p>
<pre>mina daemon --peer-list-file peers.txt</pre>
<h2>Nodes</h2>
{_table(("Role", "Nodes", "Daemons that answer"), _role_rows(outputs, verdict))}
<h2>Checks</h2>
{_table(("Check", "State", "What it is for"), _check_rows(verdict))}
<h2>Network</h2>
{_table(("", ""), _network_rows(outputs))}
<p class="soft">Data: <a href="seeds.json">seeds.json</a>, <a href="peers.txt">peers.txt</a></p>
</body>
</html>
"""


def since_of(page: str) -> datetime | None:
    """The moment that a rendered page names; None for a file that is not such a page."""
    found = _TIME.search(page)
    try:
        return datetime.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already."""
    lines = ['<div class="scroll"><table>']
    if any(head):
        lines.append("<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>")
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table></div>"])


def _seed_rows(seeds: Sequence[Seed]) -> Iterable[Sequence[str]]:
    for seed in seeds:
        yield escape(seed.name), f"<code>{escape(str(seed.multiaddress))}</code>"


def _role_rows(outputs: OutputsDocument, verdict: Verdict) -> Iterable[Sequence[str]]:
    for role in dict.fromkeys(node.role for node in outputs.nodes):
        nodes = [node for node in verdict.nodes if node.role == role]
        daemons = [node for node in nodes if node.daemon]
        answering = sum(node.status is not None for node in daemons)
        yield escape(role), str(len(nodes)), f"{answering} of {len(daemons)}" if daemons else "none expected"


def _check_rows(verdict: Verdict) -> Iterable[Sequence[str]]:
    purpose = {check.name: check.runbook for check, _ in CHECKS}
    for finding in verdict.findings:
        mood = "good" if finding.state is State.PASS else "bad" if finding.asked else "soft"
        state = f'<span class="{mood}">{escape(finding.state if finding.asked else "not asked")}</span>'
        yield escape(finding.check), state, escape(purpose.get(finding.check, ""))


def _network_rows(outputs: OutputsDocument) -> Iterable[Sequence[str]]:
    yield "Era", str(outputs.era)
    yield "Slot", f"{outputs.chain.slot_ms / 1000:g} s"
    yield "Finality (k)", f"{outputs.chain.k} blocks"
    for purpose, image in sorted(outputs.images.items()):
        yield f"Image: {escape(purpose)}", f"<code>{escape(image)}</code>"
