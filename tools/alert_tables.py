"""Write the tables of docs/alerts.md from the rules: python -m tools.alert_tables

A test compares, so that what is documented is what is deployed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mina_infra.guardian.alerts.groups import daemon_rules, watch_metric_rules
from mina_infra.guardian.alerts.mina import RULES
from mina_infra.guardian.alerts.rule import Rule, duration
from mina_infra.outputs import ChainOutput, NodeOutput, OutputsDocument

FILE = Path(__file__).resolve().parents[1] / "docs" / "alerts.md"


def example() -> OutputsDocument:
    """Ten daemons of every role on slots of three minutes, with all of the stake."""
    daemons = ["seed", *["block-producer"] * 7, "snark-coordinator", "plain"]
    nodes = [
        NodeOutput(name=f"{role}-{number}", role=role, group=role, ports={"graphql": 3085})
        for number, role in enumerate(daemons)
    ]
    nodes += [NodeOutput(name=role, role=role, group=role) for role in ("archive", "user-agent")]
    return OutputsDocument(
        testnet="qa", era=1, namespace="qa", nodes=nodes, seeds=[], claims=[], images={"daemon": "mina"},
        chain=ChainOutput(slot_ms=180_000, k=290),
    )  # fmt: skip


def tables() -> dict[str, str]:
    """Each table of the document by its name."""
    return {
        "daemons": _rules(daemon_rules(example())),
        "watch": _rules(watch_metric_rules(example())),
        "mina": _table(
            ("Mina's rule", "Severity", "It fires when", "Replaced by", "Because"),
            (
                (f"`{each.name}`", each.alert.severity.value, each.alert.rule(), _names(each.replaced_by), each.why)
                for each in RULES
            ),
        ),
    }


def _rules(rules: Sequence[Rule]) -> str:
    return _table(
        ("Alert", "Severity", "Problem", "After", "What it says"),
        (
            (f"`{rule.name}`", rule.severity.value, f"{rule.check}: {rule.problem}", _after(rule), _plain(rule.title))
            for rule in rules
        ),
    )


def _after(rule: Rule) -> str:
    return duration(rule.lasting_s) if rule.lasting_s else "at once"


def _plain(title: str) -> str:
    """A template as its reader knows it: `{{ $labels.testnet }}: ` is said by the label itself."""
    title = title.removeprefix("{{ $labels.testnet }}: ")
    words = re.sub(r"\{\{ with .*? \}\}(.*?)\{\{ \. \}\}(.*?)\{\{ end \}\}", r"\1…\2", title)
    words = re.sub(r"\{\{ \$labels\.testnet \}\}", "the testnet", words)
    words = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"(\1)", words)
    return re.sub(r"\{\{ \$value[^}]*\}\}", "…", words)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def filled(text: str) -> str:
    """The document with its tables as they are now, between `<!-- table NAME -->` and `<!-- end -->`."""
    for name, table in tables().items():
        begin = f"<!-- table {name} -->\n"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition("<!-- end -->")
        text = f"{before}{begin}{table}<!-- end -->{after}"
    return text


if __name__ == "__main__":
    FILE.write_text(filled(FILE.read_text(encoding="utf-8")), encoding="utf-8")
