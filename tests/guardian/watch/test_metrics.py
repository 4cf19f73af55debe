"""The exported text is what Prometheus reads: promtool lints it, and names stay within their namespace."""

from __future__ import annotations

import re
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from mina_infra.guardian.watch.metrics import CHECK_STATE, METRICS, Kind, Sample, render
from tests.promtool import ensure_promtool


def everything() -> str:
    samples = [Sample(metric, 0.5, tuple("x" for _ in metric.labels)) for metric in METRICS]
    return render(samples, {"testnet": "qa"})


def test_promtool_has_nothing_to_say_against_the_text() -> None:
    promtool = ensure_promtool(lambda line: None)
    told = subprocess.run([promtool, "check", "metrics"], input=everything(), capture_output=True, text=True)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_every_metric_has_one_name_in_our_namespace() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"mina_infra_[a-z_]+", name) for name in names)
    assert all(metric.name.endswith("_total") == (metric.kind is Kind.COUNTER) for metric in METRICS)


@given(st.text())
def test_no_label_breaks_its_line(value: str) -> None:
    text = render([Sample(CHECK_STATE, 1, (value, "pass"))], {"testnet": "qa"})
    assert [line for line in text.split("\n") if line and not line.startswith("#")] == [text.split("\n")[2]]
    assert 'state="pass"' in text
    assert text.endswith("} 1.0\n")
