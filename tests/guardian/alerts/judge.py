"""promtool as the judge: series in, names of the alerts that fire out. All cases of a test in one call."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mina_infra.guardian.alerts.rule import TIME_OFFSET_S
from mina_infra.outputs import ChainOutput, NodeOutput, OutputsDocument

TESTNET = "qa"
DAEMONS = ("seed-1", *(f"whale-{i}" for i in range(1, 8)), "snark-coordinator-1", "plain-1")
SLOT_MINUTES = 3


def outputs() -> OutputsDocument:
    """Ten daemons with all of the stake, slots of three minutes; an archive and a sender beside them."""
    roles = {"seed": "seed", "whale": "block-producer", "snark-coordinator": "snark-coordinator", "plain": "plain"}
    nodes = [
        NodeOutput(
            name=name,
            role=roles[name.rsplit("-", 1)[0]],
            group="g",
            stake=100 / 7 if name.startswith("whale") else 0,
            ports={"graphql": 3085},
        )
        for name in DAEMONS
    ]
    nodes += [NodeOutput(name="archive-1", role="archive", group="a"), NodeOutput(name="agent-1", role="user-agent", group="u")]  # fmt: skip  # noqa: E501
    return OutputsDocument(
        testnet=TESTNET, era=1, namespace=TESTNET, nodes=nodes, seeds=[], claims=[], images={"daemon": "mina"},
        chain=ChainOutput(slot_ms=180_000, k=290),
    )  # fmt: skip


def moment(age_s: float) -> str:
    """A time gauge that is always so many seconds old; promtool's clock begins in 1970."""
    return f"{-TIME_OFFSET_S - age_s:.0f}+60x900"


def flat(value: float) -> str:
    return f"{value:g}x900"


HEALTHY: Mapping[str, str] = {
    "Runtime_process_uptime_ms_total": "360000000+60000x900",
    "Transition_frontier_best_tip_block_height": "1000+0.25x900",
    "Transition_frontier_best_tip_slot_time_sec": moment(240),
    "Transition_frontier_longest_fork": flat(1),
    "Transition_frontier_empty_blocks_at_best_tip": flat(0),
    "Transition_frontier_best_tip_coinbase": flat(1),
    "Rejected_blocks_no_common_ancestor": flat(0),
    "Rejected_blocks_received_early": flat(0),
    "Rejected_blocks_invalid_proof": flat(0),
    "Network_new_state_received": "500+0.5x900",
    "Network_peers": flat(9),
    "Block_latency_gossip_slots": flat(0),
    "Transaction_pool_size": flat(7),
    "Transaction_pool_useful_transactions_received_time_sec": moment(30),
    "Snark_work_useful_snark_work_received_time_sec": moment(30),
    "Snark_work_pending_snark_work": flat(4),
    "Block_producer_slots_won": "50+0.05x900",
    "Block_producer_blocks_produced": "50+0.05x900",
}
"""Each metric of a daemon that does its work, a value a minute."""

WATCHED: Mapping[str, str] = {
    "mina_infra_last_look_timestamp_seconds": "0+60x900",
    "mina_infra_last_complete_look_timestamp_seconds": "0+60x900",
    'mina_infra_health,health="unstable"': flat(0),
    'mina_infra_criterion_state,criterion="1",state="unstable"': flat(0),
    'mina_infra_criterion_state,criterion="1",state="unknown"': flat(0),
    'mina_infra_check_state,check="forks",state="fail"': flat(0),
    'mina_infra_check_state,check="forks",state="unknown"': flat(0),
    "mina_infra_empty_slots": flat(1),
    "mina_infra_production_cusum": flat(2),
    "mina_infra_expected_stake_share": flat(1),
    "mina_infra_online_stake_share": flat(1),
    "mina_infra_fork_depth": flat(1),
    "mina_infra_split_nodes": flat(0),
    "mina_infra_nodes_expected": flat(10),
    "mina_infra_nodes_answering": flat(10),
    "mina_infra_nodes_synced": flat(10),
    "mina_infra_nodes_silent": flat(0),
    'mina_infra_messages_total,sink="chat",result="given-up"': flat(0),
}
"""Each metric of a watch that finds everything well; labels behind commas."""


@dataclass(frozen=True)
class Case:
    """What differs from a healthy network, and exactly which alerts fire for it at that minute.

    `nodes`: values of a metric for some daemons (None: no series), by `metric` for all or `metric@node,node`.
    `watched`: values of the watch's metrics; then there are no others. `more`: whole series.
    """

    why: str
    fires: tuple[str, ...] = ()
    nodes: Mapping[str, str | None] = field(default_factory=dict)
    watched: Mapping[str, str | None] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)
    minute: int = 36

    def series(self) -> dict[str, str]:
        values: dict[tuple[str, str], str | None] = {(m, n): v for m, v in HEALTHY.items() for n in DAEMONS}
        for key, value in self.nodes.items():
            metric, _, names = key.partition("@")
            assert metric in HEALTHY, metric
            values |= {(metric, name): value for name in (names.split(",") if names else DAEMONS)}
        found = {f'Coda_{m}{{testnet="{TESTNET}",app="{n}"}}': v for (m, n), v in values.items()}
        if self.watched:
            found = self._of_watch()
        values_of = {name: value for name, value in found.items() if value is not None} | dict(self.more)
        # No longer than it is looked at: promtool takes its time by the sample.
        return {name: value.replace("x900", f"x{self.minute + 1}") for name, value in values_of.items()}

    def _of_watch(self) -> dict[str, str | None]:
        assert self.watched.keys() <= WATCHED.keys()
        found = {}
        for metric, value in {**WATCHED, **self.watched}.items():
            name, _, labels = metric.partition(",")
            found[f'{name}{{testnet="{TESTNET}"{"," + labels if labels else ""}}}'] = value
        return found


FIRING = 'group by (alertname) (ALERTS{alertstate="firing"})'


def case_test(case: Case) -> dict[str, Any]:
    """A case as promtool reads it."""
    return {
        "name": case.why,
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series().items()],
        "promql_expr_test": [firing_at(f"{case.minute}m", case.fires)],
    }


def firing_at(time: str, alerts: Iterable[str], expr: str = FIRING) -> dict[str, Any]:
    """Exactly these alerts, and no other."""
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(set(alerts))]
    return {"expr": expr, "eval_time": time, "exp_samples": samples}


def judged(
    tool: Path, folder: Path, groups: Sequence[Mapping[str, Any]], tests: Sequence[Mapping[str, Any]], every: str = "3m"
) -> tuple[int, str]:
    """What promtool says of the tests: 0 when each is as expected, and its words."""
    content = {"groups": list(groups)}
    for group in groups:
        for rule in group["rules"]:
            rule.pop("annotations", None)  # they have a test of their own, and cost half of the time
    (folder / "rules.yaml").write_text(json.dumps(content))  # JSON is YAML, and written in a tenth of the time
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": every, "tests": list(tests)}
    (folder / "tests.yaml").write_text(json.dumps(document))
    command = [str(tool), "test", "rules", str(folder / "tests.yaml")]
    env = {**os.environ, "GOGC": "800"}  # a third less time: it makes garbage by the case
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, env=env)
    return done.returncode, done.stdout
