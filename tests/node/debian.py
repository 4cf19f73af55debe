"""The container runtime from Debian's packages."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from mina_infra.local.paths import tools_cache
from tests.debian import unpacked

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
    with unpacked(PACKAGES, folder.parent) as files:
        (files / "complete").touch()
        if not folder.exists():  # else somebody was faster
            files.rename(folder)
    return folder
