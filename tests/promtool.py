"""promtool, the judge of the Prometheus rules: from PATH, else once from the Debian package, into the cache of tools.

`make test` calls this file first, so that its one slow moment is seen. Nothing is installed, and no root is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from mina_infra.errors import ToolError
from mina_infra.local.paths import tools_cache

PACKAGE = "prometheus"
HELP = "Put promtool on PATH: apt-get install prometheus, brew install prometheus, or https://prometheus.io/download"


def ensure_promtool(report: Callable[[str], None]) -> Path:
    """The path of promtool. Raises ToolError where it is not on PATH and there is no Debian to get it from."""
    found = shutil.which("promtool")
    if found:
        return Path(found)
    target = tools_cache() / "promtool" / "promtool"
    if not os.access(target, os.X_OK):
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise ToolError(f"the alert rules cannot be checked: no promtool, and no apt-get to fetch it. {HELP}.")
        report(f"promtool: fetching Debian's package {PACKAGE} into {target.parent} (once; 20 MB)")
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target: a move is atomic only within one file system.
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            _fetch(Path(folder)).replace(target)
    return target


def _fetch(folder: Path) -> Path:
    """Download and unpack the package in a folder. With package lists of its own where the machine has none."""
    if _run(["apt-get", "-q", "download", PACKAGE], folder).returncode:
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        own = ["-o", f"Dir::State={folder}/state", "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User="]
        own += ["-o", "Dir::State::status=/var/lib/dpkg/status"]
        for command in (["update"], ["download", PACKAGE]):
            done = _run(["apt-get", "-q", *own, *command], folder)
        if done.returncode:
            raise ToolError(f"apt-get cannot download the package {PACKAGE}:\n{done.stdout.strip()}\n{HELP}.")
    (package,) = folder.glob(f"{PACKAGE}_*.deb")
    done = _run(["dpkg-deb", "-x", str(package), str(folder / "unpacked")], folder)
    if done.returncode:
        raise ToolError(f"dpkg-deb cannot unpack {package.name}: {done.stdout.strip()}")
    return folder / "unpacked" / "usr" / "bin" / "promtool"


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False
    )


if __name__ == "__main__":
    try:
        ensure_promtool(lambda line: print(line, flush=True))
    except ToolError as error:
        sys.exit(f"error: {error}")
