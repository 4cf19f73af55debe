"""The rules on metrics recorded from the simulated network: a healthy day is silent, each fault raises its alert."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from mina_infra.guardian.alerts.groups import daemon_rules, groups
from mina_infra.outputs import OutputsDocument
from mina_infra.simulator.cluster import SimulatedCluster
from mina_infra.simulator.deployment import outputs_of
from mina_infra.simulator.faults import FAULTS, inject, population
from mina_infra.simulator.simulated import SimulatedNetwork
from tests.guardian.alerts.judge import firing_at, judged
from tests.guardian.alerts.recorded import Recording

SCRAPE = "180s"
"""Once a slot: coarser than the rules are made for, so what they find here they find sooner in real life."""
SO_FAR = 'group by (alertname) (last_over_time(ALERTS{alertstate="firing"}[2d]))'
"""Every alert that fired at any time up to now."""

NO_RESTARTS = 'alertname!~"NodeRestarted|CrashBurst"'


@dataclass(frozen=True)
class Expected:
    """A fault, and exactly the alerts that have fired for it after so many slots."""

    fault: str
    alerts: tuple[str, ...]
    slots: float


EXPECTED = (
    Expected("total-halt", ("ChainHalted", "BlocksLost"), 16),
    Expected("half-stake-off", ("ProductionSlow",), 200),
    Expected("partition-halves", ("PeersLost",), 2),
    Expected("split-healed", ("ChainSplit",), 8),
    Expected("fork-16", ("DeepFork",), 1),
    Expected("node-deaf", ("NodeStuck",), 18),
    Expected("stuck-synced", ("NodeStuck",), 18),
    Expected("bootstrap-hang", ("NodeBootstrapHangs", "NodeRestarted"), 22),
    Expected("clock-behind-3", ("ClockSkew",), 6),
    Expected("missing-node", ("NodesWithoutMetrics",), 6),
    Expected("oom", ("NodeRestarted",), 3),
    Expected("no-transactions", ("TransactionsNotIncluded",), 12),
    Expected("no-proofs", ("NoSnarkWork",), 8),
    Expected("no-coinbase", ("CoinbaseMissing",), 8),
    Expected("won-slots-without-blocks", ("BlocksLost",), 40),
    Expected("catchup-flapper", (), 20),
    Expected("no-load", (), 20),
)
"""Harmless ones last: what looks like a fault and is none."""


def recorded(outputs: OutputsDocument, network: SimulatedNetwork) -> Recording:
    used = {name for rule in daemon_rules(outputs) for name in re.findall(r"Coda_(\w+)\{", rule.expr)}
    return Recording(network, used, outputs.testnet)


def as_test(name: str, recording: Recording, moments: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "interval": SCRAPE, "input_series": recording.series(), "promql_expr_test": list(moments)}


def a_fault(expected: Expected) -> tuple[OutputsDocument, dict[str, Any]]:
    setup = FAULTS[expected.fault].setup
    network = SimulatedNetwork(7, population(14), k=setup.k, commands_per_slot=setup.commands_per_slot)
    outputs, cluster = outputs_of(network), SimulatedCluster(network)
    recording = recorded(outputs, network)
    recording.run(24)
    before = recording.minute
    inject(cluster, expected.fault, Random(3))
    recording.run(expected.slots)
    # Some faults are other words on a command line: their daemons were started anew, which is no part of the fault.
    asked = SO_FAR if "NodeRestarted" in expected.alerts else SO_FAR.replace("ALERTS{", f"ALERTS{{{NO_RESTARTS},")
    moments = [firing_at(f"{before}m", (), SO_FAR), firing_at(f"{recording.minute}m", expected.alerts, asked)]
    return outputs, as_test(expected.fault, recording, moments)


def test_each_fault_raises_its_alert_in_time_and_no_other(tool: Path, tmp_path: Path) -> None:
    made = [a_fault(each) for each in EXPECTED]
    outputs = made[0][0]
    code, words = judged(tool, tmp_path, groups(outputs, watch=False), [test for _, test in made], every=SCRAPE)
    assert code == 0, words


def test_a_healthy_day_is_silent(tool: Path, tmp_path: Path) -> None:
    """480 slots, from the genesis on."""
    network = SimulatedNetwork(2, population(14))
    outputs = outputs_of(network)
    recording = recorded(outputs, network)
    recording.run(480)
    test = as_test("a day", recording, [firing_at(f"{recording.minute}m", (), SO_FAR)])
    code, words = judged(tool, tmp_path, groups(outputs, watch=False), [test], every=SCRAPE)
    assert code == 0, words


def test_a_whole_deployment_and_a_restart_of_everything_are_silent(tool: Path, tmp_path: Path) -> None:
    network = SimulatedNetwork(5, population(14))
    outputs = outputs_of(network)
    recording = recorded(outputs, network)
    recording.run(30)
    for name in network.names:
        network.restart(name)
    recording.run(30)
    test = as_test("an upgrade", recording, [firing_at(f"{recording.minute}m", (), SO_FAR)])
    code, words = judged(tool, tmp_path, groups(outputs, watch=False), [test], every=SCRAPE)
    assert code == 0, words
