"""The rules on the watch, on what a real watch exports of the simulated network: names, labels and states agree."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mina_infra.guardian.alerts.groups import groups
from mina_infra.guardian.watch.exporter import Exported
from mina_infra.guardian.watch.history import History
from mina_infra.guardian.watch.watcher import Looked
from tests.guardian.alerts.judge import firing_at, judged
from tests.guardian.fake_cluster import SimulatedClock
from tests.guardian.watch.watching import IDENTITY, Watching, watching

SLOT_S = 180
SO_FAR = 'group by (alertname) (last_over_time(ALERTS{alertstate="firing"}[2d]))'
LINE = re.compile(r"^(mina_infra_\w+\{.*\}) (\S+)$", re.MULTILINE)


@dataclass
class Scraped:
    """The page of a watch, read after each look; one look for each slot."""

    here: Watching
    exported: Exported = field(init=False)
    values: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0
    began_s: float = 0.0

    def __post_init__(self) -> None:
        self.exported = Exported("testnet", SimulatedClock(self.here.here.network))

    def watch(self, slots: float) -> None:
        self.began_s = self.began_s or self.here.now
        with History.open(self.here.file, IDENTITY) as history:
            watcher = self.here.watcher(history)
            watcher.on_look = self._take
            asyncio.run(watcher.run(until=self.here.now + slots * SLOT_S))

    def _take(self, looked: Looked) -> None:
        self.exported.take(looked)
        for series, value in LINE.findall(self.exported.text()):
            shift = self.began_s if "timestamp" in series else 0.0
            samples = self.values.setdefault(series, [])
            samples += ["_"] * (self.count - len(samples))
            samples.append(f"{float(value) - shift:.12g}")
        self.count += 1

    def test(self, moments: dict[int, tuple[str, ...]]) -> dict[str, Any]:
        series = [{"series": name, "values": " ".join(samples)} for name, samples in self.values.items()]
        asked = [firing_at(f"{look * 3}m", alerts, SO_FAR) for look, alerts in moments.items()]
        return {"interval": "3m", "input_series": series, "promql_expr_test": asked}


def verdict(tool: Path, folder: Path, scraped: Scraped, moments: dict[int, tuple[str, ...]]) -> None:
    rules = [group for group in groups(scraped.here.here.outputs) if group["name"].endswith("-watch")]
    code, words = judged(tool, folder, rules, [scraped.test(moments)], every="3m")
    assert code == 0, words


def test_a_halt_is_carried_on_and_before_it_nothing_is(tool: Path, tmp_path: Path) -> None:
    scraped = Scraped(watching(tmp_path, slots=30, poll_s=SLOT_S))
    scraped.watch(20)
    quiet = scraped.count - 1
    for name in [name for name in scraped.here.here.network.names if name.startswith(("whale", "fish"))]:
        scraped.here.here.network.crash(name)
    scraped.watch(16)
    found = ("CheckFailed", "NodesSilent", "StakeOffline", "TestnetUnstable", "WatchSeesDecay", "WatchSeesHalt")
    verdict(tool, tmp_path, scraped, {quiet: (), scraped.count - 1: found})


def test_a_watch_that_ends_is_noticed(tool: Path, tmp_path: Path) -> None:
    scraped = Scraped(watching(tmp_path, slots=30, poll_s=SLOT_S))
    scraped.watch(8)
    verdict(tool, tmp_path, scraped, {scraped.count - 1: (), scraped.count + 7: ("WatchSilent",)})
