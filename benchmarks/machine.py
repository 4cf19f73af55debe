"""What was measured on what: machine, versions, date."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

from mina_infra.engine.provider import wanted_version
from mina_infra.local.programs import text_of
from mina_infra.local.tools import Tools, version_of


def describe(tools: Tools) -> dict[str, str]:
    """Name and value of everything that the figures depend on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    programs = {
        "pulumi": tools.pulumi,
        "kwokctl": tools.kwokctl,
        "kube-apiserver": tools.kube_apiserver,
    }
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{cores} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        **{name: _version(name, path) for name, path in programs.items() if path},
        "pulumi SDK": version("pulumi"),
        "provider": wanted_version(),
    }


def _version(name: str, path: Path) -> str:
    found = version_of(name, path)
    return text_of(found) if found else "unknown"
