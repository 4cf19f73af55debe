"""Which Kubernetes provider plugin a run uses: the official one, or for an embedded cluster our own.

Plugins are kept in the user's Pulumi home, so that one download serves every cluster. That a download was impossible is
remembered for an hour: without network nobody waits for it twice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.report import Report
from mina_infra.errors import EngineError

PATIENCE_S = 60.0
"""Seconds for the download of the plugin, about 40 MB."""
REMEMBER_S = 3600.0

_PLUGIN = "pulumi-resource-kubernetes"


def wanted_version() -> str:
    """The plugin's version: that of the Python package, which every registered object names."""
    return version("pulumi_kubernetes")


@contextmanager
def provider(env: EngineEnvironment, report: Report) -> Iterator[dict[str, str]]:
    """Have a Kubernetes provider ready for a run; yields the variables that the engine needs for it.

    Raises EngineError when there is none and the cluster is a real one.
    """
    share_plugins(env)
    if is_installed(env) or _install(env, report):
        yield {}
        return
    if env.offline is None:
        raise EngineError(
            f"the Kubernetes provider {wanted_version()} is neither installed nor could it be installed; "
            f"run `pulumi plugin install resource kubernetes {wanted_version()}` where there is network, "
            f"or put {_PLUGIN} on PATH"
        )
    report.say("provider", "official Kubernetes provider not available here: using the built-in one")
    with env.offline() as port:
        yield {
            "PULUMI_DEBUG_PROVIDERS": f"kubernetes:{port}",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }


def share_plugins(env: EngineEnvironment) -> None:
    """Let the private Pulumi home of an embedded cluster use the plugins of the user's."""
    home = env.variables.get("PULUMI_HOME")
    if home is None:
        return
    plugins = Path(home) / "plugins"
    users = _users_home() / "plugins"
    if not plugins.exists() and not plugins.is_symlink():
        users.mkdir(parents=True, exist_ok=True)
        plugins.parent.mkdir(parents=True, exist_ok=True)
        plugins.symlink_to(users, target_is_directory=True)


def is_installed(env: EngineEnvironment) -> bool:
    """Will the engine find the official plugin by itself?"""
    home = Path(env.variables.get("PULUMI_HOME") or _users_home())
    in_home = home / "plugins" / f"resource-kubernetes-v{wanted_version()}" / _PLUGIN
    return in_home.exists() or shutil.which(_PLUGIN) is not None


def _users_home() -> Path:
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")


def _install(env: EngineEnvironment, report: Report) -> bool:
    """Try once to install the official plugin; False when that is not possible now."""
    if os.environ.get("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "").lower() in {"1", "true"}:
        return False
    memory = env.lock.parent / f"no-kubernetes-provider-{wanted_version()}"
    if _is_fresh(memory):
        return False
    report.update(f"installing the Kubernetes provider {wanted_version()}")
    command = [str(env.pulumi), "plugin", "install", "resource", "kubernetes", wanted_version(), "--non-interactive"]
    if _succeeds(command, env) and is_installed(env):
        return True
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.touch()
    return False


def _is_fresh(memory: Path) -> bool:
    try:
        return time.time() - memory.stat().st_mtime < REMEMBER_S
    except FileNotFoundError:
        return False


def _succeeds(command: list[str], env: EngineEnvironment) -> bool:
    """Run an installation; the first failed download ends it, instead of five tries with growing pauses."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=env.process_environment(),
        cwd=env.work_dir,
        encoding="utf-8",
        errors="replace",
    ) as process:
        limit = threading.Timer(PATIENCE_S, process.kill)
        limit.start()
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "rror downloading" in line:
                    process.kill()
                    break
            return process.wait() == 0
        finally:
            limit.cancel()
