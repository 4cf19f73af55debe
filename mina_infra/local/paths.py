"""Where the embedded world keeps its things: one state folder for each cluster, one cache of tools for the user.

Nothing else in the project builds these paths, so that deleting a state folder forgets exactly one cluster.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from mina_infra.errors import MinaInfraError

DEFAULT_CLUSTER = "local"
STATE_VARIABLE = "MINA_INFRA_STATE"

# Part of folder names, of the kubeconfig context and of command lines; 40 leaves room for the prefixes of others.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def checkout() -> Path:
    """The folder that holds this package, `tools/` and the stack files."""
    return Path(__file__).resolve().parents[2]


def state_root() -> Path:
    """The folder of all clusters: $MINA_INFRA_STATE, else `.mina-infra` in the checkout. Absolute; may not exist."""
    chosen = os.environ.get(STATE_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else checkout() / ".mina-infra"


def tools_cache() -> Path:
    """The folder of built tools, outside the checkout so that a fresh clone finds them. May not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "mina-infra" / "tools"


@dataclass(frozen=True)
class ClusterPaths:
    """The files of one embedded cluster. Raises MinaInfraError for a name that cannot be a folder and a context."""

    name: str = DEFAULT_CLUSTER
    root: Path | None = None  # None: state_root()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise MinaInfraError(
                f"{self.name!r} cannot name a cluster; allowed: 1 to 40 lower-case letters, digits and '-', "
                "beginning and ending with a letter or digit"
            )

    @property
    def state(self) -> Path:
        """Everything about this cluster, and nothing else."""
        return (self.root or state_root()) / self.name

    @property
    def context(self) -> str:
        """The name of the kubeconfig context, as kwokctl gives it."""
        return f"kwok-{self.name}"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def kwok(self) -> Path:
        """Home of kwokctl and of its components, and our notes about them.

        As their home folder, because kwokctl cuts a KWOK_WORKDIR at its first blank.
        """
        return self.state / "kwok"

    @property
    def kwok_cluster(self) -> Path:
        """kwokctl's folder for this cluster: bin, etcd, logs, pids, pki, kwok.yaml."""
        return self.kwok / ".kwok" / "clusters" / self.name

    @property
    def kwok_config(self) -> Path:
        """What kwokctl remembers of the cluster, ports included."""
        return self.kwok_cluster / "kwok.yaml"

    @property
    def complete(self) -> Path:
        """Written when the first start was done; without it the cluster is only half made."""
        return self.kwok / "complete"

    @property
    def bin(self) -> Path:
        """Programs that exec into a pod finds first (the simulator puts `mina` here)."""
        return self.state / "bin"

    @property
    def volumes(self) -> Path:
        """One directory for each PersistentVolume, by its name."""
        return self.state / "volumes"

    @property
    def snapshots(self) -> Path:
        """One directory for each snapshot of a volume, by its handle."""
        return self.state / "snapshots"

    @property
    def logs(self) -> Path:
        """`<namespace>/<pod>.log`, in CRI format."""
        return self.state / "logs"

    @property
    def workspace(self) -> Path:
        """The engine's working folder."""
        return self.state / "workspace"

    @property
    def world_pid(self) -> Path:
        return self.state / "world.pid"

    @property
    def world_log(self) -> Path:
        return self.state / "world.log"

    @property
    def provider_log(self) -> Path:
        return self.state / "provider.log"

    @property
    def lock(self) -> Path:
        """Held while the cluster is started or stopped. Beside the state folder, which a stop deletes."""
        return self.state.parent / f".{self.name}.lock"
