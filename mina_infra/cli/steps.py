"""What follows a deployment, step by step: settle, verify, publish. Shared by `up`, `post-deploy` and `local up`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mina_infra.cli.console import Reporter
from mina_infra.cli.place import Place

if TYPE_CHECKING:
    from mina_infra.cluster.api import KubeApi
    from mina_infra.cluster.cluster import KubeCluster
    from mina_infra.guardian.findings import Finding
    from mina_infra.guardian.joining import Progress as JoinProgress
    from mina_infra.guardian.verdict import Verdict
    from mina_infra.outputs import OutputsDocument, Profile
    from mina_infra.publish.folder import Published

START_S = 1800.0
"""Seconds within which a new network must be healthy (docs/facts.md: guardian/time-in-state)."""

EMBEDDED_START_S = 300.0
"""The same on the embedded cluster, where slots take a second and nothing is pulled or proved."""


@dataclass
class Session:
    """One run of steps on one deployed testnet. `verdict` is the last one, which publishing relies on."""

    place: Place
    outputs: OutputsDocument
    reporter: Reporter
    out: Path | None = None
    deadline: float | None = None
    road: str = "auto"
    verdict: Verdict | None = None
    published: Published | None = None

    @property
    def folder(self) -> Path:
        """Where it publishes when no folder is named: out/STACK."""
        return self.out or Path("out") / self.place.stack

    @property
    def deadline_s(self) -> float:
        """Seconds that a starting network is given."""
        if self.deadline is not None:
            return self.deadline
        return EMBEDDED_START_S if self.place.embedded else START_S

    def seen_by(self, api: KubeApi) -> KubeCluster:
        """The testnet's namespace, its daemons by the road that was asked for."""
        from mina_infra.cluster.cluster import KubeCluster
        from mina_infra.cluster.roads import roads_of

        return KubeCluster(api, self.outputs.namespace, roads_of(self.road))

    @property
    def settle_s(self) -> float:
        """Seconds within which every pod must run: as the document says, else the longer the more nodes."""
        from mina_infra.plan import timeouts

        spec = self.place.environment().plan.spec
        if self.deadline is not None or (self.place.embedded and spec.timeouts.deployments is None):
            return self.deadline_s
        return timeouts.deployments(spec)

    def settle(self) -> None:
        """Wait until every expected pod runs. Verifying would wait as well; this says what for, pod by pod."""
        from mina_infra.engine.settle import wait_until_running

        expected = [node.name for node in self.outputs.nodes]
        with self.reporter.stage("settling"):
            self.place.ask(
                lambda api: wait_until_running(
                    api, self.outputs.namespace, expected, self.reporter, deadline_s=self.settle_s
                )
            )
        paused = len(self.outputs.paused())
        self.reporter.say("running", f"{len(expected) - paused} nodes" + (f", {paused} paused" if paused else ""))

    def verify(self, profile: Profile | None = None, skipped: Set[str] = frozenset(), *, join: bool = False) -> Verdict:
        """Judge the network, waiting for one that still starts; by another profile, or without some checks.

        `join`: an outsider is let in at the end, two where the first fails, and judged with the rest.
        """
        from mina_infra.cli.known import known_issues_of
        from mina_infra.guardian.report import text
        from mina_infra.guardian.verify import verify

        known = known_issues_of(self.place)
        with self.reporter.stage("sanity", "looking at every node"):
            verdict = self.place.ask(
                lambda api: verify(
                    self.seen_by(api),
                    self.outputs,
                    self.deadline_s,
                    lambda progress: self.reporter.update(progress.line()),
                    known=known,
                    profile=profile,
                    skipped=skipped,
                    outsider=self._outsider(api) if join else None,
                )
            )
        for line in text(verdict).splitlines():
            label, _, rest = line.partition(" ")
            self.reporter.say(label, rest.strip())
        self.verdict = verdict
        return verdict

    def _outsider(self, api: KubeApi) -> Callable[[], Awaitable[Finding]]:
        from mina_infra.cli.join import visit
        from mina_infra.guardian.joining import confirmed

        plan = self.place.environment().plan

        def seen(progress: JoinProgress) -> None:
            self.reporter.update(f"an outsider joins: {progress.stage}: {progress.words}")

        return lambda: confirmed(lambda: visit(api, plan, self.outputs, None, self.road, seen))

    def publish(self) -> None:
        """Publish the seeds. Raises PublishRefusedError when the verdict of this run is not healthy."""
        from mina_infra.publish.folder import publish

        verdict = self.verdict or self.verify()
        self.published = publish(self.outputs, verdict, self.folder)
        self.reporter.say(
            "seeds", f"{len(self.published.seeds)} published → {self.published.page}, {self.published.peers}"
        )

    def run(self) -> int:
        """The stack's `postDeploy` list, in order; the exit code of the verdict."""
        for step in self.outputs.post_deploy:
            if step == "verify":
                verdict = self.verify()
                if not verdict.healthy:
                    return verdict.exit_code
            elif step == "publish":
                self.publish()
        return self.verdict.exit_code if self.verdict else 0
