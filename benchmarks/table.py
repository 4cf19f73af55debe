"""The rows of the benchmark, as a table for people and as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audit import Request
from measuring import COMMAND, ENGINE, PROVIDER, Measured

OUR_STEPS = ("up", "up again", "one node more", "destroy")
COMPARED = {  # our step and its milestone, kubectl's
    "deploy until objects are there": (("up", "objects deployed"), ("kubectl apply", "objects deployed")),
    "deploy until all pods run": (("up", "all pods run"), ("kubectl apply", "all pods run")),
    "again, nothing changed": (("up again", "nothing to change"), ("kubectl apply again", "nothing to change")),
    "remove until nothing is left": (("destroy", "nothing is left"), ("kubectl delete", "nothing is left")),
}


@dataclass
class Row:
    """One step: what was measured of its command, and when it had reached what (seconds since its start)."""

    name: str
    measured: Measured
    cluster_cpu: float
    milestones: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, milestone: str, seconds: float) -> None:
        self.milestones[milestone] = seconds

    def note(self, name: str, text: str) -> None:
        self.notes[name] = text

    def requests(self, everything: Sequence[Request]) -> Counter[str]:
        """By verb, those of the step's own programs; of all programs for a step that has none."""
        mine = [each for each in everything if self._sent(each)]
        return Counter(each.verb for each in mine if self.measured.began <= each.at < self.measured.ended)

    def _sent(self, request: Request) -> bool:
        if self.name in OUR_STEPS:
            return request.ours
        return request.kubectl if self.name.startswith("kubectl") else True


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """Our time for a thing divided by kubectl's."""
    found = {(row.name, name): seconds for row in rows for name, seconds in row.milestones.items()}
    return {name: found[ours] / found[theirs] for name, (ours, theirs) in COMPARED.items()}


def as_data(rows: Sequence[Row], requests: Sequence[Request], nodes: int) -> dict[str, Any]:
    """Everything that the table says, for machines. Seconds, MiB, requests for each node."""
    steps = [
        {
            "step": row.name,
            "seconds": round(row.measured.seconds, 2),
            "milestones": {name: round(seconds, 2) for name, seconds in row.milestones.items()},
            "cpuSeconds": round(row.measured.cpu, 2),
            "clusterCpuSeconds": round(row.cluster_cpu, 2),
            "peakMiB": {part: round(mib) for part, mib in row.measured.peaks.items()},
            "longestSilence": round(row.measured.silence, 2) if row.name in OUR_STEPS else None,
            "requestsPerNode": {verb: round(n / nodes, 2) for verb, n in sorted(row.requests(requests).items())},
            "notes": row.notes,
        }
        for row in rows
    ]
    return {"nodes": nodes, "steps": steps, "ratioToKubectl": {k: round(v, 2) for k, v in ratios(rows).items()}}


def as_text(data: Mapping[str, Any]) -> str:
    """The table of one size."""
    lines = [f"{data['nodes']} nodes (cluster started in {data['clusterStartSeconds']} s)", _HEAD]
    for step in data["steps"]:
        lines.append(_line(step))
        lines += [f"  {name:<22} {seconds:>7.1f}" for name, seconds in step["milestones"].items()]
    lines += ["", "requests to the API server for each node, by verb"]
    lines += [f"  {step['step']:<22} {_verbs(step['requestsPerNode'])}" for step in data["steps"]]
    lines += ["", "time compared with kubectl for the same manifests (below 1: faster)"]
    lines += [f"  {name:<32} {ratio:.2f}" for name, ratio in data["ratioToKubectl"].items()]
    lines += [""]
    lines += [f"{name} ({step['step']}): {text}" for step in data["steps"] for name, text in step["notes"].items()]
    peaks = ", ".join(f"{name} {mib}" for name, mib in data["clusterPeakMiB"].items())
    return "\n".join([*lines, f"peak memory of the cluster's processes, MiB: {peaks}"])


_HEAD = (
    f"{'':<24} {'seconds':>7} {'cpu s':>7} {'cluster':>8} {'requests':>9} {'engine':>7} {'provider':>9} {'command':>8}"
    f" {'longest':>8}\n{'':<24} {'':>7} {'ours':>7} {'cpu s':>8} {'per node':>9} {'MiB':>7} {'MiB':>9} {'MiB':>8}"
    f" {'silence':>8}"
)


def _line(step: Mapping[str, Any]) -> str:
    peaks, silence = step["peakMiB"], step["longestSilence"]
    memory = [f"{peaks[part]:.0f}" if part in peaks else "-" for part in (ENGINE, PROVIDER, COMMAND)]
    return (
        f"{step['step']:<24} {step['seconds']:>7.1f} {step['cpuSeconds']:>7.1f} {step['clusterCpuSeconds']:>8.1f}"
        f" {sum(step['requestsPerNode'].values()):>9.1f} {memory[0]:>7} {memory[1]:>9} {memory[2]:>8}"
        f" {'-' if silence is None else f'{silence:.1f} s':>8}"
    )


def _verbs(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{verb} {count:g}" for verb, count in sorted(counts.items(), key=lambda item: -item[1])) or "none"
