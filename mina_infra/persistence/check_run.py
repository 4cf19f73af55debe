"""A check of the nodes' state, step by step: stop the nodes, let their Jobs look, start the nodes again.

What an interrupted check left is what the next ordinary run of the engine takes away: no plan but that of a check holds
Jobs or stops nodes for them. A check that is started again before that goes on with the same marks.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from mina_infra.cluster.api import KubeApi
from mina_infra.errors import EngineError, MinaInfraError
from mina_infra.outputs import OutputsDocument
from mina_infra.persistence import job_results
from mina_infra.persistence.check_state import (
    Asked,
    JobResult,
    NodeCheck,
    NodeRecord,
    Record,
    State,
    digests,
    judge_setup,
    judge_verify,
    read_record,
)
from mina_infra.plan import TestnetPlan, jobs, timeouts
from mina_infra.spec.job_run import JobRun, Phase
from mina_infra.storage.volumes import Volumes

R = TypeVar("R")

FOREIGN = "a script of one's own does not run on the embedded cluster, where no container runs; try it on a real one"


class Deployment(Protocol):
    """What a check needs of the deployed testnet; whoever calls it runs the engine."""

    def up(self, paused: frozenset[str], run: JobRun | None) -> None:
        """One run of the engine. Raises EngineError, also when a Job fails."""

    def settle(self, paused: frozenset[str]) -> None:
        """Until every node runs that neither the document nor `paused` stops."""

    def ask(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        """One question to the cluster."""

    def tell(self, label: str, text: str) -> None:
        """A finished line for whoever waits."""

    def update(self, text: str) -> None:
        """What is being waited for."""


@dataclass
class Check:
    """One half of a check. `folder` keeps the record and the Jobs' logs; `runs_scripts`: whether containers run."""

    plan: TestnetPlan
    outputs: OutputsDocument
    deployment: Deployment
    folder: Path
    runs_scripts: bool
    deadline_s: float
    phase: Phase = "setup"
    problem: EngineError | None = field(default=None, init=False)
    """Why the engine was not content with the Jobs."""

    @property
    def record_file(self) -> Path:
        return self.folder / "record.json"

    def asked(self) -> dict[str, Asked]:
        """The nodes whose group asks for Jobs. Raises EngineError when there are none."""
        volumes, members = Volumes(self.plan.spec), jobs.members(self.plan.spec)
        daemons = {node.name for node in self.outputs.daemons()}
        found = {
            node: Asked(
                node, tuple(each.kind.value for each in volumes.own(group, node)), members[node], node in daemons
            )
            for group in self.plan.spec.nodes
            for node in group.node_names()
            if node in members
        }
        if not found:
            raise EngineError(
                f"no group of testnet '{self.plan.spec.name}' asks for Jobs. Add `jobs: {{}}` to those whose state is "
                "to be checked; it means the built-in pair, which writes markers and finds them again."
            )
        return found

    def before(self) -> tuple[Record, list[NodeCheck]]:
        """Note heights and write markers; the record for `after`."""
        self.phase = "setup"
        asked = self.asked()
        record = self._begin(self._able(asked))
        results = self._look(record, asked)
        written = digests(results)
        nodes = {
            node: each.model_copy(update={"digests": written.get(node, {})}) for node, each in record.nodes.items()
        }
        checks = [judge_setup(each, results.get(node), self._height(record, node)) for node, each in asked.items()]
        checks = self._with_foreign(asked, checks)
        record = record.model_copy(
            update={"nodes": nodes, "complete": all(check.state is not State.FAILED for check in checks)}
        )
        record.write(self.record_file)
        return record, checks

    def after(self) -> tuple[Record, list[NodeCheck]]:
        """Find the markers again and compare heights. Raises EngineError without a record of `before`."""
        self.phase = "verify"
        asked = self.asked()
        record = read_record(self.record_file)
        if record is None or not record.complete:
            raise EngineError(
                f"{self.record_file} does not hold a finished `check-state --before`; without it nothing can be "
                "compared. Run `check-state --before`, then disturb, then `--after`."
            )
        if (record.testnet, record.era) != (self.plan.spec.name, self.plan.spec.era):
            raise EngineError(
                f"{self.record_file} is of testnet '{record.testnet}', era {record.era}; a new era has new volumes, "
                "which hold no markers."
            )
        results = self._look(record, asked)
        heights = self._heights(record)
        checks = [
            judge_verify(each, results.get(node), record.nodes[node], heights.get(node))
            if node in record.nodes
            else NodeCheck(node, State.UNKNOWN, reason="it was not there, or could not be looked at, before")
            for node, each in asked.items()
        ]
        return record, self._with_foreign(asked, checks)

    def _able(self, asked: Mapping[str, Asked]) -> list[str]:
        """The nodes whose scripts can run here."""
        return [node for node, each in asked.items() if each.built_in or self.runs_scripts]

    def _with_foreign(self, asked: Mapping[str, Asked], checks: list[NodeCheck]) -> list[NodeCheck]:
        able = set(self._able(asked))
        return [each if each.node in able else NodeCheck(each.node, State.UNKNOWN, reason=FOREIGN) for each in checks]

    def _begin(self, nodes: list[str]) -> Record:
        """A new record, or that of a check which was interrupted while the nodes' heights could still be asked."""
        old, spec, run = read_record(self.record_file), self.plan.spec, secrets.token_hex(4)
        heights = self.deployment.ask(lambda api: job_results.heights(api, self.outputs, nodes))
        if old and not old.complete and (old.testnet, old.era, set(old.nodes)) == (spec.name, spec.era, set(nodes)):
            self.deployment.tell("going on", f"with the interrupted check {old.run}")
            known = old.heights(nodes)
            run = old.run
            heights = {node: known[node] if told is None else told for node, told in heights.items()}
        notes = {node: NodeRecord(height=heights[node]) for node in nodes}
        record = Record(testnet=spec.name, era=spec.era, run=run, nodes=notes)
        record.write(self.record_file)
        return record

    def _height(self, record: Record, node: str) -> int | None:
        return record.nodes[node].height if node in record.nodes else None

    def _look(self, record: Record, asked: Mapping[str, Asked]) -> dict[str, JobResult]:
        """Stop the nodes, run their Jobs, keep the logs, start the nodes again."""
        nodes = [node for node in self._able(asked) if node in record.nodes]
        run = JobRun(self.phase, record.run, record.heights(nodes))
        if not nodes:
            return {}
        try:
            results = self._jobs(run, {node: asked[node] for node in nodes})
        except MinaInfraError:
            self.deployment.tell("paused", f"{len(nodes)} nodes are still stopped; the next `up` starts them again")
            raise
        self.deployment.up(frozenset(), None)
        self.deployment.ask(lambda api: job_results.delete_leftovers(api, self.plan.spec.namespace))
        self.deployment.settle(frozenset())
        return results

    def _jobs(self, run: JobRun, asked: Mapping[str, Asked]) -> dict[str, JobResult]:
        namespace, deadline = self.plan.spec.namespace, timeouts.deployments(self.plan.spec)
        say = self.deployment.update
        self.deployment.up(run.nodes, None)
        self.deployment.ask(lambda api: job_results.until_stopped(api, namespace, run.nodes, deadline, say))
        try:
            self.deployment.up(run.nodes, run)
        except EngineError as error:
            self.problem = error
        results = self.deployment.ask(lambda api: job_results.results(api, namespace, self.phase, asked.values()))
        self._keep_logs(run, results)
        if self.problem is not None and all(each.complete for each in results.values()):
            raise self.problem  # not about a Job
        return results

    def _keep_logs(self, run: JobRun, results: Mapping[str, JobResult]) -> None:
        folder = self.folder / run.run / self.phase
        folder.mkdir(parents=True, exist_ok=True)
        for node, result in results.items():
            (folder / f"{node}.log").write_text(result.log)

    def _heights(self, record: Record) -> dict[str, int | None]:
        """The heights of today, waiting for chains that are still behind; a node that does not run tells none."""
        running = {node.name for node in self.outputs.daemons()}
        wanted = {node: height for node, height in record.heights(record.nodes).items() if node in running}
        return self.deployment.ask(
            lambda api: job_results.heights_at_least(api, self.outputs, wanted, self.deadline_s, self.deployment.update)
        )
