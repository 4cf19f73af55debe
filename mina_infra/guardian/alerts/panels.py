"""What the dashboard shows, as data: rows of panels, each with its queries.

`tools/dashboard.py` makes Grafana's JSON of it with the official SDK; the result is kept as `dashboard.json`, so nobody
who uses it needs the SDK. Queries select by the variables of the dashboard, `$testnet` and `$role`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mina_infra.guardian.alerts import daemons, work
from mina_infra.guardian.alerts.daemons import DENSITY_WINDOW
from mina_infra.guardian.alerts.rule import PREFIX, TIME_OFFSET_S
from mina_infra.guardian.watch import metrics as watch

FILE = Path(__file__).with_name("dashboard.json")
_T = 'testnet="$testnet"'
_ROLES = f'{_T},role=~"$role"'


@dataclass(frozen=True)
class Panel:
    """One panel. `queries`: PromQL by legend. `unit` in Grafana's words. `kind`: lines, one number, or a table."""

    title: str
    about: str
    queries: Mapping[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8


def content(prefix: str = PREFIX) -> str:
    """The dashboard for daemons whose metrics have that prefix."""
    return FILE.read_text(encoding="utf-8").replace(f"{PREFIX}_", f"{prefix}_")


def _coda(name: str, where: str = _T) -> str:
    return f"{PREFIX}_{name}{{{where}}}"


def _watch(metric: watch.Metric, more: str = "") -> str:
    return f"{metric.name}{{{_T}{more}}}"


def _top(name: str) -> str:
    return f"max by (testnet) ({_coda(name)})"


def _node(name: str) -> str:
    return f"max by (app) ({_coda(name, _ROLES)})"


def _age(name: str) -> str:
    return f"time() - {TIME_OFFSET_S} - {_top(name)}"


def _spread(inner: str) -> dict[str, str]:
    return {"least": f"min({inner})", "median": f"quantile(0.5, {inner})", "most": f"max({inner})"}


_PRODUCTION = (
    Panel("Health", "The verdict of the last look of mina-infra watch.",
          {"{{health}}": f"{_watch(watch.HEALTH)} == 1"}, kind="stat", width=4),
    Panel("Best height", "The highest best tip of all daemons.",
          {"height": _top(daemons.HEIGHT)}, kind="stat", width=4),
    Panel("Age of the best tip", "Since the slot of the newest block of all daemons.",
          {"age": _age(daemons.TIP_TIME)}, unit="s", kind="stat", width=4),
    Panel("Filled slots", "Share of the last slots that have a block, and what is due at the stake that should run.",
          {"filled": _watch(watch.FILLED_SHARE), "due": _watch(watch.EXPECTED_FILL)}, unit="percentunit", width=6),
    Panel("Stake that is online", "By its producers' answers, by the filled slots, and what should be.",
          {"able": _watch(watch.ONLINE_STAKE), "by blocks": _watch(watch.ACTIVE_STAKE),
           "due": _watch(watch.EXPECTED_STAKE)}, unit="percentunit", width=6),
    Panel("Blocks an hour", "Growth of the best height, by the daemons.",
          {"blocks": f"{_top(daemons.HEIGHT)} - max by (testnet) ({_coda(daemons.HEIGHT)} offset 1h)"}),
    Panel("Empty slots in a row", "Finished slots since the newest block.", {"slots": _watch(watch.EMPTY_SLOTS)}),
    Panel("Cumulative sum of production", "At 7 half of the stake is off, or chance of once a month.",
          {"sum": _watch(watch.CUSUM)}),
    Panel("Blocks of each producer", "Produced in the last hour; won and not made beside it.",
          {"{{app}}": f"sum by (app) (increase({_coda(work.PRODUCED, _ROLES)}[1h])) > 0",
           "{{app}} lost": f"sum by (app) (increase({_coda(work.WON, _ROLES)}[1h]))"
                           f" - sum by (app) (increase({_coda(work.PRODUCED, _ROLES)}[1h])) > 0.5"}, width=16),
    Panel("Least window density", f"Of {DENSITY_WINDOW} slots, since genesis: it never rises again.",
          {"density": f"min({_coda('Transition_frontier_min_window_density')})"}),
)  # fmt: skip

_REASONS = ("no_common_ancestor", "worse_than_root", "invalid_proof", "received_late", "received_early")

_SYNC = (
    Panel("Daemons", "Expected, answering, at the tip.",
          {"expected": _watch(watch.NODES_EXPECTED), "answering": _watch(watch.NODES_ANSWERING),
           "at the tip": _watch(watch.NODES_SYNCED), "with metrics": f"count({_node(daemons.UPTIME)})"}),
    Panel("Blocks behind the best tip", "Of each node; a node that bootstraps is far behind.",
          {"{{app}}": f"scalar({_top(daemons.HEIGHT)}) - {_node(daemons.HEIGHT)} > 1"}),
    Panel("Uptime", "Time since each daemon started.", {"{{app}}": f"{_node(daemons.UPTIME)} / 1000"}, unit="s"),
    Panel("Restarts in an hour", "Of each node's daemon.",
          {"{{app}}": f"max by (app) (resets({_coda(daemons.UPTIME, _ROLES)}[1h])) > 0"}),
    Panel("Bootstrap time", "Of the last bootstrap of each daemon.",
          {"{{app}}": f"{_node('Bootstrap_bootstrap_time_ms')} / 1000"}, unit="s"),
    Panel("Blocks refused", "By reason, in an hour, at the node that refuses most.",
          {reason: f"max(increase({_coda(f'Rejected_blocks_{reason}')}[1h]))" for reason in _REASONS}),
)  # fmt: skip

_FORKS = (
    Panel("Deepest fork", "In blocks, as the watch sees it from all nodes.", {"depth": _watch(watch.FORK_DEPTH)}),
    Panel("Nodes on other branches", "Two blocks or more away, and without any common block.",
          {"forked": _watch(watch.NODES_FORKED), "split off": _watch(watch.SPLIT_NODES)}),
    Panel("Longest branch in a frontier", "It stays for k blocks, also after the fork is over.",
          _spread(_node(daemons.LONGEST_FORK))),
)  # fmt: skip

_GOSSIP = (
    Panel("Peers", "Least, median and most of all nodes.", _spread(_node(daemons.PEERS))),
    Panel("Blocks received an hour", "Least, median and most of all nodes.",
          _spread(f"max by (app) (increase({_coda(daemons.RECEIVED, _ROLES)}[1h]))")),
    Panel("Gossip delay", "Slots between that of a block and its arrival, a mean of 20 slots.",
          _spread(_node(daemons.GOSSIP_SLOTS))),
)  # fmt: skip

_ADDED = f"max by (app) (rate({_coda('Transaction_pool_transactions_added_to_pool')}[30m]))"

_TRANSACTIONS = (
    Panel("Transaction pool", "Commands that wait, least, median and most of all nodes.", _spread(_node(work.POOL))),
    Panel("Transactions a second", "In the newest blocks now, and as they became final: k blocks late.",
          {"added to the pools": f"quantile(0.5, {_ADDED})",
           "final": f"quantile(0.5, {_node('Transition_frontier_tps_30min')})"}),
    Panel("Commands in the newest block", "And how many of the newest blocks are empty.",
          {"commands": f"quantile(0.5, {_node('Transition_frontier_best_tip_user_txns')})",
           "empty blocks": f"quantile(0.5, {_node(work.EMPTY)})"}),
    Panel("Pending snark work", "Bundles that nobody has proved yet; the pool of finished ones beside it.",
          {"pending": f"quantile(0.5, {_node(work.PENDING_WORK)})",
           "finished": f"quantile(0.5, {_node('Snark_work_snark_pool_size')})"}),
    Panel("Age of the newest snark work", "Since any node received useful work.",
          {"age": _age(work.USEFUL_WORK)}, unit="s"),
    Panel("Work bought in a block", "And what the scan state still needs.",
          {"bought": f"quantile(0.5, {_node('Scan_state_purchased_snark_work_per_block')})",
           "required": f"quantile(0.5, {_node('Scan_state_snark_work_required')})"}),
)  # fmt: skip

_USED = 'kubelet_volume_stats_used_bytes{namespace="$testnet"}'
_CAPACITY = 'kubelet_volume_stats_capacity_bytes{namespace="$testnet"}'
_REQUESTED = 'kube_persistentvolumeclaim_resource_requests_storage_bytes{namespace="$testnet"}'

_VOLUMES = (
    Panel("Volumes, share in use", "Of the claims of the testnet's namespace.",
          {"{{persistentvolumeclaim}}": f"max by (persistentvolumeclaim) ({_USED} / {_CAPACITY})"},
          unit="percentunit", width=12),
    Panel("Volumes, bytes in use", "All claims of the namespace, and what they asked for.",
          {"in use": f"sum({_USED})", "requested": f"sum({_REQUESTED})"},
          unit="bytes", width=12),
)  # fmt: skip

_ILL, _UNSTABLE = ',state=~"fail|unknown"', ',state="unstable"'

_INCIDENTS = (
    Panel("Open incidents", "Of mina-infra watch, by severity.", {"{{severity}}": _watch(watch.INCIDENTS_OPEN)}),
    Panel("Checks that do not pass", "Failed, or could not tell.",
          {"{{check}} {{state}}": f"{_watch(watch.CHECK_STATE, _ILL)} == 1"}),
    Panel("Criteria that are unstable", "Of the runbook's eight.",
          {"{{criterion}}": f"{_watch(watch.CRITERION_STATE, _UNSTABLE)} == 1"}),
    Panel("Nodes with a problem", "As the checks name them.", {"{{check}} {{problem}}": _watch(watch.PROBLEM_NODES)}),
    Panel("Alerts", "Those that fire now.",
          {"{{alertname}}": f'ALERTS{{{_T},alertstate="firing"}}'}, kind="table", width=16),
    Panel("Since the last look", "Of mina-infra watch, and how long it took.",
          {"ago": f"time() - {_watch(watch.LAST_LOOK)}", "took": _watch(watch.LOOK_DURATION)}, unit="s"),
)  # fmt: skip

ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    ("Production", _PRODUCTION), ("Sync", _SYNC), ("Forks", _FORKS), ("Peers and gossip", _GOSSIP),
    ("Transactions and snark work", _TRANSACTIONS), ("Volumes", _VOLUMES), ("Incidents", _INCIDENTS),
)  # fmt: skip
