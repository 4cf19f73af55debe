"""Where a stack runs: on the cluster that its stack file names, or on an embedded one on this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mina_infra.errors import ClusterError, EngineError, MinaInfraError
from mina_infra.local.paths import DEFAULT_CLUSTER

if TYPE_CHECKING:
    from mina_infra.cluster.api import KubeApi
    from mina_infra.engine.environment import EngineEnvironment
    from mina_infra.local.control_plane import EmbeddedCluster
    from mina_infra.outputs import OutputsDocument

R = TypeVar("R")


@dataclass(frozen=True)
class Place:
    """One stack, and where it runs. `embedded`: name of the embedded cluster, None for a real one."""

    stack: str
    embedded: str | None = None
    project: Path = Path()

    @property
    def stack_file(self) -> Path:
        return self.project / f"Pulumi.{self.stack}.yaml"

    def command(self, words: str) -> str:
        """How to call a command for this place, for messages: `mina-infra up -s qa --local`."""
        local = " --local" if self.embedded and not is_local(self.stack_file) else ""
        return f"mina-infra {words} -s {self.stack}{local}"

    def environment(self) -> EngineEnvironment:
        """What the engine needs. Raises ToolError, SpecError, ClusterError or EngineError."""
        from mina_infra.engine.environment import ambient_environment

        if self.embedded is None:
            return ambient_environment(project=self.project, stack=self.stack)
        return embedded_environment_of(self.cluster(), self.project, self.stack)

    def cluster(self) -> EmbeddedCluster:
        """The embedded cluster. Raises ClusterError when it was not started."""
        from mina_infra.local.control_plane import find

        assert self.embedded is not None
        found = find(self.embedded)
        if found is None:
            named = "" if self.embedded == DEFAULT_CLUSTER else f" --cluster {self.embedded}"
            raise ClusterError(
                f"the embedded cluster '{self.embedded}' is not running. Start it with: "
                f"mina-infra local up --stack {self.stack}{named}"
            )
        return found

    def outputs(self) -> OutputsDocument:
        """The outputs document of the last deployment. Raises EngineError when there is none."""
        from mina_infra.engine.state import outputs

        return outputs(self.environment())

    def ask(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        """Open the stack's cluster for one question; the engine has no part in it. Raises SpecError, ClusterError."""
        return _ask(*self._access(), question)

    def _access(self) -> tuple[Path, str]:
        """Kubeconfig and context of the stack's cluster. Raises SpecError or ClusterError."""
        if self.embedded is not None:
            cluster = self.cluster()
            return cluster.kubeconfig, cluster.context
        from mina_infra.spec.stack_file import load_cluster

        named = load_cluster(self.stack_file)
        return Path(named.kubeconfig).expanduser(), named.context


def _ask(kubeconfig: Path | None, context: str | None, question: Callable[[KubeApi], Awaitable[R]]) -> R:
    import asyncio

    from mina_infra.cluster.api import KubeApi

    async def session() -> R:
        async with KubeApi.from_kubeconfig(kubeconfig, context) as api:
            return await question(api)

    return asyncio.run(session())


def project_folder() -> Path:
    """The checkout that the current folder lies in. Raises EngineError."""
    project = Path.cwd()
    while not (project / "Pulumi.yaml").exists():
        if project == project.parent:
            raise EngineError(f"no Pulumi.yaml in {Path.cwd()} or above it; change into the checkout of your testnets")
        project = project.parent
    return project


def place_of(stack: str, *, local: bool, cluster: str) -> Place:
    """The place of a stack of the checkout in the current folder. Raises EngineError when there is no such stack."""
    project = project_folder()
    place = Place(stack, None, project)
    if not place.stack_file.exists():
        from mina_infra.engine.environment import known_stacks

        raise EngineError(f"no stack '{stack}': {place.stack_file} is missing. Known here: {known_stacks(project)}")
    return Place(stack, cluster if local or is_local(place.stack_file) else None, project)


@dataclass(frozen=True)
class Site:
    """One cluster and the stacks of this project that run there, by name."""

    name: str
    environments: Mapping[str, EngineEnvironment]

    def ask(self, question: Callable[[KubeApi], Awaitable[R]]) -> R:
        """Open the cluster for one question. Raises ClusterError."""
        any_of_them = next(iter(self.environments.values()))
        return _ask(any_of_them.kubeconfig, any_of_them.context, question)


def sites_of(stacks: Sequence[str] | None, *, only_local: bool, cluster: str) -> tuple[list[Site], dict[str, str]]:
    """The clusters of a project's stacks, and why a stack could not be placed, by its name.

    The embedded cluster carries every stack that was deployed there, also those meant for a cloud; one that does not
    run carries nothing.
    """
    from mina_infra.engine.environment import stack_names

    project = project_folder()
    known = stack_names(project)
    missing = sorted(set(stacks or ()) - set(known))
    if missing:
        raise EngineError(f"no stack '{missing[0]}'. Known here: {', '.join(known) or 'none'}")
    # A cluster's own stack has no testnet, and so nothing that could be an orphan, expire or cost.
    chosen = [each for each in stacks or known if _has_testnet(project / f"Pulumi.{each}.yaml")]
    found, problems = _embedded_sites(chosen, project, cluster)
    real = [] if only_local else [each for each in chosen if not is_local(project / f"Pulumi.{each}.yaml")]
    clusters: dict[tuple[str, str], dict[str, EngineEnvironment]] = {}
    for each in real:
        try:
            environment = Place(each, None, project).environment()
            clusters.setdefault((f"{environment.context}", f"{environment.kubeconfig}"), {})[each] = environment
        except MinaInfraError as error:
            problems[each] = str(error)
    return [*found, *(Site(name, members) for (name, _), members in clusters.items())], problems


def _embedded_sites(chosen: Sequence[str], project: Path, cluster: str) -> tuple[list[Site], dict[str, str]]:
    from mina_infra.local.control_plane import find

    running = find(cluster)
    members, problems = {}, {}
    for each in chosen if running else ():
        assert running is not None
        if (running.paths.workspace / each).exists():
            try:
                members[each] = embedded_environment_of(running, project, each)
            except MinaInfraError as error:
                problems[each] = str(error)
    return ([Site(cluster, members)] if members else []), problems


def _has_testnet(stack_file: Path) -> bool:
    from mina_infra.spec.stack_file import has_testnet

    try:
        return has_testnet(stack_file)
    except MinaInfraError:
        return True  # told with its line by whoever needs more of the file


def is_local(stack_file: Path) -> bool:
    """Whether a stack file is meant for the embedded cluster."""
    from mina_infra.spec.stack_file import STORAGE_KEY, TESTNET_KEY, read_config

    try:
        config, _ = read_config(stack_file)
        return bool(config.get(TESTNET_KEY, config.get(STORAGE_KEY))["target"]["provider"] == "local")
    except (MinaInfraError, KeyError, TypeError, AttributeError):
        return False  # whatever is wrong with the file is reported with its line by whoever needs more of it


def embedded_environment_of(cluster: EmbeddedCluster, project: Path, stack: str) -> EngineEnvironment:
    """The engine's environment on an embedded cluster; builds the engine where there is none."""
    from mina_infra.engine.environment import embedded_environment
    from mina_infra.local.provider.process import offline_provider
    from mina_infra.local.tools import ensure_tools

    return embedded_environment(
        pulumi=ensure_tools(lambda _line: None).pulumi,
        project=project,
        stack=stack,
        state=cluster.state,
        kubeconfig=cluster.kubeconfig,
        context=cluster.context,
        offline=lambda: offline_provider(cluster.kubeconfig, cluster.paths.provider_log),
    )
