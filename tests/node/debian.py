"""The container runtime from Debian's packages: downloaded and unpacked beside the other tools, never installed."""

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

PACKAGES = ("containerd", "runc", "containernetworking-plugins", "busybox-static")
NEEDED = ("apt-get", "dpkg-deb", "ip", "mount", "setpriv", "unshare")
"""Programs that the tests use of the machine."""


def why_not() -> str | None:
    """Why no real node can be started here; None when it can."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root"
    if (os.cpu_count() or 1) < 2:
        return "needs two cores"
    missing = [name for name in NEEDED if not shutil.which(name)]
    return f"needs Debian's {', '.join(missing)}" if missing else None


def ensure_packages(report: Callable[[str], None]) -> Path:
    """The folder in which the packages are unpacked. Raises ToolError with apt's last words."""
    folder = tools_cache() / "debian"
    if (folder / "complete").exists():
        return folder
    report(f"fetching {', '.join(PACKAGES)} with apt-get (37 MB, once)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        partial = Path(name) / "debian"
        partial.mkdir()
        _download(Path(name))
        for package in Path(name).glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(partial)], Path(name))
        (partial / "complete").touch()
        if not folder.exists():  # else somebody was faster
            partial.rename(folder)
    return folder


def _download(folder: Path) -> None:
    """apt's lists of packages may be missing or too old: they are renewed only then."""
    # The user that apt otherwise downloads as cannot write here.
    download = ["apt-get", "-o", "APT::Sandbox::User=root", "download", *PACKAGES]
    try:
        _run(download, folder)
    except ToolError:
        _run(["apt-get", "update"], folder)
        _run(download, folder)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise ToolError(f"{' '.join(command)} failed with exit code {done.returncode}:\n{said}")
