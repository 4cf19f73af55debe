"""Everything one run of the engine needs to know: which CLI, which folder, backend, cluster and variables.

Two makers: `embedded_environment` for a cluster that `mina_infra.local` started (backend, working folder and passphrase
are ours), `ambient_environment` for real clusters (backend, login and stack file are the user's).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from mina_infra.engine.process import MARK, mark_of
from mina_infra.errors import EngineError
from mina_infra.plan import (
    PlannedObject,
    TestnetPlan,
    load_classes,
    load_stack,
    parse_classes,
    parse_document,
    plan_classes,
    plan_testnet,
)
from mina_infra.plan.cluster import NAMESAKE
from mina_infra.plan.localize import localize, localize_storage
from mina_infra.spec import load_cluster
from mina_infra.spec.hold import Held, with_held
from mina_infra.spec.job_run import JobRun
from mina_infra.spec.stack_file import CLUSTER_KEY, MONITORING_KEY, STORAGE_KEY, TESTNET_KEY, has_testnet

PROJECT = "mina-infra"
"""Name of the Pulumi project, as in Pulumi.yaml; part of every URN, so it never changes."""

OfflineProvider = Callable[[], AbstractContextManager[int]]
"""Starts a Kubernetes provider of our own for the time of a run; yields its port."""


@dataclass(frozen=True)
class EngineEnvironment:
    """One stack of one project, and the engine that works on it."""

    pulumi: Path
    project: Path
    """The checkout: `__main__.py` and the files that stack files name."""
    work_dir: Path
    """Where the engine finds Pulumi.yaml and the stack file."""
    stack: str
    kubeconfig: Path | None = None
    context: str | None = None
    backend: Path | None = None
    """Folder of a file backend that belongs to us alone; None: the user's own backend."""
    variables: Mapping[str, str] = field(default_factory=dict)
    offline: OfflineProvider | None = None
    """Used where the official provider cannot be had; only ever given for an embedded cluster."""
    lock: Path = field(default_factory=Path)
    jobs: JobRun | None = None
    """The setup or verification Jobs that runs of this environment make; `dataclasses.replace` sets them."""
    held: Held = field(default_factory=dict)
    """Volumes that the runs in this environment leave as they are, whatever the stack file says of them."""

    @property
    def stack_file(self) -> Path:
        return self.work_dir / f"Pulumi.{self.stack}.yaml"

    @property
    def identifier(self) -> str:
        """Which cluster this is, for ever."""
        return load_cluster(self.stack_file).identity

    @property
    def embedded(self) -> bool:
        return self.backend is not None

    @cached_property
    def plan(self) -> TestnetPlan:
        """What the stack file asks for. Raises SpecError with every mistake."""
        if not self.embedded:
            return plan_testnet(with_held(load_stack(self.stack_file), self.held), self.jobs)
        document = yaml.safe_load(self.stack_file.read_text())["config"][TESTNET_KEY]
        return plan_testnet(with_held(parse_document(document, base=self.project), self.held), self.jobs)

    @cached_property
    def classes(self) -> tuple[PlannedObject, ...]:
        """The storage classes that the stack file declares for the whole cluster. Raises SpecError."""
        if not self.embedded:
            storage = load_classes(self.stack_file)
            return plan_classes(storage, self.stack) if storage else ()
        declared = read_config(self.stack_file).get(STORAGE_KEY)
        return plan_classes(parse_classes(declared), self.stack) if declared else ()

    @property
    def has_testnet(self) -> bool:
        """False for the stack of a cluster, which declares nothing but what its testnets share."""
        return has_testnet(self.stack_file)

    @property
    def prefix(self) -> str:
        """What the engine's names of the stack's objects begin with."""
        return f"{self.plan.spec.name if self.has_testnet else NAMESAKE}-"

    def process_environment(self, **more: str) -> dict[str, str]:
        """The variables of a child process. An embedded stack takes nothing from the user's own Pulumi set-up."""
        inherited = {
            key: value for key, value in os.environ.items() if not (self.embedded and key.startswith("PULUMI_"))
        }
        ours = {MARK: mark_of(self.lock), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        return {**inherited, **ours, **self.variables, **more}


def embedded_environment(
    *, pulumi: Path, project: Path, stack: str, state: Path, kubeconfig: Path, context: str, offline: OfflineProvider
) -> EngineEnvironment:
    """The environment of a stack on an embedded cluster whose state folder is `state`.

    Writes a working folder with the stack file made local; the checkout is never written. Raises SpecError for mistakes
    in the user's stack file, each with its line there.
    """
    work_dir = state / "workspace" / stack
    work_dir.mkdir(parents=True, exist_ok=True)
    (state / "pulumi").mkdir(exist_ok=True)
    _refuse_automatic_log(state / "pulumi-home")
    cluster = {"kubeconfig": str(kubeconfig), "context": context, "identifier": context}
    _write_project(project, work_dir)
    _write_stack(project / f"Pulumi.{stack}.yaml", work_dir, cluster)
    return EngineEnvironment(
        pulumi=pulumi,
        project=project,
        work_dir=work_dir,
        stack=stack,
        kubeconfig=kubeconfig,
        context=context,
        backend=state / "pulumi",
        variables=embedded_variables(state),
        offline=offline,
        lock=work_dir / "run.lock",
    )


def embedded_variables(state: Path) -> dict[str, str]:
    """Engine settings for a file backend of our own (docs/facts.md: measured/checkpoints, measured/sidecars).

    No checkpoints: the whole state written twice per object costs more than everything else together; what a killed
    run leaves unrecorded is adopted by the next one (`recovery`). No sidecar files: a kill can leave them unreadable.
    """
    return {
        "PULUMI_BACKEND_URL": f"file://{state / 'pulumi'}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_HOME": str(state / "pulumi-home"),
        "PULUMI_SKIP_CHECKPOINTS": "true",
    }


def _refuse_automatic_log(home: Path) -> None:
    """Put a file where the engine would make the folder of its automatic log; it then does without.

    There is no switch for that log, which holds every property of every object several times: writing it was 60 % of
    the engine's work on 200 unchanged nodes (12.4 s of processor time, 4.8 s without) and 21 MB on disk for each run.
    """
    home.mkdir(exist_ok=True)
    logs = home / "logs"
    if not logs.exists():
        logs.write_text("This file keeps the engine from writing its automatic log. Remove it to have that log here.\n")


def ambient_environment(*, project: Path, stack: str) -> EngineEnvironment:
    """The environment of a stack on a real cluster: the user's CLI, backend, login and stack file.

    Raises EngineError when there is no CLI or no stack file, SpecError when the file does not say which cluster.
    """
    found = shutil.which("pulumi")
    if found is None:
        raise EngineError(
            "no `pulumi` on PATH; a real cluster needs the Pulumi CLI (https://www.pulumi.com/docs/install). "
            "On the embedded cluster: --local"
        )
    stack_file = project / f"Pulumi.{stack}.yaml"
    if not stack_file.exists():
        raise EngineError(f"no stack file {stack_file.name} in {project}; known stacks: {known_stacks(project)}")
    cluster = load_cluster(stack_file)
    return EngineEnvironment(
        pulumi=Path(found),
        project=project,
        work_dir=project,
        stack=stack,
        kubeconfig=Path(cluster.kubeconfig).expanduser(),
        context=cluster.context,
        lock=project / ".mina-infra" / "runs" / f"{stack}.lock",
    )


def known_stacks(project: Path) -> str:
    """The names of a project's stack files, for messages."""
    return ", ".join(stack_names(project)) or "none"


def stack_names(project: Path) -> list[str]:
    """The names of a project's stack files, in order."""
    return [file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in sorted(project.glob("Pulumi.*.yaml"))]


def read_config(stack_file: Path) -> dict[str, Any]:
    """The config of a stack file; empty when there is none."""
    data = yaml.safe_load(stack_file.read_text()) or {}
    config = data.get("config") if isinstance(data, dict) else None
    return config if isinstance(config, dict) else {}


def _write_project(project: Path, work_dir: Path) -> None:
    settings = {
        "name": PROJECT,
        "runtime": "python",
        "description": f"Working copy of {project}",
    }
    _write(work_dir / "Pulumi.yaml", yaml.safe_dump(settings, sort_keys=False))


def _write_stack(source: Path, work_dir: Path, cluster: Mapping[str, str]) -> None:
    """The stack file with its testnet made local. What the engine itself wrote there (the salt) is kept."""
    if not source.exists():
        raise EngineError(
            f"no stack file {source.name} in {source.parent}; known stacks: {known_stacks(source.parent)}"
        )
    if has_testnet(source):
        load_stack(source)
    else:
        load_classes(source)
    target = work_dir / source.name
    there = yaml.safe_load(target.read_text()) if target.exists() else None
    salt = {key: value for key, value in (there or {}).items() if key.startswith("encryption")}
    # Alert policies are for the real cluster; nobody is woken for a volume of this machine.
    config = {key: value for key, value in read_config(source).items() if key != MONITORING_KEY}
    config = {**config, CLUSTER_KEY: dict(cluster)}
    if TESTNET_KEY in config:
        config[TESTNET_KEY] = localize(config[TESTNET_KEY], source.parent)
    if config.get(STORAGE_KEY):
        config[STORAGE_KEY] = localize_storage(config[STORAGE_KEY])
    if there != {**salt, "config": config}:
        _write(target, yaml.safe_dump({**salt, "config": config}, sort_keys=False))


def _write(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text)
    fresh.replace(file)
