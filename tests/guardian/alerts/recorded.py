"""What Prometheus would have scraped from a simulated network, as promtool's input series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from mina_infra.simulator import metrics
from mina_infra.simulator.simulated import SimulatedNetwork
from mina_infra.simulator.view import View


@cache
def simulated_names() -> frozenset[str]:
    """The metrics of a simulated daemon, as they are called outside."""
    network = SimulatedNetwork(seed=1)
    view = View(network.network, network.network.nodes["whale-1"])
    return frozenset(f"Coda_{name}" for name in (*metrics.gauges(view), *metrics.counters(view)))


class Recording:
    """Samples at every scrape. Virtual time starts at 0, as promtool's clock does."""

    def __init__(self, network: SimulatedNetwork, names: Iterable[str], testnet: str, scrape_s: int = 180) -> None:
        self.network, self.names, self.testnet, self.scrape_s = network, frozenset(names), testnet, scrape_s
        self.began_ms = network.now_ms
        self.values: dict[tuple[str, str], list[str]] = {}
        self.count = 0
        self._scrape()

    def run(self, slots: float) -> None:
        """Let slots pass, and scrape."""
        end = self.network.now_ms + slots * self.network.constants.slot_ms
        while self.network.now_ms < end - 1:
            self.network.run(slots=1000 * self.scrape_s / self.network.constants.slot_ms)
            self._scrape()

    @property
    def minute(self) -> int:
        """Now, in promtool's time."""
        return round((self.count - 1) * self.scrape_s / 60)

    def _scrape(self) -> None:
        for name in self.network.running:
            for metric, value in self._of(name).items():
                samples = self.values.setdefault((metric, name), [])
                samples += ["_"] * (self.count - len(samples))
                samples.append(f"{value:.12g}" if value == value else "NaN")
        self.count += 1

    def _of(self, name: str) -> Mapping[str, float]:
        view = View(self.network.network, self.network.network.nodes[name])
        found = {**metrics.gauges(view), **metrics.counters(view)}
        shift = self.began_ms / 1000
        return {
            metric: value - shift if metric.endswith("_time_sec") else value
            for metric, value in found.items()
            if metric in self.names
        }

    def series(self) -> list[dict[str, str]]:
        """As promtool reads them; a node that is down has no samples."""
        return [
            {"series": f'Coda_{metric}{{testnet="{self.testnet}",app="{name}"}}', "values": " ".join(samples)}
            for (metric, name), samples in self.values.items()
        ]
