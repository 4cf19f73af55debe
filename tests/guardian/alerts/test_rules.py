"""The rules made from the criteria, judged by promtool: exactly which alerts fire, and which come near."""

from __future__ import annotations

from pathlib import Path

import yaml

from mina_infra.guardian.alerts.groups import daemon_rules, groups, watch_metric_rules
from tests.guardian.alerts.cases import CASES
from tests.guardian.alerts.judge import case_test, judged, outputs


def test_each_rule_fires_when_it_should_and_no_other_does(tool: Path, tmp_path: Path) -> None:
    code, words = judged(tool, tmp_path, groups(outputs()), [case_test(case) for case in CASES])
    assert code == 0, words
