"""What every command reads of a stack file: what it has, and the cluster that it names. Loads no model of a testnet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from mina_infra.spec.errors import SpecError
from mina_infra.spec.fields import _Model
from mina_infra.spec.yaml_file import Marks, read_yaml

TESTNET_KEY = "mina-infra:testnet"
CLUSTER_KEY = "mina-infra:cluster"
MONITORING_KEY = "mina-infra:monitoring"
BENCHMARK_KEY = "mina-infra:benchmark"
STORAGE_KEY = "mina-infra:storage"
KNOWN_ISSUES_FILE = "known-issues.yaml"
"""Beside the stack files (mina_infra.spec.known_issues)."""


class ClusterConfig(_Model):
    """Which cluster a stack deploys to: `mina-infra:cluster` in its stack file."""

    context: Annotated[str, Field(min_length=1)]
    """Context of the kubeconfig; never the current one, which is whatever was used last."""
    kubeconfig: Annotated[str, Field(min_length=1)] = "~/.kube/config"
    """Path of the kubeconfig."""
    identifier: Annotated[str, Field(min_length=1)] | None = None
    """Name of this cluster for ever; the context when left out. Changing it replaces every object."""

    @property
    def identity(self) -> str:
        """Which cluster this is (docs/facts.md: pulumi/cluster-identifier)."""
        return self.identifier or self.context


def read_config(file: Path) -> tuple[Mapping[str, Any], Marks]:
    """The config of a stack file, empty where it has none, and where each value stands. Raises SpecError."""
    data, marks = read_yaml(file)
    config = data.get("config") if isinstance(data, Mapping) else None
    return (config if isinstance(config, Mapping) else {}), marks


def has_testnet(file: Path) -> bool:
    """Whether a stack file has a testnet; a cluster's own stack may declare nothing but storage. Raises SpecError."""
    config, _ = read_config(file)
    return TESTNET_KEY in config or STORAGE_KEY not in config


def load_cluster(file: Path) -> ClusterConfig:
    """The cluster that a Pulumi stack file names. Raises SpecError, also when it names none."""
    config, marks = read_config(file)
    part = config.get(CLUSTER_KEY, {})
    try:
        return ClusterConfig.model_validate(part)
    except ValidationError as error:
        from mina_infra.spec.explain import issues_of, not_plain  # it knows every model

        within = Marks(marks.file, marks.places, ("config", CLUSTER_KEY))
        issues = list(not_plain(part)) or issues_of(error, ClusterConfig)
        raise SpecError([within.locate(issue) for issue in issues]) from error
