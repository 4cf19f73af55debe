"""Mina's own alert table as data: 23 critical alerts and 14 warnings (docs/facts.md: guardian/mina-alerts).

Each says when it fires and which check of ours asks the same question. `check` is None where nothing here looks: the
block bucket and the archive's gaps have their own alarms. Values are in the unit of the alert; 2, 8 and 15 slots were
written as 6, 24 and 45 minutes at 3 minutes a slot, so that they hold on fast networks alike.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq,
}  # fmt: skip


class Severity(StrEnum):
    """As Mina routed them: critical ones to a pager, warnings to a chat."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True)
class Alert:
    """It fires when `quantity` is `sign` `limit`, in `unit`."""

    name: str
    severity: Severity
    quantity: str
    sign: str
    limit: float
    unit: str
    check: str | None

    def fires(self, value: float) -> bool:
        """Whether that value raises the alert."""
        return _OPERATORS[self.sign](value, self.limit)

    def rule(self) -> str:
        """`fork length >= 16 blocks`."""
        return f"{self.quantity} {self.sign} {self.limit:g} {self.unit}"


def _alerts() -> tuple[Alert, ...]:
    critical, warning = Severity.CRITICAL, Severity.WARNING
    return (
        Alert("WatchdogClusterCrashes", critical, "restarted containers", ">", 0.5, "of all", "crashes"),
        Alert("MultipleNodeRestarted", critical, "nodes up for less than 10 minutes", ">", 2, "nodes", "crashes"),
        Alert("HighDisconnectedBlocksPerHour", critical, "blocks without common ancestor", ">", 3, "an hour", "forks"),
        Alert("HighOldBlocksPerHour", critical, "blocks worse than the root", ">", 5, "an hour", "forks"),
        Alert("HighInvalidProofPerHour", critical, "blocks with an invalid proof", ">", 3, "an hour", "provers"),
        Alert("WatchdogNoNewLogs", critical, "pods without a log line for an hour", ">", 0, "pods", "answers"),
        Alert("SeedListDown", critical, "seeds that can be reached", "==", 0, "of all", "seeds"),
        Alert("BlockStorageBucketNoNewBlocks", critical, "age of the newest block stored", ">=", 1800, "s", None),
        Alert("ProverErrors", critical, "prover errors", ">", 0, "errors", "provers"),
        Alert("NodesNotSynced", critical, "synced nodes", "<=", 0.5, "of all", "sync"),
        Alert("NodesOutOfSync", critical, "synced nodes near the tip", "<", 0.6, "of all", "sync"),
        Alert("O1NodesOutOfSync", critical, "growth of the greatest height", "<", 1, "blocks an hour", "production"),
        Alert("LowPeerCount", critical, "fewest peers of a node", "<", 3, "peers", "answers"),
        Alert("CriticallyLowMinWindowDensity", critical, "minimum window density", "<=", 30, "of 77", "production"),
        Alert("LowFillRate", critical, "filled slots", "<", 0.5625, "of all", "production"),
        Alert("NoTransactionsInSeveralBlocks", critical, "empty blocks at the tip", ">=", 5, "blocks", "inclusion"),
        Alert("NoCoinbaseInBlocks", critical, "blocks at the tip with a coinbase", "<", 1, "blocks", "inclusion"),
        Alert("LongFork", critical, "fork length", ">=", 16, "blocks", "forks"),
        Alert("OldBestTip", critical, "age of the freshest best tip", ">=", 15, "slots", "production"),
        Alert("NoNewSnarks", critical, "no new snark work while some is pending", ">=", 2, "slots", "gossip"),
        Alert("NoNewTransactions", critical, "no new transaction in any pool", ">=", 2, "slots", "gossip"),
        Alert("HighUnparentedBlockCount", critical, "blocks without parent in the archive", ">", 30, "blocks", None),
        Alert("HighMissingBlockCount", critical, "blocks missing in the archive", ">", 30, "blocks", None),
        Alert("HighBlockGossipLatency", warning, "gossip time of blocks", ">", 200, "ms", "gossip"),
        Alert("SomewhatOldBestTip", warning, "age of the second freshest best tip", ">=", 8, "slots", "production"),
        Alert("MediumFork", warning, "fork length", ">=", 8, "blocks", "forks"),
        Alert("NoTransactionsInAtLeastOneBlock", warning, "empty blocks at the tip", ">=", 1, "blocks", "inclusion"),
        Alert("LowMinWindowDensity", warning, "minimum window density", "<=", 35, "of 77", "production"),
        Alert("SeedListDegraded", warning, "seeds that can be reached", "<=", 0.5, "of all", "seeds"),
        Alert("FewBlocksPerHour", warning, "growth of the greatest height", "<", 1, "blocks in 30 min", "production"),
        Alert("LowDisconnectedBlocksPerHour", warning, "blocks without common ancestor", ">", 0, "an hour", "forks"),
        Alert("LowOldBlocksPerHour", warning, "blocks worse than the root", ">", 0, "an hour", "forks"),
        Alert("LowInvalidProofPerHour", warning, "blocks with an invalid proof", ">", 0, "an hour", "provers"),
        Alert("LowPostgresBlockHeightGrowth", warning, "growth of the archive", "<", 1, "blocks an hour", None),
        Alert("NodeRestarted", warning, "nodes up for less than 6 minutes", ">", 0, "nodes", "crashes"),
        Alert("UnparentedBlocksObserved", warning, "blocks without parent in the archive", ">", 1, "blocks", None),
        Alert("MissingBlocksObserved", warning, "blocks missing in the archive", ">", 0, "blocks", None),
    )


ALERTS: Mapping[str, Alert] = {alert.name: alert for alert in _alerts()}
